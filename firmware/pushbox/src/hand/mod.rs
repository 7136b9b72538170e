//! The box in the hand: buttons, privacy switch, lamps, displays.

mod action;
mod display;
mod gesture;
mod lamps;

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use board::{Board, ButtonConfig, Inputs};
use media::{Timestamp, now};
use tracing::{info, warn};

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
/// Before lines that can't be read are tried again.
const RETRY: Duration = Duration::from_secs(1);

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
/// switch that can't be read counts as closed.
pub(crate) fn start(
    board: &Board,
    bindings: &BTreeMap<String, Bindings>,
    privacy: Privacy,
    reporter: Reporter,
) -> std::io::Result<()> {
    let mut watch =
        Watch { inputs: Inputs::default(), buttons: Vec::new(), opening: None, privacy, reporter };
    if let Some(line) = &board.privacy_switch {
        match watch.inputs.add_line(line, None) {
            Ok(closed) => {
                watch.buttons.push(None);
                watch.privacy.set(closed);
            }
            Err(error) => {
                warn!(%error, "the privacy switch counts as closed");
                watch.privacy.set(true);
            }
        }
    }
    for (name, config) in &board.buttons {
        match config {
            ButtonConfig::Line(line) => {
                if let Err(error) = watch.inputs.add_line(line, Some(DEBOUNCE)) {
                    warn!(%error, "button {name}");
                    continue;
                }
            }
            ButtonConfig::Key(key) => watch.inputs.add_key(key),
        }
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
            match self.inputs.next(limit) {
                Ok(None) => {}
                Ok(Some(edge)) => match self.buttons.get_mut(edge.input) {
                    Some(Some(button)) => {
                        let action = button.edge(edge.active, edge.at);
                        self.tell(action.map(|action| (action, false)));
                    }
                    Some(None) if edge.active => {
                        info!("privacy switch closed");
                        self.opening = None;
                        self.privacy.set(true);
                    }
                    _ => self.opening = Some(edge.at + OPENING),
                },
                Err(error) => {
                    warn!(%error, "buttons");
                    thread::sleep(RETRY);
                }
            }
            self.timers();
        }
    }

    fn timers(&mut self) {
        let now = now();
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
