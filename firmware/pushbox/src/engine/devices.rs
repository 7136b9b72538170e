//! Camera and microphone: which thread has them.

use std::sync::Arc;

use anyhow::Result;
use board::{CameraConfig, Position};
use live_pusher::{Device, DeviceEvent, DevicePosition, Input};

use super::Engine;
use crate::device::Run;
use crate::{camera, microphone};

impl Engine {
    pub(super) fn open(&mut self, device: Device) -> Result<()> {
        let (privacy, reporter) = (self.privacy.clone(), self.reporter.clone());
        match device {
            Device::Camera => {
                let Some(config) = self.camera_config() else {
                    return self.refuse(device, "the board file has no camera: add one");
                };
                let (frames, before) = (Arc::clone(&self.video.frames), self.camera.take());
                let (lamps, encoder) = (Arc::clone(&self.lamps), self.video.encoder());
                self.camera = Some(camera::start(config, encoder, before, privacy, reporter, frames, lamps)?);
            }
            Device::Microphone => {
                let Some(config) = self.board.microphone.clone() else {
                    return self.refuse(device, "the board file has no microphone: add one");
                };
                let rate = self.machine.store().properties().audio_quality.rate();
                let (blocks, before) = (Arc::clone(&self.audio.blocks), self.microphone.take());
                self.microphone = Some(microphone::start(config, rate, before, privacy, reporter, blocks)?);
            }
        }
        Ok(())
    }

    pub(super) fn run_of(&self, device: Device) -> Option<&Run> {
        match device {
            Device::Camera => self.camera.as_ref(),
            Device::Microphone => self.microphone.as_ref(),
        }
    }

    fn refuse(&mut self, device: Device, reason: &str) -> Result<()> {
        let event = DeviceEvent::Refused { forbidden: true, reason: reason.into() };
        self.handle(Input::Device { device, event })
    }

    pub(super) fn camera_config(&self) -> Option<CameraConfig> {
        let wanted = match self.machine.position() {
            DevicePosition::Front => Position::Front,
            DevicePosition::Back => Position::Back,
        };
        self.board.camera(wanted).cloned()
    }
}
