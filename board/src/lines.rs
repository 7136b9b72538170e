//! GPIO lines by name (kernel: Documentation/userspace-api/gpio/chardev.rst).

use gpiocdev::line::Value;
use gpiocdev::request::Builder;
use gpiocdev::{FoundLine, Request};

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

    pub(crate) fn is_active(&self) -> Result<bool, OpenError> {
        self.request.lone_value().map(|value| value == Value::Active).map_err(|error| self.failed(error))
    }

    pub(crate) fn set(&self, active: bool) -> Result<(), OpenError> {
        self.request.set_lone_value(active.into()).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: gpiocdev::Error) -> OpenError {
        OpenError::failed(&self.name, error, "check its wiring")
    }
}

fn missing(name: &str) -> OpenError {
    OpenError::refused(name, "no such line", "check the name in the board file (gpioinfo)")
}
