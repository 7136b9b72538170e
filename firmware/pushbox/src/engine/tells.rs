//! What listeners and displays are told.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use ::panel::History;
use live_pusher::{Code, Device, Input, State, Status};
use serde_json::{Map, Value, json};
use tokio::time::Instant as Moment;
use tracing::{info, warn};

use super::Engine;
use crate::events::Event;
use crate::meter;

impl Engine {
    pub(super) fn tell_status(&mut self, status: &Status) {
        let (code, text) = (status.code.number(), status.code.text());
        *self.told.entry(code).or_default() += 1;
        let params = Value::Object(status.params.clone());
        // Notices of what was asked for are no warnings; the last two have no text.
        if matches!(code, 1001..=1099 | 4998 | 4999) {
            info!(code, %params, "{text}");
        } else {
            warn!(code, %params, "{text}");
        }
        if let Some(display) = &self.display {
            display.tell(status.code);
        }
        for event in Event::of_status(status, self.profile) {
            self.listeners.tell(&event);
        }
        if status.code == Code::Publishing && self.measures.is_none() {
            self.measures = Some(Moment::now() + meter::INTERVAL);
            self.meter.reset();
        }
    }

    pub(super) fn measure(&mut self) {
        self.measures = Some(Moment::now() + meter::INTERVAL);
        let (info, is_narrow) = self.meter.measure(self.machine.state() == State::Reconnecting);
        if let Some(display) = &self.display {
            let number = |name: &str| info[name].as_u64().unwrap_or(0) as u32;
            let (target, dropped) = (self.target(), self.dropped());
            display.update(|scene| {
                (scene.target, scene.dropped) = (target, dropped);
                scene.bitrate = number("videoBitrate");
                scene.quality = number("netQualityLevel") as u8;
                scene.history.push(scene.bitrate);
            });
        }
        self.listeners.tell(&Event::new("netstatus", json!({ "info": info })));
        if is_narrow {
            self.give(Input::Notice { code: Code::UplinkTooNarrow, params: Map::new() });
        }
    }

    /// How loud the microphone is, while one is meant to be open (5.4).
    pub(super) fn tell_volume(&mut self) {
        let state = self.machine.state();
        if state.has_session() || state == State::Previewing {
            let properties = self.machine.store().properties();
            let is_heard = properties.enable_mic && !properties.muted && self.machine.reasons().is_empty();
            let volume = self.audio.take_volume();
            let volume = if is_heard { volume } else { 0 };
            if let Some(display) = &self.display {
                let runs = self.machine.runs(Device::Microphone);
                display.update(|scene| scene.volume = runs.then_some(volume));
            }
            let detail = json!({ "volume": volume });
            self.listeners.tell(&Event::new("audiovolumenotify", detail));
        }
    }

    pub(super) fn tell_window(&mut self, is_open: bool) {
        let kind = if is_open { "enterpictureinpicture" } else { "leavepictureinpicture" };
        self.listeners.tell(&Event::new(kind, json!({})));
    }

    /// Tells the displays what the box does now.
    pub(super) fn show(&self) {
        let (machine, state) = (&self.machine, self.machine.state());
        let Some(display) = &self.display else {
            return;
        };
        let (target, dropped) = (self.target(), self.dropped());
        display.update(|scene| {
            (scene.state, scene.reasons) = (state, machine.reasons());
            (scene.position, scene.camera_runs) = (machine.position(), machine.runs(Device::Camera));
            scene.shows_preview = machine.shows_preview();
            scene.torch = machine.has_torch_lit();
            scene.on_air_since = match state {
                State::Pushing | State::Paused => scene.on_air_since.or_else(|| Some(Instant::now())),
                // It goes on for viewers who wait, if there were any.
                State::Reconnecting => scene.on_air_since,
                _ => None,
            };
            (scene.target, scene.dropped) = (target, dropped);
            if self.media.is_none() {
                (scene.bitrate, scene.quality, scene.history) = (0, 0, History::default());
            }
            if !machine.runs(Device::Microphone) {
                scene.volume = None;
            }
        });
    }

    /// Of the picture, in kb/s.
    fn target(&self) -> u32 {
        self.media.map_or(0, |_| self.video.control.bitrate.load(Relaxed) / 1000)
    }

    /// Pictures, since the session began.
    fn dropped(&self) -> u64 {
        self.dropped_ever().saturating_sub(self.dropped_before)
    }

    pub(super) fn dropped_ever(&self) -> u64 {
        self.queue.dropped().video + self.video.frames.dropped()
    }
}
