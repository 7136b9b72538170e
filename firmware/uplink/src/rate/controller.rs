use std::time::Duration;

use super::path::{Path, View};
use super::{Sample, Time};

/// What matters more: that all arrives, or that it arrives soon (spec 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    Live,
    Rtc,
}

/// Of the target, in bits a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub min: u32,
    pub max: u32,
}

/// What is to be done after a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The encoder's target in bits a second.
    pub bitrate: u32,
    /// Whether the uplink takes less than the target, which is lowered.
    pub is_narrow: bool,
}

/// How a policy acts.
struct Tuning {
    /// Over which capacity is measured.
    window: Duration,
    /// How long a backlog may take to drain before the target goes below capacity, in seconds.
    allowed: f64,
    /// In which what is beyond is to be drained, in seconds.
    drain: f64,
    /// The fastest rise, in shares a second.
    rise: f64,
}

impl Policy {
    fn tuning(self) -> Tuning {
        match self {
            Self::Live => Tuning { window: Duration::from_millis(400), allowed: 0.12, drain: 1.0, rise: 0.7 },
            Self::Rtc => Tuning { window: Duration::from_millis(300), allowed: 0.06, drain: 0.7, rise: 0.7 },
        }
    }
}

/// Share of idle time from which on the path plainly takes more than it is given.
const RELAXED: f64 = 0.9;
/// Of capacity: what is taken of it, and where a rise becomes careful.
const USE: f64 = 0.96;
const CAREFUL: f64 = 0.90;
/// The careful rise, in shares a second, and how far it goes before the capacity that was measured counts no more.
const PROBE: f64 = 0.015;
const OUTGROWN: f64 = 1.1;
/// What an IDR picture may take to drain on top of what is allowed, in seconds, where the target is below capacity.
const BURST: f64 = 0.25;

pub struct Controller {
    policy: Policy,
    bounds: Bounds,
    path: Path,
    target: f64,
    /// Bits a second that the path took when something waited last.
    ceiling: Option<f64>,
    last: Time,
}

impl Controller {
    /// Begins with a target of `start` bits a second.
    pub fn new(policy: Policy, bounds: Bounds, start: u32) -> Self {
        let target = f64::from(start.clamp(bounds.min, bounds.max.max(bounds.min)));
        Self { policy, bounds, path: Path::default(), target, ceiling: None, last: Time::ZERO }
    }

    /// Bounds act at once.
    pub fn set_bounds(&mut self, bounds: Bounds) -> u32 {
        self.bounds = bounds;
        self.clamp();
        self.target as u32
    }

    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// Another connection: its path is not known yet.
    pub fn reset(&mut self) {
        self.path = Path::default();
    }

    fn clamp(&mut self) {
        let Bounds { min, max } = self.bounds;
        self.target = self.target.clamp(f64::from(min), f64::from(max.max(min)));
    }

    pub fn sample(&mut self, now: Time, sample: &Sample) -> Decision {
        let tuning = self.policy.tuning();
        let view = self.path.observe(now, sample, tuning.window);
        let seconds = now.saturating_sub(self.last).as_secs_f64().min(0.5);
        self.last = now;
        let before = self.target;
        match view.capacity {
            Some(capacity) => self.follow(&view, capacity, &tuning, seconds),
            None => self.rise(&view, &tuning, seconds),
        }
        self.clamp();
        let is_narrow = self.target < before;
        Decision { bitrate: self.target as u32, is_narrow }
    }

    /// Something waits all the time: what the path takes is known.
    fn follow(&mut self, view: &View, capacity: f64, tuning: &Tuning, seconds: f64) {
        self.ceiling = Some(capacity);
        let delay = view.backlog as f64 * 8.0 / capacity.max(1000.0);
        let fits = self.target <= USE * capacity;
        let allowed = tuning.allowed + if fits { BURST } else { 0.0 };
        let wanted = capacity * (USE - (delay - allowed).max(0.0) / tuning.drain).max(0.0);
        if wanted < self.target {
            if delay > allowed {
                self.target = wanted;
            }
        } else {
            self.target += (wanted - self.target) * (seconds / 0.2).min(1.0);
        }
    }

    fn rise(&mut self, view: &View, tuning: &Tuning, seconds: f64) {
        if view.idle >= RELAXED || self.ceiling.is_some_and(|ceiling| self.target > OUTGROWN * ceiling) {
            self.ceiling = None;
        }
        let is_near = self.ceiling.is_some_and(|ceiling| self.target > CAREFUL * ceiling);
        self.target *= 1.0 + seconds * if is_near { PROBE } else { tuning.rise };
    }
}
