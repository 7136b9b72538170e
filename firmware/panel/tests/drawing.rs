//! What holds whatever is drawn.
#![allow(clippy::panic)]

mod scenes;

use std::time::Duration;

use embedded_graphics::pixelcolor::Rgb565;
use embedded_graphics::prelude::*;
use live_pusher::{Code, DevicePosition, Property, Reason, State, TABLE};
use panel::{
    About, Action, Answer, Buttons, Canvas, Colours, Gesture, Interface, Key, Language, Phase, Press, View,
};
use proptest::prelude::*;
use scenes::picture::Image;
use scenes::{SCENES, SIZES, World};
use serde_json::{Map, Value, json};
const KEYS: [Key; 4] = [Key::Up, Key::Down, Key::Ok, Key::Back];
const REASONS: [Reason; 4] = [Reason::Api, Reason::Background, Reason::Privacy, Reason::Interrupt];

/// A panel that gets what changed, and nothing else.
struct Wire(Vec<Vec<Rgb565>>);

impl Wire {
    fn flush(&mut self, canvas: &Canvas) {
        for area in canvas.changes() {
            let columns = area.columns();
            for y in area.rows() {
                let (from, to) = (columns.start as usize, columns.end as usize);
                self.0[y as usize][from..to].copy_from_slice(&canvas.row(y as u32)[from..to]);
            }
        }
    }

    fn shows(&self, canvas: &Canvas) -> bool {
        self.0.iter().zip(0..).all(|(row, y)| row == canvas.row(y))
    }
}

fn size() -> impl Strategy<Value = (u32, u32)> {
    prop_oneof![
        (64_u32..400, 32_u32..300),
        Just((128, 64)),
        Just((128, 32)),
        Just((64, 32)),
        Just((240, 240)),
        Just((480, 800)),
    ]
}

/// Properties as they come: numbers at their ends, lists full.
fn settings() -> impl Strategy<Value = Map<String, Value>> {
    let value = |property: &'static Property| match property.kind {
        live_pusher::Kind::Switch => any::<bool>().prop_map(|value| json!(value)).boxed(),
        live_pusher::Kind::Number { low, high, .. } => (low..=high).prop_map(|value| json!(value)).boxed(),
        live_pusher::Kind::Code(codes) => {
            proptest::sample::select(codes).prop_map(|code| json!(code)).boxed()
        }
        live_pusher::Kind::Choice(words) => {
            proptest::sample::select(words).prop_map(|word| json!(word)).boxed()
        }
        live_pusher::Kind::Words(words) => {
            proptest::sample::subsequence(words, 0..=words.len()).prop_map(|words| json!(words)).boxed()
        }
        live_pusher::Kind::Text => "\\PC{0,200}".prop_map(|text| json!(text)).boxed(),
        live_pusher::Kind::Md5 => "[0-9a-f]{32}".prop_map(|text| json!(text)).boxed(),
    };
    let all: Vec<_> =
        TABLE.iter().map(|property| (Just(property.name.to_owned()), value(property))).collect();
    all.prop_map(|values| values.into_iter().collect())
}

#[derive(Clone, Debug)]
enum Event {
    Press(Key, bool),
    Tell(Code),
    Answer(Result<Answer, i32>),
    Pass(u64),
    Enter(State, Reason, u8, u32, Option<u8>),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (proptest::sample::select(&KEYS[..]), any::<bool>()).prop_map(|(key, long)| Event::Press(key, long)),
        1 => proptest::sample::select(&Code::ALL[..]).prop_map(Event::Tell),
        1 => prop_oneof![(0.0..99.0).prop_map(|zoom| Ok(Answer::Zoom(zoom))), (-10..0).prop_map(Err)].prop_map(Event::Answer),
        1 => (0_u64..90_000).prop_map(Event::Pass),
        2 => (
            proptest::sample::select(&State::ALL[..]),
            proptest::sample::select(&REASONS[..]),
            any::<u8>(),
            any::<u32>(),
            any::<Option<u8>>()
        )
            .prop_map(|(state, reason, small, large, volume)| Event::Enter(state, reason, small, large, volume)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_state_is_drawn_on_any_display_and_what_changed_is_enough(
        (width, height) in size(),
        two in any::<bool>(),
        chinese in any::<bool>(),
        address in "\\PC{0,140}",
        values in settings(),
        events in proptest::collection::vec(event(), 0..40),
    ) {
        let colours = if two { Colours::Two } else { Colours::Many };
        let mut world = World::new(colours);
        world.store.update(&values);
        let buttons = Buttons { start: Some(Press::new(&address, Gesture::Double)), back: None, ..Buttons::default() };
        world.about =
            About { address: address.clone(), version: address.clone(), serial: address, baud: None, buttons };
        let mut interface = Interface::new(if chinese { Language::Chinese } else { Language::English });
        let mut canvas = Canvas::new(width, height, colours);
        let mut wire = Wire(vec![vec![Rgb565::RED; width as usize]; height as usize]);
        let mut view = world.view(State::Pushing);
        for event in events {
            match event {
                Event::Press(key, long) => _ = interface.press(key, long, &view),
                Event::Tell(code) => interface.tell(view.now, code),
                Event::Answer(result) => interface.answered(view.now, result),
                Event::Pass(time) => view.now += Duration::from_millis(time),
                Event::Enter(state, reason, small, large, volume) => {
                    view.state = state;
                    view.reasons = scenes::reasons(reason);
                    (view.quality, view.volume, view.temperature) = (small, volume, Some(i16::from(small) * 128));
                    (view.bitrate, view.target, view.dropped) = (large, large.rotate_left(9), u64::MAX);
                    view.on_air = Some(Duration::from_secs(large.into()));
                    view.position = DevicePosition::Back;
                    view.phase = [Phase::Running, Phase::Running, Phase::Starting, Phase::Stopped][usize::from(small % 4)];
                    if small % 2 == 0 { view.preview = None; }
                }
            }
            interface.draw(&view, &mut canvas);
            wire.flush(&canvas);
            prop_assert!(wire.shows(&canvas));
            interface.draw(&view, &mut canvas);
            prop_assert_eq!(canvas.changes().count(), 0);
        }
    }
}

#[test]
fn once_the_canvas_is_there_nothing_is_allocated() {
    for size in SIZES {
        for language in Language::ALL {
            for (name, show) in
                SCENES.iter().filter(|(name, _)| name.starts_with("home") || name.starts_with("mes"))
            {
                let (mut world, mut interface) = (World::new(size.2), Interface::new(language));
                let mut canvas = Canvas::new(size.0, size.1, size.2);
                show(&mut world, &mut interface, &mut canvas);
                let view = world.view(State::Pushing);
                let (count, ()) = allocations::during(|| interface.draw(&view, &mut canvas));
                assert_eq!(count, 0, "{name} {size:?} {language:?}");
            }
        }
    }
}

/// Presses Down until the first line comes again, or nothing happens any more; calls `line` at each.
fn each_line(interface: &mut Interface, view: &View<'_>, canvas: &mut Canvas, mut line: impl FnMut(usize)) {
    interface.draw(view, canvas);
    let first = Image::of(canvas);
    for number in 0..200 {
        line(number);
        interface.press(Key::Down, false, view);
        interface.draw(view, canvas);
        assert_eq!(canvas.cut(), 0, "line {number}");
        if Image::of(canvas) == first || canvas.changes().count() == 0 {
            return;
        }
    }
    panic!("the list has no end");
}

/// A person who goes to the line of every menu, and presses Ok.
#[test]
fn every_property_is_set_by_keys_alone_and_every_word_of_the_menus_fits() {
    for size in SIZES {
        for language in Language::ALL {
            let mut world = World::new(size.2);
            world.set(json!({"picture-in-picture-mode": ["push"]}));
            let view = world.view(State::Pushing);
            let mut canvas = Canvas::new(size.0, size.1, size.2);
            let mut set = Vec::new();
            for menu in 2..7 {
                let mut lines = 0;
                let mut interface = Interface::new(language);
                scenes::walk(&mut interface, &view, &[menu, 0]);
                each_line(&mut interface, &view, &mut canvas, |_| lines += 1);
                for line in 0..lines {
                    let mut interface = Interface::new(language);
                    scenes::walk(&mut interface, &view, &[menu, line]);
                    match interface.press(Key::Ok, false, &view) {
                        Some(Action::Set { property, .. }) => set.push(property),
                        Some(_) => {}
                        None => {
                            interface.draw(&view, &mut canvas);
                            assert_eq!(canvas.cut(), 0, "menu {menu}, line {line} {size:?} {language:?}");
                            each_line(&mut interface, &view, &mut canvas, |_| {});
                            if let Some(Action::Set { property, .. }) = interface.press(Key::Ok, false, &view)
                            {
                                set.push(property);
                            }
                        }
                    }
                }
            }
            let is_text = |kind| matches!(kind, live_pusher::Kind::Text | live_pusher::Kind::Md5);
            let mut wanted: Vec<_> = TABLE
                .iter()
                .filter(|property| !is_text(property.kind))
                .map(|property| property.name)
                .collect();
            set.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(set, wanted, "{size:?} {language:?}");
        }
    }
}
