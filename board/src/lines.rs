//! GPIO lines by name (kernel: Documentation/userspace-api/gpio/chardev.rst).

use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use gpiocdev::line::{EdgeDetection, EdgeKind, Value};
use gpiocdev::request::Builder;
use gpiocdev::{FoundLine, Request};
use media::Timestamp;

use crate::inputs::Contact;
use crate::{LineConfig, OpenError};

/// A line that this process holds.
pub(crate) struct Line {
    request: Request,
    name: String,
}

impl Line {
    /// A button or a switch. True when it is pressed, or closed.
    pub(crate) fn input(config: &LineConfig) -> Result<Self, OpenError> {
        Self::open(config, |builder| {
            builder.as_input();
        })
    }

    /// The same, with its edges. The kernel takes as one what comes within `debounce`; without it each edge is told.
    pub(crate) fn watched(config: &LineConfig, debounce: Option<Duration>) -> Result<Self, OpenError> {
        Self::open(config, |builder| {
            builder.as_input().with_edge_detection(EdgeDetection::BothEdges);
            if let Some(period) = debounce {
                builder.with_debounce_period(period);
            }
        })
    }

    /// A lamp, off.
    pub(crate) fn output(config: &LineConfig) -> Result<Self, OpenError> {
        Self::open(config, |builder| {
            builder.as_output(Value::Inactive);
        })
    }

    fn open(config: &LineConfig, direct: impl FnOnce(&mut Builder)) -> Result<Self, OpenError> {
        let name = format!("GPIO line {}", config.line);
        let FoundLine { chip, info, .. } =
            gpiocdev::find_named_line(&config.line).ok_or_else(|| missing(&name))?;
        let mut builder = Request::builder();
        builder.on_chip(chip).with_consumer("pushbox").with_line(info.offset);
        if config.active_low {
            builder.as_active_low();
        }
        direct(&mut builder);
        let remedy = "end what else holds it (gpioinfo)";
        let request = builder.request().map_err(|error| OpenError::failed(&name, error, remedy))?;
        Ok(Self { request, name })
    }

    pub(crate) fn set(&self, active: bool) -> Result<(), OpenError> {
        self.request.set_lone_value(active.into()).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: gpiocdev::Error) -> OpenError {
        OpenError::failed(&self.name, error, "check its wiring")
    }
}

impl Contact for Line {
    fn descriptor(&self) -> RawFd {
        self.request.as_raw_fd()
    }

    fn is_active(&self) -> Result<bool, OpenError> {
        self.request.lone_value().map(|value| value == Value::Active).map_err(|error| self.failed(error))
    }

    /// One edge; waits for it.
    fn read(&mut self, tell: &mut dyn FnMut(bool, Timestamp)) -> Result<(), OpenError> {
        let event = self.request.read_edge_event().map_err(|error| self.failed(error))?;
        let at = Timestamp::from_micros((event.timestamp_ns / 1000) as i64);
        tell(event.kind == EdgeKind::Rising, at);
        Ok(())
    }
}

/// A lamp, off until it is lit.
pub struct Lamp(Line);

impl Lamp {
    pub fn open(config: &LineConfig) -> Result<Self, OpenError> {
        Line::output(config).map(Self)
    }

    pub fn light(&self, lit: bool) -> Result<(), OpenError> {
        self.0.set(lit)
    }
}

fn missing(name: &str) -> OpenError {
    OpenError::refused(name, "no such line", "check the name in the board file (gpioinfo)")
}
