//! GPIO lines by name (kernel: Documentation/userspace-api/gpio/chardev.rst).

use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use gpiocdev::line::{EdgeDetection, EdgeKind, Value};
use gpiocdev::request::Builder;
use gpiocdev::{FoundLine, Request};
use media::Timestamp;

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
    fn watched(config: &LineConfig, debounce: Option<Duration>) -> Result<Self, OpenError> {
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

/// A button that was pressed or let go, or a switch that was closed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Which of the inputs, in the order in which they were added.
    pub input: usize,
    pub active: bool,
    /// When the kernel saw it.
    pub at: Timestamp,
}

/// Buttons and switches that are watched together.
#[derive(Default)]
pub struct Inputs {
    lines: Vec<Line>,
    polled: Vec<libc::pollfd>,
}

impl Inputs {
    /// Watches one more; tells whether it is active now.
    pub fn add(&mut self, config: &LineConfig, debounce: Option<Duration>) -> Result<bool, OpenError> {
        let line = Line::watched(config, debounce)?;
        let active = line.is_active()?;
        self.polled.push(libc::pollfd { fd: line.request.as_raw_fd(), events: libc::POLLIN, revents: 0 });
        self.lines.push(line);
        Ok(active)
    }

    /// The next edge, waiting up to `limit` for one; without it for as long as it takes.
    pub fn next(&mut self, limit: Option<Duration>) -> Result<Option<Edge>, OpenError> {
        // Rounded up, so that nobody wakes before the time.
        let wait = limit.map_or(-1, |limit| limit.as_micros().div_ceil(1000).min(i32::MAX as u128) as i32);
        // SAFETY: the pointer and the length are those of a vector, which lives through the call.
        let ready = unsafe { libc::poll(self.polled.as_mut_ptr(), self.polled.len() as libc::nfds_t, wait) };
        if ready < 0 {
            let error = io::Error::last_os_error();
            let is_harmless = error.kind() == io::ErrorKind::Interrupted;
            return if is_harmless { Ok(None) } else { Err(OpenError::failed("poll", error, "start anew")) };
        }
        let Some(input) = self.polled.iter().position(|polled| polled.revents != 0) else {
            return Ok(None);
        };
        let line = &self.lines[input];
        let event = line.request.read_edge_event().map_err(|error| line.failed(error))?;
        let at = Timestamp::from_micros((event.timestamp_ns / 1000) as i64);
        Ok(Some(Edge { input, active: event.kind == EdgeKind::Rising, at }))
    }
}

fn missing(name: &str) -> OpenError {
    OpenError::refused(name, "no such line", "check the name in the board file (gpioinfo)")
}
