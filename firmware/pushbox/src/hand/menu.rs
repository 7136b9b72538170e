//! What buttons do while there is a menu: boxes without keys for all of it lend others to it.

use ::panel::Gesture;

use super::{Action, Bindings};
use crate::config::Buttons;

/// What there is in a menu for `buttons`, which are bound so at home: up, down and back for a box that can open one. A button
/// that mutes is never lent.
pub(super) fn bindings(buttons: &Buttons) -> Buttons {
    let mut lent = buttons.clone();
    if bound_to(buttons, Action::Menu).is_none() {
        return lent;
    }
    let missing = |action| bound_to(buttons, action).is_none();
    let spare = spare(buttons);
    let up = Bindings { short: Some(Action::Up), hold: Some(Action::Up), ..Bindings::default() };
    let down = Bindings { short: Some(Action::Down), hold: Some(Action::Down), ..Bindings::default() };
    let mut lend = |name: &str, bindings| lent.insert(name.to_owned(), bindings);
    match (missing(Action::Up), missing(Action::Down), &spare[..]) {
        (true, true, [(_, first), (usual, second), ..]) if *usual < Use::Session => {
            lend(first, up);
            lend(second, down);
        }
        (true, true, [(_, only), ..]) => {
            lend(only, Bindings { hold: Some(Action::Up), ..down });
        }
        (true, false, [(_, first), ..]) => _ = lend(first, up),
        (false, true, [(_, first), ..]) => _ = lend(first, down),
        (false, false, _) | (.., []) => {}
    }
    // Where a button that is held is the only way back, it goes one step, not all the way home.
    if !buttons.values().any(|it| [it.short, it.double].contains(&Some(Action::Back))) {
        let ways = [Action::Back, Action::Home, Action::Menu];
        let way = ways.iter().find_map(|action| bound_to(&lent, *action).map(str::to_owned));
        if let Some(bindings) = way.and_then(|name| lent.get_mut(&name)) {
            (bindings.long, bindings.hold) = (Some(Action::Back), None);
        }
    }
    lent
}

/// The first button with a gesture for it.
fn bound_to(buttons: &Buttons, action: Action) -> Option<&str> {
    buttons.iter().find(|(_, it)| it.actions().any(|it| it == action)).map(|(name, _)| name.as_str())
}

/// The buttons that the display's screens speak of.
pub(super) fn named(at_home: &Buttons, in_menu: &Buttons) -> ::panel::Buttons {
    let press = |buttons: &Buttons, actions: &[Action]| {
        let mut presses = actions.iter().flat_map(|action| presses(buttons, *action));
        presses.next().map(|(name, gesture)| ::panel::Press::new(name, gesture))
    };
    ::panel::Buttons {
        start: press(at_home, &[Action::StartStop, Action::Start]),
        resume: press(at_home, &[Action::PauseResume, Action::Resume]),
        menu: press(at_home, &[Action::Menu]),
        choose: press(in_menu, &[Action::Menu]),
        back: press(in_menu, &[Action::Back, Action::Home]),
    }
}

/// All that does it, the shortest gesture first.
fn presses(buttons: &Buttons, wanted: Action) -> impl Iterator<Item = (&str, Gesture)> {
    [Gesture::Short, Gesture::Double, Gesture::Long].into_iter().flat_map(move |gesture| {
        let bound = buttons.iter().filter(move |(_, it)| {
            let actions = match gesture {
                Gesture::Short => [it.short, None],
                Gesture::Double => [it.double, None],
                Gesture::Long => [it.long, it.hold],
            };
            actions.contains(&Some(wanted))
        });
        bound.map(move |(name, _)| (name.as_str(), gesture))
    })
}

/// What a button is for, those that are lent first before the others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    Nothing,
    ZoomIn,
    ZoomOut,
    Camera,
    Torch,
    Other,
    Pause,
    Session,
}

fn spare(buttons: &Buttons) -> Vec<(Use, &str)> {
    let mut spare: Vec<_> =
        buttons.iter().filter_map(|(name, it)| Some((usage(*it)?, name.as_str()))).collect();
    spare.sort_unstable();
    spare
}

/// None of a button that is not lent.
fn usage(bindings: Bindings) -> Option<Use> {
    let each = bindings.actions().map(|action| match action {
        Action::Mute | Action::Menu | Action::Back | Action::Home | Action::Up | Action::Down => None,
        Action::StartStop | Action::Start | Action::Stop => Some(Use::Session),
        Action::PauseResume | Action::Pause | Action::Resume => Some(Use::Pause),
        Action::Preview | Action::Snapshot => Some(Use::Other),
        Action::ToggleTorch => Some(Use::Torch),
        Action::SwitchCamera => Some(Use::Camera),
        Action::ZoomOut => Some(Use::ZoomOut),
        Action::ZoomIn => Some(Use::ZoomIn),
    });
    // What is done at once counts, but for what must be there at any time.
    let mut usage = Use::Nothing;
    for each in each {
        let each = each?;
        if usage == Use::Nothing || each == Use::Session {
            usage = each;
        }
    }
    Some(usage)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ::panel::{About, History, Interface, Language, View};
    use live_pusher::{Kind, State, Store, TABLE};
    use media::Timestamp;

    use super::super::action::key;
    use super::super::default_bindings;
    use super::super::gesture::{Button, Press};
    use super::*;

    /// A box with those buttons, and its display in a menu.
    struct Held {
        /// What can be done with its buttons.
        presses: Vec<(Action, Press)>,
        interface: Interface,
        store: Store,
    }

    impl Held {
        fn new(names: &[&str]) -> Self {
            let home = names.iter().map(|name| ((*name).to_owned(), default_bindings(name))).collect();
            let gestures: [&[i64]; 4] = [&[0, 100], &[0, 600], &[0, 900], &[0, 50, 150, 200]];
            let all = bindings(&home).into_values().flat_map(|it| gestures.map(|edges| play(it, edges)));
            let interface = Interface::new(Language::English);
            Self { presses: all.flatten().collect(), interface, store: Store::default() }
        }

        /// Does with one of the buttons what has that meaning in a menu.
        fn press(&mut self, wanted: Action) -> Option<::panel::Action> {
            let press = self.presses.iter().find(|(action, _)| *action == wanted);
            let (action, press) = press.copied().unwrap_or_else(|| panic!("nothing does {wanted:?}"));
            let (key, press) = key(action, press).unwrap();
            let (history, about) = (History::default(), About::default());
            let mut view = View::new(&self.store, &history, &about);
            view.state = State::Idle;
            self.interface.press(key, press != Press::Short, &view)
        }

        /// What is set where Ok was pressed on a line of a page, and then `next` before Ok again.
        fn set(
            &mut self,
            page: usize,
            line: usize,
            next: Option<Action>,
        ) -> Option<(&'static str, serde_json::Value)> {
            (0..=4).for_each(|_| drop(self.press(Action::Back)));
            assert!(!self.interface.is_in_menu());
            self.press(Action::Menu);
            (0..page).for_each(|_| drop(self.press(Action::Down)));
            self.press(Action::Menu);
            (0..line).for_each(|_| drop(self.press(Action::Down)));
            let first = self.press(Action::Menu);
            let chosen = first.or_else(|| {
                next.and_then(|next| self.press(next));
                self.press(Action::Menu)
            });
            match chosen {
                Some(::panel::Action::Set { property, value }) => Some((property, value)),
                _ => None,
            }
        }
    }

    /// What comes of it.
    fn play(bindings: Bindings, edges: &[i64]) -> Option<(Action, Press)> {
        let mut button = Button::new(bindings, bindings);
        let (mut pressed, mut last) = (false, None);
        for time in 0..700 + edges.last().unwrap() {
            let at = Timestamp::from_micros(time * 1000);
            if edges.contains(&time) {
                pressed = !pressed;
                last = last.or(button.edge(pressed, at, true).map(|action| (action, Press::Short)));
            }
            last = last.or(button.timer(at));
        }
        last
    }

    #[test]
    fn each_property_is_reached_and_each_number_goes_both_ways_on_boxes_of_any_buttons() {
        let boxes: [&[&str]; 7] = [
            &["start", "menu"],
            &["start", "camera", "menu"],
            &["start", "up", "menu"],
            &["start", "mute", "menu"],
            &["start", "camera", "torch", "mute", "menu"],
            &["start", "zoom-in", "zoom-out", "camera", "menu"],
            &["start", "up", "down", "menu", "back"],
        ];
        for names in boxes {
            let mut held = Held::new(names);
            let (mut seen, mut up, mut down) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
            for (page, line) in (2..7).flat_map(|page| (0..30).map(move |line| (page, line))) {
                let Some((property, before)) = held.set(page, line, None) else {
                    continue;
                };
                seen.insert(property);
                let number = |set: Option<(_, serde_json::Value)>| set.and_then(|(_, value)| value.as_f64());
                let Some(before) = before.as_f64() else {
                    continue;
                };
                let after = |held: &mut Held, action| number(held.set(page, line, Some(action)));
                up.extend((after(&mut held, Action::Up) > Some(before)).then_some(property));
                down.extend((after(&mut held, Action::Down) < Some(before)).then_some(property));
            }
            let settable = TABLE.iter().filter(|it| !matches!(it.kind, Kind::Text | Kind::Md5));
            let missing: Vec<_> = settable.map(|it| it.name).filter(|name| !seen.contains(name)).collect();
            assert!(missing.is_empty(), "{names:?}: {missing:?}");
            assert!(up.contains("max-bitrate") && down.contains("max-bitrate"), "{names:?}: {up:?} {down:?}");
        }
    }

    #[test]
    fn what_a_menu_does_not_need_keeps_its_meaning() {
        let cases: [(&[&str], &[&str]); 5] = [
            (&["start", "menu"], &["start", "menu"]),
            (&["start", "camera", "menu"], &["camera", "menu"]),
            (&["start", "camera", "torch", "mute", "menu"], &["camera", "torch", "menu"]),
            (&["start", "camera", "torch", "mute", "up", "down", "menu", "back"], &[]),
            (&["start", "camera", "mute"], &[]),
        ];
        for (names, lent) in cases {
            let home: Buttons =
                names.iter().map(|name| ((*name).to_owned(), default_bindings(name))).collect();
            let menu = bindings(&home);
            let changed = home.iter().filter(|(name, it)| menu[*name] != **it).map(|(name, _)| name.as_str());
            assert_eq!(changed.collect::<BTreeSet<_>>(), lent.iter().copied().collect(), "{names:?}");
        }
    }

    #[test]
    fn of_two_buttons_one_goes_on_and_held_it_goes_back() {
        let held = Held::new(&["start", "menu"]);
        let expected = [(Action::Down, Press::Short), (Action::Up, Press::Held)];
        assert!(expected.iter().all(|press| held.presses.contains(press)), "{:?}", held.presses);
    }

    #[test]
    fn screens_name_the_button_that_does_it_with_the_shortest_gesture() {
        let named = |names: &[&str]| {
            let home = names.iter().map(|name| ((*name).to_owned(), default_bindings(name))).collect();
            super::named(&home, &bindings(&home))
        };
        let press = |button, gesture| Some(::panel::Press::new(button, gesture));
        assert_eq!(named(&["start", "menu"]), ::panel::Buttons::default());
        let all = named(&["start", "pause", "menu", "up", "down", "back"]);
        assert_eq!(all.resume, press("pause", Gesture::Short));
        assert_eq!((all.choose, all.back), (press("menu", Gesture::Short), press("back", Gesture::Short)));
        let none = named(&["camera"]);
        assert_eq!([none.start, none.resume, none.menu, none.choose], [const { None }; 4]);
    }
}
