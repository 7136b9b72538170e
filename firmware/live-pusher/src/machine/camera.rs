//! What is done with the running camera: switch, lamp, zoom (sections 6.4, 6.7, 12.9).

use serde_json::json;

use super::call::Pending;
use super::device::Port;
use super::{Action, CallId, Device, Failure, Machine, Output, Reply};
use crate::DevicePosition;

/// Digital zoom at the most (6.7).
pub const MAX_ZOOM: f64 = 5.0;

/// The lamp, which something else than a call may put out (12.9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Torch {
    #[default]
    Out,
    /// For that call.
    Lighting(CallId),
    Lit,
}

impl Machine {
    pub(super) fn switch_camera(&mut self, id: CallId) {
        let other = match self.position {
            DevicePosition::Front => DevicePosition::Back,
            DevicePosition::Back => DevicePosition::Front,
        };
        if self.hardware.cameras.contains(&other) {
            self.begin_switch(Some(id), other);
        } else {
            self.reply(id, Err(Failure::NotSupported));
        }
    }

    /// The property names a camera (4.18).
    pub(super) fn turn_to(&mut self, wanted: DevicePosition) {
        let wanted = self.hardware.nearest(wanted);
        if !self.attached || wanted == self.position {
            return;
        }
        if self.pending.is_some() {
            self.use_camera(wanted);
        } else {
            self.begin_switch(None, wanted);
        }
    }

    fn begin_switch(&mut self, id: Option<CallId>, to: DevicePosition) {
        self.pending = Some(Pending::Switch { id, since: self.now, back_to: self.position });
        self.use_camera(to);
    }

    /// The next opening is of that camera; one that is open is closed.
    pub(super) fn use_camera(&mut self, position: DevicePosition) {
        if self.position == position {
            return;
        }
        self.position = position;
        self.set_ratio(1.0);
        match std::mem::take(&mut self.camera) {
            Port::Closed | Port::Broken { .. } => {}
            Port::Opening { .. } | Port::Starting { .. } | Port::Running => {
                self.outputs.push(Output::Close(Device::Camera));
            }
        }
    }

    pub(super) fn toggle_torch(&mut self, id: CallId) {
        if self.hardware.torch != Some(self.position) {
            return self.reply(id, Err(Failure::NotSupported));
        }
        if !self.camera.is_running() {
            return self.reply(id, Err(Failure::InvalidState("no preview")));
        }
        match self.torch {
            Torch::Out => {
                self.torch = Torch::Lighting(id);
                self.perform(id, Action::Torch(Some(self.options.torch_max)));
            }
            Torch::Lighting(_) => self.reply(id, Err(Failure::Busy)),
            Torch::Lit => {
                self.torch = Torch::Out;
                self.perform(id, Action::Torch(None));
            }
        }
    }

    /// What became of a call, if it was to light the lamp.
    pub(super) fn torch_performed(&mut self, id: CallId, is_lit: bool) {
        if self.torch == Torch::Lighting(id) {
            self.torch = Torch::Lit;
            if !is_lit {
                // It may be lit late.
                self.put_torch_out();
            }
        }
    }

    /// Whoever drives the lamp has put it out.
    pub(super) fn torch_went_out(&mut self) {
        if self.torch == Torch::Lit {
            self.torch = Torch::Out;
        }
    }

    /// It is out whenever its camera does not run.
    pub(super) fn settle_torch(&mut self) {
        if !self.camera.is_running() {
            self.put_torch_out();
        }
    }

    fn put_torch_out(&mut self) {
        let before = std::mem::take(&mut self.torch);
        if before != Torch::Out {
            self.outputs.push(Output::TorchOut);
        }
        if let Torch::Lighting(id) = before {
            self.performed(id, Err(Failure::InvalidState("no preview")));
        }
    }

    fn needs_camera(&self) -> Result<(), Failure> {
        let is_there = self.preview || self.session.is_some();
        if is_there { Ok(()) } else { Err(Failure::InvalidState("no preview")) }
    }

    pub(super) fn max_zoom(&self) -> Result<Reply, Failure> {
        self.needs_camera()?;
        Ok(Reply::from_iter([("maxZoom".to_owned(), json!(format!("{MAX_ZOOM:.1}")))]))
    }

    pub(super) fn set_zoom(&mut self, zoom: f64) -> Result<Reply, Failure> {
        self.needs_camera()?;
        let zoom = (zoom.clamp(1.0, MAX_ZOOM) * 10.0).round() / 10.0;
        self.set_ratio(zoom);
        Ok(Reply::from_iter([("zoom".to_owned(), json!(zoom))]))
    }

    pub(super) fn set_ratio(&mut self, zoom: f64) {
        if zoom != self.zoom {
            self.zoom = zoom;
            self.outputs.push(Output::Zoom(zoom));
        }
    }
}
