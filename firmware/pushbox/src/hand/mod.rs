//! The box in the hand: buttons, privacy switch, lamps, displays.

mod action;
mod display;
mod gesture;
mod lamps;

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use board::{Board, ButtonConfig, Change, ChangeKind, Inputs};
use media::{Timestamp, now};
use tracing::info;

pub(crate) use action::Action;
pub(crate) use display::{Display, PreviewTap, Seen};
pub(crate) use gesture::Bindings;
use gesture::Button;
pub(crate) use lamps::Lamps;

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
        "menu" => (bindings.short, bindings.long) = (Some(Action::Menu), Some(Action::Back)),
        "up" => (bindings.short, bindings.hold) = (Some(Action::Up), Some(Action::Up)),
        "down" => (bindings.short, bindings.hold) = (Some(Action::Down), Some(Action::Down)),
        "back" => (bindings.short, bindings.long) = (Some(Action::Back), Some(Action::Back)),
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
    bindings: &BTreeMap<String, Bindings>,
    privacy: Privacy,
    reporter: Reporter,
) -> std::io::Result<()> {
    let mut watch =
        Watch { inputs: Inputs::default(), buttons: Vec::new(), opening: None, privacy, reporter };
    if let Some(line) = &board.privacy_switch {
        watch.inputs.add(&ButtonConfig::Line(line.clone()), None);
        watch.buttons.push(None);
        // What it says before anything is opened counts at once.
        let first = watch.inputs.next(Some(Duration::ZERO)).map(|change| change.kind);
        watch.privacy.set(first != Some(ChangeKind::Found { active: false }));
    }
    for (name, config) in &board.buttons {
        watch.inputs.add(config, Some(DEBOUNCE));
        let bindings = bindings.get(name).copied().unwrap_or_else(|| default_bindings(name));
        watch.buttons.push(Some(Button::new(bindings)));
    }
    if !watch.buttons.is_empty() {
        thread::Builder::new().name("buttons".into()).spawn(move || watch.run())?;
    }
    Ok(())
}

struct Watch {
    inputs: Inputs,
    /// One for each input; none of the privacy switch.
    buttons: Vec<Option<Button>>,
    /// When the privacy switch counts as open.
    opening: Option<Timestamp>,
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
                let action = button.edge(active, at);
                self.tell(action.map(|action| (action, false)));
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
            let press = self.buttons[index].as_mut().and_then(|button| button.timer(now));
            self.tell(press);
        }
    }

    /// An action, and whether its button is held. Never waits: the privacy switch must not wait for anybody.
    fn tell(&self, press: Option<(Action, bool)>) {
        if let Some((action, is_held)) = press {
            self.reporter.try_tell(News::Button { action, is_held });
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
            buttons: vec![None, Some(Button::new(button))],
            opening: None,
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
        start(&board, &BTreeMap::new(), privacy.clone(), reporter).unwrap();
        assert!(privacy.is_closed());
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
