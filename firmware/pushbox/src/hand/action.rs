//! What a button may do.

use std::sync::atomic::Ordering::Relaxed;

use ::panel::{Answer, Key};
use live_pusher::{Failure, Method, Reason, SnapshotQuality, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tracing::{info, warn};

use super::Press;
use crate::engine::Engine;

/// By the name that a property file gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Action {
    #[serde(rename = "start/stop")]
    StartStop,
    #[serde(rename = "pause/resume")]
    PauseResume,
    Preview,
    Start,
    Stop,
    Pause,
    Resume,
    SwitchCamera,
    ToggleTorch,
    Snapshot,
    Mute,
    ZoomIn,
    ZoomOut,
    /// Opens the display's menu, chooses in it, acknowledges a message.
    Menu,
    /// One step towards home.
    Back,
    /// Closes the small window, or all of the menu.
    Home,
    Up,
    Down,
}

/// By how much a press zooms.
const ZOOM_STEP: f64 = 0.5;

impl Engine {
    pub(crate) fn act_on(&mut self, action: Action, press: Press) {
        if let Some((display, (key, press))) = self.display().zip(key(action, press)) {
            return display.press(key, press);
        }
        let state = self.machine().state();
        let zoom = f64::from(self.video.control.zoom.load(Relaxed)) / 10.0;
        let method = match action {
            Action::StartStop if state.has_session() => Method::Stop,
            Action::StartStop | Action::Start => Method::Start,
            Action::Stop => Method::Stop,
            Action::PauseResume if self.machine().reasons().contains(Reason::Api) => Method::Resume,
            Action::PauseResume | Action::Pause => Method::Pause,
            Action::Resume => Method::Resume,
            Action::Preview if state == State::Previewing => Method::StopPreview,
            Action::Preview => Method::StartPreview,
            Action::SwitchCamera => Method::SwitchCamera,
            Action::ToggleTorch => Method::ToggleTorch,
            Action::Snapshot => Method::Snapshot(SnapshotQuality::Raw),
            Action::ZoomIn => Method::SetZoom(zoom + ZOOM_STEP),
            Action::ZoomOut => Method::SetZoom(zoom - ZOOM_STEP),
            Action::Menu | Action::Back | Action::Home | Action::Up | Action::Down => return,
            Action::Mute => {
                let muted = !self.machine().store().properties().muted;
                info!(muted, "button");
                self.set(Map::from_iter([("muted".to_owned(), json!(muted))]));
                return;
            }
        };
        info!(?action, "button");
        self.call_by_hand(method, false);
    }

    /// What a person chose on the display.
    pub(crate) fn act_on_screen(&mut self, action: ::panel::Action) {
        info!(?action, "display");
        match action {
            ::panel::Action::Call(name) => match Method::parse(name, &Map::new()) {
                Some(Ok(method)) => self.call_by_hand(method, true),
                _ => self.answer_by_hand(Err(Failure::NotSupported.number())),
            },
            ::panel::Action::Set { property, value } => {
                let refused = self.set(Map::from_iter([(property.to_owned(), value)]));
                let wrong = Failure::InvalidArgument("").number();
                self.answer_by_hand(if refused.is_empty() { Ok(Answer::Done) } else { Err(wrong) });
            }
            ::panel::Action::Speak(language) => self.speak(language),
        }
    }

    /// `chosen` on the display, which then wants to know what came of it; of a button only what is not seen otherwise.
    fn call_by_hand(&mut self, method: Method, chosen: bool) {
        let is_snapshot = matches!(method, Method::Snapshot(_));
        let (reply, display) = (self.call(method), self.display().cloned());
        tokio::spawn(async move {
            let result = reply.await.unwrap_or(Err(Failure::NoPusher)).map_err(Failure::number);
            let result = result.map(|reply| match reply.get("zoom").and_then(Value::as_f64) {
                Some(zoom) => Answer::Zoom(zoom),
                None if is_snapshot => Answer::Snapshot,
                None => Answer::Done,
            });
            if let Err(code) = result {
                warn!(code, "chosen by hand, and failed");
            }
            if let Some(display) = display.filter(|_| chosen || result != Ok(Answer::Done)) {
                display.answer(result);
            }
        });
    }

    fn answer_by_hand(&self, result: Result<Answer, i32>) {
        if let Some(display) = self.display() {
            display.answer(result);
        }
    }
}

/// The display's key that stands for it, and how that is pressed.
pub(super) fn key(action: Action, press: Press) -> Option<(Key, Press)> {
    match action {
        Action::Menu => Some((Key::Ok, press)),
        Action::Back => Some((Key::Back, Press::Short)),
        Action::Home => Some((Key::Back, Press::Held)),
        Action::Up => Some((Key::Up, press)),
        Action::Down => Some((Key::Down, press)),
        _ => None,
    }
}
