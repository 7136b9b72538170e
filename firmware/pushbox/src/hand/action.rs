//! What a button may do.

use std::sync::atomic::Ordering::Relaxed;

use live_pusher::{Method, Reason, SnapshotQuality, State};
use serde::Deserialize;
use serde_json::{Map, json};
use tracing::{info, warn};

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
}

/// By how much a press zooms.
const ZOOM_STEP: f64 = 0.5;

impl Engine {
    pub(crate) fn act_on(&mut self, action: Action) {
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
            Action::Mute => {
                let muted = !self.machine().store().properties().muted;
                info!(muted, "button");
                self.set(Map::from_iter([("muted".to_owned(), json!(muted))]));
                return;
            }
        };
        info!(?action, "button");
        let reply = self.call(method);
        tokio::spawn(async move {
            if let Ok(Err(failure)) = reply.await {
                warn!(?action, %failure, "button");
            }
        });
    }
}
