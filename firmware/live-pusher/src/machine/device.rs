//! Camera and microphone: open whenever the state wants them, and tried again when they fail (section 7.6).

use std::time::Duration;

use serde_json::{Map, json};

use super::call::Pending;
use super::{Code, Device, DeviceEvent, Failure, Machine, Output, Reason, State, Time};

use crate::DegradedStart;

/// Between two tries to open a device that was lost.
const RETRY: Duration = Duration::from_secs(2);
/// A camera must deliver within this time (7.1).
const FIRST_FRAME: Duration = Duration::from_secs(5);

/// How far a device is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Port {
    #[default]
    Closed,
    /// `told`: its failure was told already.
    Opening {
        told: bool,
    },
    /// Open, and no frame has come yet.
    Starting {
        since: Time,
    },
    Running,
    /// Until the next try.
    Broken {
        until: Time,
    },
}

impl Port {
    pub(super) fn is_running(self) -> bool {
        self == Self::Running
    }

    pub(super) fn deadline(self) -> Option<Time> {
        match self {
            Self::Starting { since } => Some(since + FIRST_FRAME),
            Self::Broken { until } => Some(until),
            Self::Closed | Self::Opening { .. } | Self::Running => None,
        }
    }
}

impl Machine {
    fn port(&mut self, device: Device) -> &mut Port {
        match device {
            Device::Camera => &mut self.camera,
            Device::Microphone => &mut self.microphone,
        }
    }

    /// Rule 7 of section 5.2: whether a device is meant to be open.
    fn is_wanted(&self, device: Device) -> bool {
        let captures = match &self.session {
            Some(session) => !session.is_suspended(),
            None => self.preview || self.automatic || self.pending.as_ref().is_some_and(|it| !it.is_switch()),
        };
        let properties = self.store.properties();
        let allowed = match device {
            Device::Camera => properties.enable_camera && self.reasons.is_empty(),
            Device::Microphone => {
                let taken = [Reason::Privacy, Reason::Interrupt].iter().any(|it| self.reasons.contains(*it));
                properties.enable_mic && !taken && !self.microphone_taken
            }
        };
        captures && allowed
    }

    pub(super) fn settle_devices(&mut self) {
        for device in [Device::Camera, Device::Microphone] {
            let (wanted, port) = (self.is_wanted(device), *self.port(device));
            if wanted && port == Port::Closed {
                *self.port(device) = Port::Opening { told: false };
                self.outputs.push(Output::Open(device));
            } else if !wanted && port != Port::Closed {
                *self.port(device) = Port::Closed;
                if !matches!(port, Port::Broken { .. }) {
                    self.outputs.push(Output::Close(device));
                }
            }
        }
    }

    pub(super) fn devices_are_ready(&self) -> bool {
        let degraded = self.options.degraded_start == DegradedStart::Placeholder;
        let ready = |device, port: Port| {
            let is_given_up = degraded && matches!(port, Port::Broken { .. });
            !self.is_wanted(device) || port.is_running() || is_given_up
        };
        let switches = self.pending.as_ref().is_some_and(Pending::is_switch);
        ready(Device::Camera, self.camera) && (switches || ready(Device::Microphone, self.microphone))
    }

    /// A start that has waited for them long enough says which are missing.
    pub(super) fn give_up_devices(&mut self) {
        for device in [Device::Camera, Device::Microphone] {
            let reason = match *self.port(device) {
                Port::Opening { .. } => "it does not open",
                Port::Starting { .. } => "no frames",
                Port::Closed | Port::Running | Port::Broken { .. } => continue,
            };
            if self.is_wanted(device) {
                self.outputs.push(Output::Close(device));
                self.broken(device, refused(device, false), reason, false);
            }
        }
    }

    /// A call does not wait for the next try.
    pub(super) fn retry_devices(&mut self) {
        for device in [Device::Camera, Device::Microphone] {
            if matches!(self.port(device), Port::Broken { .. }) {
                *self.port(device) = Port::Closed;
            }
        }
    }

    pub(super) fn device(&mut self, device: Device, event: DeviceEvent) {
        let port = *self.port(device);
        match (event, port) {
            // It was closed meanwhile.
            (_, Port::Closed | Port::Broken { .. }) => {}
            (DeviceEvent::Opened(params), Port::Opening { .. }) => {
                *self.port(device) = match device {
                    Device::Camera => Port::Starting { since: self.now },
                    Device::Microphone => Port::Running,
                };
                if device == Device::Camera {
                    self.emit(Code::CameraOpened, params);
                }
            }
            (DeviceEvent::FirstFrame(params), Port::Starting { .. }) => {
                self.camera = Port::Running;
                self.emit(Code::FirstFrame, params);
            }
            (DeviceEvent::Refused { forbidden, reason }, Port::Opening { told }) => {
                let code = refused(device, forbidden);
                self.broken(device, code, &reason, told);
            }
            (DeviceEvent::Lost { reason }, _) => {
                self.broken(device, refused(device, false), &reason, false);
            }
            (DeviceEvent::Silent, _) => {
                self.outputs.push(Output::Close(device));
                self.broken(device, Code::MicrophoneSilent, "no data", false);
            }
            (DeviceEvent::Opened(_) | DeviceEvent::FirstFrame(_) | DeviceEvent::Refused { .. }, _) => {}
        }
    }

    fn broken(&mut self, device: Device, code: Code, reason: &str, told: bool) {
        // Without viewers who could miss it, a microphone is tried again in silence (5.2).
        let is_heard = !matches!(self.state(), State::Paused | State::Reconnecting);
        if !told && (device == Device::Camera || is_heard) {
            self.emit(code, Map::from_iter([("reason".to_owned(), json!(reason))]));
        }
        *self.port(device) = Port::Broken { until: self.now + RETRY };
        let is_fatal = match &self.pending {
            Some(Pending::Switch { .. }) => device == Device::Camera,
            Some(Pending::Start { .. } | Pending::Preview { .. }) => {
                self.options.degraded_start == DegradedStart::Abort
            }
            None => false,
        };
        if is_fatal {
            self.abandon(Failure::Device);
        }
    }

    pub(super) fn device_timers(&mut self) {
        let now = self.now;
        for device in [Device::Camera, Device::Microphone] {
            match *self.port(device) {
                Port::Broken { until } if until <= now => {
                    *self.port(device) = Port::Opening { told: true };
                    self.outputs.push(Output::Open(device));
                }
                Port::Starting { since } if since + FIRST_FRAME <= now => {
                    self.outputs.push(Output::Close(device));
                    self.broken(device, Code::CameraFailed, "no frames", false);
                }
                _ => {}
            }
        }
    }

    /// Another user takes the microphone alone, or gives it back (12.7).
    pub(super) fn take_microphone(&mut self, taken: bool) {
        if taken && !self.microphone_taken && (self.preview || self.session.is_some()) {
            self.emit(Code::Interrupted, Map::from_iter([("devices".to_owned(), json!(["microphone"]))]));
        }
        self.microphone_taken = taken;
    }
}

fn refused(device: Device, forbidden: bool) -> Code {
    match (device, forbidden) {
        (Device::Camera, true) => Code::CameraForbidden,
        (Device::Camera, false) => Code::CameraFailed,
        (Device::Microphone, true) => Code::MicrophoneForbidden,
        (Device::Microphone, false) => Code::MicrophoneFailed,
    }
}
