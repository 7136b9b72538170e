//! GPIO lines by name (kernel: Documentation/userspace-api/gpio/chardev.rst).

use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, SystemTime};

use gpiocdev::line::{EdgeDetection, EdgeKind, Value};
use gpiocdev::request::Builder;
use gpiocdev::{Error, FoundLine, Request};
use media::{Timestamp, now};

use crate::debounce::Debounce;
use crate::inputs::Contact;
use crate::{LineConfig, OpenError};

/// A line that this process holds.
pub(crate) struct Line {
    request: Request,
    name: String,
    /// Where the kernel does not debounce.
    debounce: Option<Debounce>,
}

impl Line {
    /// A button or a switch. True when it is pressed, or closed.
    pub(crate) fn input(config: &LineConfig) -> Result<Self, OpenError> {
        let (mut builder, name) = find(config)?;
        Self::hold(builder.as_input(), name)
    }

    /// The same, with its edges. What comes within `debounce` is taken as one; without it each edge is told.
    pub(crate) fn watched(config: &LineConfig, debounce: Option<Duration>) -> Result<Self, OpenError> {
        let (mut builder, name) = find(config)?;
        builder.as_input().with_edge_detection(EdgeDetection::BothEdges);
        let Some(period) = debounce else {
            return Self::hold(&mut builder, name);
        };
        match builder.with_debounce_period(period).request() {
            // Kernels before 5.10 have version 1 of the interface only.
            Err(Error::AbiLimitation(..)) => {
                let mut line = Self::hold(builder.with_debounce_period(Duration::ZERO), name)?;
                line.debounce = Some(Debounce::new(period, line.is_active()?));
                Ok(line)
            }
            request => Self::held(request, name),
        }
    }

    /// A lamp, off.
    pub(crate) fn output(config: &LineConfig) -> Result<Self, OpenError> {
        let (mut builder, name) = find(config)?;
        Self::hold(builder.as_output(Value::Inactive), name)
    }

    fn hold(builder: &mut Builder, name: String) -> Result<Self, OpenError> {
        Self::held(builder.request(), name)
    }

    fn held(request: gpiocdev::Result<Request>, name: String) -> Result<Self, OpenError> {
        match request {
            Ok(request) => Ok(Self { request, name, debounce: None }),
            Err(error) => Err(OpenError::failed(name, error, "end what else holds it (gpioinfo)")),
        }
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
        let stamp = Timestamp::from_micros((event.timestamp_ns / 1000) as i64);
        let (active, at) = (event.kind == EdgeKind::Rising, by_our_clock(stamp, now(), time_of_day()));
        let told = match &mut self.debounce {
            Some(debounce) => debounce.edge(active, at),
            None => Some((active, at)),
        };
        if let Some((active, at)) = told {
            tell(active, at);
        }
        Ok(())
    }

    fn due(&self) -> Option<Timestamp> {
        self.debounce.as_ref()?.due()
    }

    fn rest(&mut self, now: Timestamp) -> Option<(bool, Timestamp)> {
        let level = self.is_active().ok();
        self.debounce.as_mut()?.rest(level, now)
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

fn find(config: &LineConfig) -> Result<(Builder, String), OpenError> {
    let name = format!("GPIO line {}", config.line);
    let Some(FoundLine { chip, info, .. }) = gpiocdev::find_named_line(&config.line) else {
        let remedy = "check the name in the board file (gpioinfo)";
        return Err(OpenError::refused(name, "no such line", remedy));
    };
    let mut builder = Request::builder();
    builder.on_chip(chip).with_consumer("pushbox").with_line(info.offset);
    if config.active_low {
        builder.as_active_low();
    }
    Ok((builder, name))
}

/// Edges have the time of [`now`], but the time of day where the kernel is older than 5.7, and nothing tells which (kernel:
/// Documentation/userspace-api/gpio/gpio-lineevent-data-read.rst). No edge is to come.
fn by_our_clock(stamp: Timestamp, now: Timestamp, time_of_day: Timestamp) -> Timestamp {
    if now.since(stamp) >= 0 {
        return stamp;
    }
    let age = time_of_day.since(stamp).max(0) as u64;
    now - Duration::from_micros(age)
}

fn time_of_day() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(since.as_micros() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_of_either_clock_have_the_same_time() {
        let at = Timestamp::from_micros;
        let (now, time_of_day) = (at(90_000_000), at(1_700_000_000_000_000));
        assert_eq!(by_our_clock(at(89_999_000), now, time_of_day), at(89_999_000));
        assert_eq!(by_our_clock(at(1_699_999_999_999_000), now, time_of_day), at(89_999_000));
        // Somebody set it back meanwhile.
        assert_eq!(by_our_clock(at(1_700_000_009_000_000), now, time_of_day), now);
    }
}
