//! The box in the hand: buttons, privacy switch, lamps, displays.

mod action;
mod display;
mod gesture;
mod lamps;
mod menu;
mod torch;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use board::{Board, ButtonConfig, Change, ChangeKind, Inputs};
use media::{Timestamp, now};
use tracing::{info, warn};

pub(crate) use action::Action;
#[cfg(test)]
pub(crate) use display::Scene;
pub(crate) use display::{Display, PreviewTap, Seen};
use gesture::Button;
pub(crate) use gesture::{Bindings, Press};
pub(crate) use lamps::Lamps;
pub(crate) use torch::Torch;

use crate::config::Buttons;
use crate::news::{News, Reporter};
use crate::privacy::Privacy;

/// A button's contacts come to rest within this time.
const DEBOUNCE: Duration = Duration::from_millis(10);
/// The privacy switch counts as open again after this time (spec 12.3); as closed it counts at once.
const OPENING: Duration = Duration::from_millis(100);

/// What the buttons of a board do unless a property file says otherwise, by their names in the board file.
fn default_bindings(name: &str) -> Bindings {
    let mut bindings = Bindings::default();
    match name {
        "start" => (bindings.short, bindings.long) = (Some(Action::StartStop), Some(Action::PauseResume)),
        "pause" => bindings.short = Some(Action::PauseResume),
        "camera" => (bindings.short, bindings.long) = (Some(Action::SwitchCamera), Some(Action::Snapshot)),
        "snapshot" => bindings.short = Some(Action::Snapshot),
        "torch" => bindings.short = Some(Action::ToggleTorch),
        "menu" => (bindings.short, bindings.long) = (Some(Action::Menu), Some(Action::Home)),
        "up" => (bindings.short, bindings.hold) = (Some(Action::Up), Some(Action::Up)),
        "down" => (bindings.short, bindings.hold) = (Some(Action::Down), Some(Action::Down)),
        "back" => (bindings.short, bindings.long) = (Some(Action::Back), Some(Action::Home)),
        "mute" => bindings.short = Some(Action::Mute),
        "zoom-in" => (bindings.short, bindings.hold) = (Some(Action::ZoomIn), Some(Action::ZoomIn)),
        "zoom-out" => (bindings.short, bindings.hold) = (Some(Action::ZoomOut), Some(Action::ZoomOut)),
        _ => {}
    }
    bindings
}

/// Watches buttons and privacy switch in a thread of its own. A button that can't be read is done without; a privacy
/// switch that can't be read counts as closed. Both are looked for until they are there.
pub(crate) fn start(
    board: &Board,
    bindings: &Buttons,
    display: Option<Arc<Display>>,
    privacy: Privacy,
    reporter: Reporter,
) -> std::io::Result<()> {
    let (inputs, buttons) = (Inputs::default(), Vec::new());
    let mut watch = Watch { inputs, buttons, opening: None, display, privacy, reporter };
    if let Some(line) = &board.privacy_switch {
        watch.inputs.add(&ButtonConfig::Line(line.clone()), None);
        watch.buttons.push(None);
        // What it says before anything is opened counts at once.
        let first = watch.inputs.next(Some(Duration::ZERO)).map(|change| change.kind);
        watch.privacy.set(first != Some(ChangeKind::Found { active: false }));
    }
    let bound = |name: &String| bindings.get(name).copied().unwrap_or_else(|| default_bindings(name));
    let at_home: Buttons = board.buttons.keys().map(|name| (name.clone(), bound(name))).collect();
    let in_menu = menu::bindings(&at_home);
    if let Some(display) = &watch.display {
        display.name_buttons(menu::named(&at_home, &in_menu));
    }
    for mistake in mistakes(bindings, &at_home, &in_menu) {
        warn!("{mistake}");
    }
    for (config, (at_home, in_menu)) in board.buttons.values().zip(at_home.values().zip(in_menu.values())) {
        watch.inputs.add(config, Some(DEBOUNCE));
        watch.buttons.push(Some(Button::new(*at_home, *in_menu)));
    }
    if !watch.buttons.is_empty() {
        thread::Builder::new().name("buttons".into()).spawn(move || watch.run())?;
    }
    Ok(())
}

/// What a person meant otherwise: buttons that are `given` a meaning, those of the board, and what they mean in a menu.
fn mistakes(given: &Buttons, at_home: &Buttons, in_menu: &Buttons) -> Vec<String> {
    let has = |buttons: &Buttons, action| buttons.values().any(|it| it.actions().any(|it| it == action));
    let unknown = given.keys().filter(|name| !at_home.contains_key(*name)).map(|name| {
        let known: Vec<_> = at_home.keys().map(String::as_str).collect();
        format!("options.buttons.{name}: the board has no such button (its own: {})", known.join(", "))
    });
    let dead = at_home.iter().filter(|(_, it)| it.actions().next().is_none());
    let dead =
        dead.map(|(name, _)| format!("button {name} does nothing: bind it in [options.buttons.{name}]"));
    let is_stuck = has(at_home, Action::Menu)
        && ![Action::Up, Action::Down].into_iter().all(|action| has(in_menu, action));
    let stuck =
        is_stuck.then(|| "no button moves in the menu: bind up and down in [options.buttons]".to_owned());
    unknown.chain(dead).chain(stuck).collect()
}

struct Watch {
    inputs: Inputs,
    /// One for each input; none of the privacy switch.
    buttons: Vec<Option<Button>>,
    /// When the privacy switch counts as open.
    opening: Option<Timestamp>,
    display: Option<Arc<Display>>,
    privacy: Privacy,
    reporter: Reporter,
}

impl Watch {
    fn run(mut self) -> ! {
        loop {
            let deadlines = self.buttons.iter().flatten().filter_map(Button::deadline).chain(self.opening);
            let limit = deadlines.map(|due| due.since(now()).max(0) as u64).min().map(Duration::from_micros);
            if let Some(change) = self.inputs.next(limit) {
                self.heed(change);
            }
            self.timers(now());
        }
    }

    fn heed(&mut self, Change { input, kind, at }: Change) {
        match (self.buttons.get_mut(input), kind) {
            (Some(Some(button)), ChangeKind::Edge { active }) => {
                let is_in_menu = self.display.as_ref().is_some_and(|display| display.is_in_menu());
                let action = button.edge(active, at, is_in_menu);
                self.tell(action.map(|action| (action, Press::Short)));
            }
            (Some(Some(button)), ChangeKind::Found { .. } | ChangeKind::Lost) => button.forget(),
            (_, ChangeKind::Found { active: false } | ChangeKind::Edge { active: false }) => {
                self.opening = Some(at + OPENING);
            }
            (_, ChangeKind::Found { .. } | ChangeKind::Edge { .. } | ChangeKind::Lost) => {
                info!("privacy switch closed");
                self.opening = None;
                self.privacy.set(true);
            }
        }
    }

    fn timers(&mut self, now: Timestamp) {
        if self.opening.is_some_and(|due| now.since(due) >= 0) {
            info!("privacy switch open");
            self.opening = None;
            self.privacy.set(false);
        }
        for index in 0..self.buttons.len() {
            let act = self.buttons[index].as_mut().and_then(|button| button.timer(now));
            self.tell(act);
        }
    }

    /// Never waits: the privacy switch must not wait for anybody.
    fn tell(&self, act: Option<(Action, Press)>) {
        if let Some((action, press)) = act {
            self.reporter.try_tell(News::Button { action, press });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::news::channel;

    const CLOSED: ChangeKind = ChangeKind::Edge { active: true };
    const OPENED: ChangeKind = ChangeKind::Edge { active: false };

    /// The privacy switch, and a button with one meaning.
    fn watch() -> Watch {
        let button =
            Bindings { short: Some(Action::Mute), long: Some(Action::Snapshot), ..Bindings::default() };
        Watch {
            inputs: Inputs::default(),
            buttons: vec![None, Some(Button::new(button, button))],
            opening: None,
            display: None,
            privacy: Privacy::default(),
            reporter: channel().0,
        }
    }

    fn ms(milliseconds: i64) -> Timestamp {
        Timestamp::from_micros(milliseconds * 1000)
    }

    #[test]
    fn a_privacy_switch_that_can_not_be_read_is_closed_until_it_was_found_open_for_a_while() {
        for closing in [CLOSED, ChangeKind::Lost, ChangeKind::Found { active: true }] {
            for opening in [OPENED, ChangeKind::Found { active: false }] {
                let mut watch = watch();
                watch.heed(Change { input: 0, kind: opening, at: ms(0) });
                watch.heed(Change { input: 0, kind: closing, at: ms(50) });
                watch.timers(ms(5000));
                assert!(watch.privacy.is_closed(), "{closing:?}");
                watch.heed(Change { input: 0, kind: opening, at: ms(6000) });
                watch.timers(ms(6099));
                assert!(watch.privacy.is_closed(), "{opening:?}");
                watch.timers(ms(6100));
                assert!(!watch.privacy.is_closed(), "{opening:?}");
            }
        }
    }

    #[test]
    fn a_box_whose_privacy_switch_is_not_there_begins_in_private() {
        let board = toml::from_str("name = 'x'\nprivacy-switch = { line = 'no such line' }").unwrap();
        let (privacy, (reporter, _news)) = (Privacy::default(), channel());
        start(&board, &Buttons::new(), None, privacy.clone(), reporter).unwrap();
        assert!(privacy.is_closed());
    }

    #[test]
    fn buttons_that_do_nothing_and_names_of_none_are_told() {
        let buttons = |names: &[&str]| -> Buttons {
            names.iter().map(|name| ((*name).to_owned(), default_bindings(name))).collect()
        };
        let told = |given: &[&str], board: &[&str]| {
            let at_home = buttons(board);
            mistakes(&buttons(given), &at_home, &menu::bindings(&at_home))
        };
        assert_eq!(told(&["start"], &["start", "menu"]), [""; 0]);
        assert_eq!(
            told(&["strat"], &["extra", "start"]),
            [
                "options.buttons.strat: the board has no such button (its own: extra, start)",
                "button extra does nothing: bind it in [options.buttons.extra]",
            ]
        );
        assert_eq!(
            told(&[], &["menu", "mute"]),
            ["no button moves in the menu: bind up and down in [options.buttons]"]
        );
    }

    #[test]
    fn a_button_that_is_unplugged_while_it_is_pressed_does_nothing() {
        let (mut watch, (reporter, mut news)) = (watch(), channel());
        watch.reporter = reporter;
        for (kind, at) in [(CLOSED, 0), (ChangeKind::Lost, 100), (ChangeKind::Found { active: false }, 200)] {
            watch.heed(Change { input: 1, kind, at: ms(at) });
            watch.timers(ms(at));
        }
        watch.timers(ms(5000));
        assert!(news.try_recv().is_err());
        assert!(!watch.privacy.is_closed(), "it is no privacy switch");
    }
}
