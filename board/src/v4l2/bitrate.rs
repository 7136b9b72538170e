//! When an encoder is told another bitrate.

use std::io;
use std::time::{Duration, Instant};

/// From one change that interrupts the stream to the next.
const PAUSE: Duration = Duration::from_secs(2);

/// What it takes to change the bitrate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    WhileRunning,
    /// With the coded pictures stopped ("Encoding Parameter Changes").
    Stopped,
    /// It keeps the one that it has.
    Never,
}

pub(super) struct Bitrate {
    pub(super) change: Change,
    changed: Option<Instant>,
    wanted: Option<u32>,
}

impl Bitrate {
    pub(super) fn new(change: Change) -> Self {
        Self { change, changed: None, wanted: None }
    }

    pub(super) fn want(&mut self, bitrate: u32) {
        self.wanted = Some(bitrate);
    }

    /// What is to be told now.
    pub(super) fn due(&mut self, now: Instant) -> Option<u32> {
        let rests =
            self.change != Change::WhileRunning && self.changed.is_some_and(|then| now - then < PAUSE);
        if rests { None } else { self.wanted.take() }
    }

    /// The stream was interrupted for it.
    pub(super) fn interrupted(&mut self, now: Instant) {
        self.changed = Some(now);
    }
}

/// What a driver refuses of a control (kernel: `VIDIOC_S_EXT_CTRLS`).
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// This value; it may take others.
    Value,
    /// That it changes at all. To try again would stop the coded pictures each time.
    Change,
}

impl Refused {
    pub(super) fn of(error: &io::Error) -> Option<Self> {
        match error.raw_os_error()? {
            libc::EINVAL | libc::ERANGE => Some(Self::Value),
            libc::EBUSY | libc::EACCES => Some(Self::Change),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_refused_does_not_stand_for_others() {
        let refused = |code| Refused::of(&io::Error::from_raw_os_error(code));
        assert_eq!([libc::EINVAL, libc::ERANGE].map(refused), [const { Some(Refused::Value) }; 2]);
        assert_eq!([libc::EBUSY, libc::EACCES].map(refused), [const { Some(Refused::Change) }; 2]);
        assert_eq!(refused(libc::EIO), None);
    }

    #[test]
    fn the_stream_is_not_interrupted_again_and_again() {
        let start = Instant::now();
        let mut bitrate = Bitrate::new(Change::WhileRunning);
        for step in [1_000_000, 970_000] {
            bitrate.want(step);
            assert_eq!(bitrate.due(start), Some(step));
        }
        bitrate.change = Change::Stopped;
        bitrate.interrupted(start);
        for step in [940_000, 910_000] {
            bitrate.want(step);
            assert_eq!(bitrate.due(start + PAUSE / 2), None);
        }
        assert_eq!(bitrate.due(start + PAUSE), Some(910_000), "the newest");
        assert_eq!(bitrate.due(start + PAUSE), None);
    }
}
