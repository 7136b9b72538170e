//! When to write: pure arithmetic on times that are passed in.

use std::time::{Duration, Instant};

/// A change is written when no other came for so long,
pub const SETTLE: Duration = Duration::from_secs(2);
/// or so long after the first that is not written yet,
pub const LATEST: Duration = Duration::from_secs(10);
/// but not sooner than this after the write before: flash wears, and one that loses what it said it holds had time to write it.
pub const PAUSE: Duration = Duration::from_secs(10);
/// Nor sooner than this after a write that failed.
pub const RETRY: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// First and last change that are not written.
    changes: Option<(Instant, Instant)>,
    not_before: Option<Instant>,
}

impl Pace {
    pub(crate) fn changed(&mut self, now: Instant) {
        let (first, _) = self.changes.unwrap_or((now, now));
        self.changes = Some((first, now));
    }

    /// There is nothing to write any more.
    pub(crate) fn settled(&mut self) {
        self.changes = None;
    }

    pub(crate) fn tried(&mut self, now: Instant, pause: Duration) {
        self.not_before = Some(now + pause);
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let (first, last) = self.changes?;
        let settled = (last + SETTLE).min(first + LATEST);
        Some(self.not_before.map_or(settled, |not_before| settled.max(not_before)))
    }
}
