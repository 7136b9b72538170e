//! What keys do, and what is not missed.

mod scenes;

use std::time::Duration;

use live_pusher::{Code, State};
use panel::{Action, Canvas, Colours, Interface, Key, Language, View};
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
fn a_box_without_a_code_has_no_page_to_set_it_up_by() {
    let mut world = World::new(Colours::Many);
    let marked = |world: &World, lines: &[usize]| {
        let (view, mut person) = (world.view(State::Idle), Person::new());
        walk(&mut person.interface, &view, lines);
        person.sees(&view)
    };
    let (set_up, about) = (marked(&world, &[7, 0]), marked(&world, &[8, 1]));
    let address = marked(&world, &[5, 0, 0]);
    world.about.set_up.clear();
    assert!(marked(&world, &[7, 1]) == about && marked(&world, &[7, 0]) != set_up);
    assert!(marked(&world, &[5, 0, 0]) != address, "it tells to change the address by that page");
    assert!(marked(&world, &[5, 0, 0, 0]) == marked(&world, &[5, 0, 0]), "nothing lies behind it");
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
fn the_small_window_is_there_in_menus_until_it_is_closed() {
    let mut world = World::new(Colours::Many);
    let has_window = |world: &World, lines: &[usize]| {
        let view = world.view(State::Pushing);
        let mut interface = Interface::new(Language::English);
        walk(&mut interface, &view, lines);
        interface.has_window(&view)
    };
    assert!(!has_window(&world, &[2]));
    world.set(json!({"picture-in-picture-mode": ["push"]}));
    assert!(has_window(&world, &[2]));
    assert!(!has_window(&world, &[7, 0]), "nothing covers the code");

    let view = world.view(State::Pushing);
    let mut person = Person::new();
    assert!(!person.interface.has_window(&view));
    walk(&mut person.interface, &view, &[2]);
    let corner = person.sees(&view);
    person.interface.press(Key::Up, true, &view);
    assert!(person.sees(&view) != corner, "it moves");
    person.interface.press(Key::Back, true, &view);
    assert!(!person.interface.has_window(&view), "its close button");
    person.interface.press(Key::Back, true, &view);
    walk(&mut person.interface, &view, &[2]);
    assert!(person.interface.has_window(&view), "the next time it is there again");
    person.interface.close_window();
    assert!(!person.interface.has_window(&view));
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
