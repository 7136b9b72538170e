//! The screens that are kept as pictures: each a box in some state, and a person's way there.
// Each program that includes this uses a part of it, and is for a person who sees it fail.
#![allow(dead_code, clippy::unwrap_used)]

pub(crate) mod picture;

use std::sync::LazyLock;
use std::time::Duration;

use embedded_graphics::pixelcolor::Rgb565;
use live_pusher::{
    Code, DevicePosition, Hardware, Input, Machine, Options, PreviewFit, Reason, Reasons, State, Store,
};
use panel::{
    About, Action, Answer, Canvas, Colours, History, Interface, Key, Language, Phase, Picture, View,
};
use serde_json::{Value, json};

pub(crate) const SIZES: [(u32, u32, Colours); 4] = [
    (128, 64, Colours::Two),
    (240, 240, Colours::Many),
    (320, 240, Colours::Many),
    (1280, 720, Colours::Many),
];

/// A box, and who stands before it.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) history: History,
    pub(crate) about: About,
    pub(crate) preview: Vec<Rgb565>,
    pub(crate) colours: Colours,
}

/// Nothing was sent yet.
static QUIET: LazyLock<History> = LazyLock::new(History::default);

/// Size of the camera's picture.
const PREVIEW: (u32, u32) = (180, 320);

impl World {
    pub(crate) fn new(colours: Colours) -> Self {
        let mut world = Self {
            store: Store::default(),
            history: History::default(),
            about: About {
                version: "0.1.0".into(),
                serial: "PB-004217".into(),
                address: "192.168.1.23".into(),
                baud: Some(115_200),
                ..About::default()
            },
            preview: landscape(),
            colours,
        };
        world.set(json!({"url": "rtmp://live.example.org/app/key", "max-bitrate": 2000, "mode": "HD"}));
        for second in 0..45_u32 {
            let dip = if (20..28).contains(&second) { 900 } else { 0 };
            world.history.push(1700 - dip + second * 7919 % 260);
        }
        world
    }

    pub(crate) fn set(&mut self, values: Value) {
        let Value::Object(values) = values else { unreachable!("a table") };
        assert_eq!(self.store.update(&values).refused, []);
    }

    pub(crate) fn view(&self, state: State) -> View<'_> {
        let (width, height) = PREVIEW;
        let mut view = View::new(&self.store, &self.history, &self.about);
        (view.state, view.now, view.temperature) = (state, Duration::from_secs(100), Some(54));
        if !matches!(state, State::Idle | State::Unbound | State::Suspended) {
            (view.camera_runs, view.volume) = (true, Some(58));
        }
        if state.has_session() {
            view.target = 2000;
        }
        if state == State::Idle {
            view.history = &QUIET;
        }
        if state == State::Pushing {
            (view.bitrate, view.quality) = (1850, 2);
            view.on_air = Some(Duration::from_secs(3753));
        }
        view.shows_preview = view.state == State::Previewing || view.state.has_session();
        if self.colours == Colours::Many && view.camera_runs {
            view.preview = Picture::new(width, height, &self.preview);
        }
        view
    }
}

/// Sky, sun, hills and a lake, in few colours.
fn landscape() -> Vec<Rgb565> {
    let (width, height) = (PREVIEW.0 as i32, PREVIEW.1 as i32);
    let pixel = |x: i32, y: i32| {
        let sun = (x - 130) * (x - 130) + (y - 90) * (y - 90) < 26 * 26;
        let hill = y > 170 + (x - 40) * (x - 40) / 120;
        let far = y > 150 + (x - 150) * (x - 150) / 200;
        match () {
            () if y > 250 => Rgb565::new(4, 28, 20),
            () if hill => Rgb565::new(6, 38, 8),
            () if far => Rgb565::new(12, 44, 14),
            () if sun => Rgb565::new(31, 56, 10),
            () => Rgb565::new(14, 46, 29),
        }
    };
    (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| pixel(x, y)).collect()
}

/// A set of pause reasons, as the machine makes it.
pub(crate) fn reasons(reason: Reason) -> Reasons {
    let hardware = Hardware { cameras: vec![DevicePosition::Front], ..Hardware::default() };
    let mut machine = Machine::new(Store::default(), Options::default(), hardware, |_| Ok(()));
    machine.handle(Duration::ZERO, Input::Attach);
    machine.handle(Duration::ZERO, Input::Condition { reason, holds: true });
    machine.reasons()
}

/// Goes down the lines of menus, and into each; the last line is only marked.
pub(crate) fn walk(interface: &mut Interface, view: &View<'_>, lines: &[usize]) {
    interface.press(Key::Ok, false, view);
    for (level, line) in lines.iter().enumerate() {
        // A page may open with what is set marked.
        for _ in 0..*line {
            interface.press(Key::Down, false, view);
        }
        if level + 1 < lines.len() {
            interface.press(Key::Ok, false, view);
        }
    }
}

pub(crate) type Show = fn(&mut World, &mut Interface, &mut Canvas);

fn home(
    world: &World,
    interface: &mut Interface,
    canvas: &mut Canvas,
    change: fn(&mut View<'_>),
    state: State,
) {
    let mut view = world.view(state);
    change(&mut view);
    interface.draw(&view, canvas);
}

/// Draws twice, so that what must last for a moment is told.
fn later(
    world: &World,
    interface: &mut Interface,
    canvas: &mut Canvas,
    change: fn(&mut View<'_>),
    state: State,
) {
    home(world, interface, canvas, change, state);
    let mut view = world.view(state);
    change(&mut view);
    view.now += Duration::from_secs(3);
    interface.draw(&view, canvas);
}

fn paused(world: &World, interface: &mut Interface, canvas: &mut Canvas, reason: Reason, state: State) {
    let mut view = world.view(state);
    (view.reasons, view.preview, view.camera_runs) = (reasons(reason), None, false);
    view.volume = None;
    if state == State::Paused {
        (view.bitrate, view.quality, view.on_air) = (80, 1, Some(Duration::from_secs(95)));
    }
    interface.draw(&view, canvas);
}

/// The state that a box is in when it tells a fault.
fn state_of(code: Code) -> State {
    match code {
        Code::NameNotResolved
        | Code::ConnectFailed
        | Code::HandshakeFailed
        | Code::ServerRefused
        | Code::TransferFailed => State::Reconnecting,
        Code::Suspended => State::Suspended,
        Code::Interrupted => State::Paused,
        Code::CameraForbidden
        | Code::MicrophoneForbidden
        | Code::VideoEncoderFailed
        | Code::AudioEncoderFailed
        | Code::Disconnected
        | Code::AddressInvalid => State::Idle,
        _ => State::Pushing,
    }
}

fn message(world: &World, interface: &mut Interface, canvas: &mut Canvas, codes: &[Code], after: u64) {
    let mut view = world.view(state_of(codes[0]));
    for code in codes {
        interface.tell(view.now, *code);
        match code {
            Code::UplinkTooNarrow => (view.quality, view.bitrate) = (5, 310),
            Code::CameraFailed => (view.camera_runs, view.preview) = (false, None),
            Code::MicrophoneFailed | Code::MicrophoneSilent => view.volume = None,
            _ => {}
        }
    }
    view.now += Duration::from_secs(after);
    interface.draw(&view, canvas);
}

fn menu(world: &World, interface: &mut Interface, canvas: &mut Canvas, lines: &[usize]) {
    let view = world.view(State::Pushing);
    walk(interface, &view, lines);
    interface.draw(&view, canvas);
}

/// A fault of each kind, all of them acknowledged or over.
fn past(world: &World, interface: &mut Interface, canvas: &mut Canvas, lines: &[usize]) {
    let mut view = world.view(State::Pushing);
    for code in [Code::MicrophoneFailed, Code::TransferFailed, Code::UplinkTooNarrow, Code::CameraFailed] {
        interface.tell(view.now, code);
        interface.press(Key::Back, false, &view);
        view.now += Duration::from_secs(67);
    }
    walk(interface, &view, lines);
    interface.draw(&view, canvas);
}

fn answer(interface: &mut Interface, view: &View<'_>, canvas: &mut Canvas, result: Result<Answer, i32>) {
    interface.answered(view.now, result);
    interface.draw(view, canvas);
}

/// Each with its name.
pub(crate) const SCENES: &[(&str, Show)] = &[
    ("starting", |w, i, c| home(w, i, c, |view| view.phase = Phase::Starting, State::Unbound)),
    ("stopping", |w, i, c| home(w, i, c, |view| view.phase = Phase::Stopping, State::Idle)),
    ("stopped", |w, i, c| home(w, i, c, |view| view.phase = Phase::Stopped, State::Idle)),
    ("not-set-up", |w, i, c| {
        w.set(json!({"url": null}));
        home(w, i, c, |_| (), State::Idle);
    }),
    ("not-set-up-no-network", |w, i, c| {
        w.set(json!({"url": null}));
        w.about.address.clear();
        home(w, i, c, |_| (), State::Idle);
    }),
    ("home-ready", |w, i, c| home(w, i, c, |_| (), State::Idle)),
    ("home-ready-no-network", |w, i, c| {
        w.about.address.clear();
        home(w, i, c, |_| (), State::Idle);
    }),
    ("home-preview", |w, i, c| home(w, i, c, |_| (), State::Previewing)),
    ("home-preview-private", |w, i, c| paused(w, i, c, Reason::Privacy, State::Previewing)),
    ("home-connecting", |w, i, c| home(w, i, c, |view| view.preview = None, State::Connecting)),
    ("home-on-air", |w, i, c| home(w, i, c, |_| (), State::Pushing)),
    ("home-on-air-hidden", |w, i, c| {
        let change = |view: &mut View<'_>| (view.preview, view.shows_preview) = (None, false);
        home(w, i, c, change, State::Pushing);
    }),
    ("home-on-air-troubled", |w, i, c| {
        w.set(json!({"muted": true}));
        let change = |view: &mut View<'_>| {
            (view.quality, view.dropped, view.temperature, view.torch) = (5, 1284, Some(83), true);
            (view.position, view.bitrate) = (DevicePosition::Back, 310);
            view.on_air = Some(Duration::from_secs(4 * 86_400 + 23 * 3600));
        };
        home(w, i, c, change, State::Pushing);
    }),
    ("home-warned", |w, i, c| message(w, i, c, &[Code::UplinkTooNarrow], 0)),
    ("home-warned-remedy", |w, i, c| message(w, i, c, &[Code::UplinkTooNarrow], 4)),
    ("home-warned-button", |w, i, c| message(w, i, c, &[Code::UplinkTooNarrow], 8)),
    ("home-camera-failed", |w, i, c| {
        later(w, i, c, |view| (view.preview, view.camera_runs) = (None, false), State::Pushing);
    }),
    ("home-microphone-failed", |w, i, c| later(w, i, c, |view| view.volume = None, State::Pushing)),
    ("home-camera-off", |w, i, c| {
        w.set(json!({"enable-camera": false}));
        home(w, i, c, |view| (view.preview, view.camera_runs) = (None, false), State::Pushing);
    }),
    ("home-contained", |w, i, c| home(w, i, c, |view| view.fit = PreviewFit::Contain, State::Pushing)),
    ("home-paused-by-hand", |w, i, c| paused(w, i, c, Reason::Api, State::Paused)),
    ("home-paused-standby", |w, i, c| paused(w, i, c, Reason::Background, State::Paused)),
    ("home-paused-privacy", |w, i, c| paused(w, i, c, Reason::Privacy, State::Paused)),
    ("home-paused-call", |w, i, c| paused(w, i, c, Reason::Interrupt, State::Paused)),
    ("home-retrying", |w, i, c| home(w, i, c, |view| view.quality = 6, State::Reconnecting)),
    ("home-suspended", |w, i, c| paused(w, i, c, Reason::Privacy, State::Suspended)),
    ("menu", |w, i, c| menu(w, i, c, &[3])),
    ("menu-ready", |w, i, c| {
        let view = w.view(State::Idle);
        walk(i, &view, &[0]);
        i.draw(&view, c);
    }),
    ("menu-fault-waits", |w, i, c| {
        let view = w.view(State::Pushing);
        walk(i, &view, &[2]);
        i.tell(view.now, Code::MicrophoneSilent);
        i.draw(&view, c);
    }),
    ("menu-camera", |w, i, c| menu(w, i, c, &[2, 1])),
    ("menu-picture", |w, i, c| menu(w, i, c, &[3, 6])),
    ("menu-picture-window", |w, i, c| {
        w.set(json!({"picture-in-picture-mode": ["push"]}));
        menu(w, i, c, &[3, 6]);
    }),
    ("menu-window-paused", |w, i, c| {
        w.set(json!({"picture-in-picture-mode": ["push"]}));
        let mut view = w.view(State::Paused);
        (view.reasons, view.preview) = (reasons(Reason::Privacy), None);
        walk(i, &view, &[5, 2]);
        i.draw(&view, c);
    }),
    ("menu-sound", |w, i, c| menu(w, i, c, &[4, 0])),
    ("menu-network", |w, i, c| menu(w, i, c, &[5, 2])),
    ("menu-more", |w, i, c| menu(w, i, c, &[6, 1])),
    ("number-bitrate", |w, i, c| menu(w, i, c, &[5, 2, 0])),
    ("choices-filter", |w, i, c| menu(w, i, c, &[3, 12, 3])),
    ("choices-window", |w, i, c| menu(w, i, c, &[6, 1, 1])),
    ("text-address", |w, i, c| menu(w, i, c, &[5, 0, 0])),
    ("set-up", |w, i, c| menu(w, i, c, &[7, 0])),
    ("about", |w, i, c| menu(w, i, c, &[8, 1])),
    ("language", |w, i, c| menu(w, i, c, &[9, 0])),
    ("past", |w, i, c| past(w, i, c, &[10, 1])),
    ("past-camera", |w, i, c| past(w, i, c, &[10, 0, 0])),
    ("message-two", |w, i, c| message(w, i, c, &[Code::CameraFailed, Code::MicrophoneFailed], 0)),
    ("answer-failed", |w, i, c| {
        let view = w.view(State::Pushing);
        walk(i, &view, &[2, 1]);
        assert_eq!(i.press(Key::Ok, false, &view), Some(Action::Call("toggleTorch")));
        answer(i, &view, c, Err(-4));
    }),
    ("answer-snapshot", |w, i, c| answer(i, &w.view(State::Pushing), c, Ok(Answer::Snapshot))),
    ("answer-zoom", |w, i, c| answer(i, &w.view(State::Pushing), c, Ok(Answer::Zoom(2.5)))),
];

/// Whether a display of that size shows a scene otherwise than another one: what is about the preview is only where there are
/// colours, and a notice is in turn where it is too long for its bar.
pub(crate) fn is_shown(name: &str, (width, _, colours): (u32, u32, Colours)) -> bool {
    match name {
        "home-contained" | "home-on-air-hidden" | "menu-picture-window" | "menu-window-paused" => {
            colours == Colours::Many
        }
        "home-warned-remedy" | "home-warned-button" => width < 1000,
        _ => true,
    }
}

/// The faults that cover home: what else there is, is shown by the scenes.
pub(crate) fn faults() -> impl Iterator<Item = Code> {
    let has_remedy = |code: &Code| !(Language::English.words().code)(*code).remedy.is_empty();
    Code::ALL.into_iter().filter(has_remedy).filter(|code| *code != Code::Reconnecting)
}

/// One of the scenes on a canvas of its own.
pub(crate) fn draw(show: Show, language: Language, (width, height, colours): (u32, u32, Colours)) -> Canvas {
    let (mut world, mut interface) = (World::new(colours), Interface::new(language));
    let mut canvas = Canvas::new(width, height, colours);
    show(&mut world, &mut interface, &mut canvas);
    canvas
}

/// The message of a code, or its remedy.
pub(crate) fn draw_message(
    code: Code,
    remedy: bool,
    language: Language,
    size: (u32, u32, Colours),
) -> Canvas {
    let (world, mut interface) = (World::new(size.2), Interface::new(language));
    let mut canvas = Canvas::new(size.0, size.1, size.2);
    message(&world, &mut interface, &mut canvas, &[code], if remedy { 4 } else { 0 });
    canvas
}
