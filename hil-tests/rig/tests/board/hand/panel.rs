//! What the OLED is to show: the interface that ships draws it here, of a box in a known state.

use std::ops::Range;
use std::time::Duration;

use anyhow::{Result, ensure};
use live_pusher::{Code, DevicePosition, Hardware, Input, Machine, Options, Reason, Reasons, State, Store};
use panel::{About, Canvas, Colours, History, Interface, Language, View};
use rig::Bench;
use rig::devices::Ssd1306;
use serde_json::{Map, json};

use super::within;

/// Pixels that are lit, row by row.
#[derive(Clone, PartialEq)]
pub(super) struct Picture(pub(super) Vec<bool>);

impl Picture {
    /// What is to be seen on the panel now.
    pub(super) fn of_oled(bench: &Bench) -> Result<Self> {
        let mut pixels = Vec::new();
        let seen = bench.board.oled(&mut |display| {
            pixels = places().map(|(x, y)| display.is_on() && display.pixel(x, y)).collect();
        });
        ensure!(seen, "no panel");
        Ok(Self(pixels))
    }

    fn drawn(interface: &mut Interface, view: &View<'_>) -> Self {
        let mut canvas = Canvas::new(Ssd1306::WIDTH as u32, Ssd1306::HEIGHT as u32, Colours::Two);
        interface.draw(view, &mut canvas);
        Self(places().map(|(x, y)| canvas.is_lit(x as u32, y as u32)).collect())
    }

    pub(super) fn lit(&self) -> usize {
        self.0.iter().filter(|lit| **lit).count()
    }

    fn part(&self, (columns, rows): &Part) -> Vec<bool> {
        let at = |(x, y): &(usize, usize)| columns.contains(x) && rows.contains(y);
        places().zip(&self.0).filter(|(place, _)| at(place)).map(|(_, lit)| *lit).collect()
    }
}

fn places() -> impl Iterator<Item = (usize, usize)> {
    (0..Ssd1306::HEIGHT).flat_map(|y| (0..Ssd1306::WIDTH).map(move |x| (x, y)))
}

/// Of the serial line in the board file.
const BAUD: u32 = 115_200;

/// Columns and rows.
type Part = (Range<usize>, Range<usize>);

const WHOLE: Part = (0..Ssd1306::WIDTH, 0..Ssd1306::HEIGHT);
/// Of the home screen: the state beside the time on air, and the camera beside the microphone's level. What else it shows are
/// measures.
const STATE: Part = (0..78, 0..14);
const CAMERA: Part = (57..Ssd1306::WIDTH, 32..46);
/// Of a message: the state beside its number and how many there are, and the sentence.
const HEADING: Part = (0..66, 0..14);
const SENTENCE: Part = (0..Ssd1306::WIDTH, 18..Ssd1306::HEIGHT);

/// What a person is to see on the panel.
pub(super) struct Sight {
    name: String,
    picture: Picture,
    parts: Vec<Part>,
}

impl Sight {
    /// A box without an address to publish to, which tells by a code how it comes to one.
    pub(super) fn not_set_up(serial: &str) -> Self {
        let (store, history) = (Store::default(), History::default());
        let about = About { serial: serial.into(), baud: Some(BAUD), ..in_network() };
        let view = View::new(&store, &history, &about);
        let picture = Picture::drawn(&mut Interface::new(Language::English), &view);
        Self { name: "not set up".into(), picture, parts: vec![WHOLE] }
    }

    pub(super) fn home(state: State, position: DevicePosition, camera_runs: bool) -> Self {
        Self::of_home(state, position, camera_runs, None)
    }

    pub(super) fn paused(reason: Reason, position: DevicePosition) -> Self {
        Self::of_home(State::Paused, position, false, Some(reason))
    }

    fn of_home(state: State, position: DevicePosition, camera_runs: bool, reason: Option<Reason>) -> Self {
        let (store, history, about) = (set_up(), History::default(), in_network());
        let mut view = View::new(&store, &history, &about);
        (view.state, view.position, view.camera_runs) = (state, position, camera_runs);
        view.on_air = state.has_session().then_some(Duration::ZERO);
        view.reasons = reason.map(reasons).unwrap_or_default();
        let picture = Picture::drawn(&mut Interface::new(Language::English), &view);
        let state_row = if reason.is_some() { (WHOLE.0, STATE.1) } else { STATE };
        let name = format!("{} {reason:?} at home, {} camera", state.name(), position.name());
        Self { name, picture, parts: vec![state_row, CAMERA] }
    }

    pub(super) fn message(state: State, code: Code) -> Self {
        let (store, history, about) = (set_up(), History::default(), in_network());
        let mut view = View::new(&store, &history, &about);
        view.state = state;
        let mut interface = Interface::new(Language::English);
        interface.tell(view.now, code);
        let picture = Picture::drawn(&mut interface, &view);
        Self {
            name: format!("{} with message {code}", state.name()),
            picture,
            parts: vec![HEADING, SENTENCE],
        }
    }

    /// Whatever its message.
    pub(super) fn any_message(state: State) -> Self {
        let Self { picture, .. } = Self::message(state, Code::TransferFailed);
        Self { name: format!("{} with a message", state.name()), picture, parts: vec![HEADING] }
    }

    fn is_seen(&self, seen: &Picture) -> bool {
        self.parts.iter().all(|part| self.picture.part(part) == seen.part(part))
    }

    /// Waits until it is seen.
    pub(super) fn wait_for(&self, bench: &Bench, limit: Duration) -> Result<()> {
        within(limit, || {
            ensure!(self.is_seen(&Picture::of_oled(bench)?), "the panel does not show: {}", self.name);
            Ok(())
        })
    }
}

/// The address that QEMU's network gives the box.
fn in_network() -> About {
    About { address: "10.0.2.15".into(), ..About::default() }
}

/// The properties of a box that has an address.
fn set_up() -> Store {
    let mut store = Store::default();
    store.update(&Map::from_iter([("url".to_owned(), json!("rtmp://host/live/key"))]));
    store
}

/// As the machine makes them.
fn reasons(reason: Reason) -> Reasons {
    let hardware = Hardware { cameras: vec![DevicePosition::Front], ..Hardware::default() };
    let mut machine = Machine::new(Store::default(), Options::default(), hardware, |_| Ok(()));
    machine.handle(Duration::ZERO, Input::Attach);
    machine.handle(Duration::ZERO, Input::Condition { reason, holds: true });
    machine.reasons()
}
