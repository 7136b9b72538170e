//! What is known of the box when it is drawn.

use std::time::Duration;

use embedded_graphics::pixelcolor::Rgb565;
use live_pusher::{DevicePosition, PreviewFit, Reasons, Size, State, Store, Time, Transition};

/// Whether the firmware is there to be steered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    Starting,
    #[default]
    Running,
    /// What is set is not on the flash yet.
    Stopping,
    Stopped,
}

/// All that a screen may show.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// By the clock of the inputs.
    pub now: Time,
    pub phase: Phase,
    pub state: State,
    pub reasons: Reasons,
    pub store: &'a Store,
    /// How long the box has been on air.
    pub on_air: Option<Duration>,
    /// Of the last interval of two seconds, and what the rate control aims at; kb/s.
    pub bitrate: u32,
    pub target: u32,
    pub history: &'a History,
    /// Quality of the network, 0 to 6 (9).
    pub quality: u8,
    /// Of the microphone, 0 to 100 (5.4); none while it delivers nothing.
    pub volume: Option<u8>,
    /// The camera in use, and whether it delivers pictures.
    pub position: DevicePosition,
    pub camera_runs: bool,
    pub torch: bool,
    /// Degrees Celsius.
    pub temperature: Option<i16>,
    /// Pictures lost anywhere since the session began.
    pub dropped: u64,
    /// Whether the preview is on: a display with colours shows it, or why there is no picture (12.10).
    pub shows_preview: bool,
    /// Of the picture that is published, before a narrow network makes it smaller.
    pub shape: Size,
    pub fit: PreviewFit,
    /// The newest picture of the camera for this display, mirrored as it wants it (4.22).
    pub preview: Option<Picture<'a>>,
    pub about: &'a About,
}

impl<'a> View<'a> {
    /// Of a box at rest.
    pub fn new(store: &'a Store, history: &'a History, about: &'a About) -> Self {
        Self {
            now: Time::ZERO,
            phase: Phase::default(),
            state: State::Idle,
            reasons: Reasons::default(),
            store,
            on_air: None,
            bitrate: 0,
            target: 0,
            history,
            quality: 0,
            volume: None,
            position: store.properties().device_position,
            camera_runs: false,
            torch: false,
            temperature: None,
            dropped: 0,
            shows_preview: false,
            shape: Size::of(store.properties()),
            fit: PreviewFit::default(),
            preview: None,
            about,
        }
    }

    /// A box without an address has nowhere to send to.
    pub(crate) fn is_provisioned(&self) -> bool {
        !self.store.properties().url.is_empty() || self.state.has_session()
    }

    /// Whether pictures of the camera are wanted, and time enough has passed for them to come with the state.
    pub(crate) fn wants_camera(&self) -> bool {
        let is_open = matches!(self.state, State::Previewing | State::Pushing | State::Reconnecting);
        is_open && self.reasons.is_empty() && self.store.properties().enable_camera
    }

    pub(crate) fn wants_microphone(&self) -> bool {
        let is_open = matches!(self.state, State::Pushing | State::Reconnecting);
        is_open && self.reasons.is_empty() && self.store.properties().enable_mic
    }

    /// Whether the box is in no network. What is sent goes somewhere, whatever is known of it.
    pub(crate) fn lacks_network(&self) -> bool {
        self.about.address.is_empty() && !matches!(self.state, State::Pushing | State::Paused)
    }

    /// When the preview moves to the small window (4.32).
    pub(crate) fn transitions(&self) -> &'a [Transition] {
        &self.store.properties().picture_in_picture_mode
    }
}

/// What does not change while the box runs, or hardly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    pub version: String,
    /// Serial number.
    pub serial: String,
    /// Where the box is in the network; empty without one.
    pub address: String,
    /// Bits a second of the serial line by which the box is set up; none of a box that is set up by a file on its card.
    pub baud: Option<u32>,
    pub buttons: Buttons,
}

/// What is done with a button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gesture {
    Short,
    Double,
    Long,
}

/// One button, and what is done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Press {
    /// Its name in the board file; the well-known ones are translated.
    pub button: String,
    pub gesture: Gesture,
}

impl Press {
    pub fn new(button: &str, gesture: Gesture) -> Self {
        Self { button: button.to_owned(), gesture }
    }
}

/// How what the screens speak of is done at this box; none where no button does it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buttons {
    /// [`State::Idle`] ends.
    pub start: Option<Press>,
    /// The pause by hand ends.
    pub resume: Option<Press>,
    /// Opens the menu, acknowledges a fault.
    pub menu: Option<Press>,
    /// Takes what is marked in a menu, keeps a number.
    pub choose: Option<Press>,
    /// Leaves a page of the menu without a change.
    pub back: Option<Press>,
}

/// Those of a box with the buttons `start` and `menu`.
impl Default for Buttons {
    fn default() -> Self {
        let press = |button, gesture| Some(Press::new(button, gesture));
        Self {
            start: press("start", Gesture::Short),
            resume: press("start", Gesture::Long),
            menu: press("menu", Gesture::Short),
            choose: press("menu", Gesture::Short),
            back: press("menu", Gesture::Long),
        }
    }
}

/// A picture in RGB565, rows from the top.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    width: u32,
    height: u32,
    pixels: &'a [Rgb565],
}

impl<'a> Picture<'a> {
    /// None where there are fewer pixels than the size tells, or none at all.
    pub fn new(width: u32, height: u32, pixels: &'a [Rgb565]) -> Option<Self> {
        let count = usize::try_from(u64::from(width) * u64::from(height)).ok()?;
        (count > 0 && pixels.len() >= count).then_some(Self { width, height, pixels })
    }

    pub(crate) fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    pub(crate) fn row(&self, y: u32) -> &'a [Rgb565] {
        let width = self.width as usize;
        self.pixels.get(y as usize * width..).and_then(|rest| rest.get(..width)).unwrap_or_default()
    }
}

/// Samples of two seconds each: two minutes.
pub(crate) const SAMPLES: usize = 60;

/// The bitrate of the last two minutes.
#[derive(Clone, Debug)]
pub struct History {
    samples: [u32; SAMPLES],
    next: usize,
}

impl Default for History {
    fn default() -> Self {
        Self { samples: [0; SAMPLES], next: 0 }
    }
}

impl History {
    /// Takes the rate of one interval of two seconds, in kb/s.
    pub fn push(&mut self, kbps: u32) {
        self.samples[self.next] = kbps;
        self.next = (self.next + 1) % SAMPLES;
    }

    /// From the newest on.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = u32> + '_ {
        let (newer, older) = self.samples.split_at(self.next);
        newer.iter().rev().chain(older.iter().rev()).copied()
    }
}
