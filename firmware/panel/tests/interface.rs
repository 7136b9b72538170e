//! What keys do, and what is not missed.

mod scenes;

use std::time::Duration;

use embedded_graphics::geometry::Size;
use live_pusher::{Code, PreviewFit, Reason, State, Transition};
use panel::{Action, Buttons, Canvas, Colours, Gesture, Interface, Key, Language, Press, View};
use scenes::picture::Image;
use scenes::{World, walk};
use serde_json::json;

const SIZE: (u32, u32) = (240, 240);

struct Person {
    interface: Interface,
    canvas: Canvas,
}

impl Person {
    fn new() -> Self {
        Self {
            interface: Interface::new(Language::English),
            canvas: Canvas::new(SIZE.0, SIZE.1, Colours::Many),
        }
    }

    fn sees(&mut self, view: &View<'_>) -> Image {
        self.interface.draw(view, &mut self.canvas);
        Image::of(&self.canvas)
    }

    /// The picture of a person who has been told this, and is otherwise at home.
    fn told(codes: &[Code], view: &View<'_>) -> Image {
        let mut person = Self::new();
        for code in codes {
            person.interface.tell(view.now, *code);
        }
        person.sees(view)
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_long_press_at_home_starts_and_stops() {
    let world = World::new(Colours::Many);
    let mut interface = Interface::new(Language::English);
    assert_eq!(interface.press(Key::Ok, true, &world.view(State::Idle)), Some(Action::Call("start")));
    assert_eq!(interface.press(Key::Ok, true, &world.view(State::Pushing)), Some(Action::Call("stop")));
    assert_eq!(interface.repeat(Key::Ok, &world.view(State::Idle)), None, "it is held still");
}

#[test]
fn a_property_is_set_by_going_to_it() {
    let mut world = World::new(Colours::Many);
    world.set(json!({"picture-in-picture-mode": ["push"]}));
    let view = world.view(State::Idle);
    let set = |lines: &[usize], keys: &[(Key, bool)]| {
        let mut interface = Interface::new(Language::English);
        walk(&mut interface, &view, lines);
        keys.iter().map(|(key, long)| interface.press(*key, *long, &view)).last().unwrap()
    };
    let to = |property, value| Some(Action::Set { property, value });
    let ok = (Key::Ok, false);
    assert_eq!(set(&[4, 1], &[ok]), to("muted", json!(true)));
    assert_eq!(set(&[5, 2], &[ok, (Key::Up, false), ok]), to("max-bitrate", json!(2200)));
    assert_eq!(set(&[5, 2], &[ok, (Key::Down, true), ok]), to("max-bitrate", json!(1000)));
    assert_eq!(set(&[3, 1], &[ok, (Key::Down, false), ok]), to("mode", json!("FHD")));
    assert_eq!(
        set(&[6, 1], &[ok, (Key::Down, false), ok]),
        to("picture-in-picture-mode", json!(["push", "pop"]))
    );
    assert_eq!(set(&[6, 1], &[ok, ok]), to("picture-in-picture-mode", json!([])));
    assert_eq!(set(&[9, 0], &[(Key::Down, false), ok]), Some(Action::Speak(Language::Chinese)));
}

#[test]
fn back_leaves_without_a_change_and_a_display_that_nobody_touches_goes_home() {
    let world = World::new(Colours::Many);
    let mut view = world.view(State::Pushing);
    let mut person = Person::new();
    let home = person.sees(&view);
    walk(&mut person.interface, &view, &[5, 2, 0]);
    assert!(person.sees(&view) != home);
    for _ in 0..3 {
        assert_eq!(person.interface.press(Key::Back, false, &view), None);
    }
    assert!(person.sees(&view) == home);
    walk(&mut person.interface, &view, &[5, 2, 0]);
    view.now += seconds(59);
    assert!(person.sees(&view) != home);
    view.now += seconds(1);
    assert!(person.sees(&view) == home);
}

#[test]
fn faults_wait_until_each_was_acknowledged_and_the_worst_comes_first() {
    let world = World::new(Colours::Many);
    let view = world.view(State::Pushing);
    let mut person = Person::new();
    let home = person.sees(&view);
    for code in [Code::UplinkTooNarrow, Code::Connected, Code::CameraFailed, Code::UplinkTooNarrow] {
        person.interface.tell(view.now, code);
    }
    assert!(person.sees(&view) == Person::told(&[Code::CameraFailed, Code::UplinkTooNarrow], &view));
    assert_eq!(person.interface.press(Key::Ok, false, &view), None);
    assert!(person.sees(&view) == Person::told(&[Code::UplinkTooNarrow], &view));
    person.interface.press(Key::Back, false, &view);
    assert!(person.sees(&view) == home);
}

#[test]
fn a_fault_that_is_over_goes_by_itself_but_not_before_it_could_be_seen() {
    let world = World::new(Colours::Many);
    for (fault, end) in [
        (Code::CameraFailed, Code::FirstFrame),
        (Code::ServerRefused, Code::Publishing),
        (Code::VideoEncoderFailed, Code::EncoderStarted),
    ] {
        let mut view = world.view(State::Pushing);
        let mut person = Person::new();
        let home = person.sees(&view);
        person.interface.tell(view.now, fault);
        person.interface.tell(view.now, end);
        view.now += seconds(2);
        assert!(person.sees(&view) != home, "{fault}");
        view.now += seconds(1);
        assert!(person.sees(&view) == home, "{fault}");
    }
}

#[test]
fn faults_without_a_code_of_their_end_go_when_the_box_is_seen_to_be_well() {
    let world = World::new(Colours::Many);
    let mut view = world.view(State::Pushing);
    let mut person = Person::new();
    person.interface.tell(view.now, Code::MicrophoneFailed);
    // The level is still of before the fault.
    view.now += seconds(10);
    let well = person.sees(&view);
    view.volume = None;
    assert!(well == Person::told(&[Code::MicrophoneFailed], &view), "the message hides the level");
    person.sees(&view);
    view.volume = Some(50);
    let home = Person::new().sees(&view);
    assert!(person.sees(&view) == home);

    view.quality = 4;
    person.interface.tell(view.now, Code::UplinkTooNarrow);
    view.now += seconds(60);
    assert!(person.sees(&view) != Person::new().sees(&view));
    view.quality = 2;
    assert!(person.sees(&view) == Person::new().sees(&view));
}

#[test]
fn m7_the_small_window_is_there_for_what_the_property_names() {
    let (push, pop) = (Some(Transition::Push), Some(Transition::Pop));
    for (setting, opened, left) in [
        (json!([]), None, None),
        (json!(["push"]), push, None),
        (json!(["pop"]), None, pop),
        (json!("push,pop"), push, pop),
    ] {
        let mut world = World::new(Colours::Many);
        world.set(json!({"picture-in-picture-mode": setting}));
        for state in State::ALL {
            let view = world.view(state);
            let shown = |transition: Option<Transition>| transition.filter(|_| view.shows_preview);
            for (key, window) in [(Key::Ok, shown(opened)), (Key::Back, shown(left))] {
                let mut interface = Interface::new(Language::English);
                assert_eq!(interface.window(&view), None);
                interface.press(key, false, &view);
                assert_eq!(interface.window(&view), window, "{setting} {state:?} {key:?}");
                assert!(key == Key::Ok || interface.is_in_menu() == window.is_some(), "{setting} {state:?}");
                interface.press(Key::Back, false, &view);
                assert_eq!(
                    (interface.window(&view), interface.is_window_closed()),
                    (None, false),
                    "at home again"
                );
            }
        }
    }
}

#[test]
fn m7_the_small_window_moves_and_stays_closed_until_home_is_left_again() {
    let mut world = World::new(Colours::Many);
    world.set(json!({"picture-in-picture-mode": ["push"]}));
    let view = world.view(State::Pushing);
    let mut person = Person::new();
    walk(&mut person.interface, &view, &[2]);
    let corner = person.sees(&view);
    person.interface.press(Key::Up, true, &view);
    let moved = person.sees(&view);
    assert!(moved != corner, "it moves");
    person.interface.repeat(Key::Up, &view);
    assert!(person.sees(&view) == moved, "it moves on while the key is held");
    person.interface.press(Key::Back, true, &view);
    assert_eq!(
        (person.interface.window(&view), person.interface.is_window_closed()),
        (None, true),
        "its close button"
    );
    person.interface.press(Key::Back, true, &view);
    walk(&mut person.interface, &view, &[2]);
    assert!(person.interface.window(&view).is_some(), "the next time it is there again");
    person.interface.close_window();
    assert_eq!(person.interface.window(&view), None);
    person.interface.press(Key::Back, true, &view);
    walk(&mut person.interface, &view, &[7, 0]);
    assert_eq!(person.interface.window(&view), None, "nothing covers the code");
}

#[test]
fn m7_the_property_counts_when_home_is_left_and_emptied_at_once() {
    let set = |mode| {
        let mut world = World::new(Colours::Many);
        world.set(json!({"picture-in-picture-mode": mode}));
        world
    };
    let (none, push, pop) = (set(json!([])), set(json!(["push"])), set(json!(["pop"])));
    let mut interface = Interface::new(Language::English);
    interface.press(Key::Ok, false, &none.view(State::Pushing));
    assert_eq!(interface.window(&push.view(State::Pushing)), None, "of the next time");
    interface.press(Key::Back, false, &push.view(State::Pushing));
    interface.press(Key::Ok, false, &push.view(State::Idle));
    assert_eq!(interface.window(&push.view(State::Idle)), None, "nothing to be seen");
    assert!(interface.window(&push.view(State::Previewing)).is_some(), "the preview began");
    assert!(interface.window(&pop.view(State::Pushing)).is_some(), "of the next time");
    assert_eq!(interface.window(&none.view(State::Pushing)), None);
}

#[test]
fn the_preview_has_its_place_where_it_is_seen_only() {
    let mut world = World::new(Colours::Many);
    world.set(json!({"picture-in-picture-mode": ["push"]}));
    let mut view = world.view(State::Pushing);
    let (mut interface, size) = (Interface::new(Language::English), Size::new);
    assert_eq!(interface.preview_size(&view, size(320, 240)), Some(size(320, 240)));
    view.fit = PreviewFit::Contain;
    assert_eq!(interface.preview_size(&view, size(320, 240)), Some(size(135, 240)));
    interface.tell(view.now, Code::CameraFailed);
    assert_eq!(interface.preview_size(&view, size(320, 240)), None, "a fault is before it");
    interface.press(Key::Ok, false, &view);
    interface.press(Key::Ok, false, &view);
    assert_eq!(interface.preview_size(&view, size(320, 240)), Some(size(80, 142)));
    interface.close_window();
    assert_eq!(interface.preview_size(&view, size(320, 240)), None);
    view.shows_preview = false;
    assert_eq!(Interface::new(Language::English).preview_size(&view, size(320, 240)), None);
}

#[test]
fn an_answer_is_shown_for_a_moment() {
    let world = World::new(Colours::Many);
    let mut view = world.view(State::Idle);
    let mut person = Person::new();
    let home = person.sees(&view);
    person.interface.answered(view.now, Err(-4));
    assert!(person.sees(&view) != home);
    view.now += seconds(3);
    assert!(person.sees(&view) == home);
}

#[test]
fn secrets_of_an_address_are_not_shown() {
    let mut world = World::new(Colours::Many);
    let mut seen = |url: &str| {
        world.set(json!({"url": url}));
        let view = world.view(State::Idle);
        let mut person = Person::new();
        walk(&mut person.interface, &view, &[5, 0, 0]);
        person.sees(&view)
    };
    assert!(seen("rtmp://me:one@host/app/key1") == seen("rtmp://you:two@host/app/key2?x"));
    assert!(seen("rtmp://host/app") != seen("rtmp://hose/app"));
}

#[test]
fn a_notice_leaves_home_in_sight_and_once_seen_does_not_come_again_soon() {
    let world = World::new(Colours::Many);
    let mut view = world.view(State::Pushing);
    view.quality = 5;
    let mut person = Person::new();
    let home = person.sees(&view);
    let tell = |person: &mut Person, view: &View<'_>| person.interface.tell(view.now, Code::UplinkTooNarrow);
    tell(&mut person, &view);
    let warned = person.sees(&view);
    assert!(warned != home);
    let top = SIZE.0 as usize * 60;
    assert!(warned.pixels[..top] == home.pixels[..top], "it covers the state and the preview");
    assert!(person.interface.preview_size(&view, Size::new(240, 240)).is_some());
    assert_eq!(person.interface.press(Key::Ok, false, &view), None);
    assert!(person.sees(&view) == home, "it was seen");
    for _ in 0..59 {
        view.now += seconds(10);
        tell(&mut person, &view);
        assert!(person.sees(&view) == home, "it is told again after {:?}", view.now);
    }
    view.now += seconds(10);
    tell(&mut person, &view);
    assert!(person.sees(&view) != home, "it is never told again");
}

#[test]
fn faults_that_are_over_can_be_read_in_the_menu() {
    let world = World::new(Colours::Many);
    let mut view = world.view(State::Pushing);
    let mut person = Person::new();
    let page = |person: &mut Person, view: &View<'_>, lines: &[usize]| {
        walk(&mut person.interface, view, lines);
        let seen = person.sees(view);
        person.interface.press(Key::Back, true, view);
        seen
    };
    // Behind the last line is the first.
    assert!(page(&mut person, &view, &[10]) == page(&mut person, &view, &[0]), "nothing was told yet");
    person.interface.tell(view.now, Code::CameraFailed);
    person.interface.tell(view.now, Code::FirstFrame);
    view.now += seconds(3);
    assert!(person.sees(&view) == Person::new().sees(&view), "it is over");
    let list = page(&mut person, &view, &[10, 0]);
    assert!(list != page(&mut person, &view, &[10]));
    assert!(page(&mut person, &view, &[10, 0, 0]) != list, "what to do is not told");
}

#[test]
fn a_camera_or_a_microphone_that_gives_nothing_is_seen_though_its_message_was_acknowledged() {
    let world = World::new(Colours::Many);
    let changes: [fn(&mut View<'_>); 2] = [|view| view.camera_runs = false, |view| view.volume = None];
    for change in changes {
        let mut view = world.view(State::Pushing);
        change(&mut view);
        let mut person = Person::new();
        let opening = person.sees(&view);
        view.now += seconds(2);
        assert!(person.sees(&view) != opening);
        view.reasons = scenes::reasons(Reason::Api);
        let paused = person.sees(&view);
        view.now += seconds(2);
        assert!(person.sees(&view) == paused, "nobody wants it");
    }
}

#[test]
fn screens_name_the_buttons_that_the_box_has() {
    let seen = |buttons: Buttons, state| {
        let mut world = World::new(Colours::Many);
        world.about.buttons = buttons;
        Person::new().sees(&world.view(state))
    };
    let start = |button| Buttons { start: Some(Press::new(button, Gesture::Double)), ..Buttons::default() };
    assert!(seen(start("red"), State::Idle) != seen(start("green"), State::Idle));
    let none = Buttons { start: None, resume: None, menu: None, choose: None, back: None };
    assert!(seen(none, State::Idle) != seen(Buttons::default(), State::Idle));
}
