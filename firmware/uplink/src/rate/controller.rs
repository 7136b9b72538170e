use std::time::Duration;

use super::path::{Path, View};
use super::server::Server;
use super::{Sample, Time};

/// From one sample to the next, and where nothing is to be decided.
const SAMPLING: Duration = Duration::from_millis(20);
const CALM_SAMPLING: Duration = Duration::from_millis(100);

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
    /// The path was found to take less than nine tenths of the target, which was lowered.
    pub is_narrow: bool,
    /// When the next sample is due: soon while something waits or the target may rise.
    pub next: Duration,
}

/// How a policy acts.
struct Tuning {
    /// Over which capacity is measured.
    window: Duration,
    /// How long what waits may take to drain before the target goes below capacity, in seconds.
    allowed: f64,
    /// In which what is beyond is to be drained, in seconds.
    drain: f64,
    /// The fastest rise, in shares a second.
    rise: f64,
}

impl Policy {
    fn tuning(self) -> Tuning {
        match self {
            Self::Live => Tuning { window: Duration::from_millis(300), allowed: 0.18, drain: 0.7, rise: 1.6 },
            Self::Rtc => Tuning { window: Duration::from_millis(250), allowed: 0.07, drain: 0.6, rise: 1.2 },
        }
    }
}

/// Of capacity: what is taken of it, and where a rise becomes careful.
const USE: f64 = 0.96;
const CAREFUL: f64 = 0.90;
/// Share of idle time up to which the path may be full, and from which on it plainly takes more than it is given.
const FULL: f64 = 0.55;
const RELAXED: f64 = 0.85;
/// The share of idle time of a path behind the reach of TCP, which is not seen, and how long that is the narrow one.
const BEHIND: f64 = 0.7;
const BEHIND_MEMORY: Duration = Duration::from_secs(30);
/// The careful rise on a path that may be full, in shares a second.
const PROBE: f64 = 0.02;
/// Bits a second at which a picture is but a packet, so that idle time says nothing of the path; at five times as much it
/// says all.
const SHARP: f64 = 300_000.0;
/// Where the target has come to so much of the capacity that was measured, that counts no more.
const OUTGROWN: f64 = 1.1;
/// Share of what the path delivered in a burst that it surely takes for good.
const PROOF: f64 = 0.75;
/// So many times the capacity that was measured, proved by a burst, and that counts no more either.
const DISPROVED: f64 = 1.5;
/// What a measured capacity may have grown by meanwhile, in shares a second.
const AGING: f64 = 0.03;
/// A round trip of so many seconds halves the rise: what comes of it is seen later.
const LONG: f64 = 0.2;
/// What an IDR picture may take to drain on top of what is allowed, in seconds, where the target is below capacity.
const BURST: f64 = 0.25;
/// From so many seconds on, what is beyond is to be drained as fast as said; below, more gently.
const SERIOUS: f64 = 0.3;
/// A path that swings may have a longer queue, so that it does not run dry: so much longer by the share of its swing,
/// seen over so many seconds, and at the most that share longer.
const SWING: f64 = 5.0;
const MOST_SWING: f64 = 1.0;
const SWING_MEMORY: f64 = 2.5;
/// Below this share of the target an encoder does not show what the path would make of more: far from the capacity that
/// was measured, and near it.
const BUSY_ENCODER: f64 = 0.5;
const BUSY_ENCODER_NEAR: f64 = 0.75;
/// The encoder is not troubled with smaller changes, as a share.
const STEP: f64 = 0.03;
/// A path that takes less than this share of the target is too narrow (code 1101).
const NARROW: f64 = 0.9;

/// Sets the encoder's target by what the path delivers and by all that waits on it, in the kernel and the network too.
///
/// While something waits, acknowledgements tell the path's capacity: the target follows it, less what drains the backlog.
/// While nothing does, the target rises, fast up to the capacity that was measured last and carefully beyond, unless the
/// path is idle so often between two pictures that it plainly takes more. IDR pictures are the probes: each of them is a
/// burst that shows the capacity.
pub struct Controller {
    policy: Policy,
    bounds: Bounds,
    path: Path,
    server: Server,
    /// When something waited behind the reach of TCP last.
    behind_at: Option<Time>,
    /// Bits a second of all that is not pictures.
    beside: f64,
    /// Bits a second of all.
    target: f64,
    /// What the encoder was told.
    told: f64,
    /// Bits a second that the path took when something waited last.
    ceiling: Option<f64>,
    /// The same on the average of a second, and how far it swings from that, as a share.
    usual: Option<f64>,
    swing: f64,
    last: Option<Time>,
}

impl Controller {
    /// Begins with a target of `start` bits a second.
    pub fn new(policy: Policy, bounds: Bounds, start: u32) -> Self {
        let mut controller = Self {
            policy,
            bounds,
            path: Path::default(),
            server: Server::default(),
            behind_at: None,
            beside: 0.0,
            target: f64::from(start),
            told: 0.0,
            ceiling: None,
            usual: None,
            swing: 0.0,
            last: None,
        };
        controller.bitrate();
        controller
    }

    /// Bounds act at once; the target is within them from then on.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// Sets what goes out beside the pictures, in bits a second: sound.
    pub fn set_beside(&mut self, bitrate: u32) {
        self.target += f64::from(bitrate) - self.beside;
        self.beside = f64::from(bitrate);
    }

    /// A session begins with that target.
    pub fn start(&mut self, bitrate: u32) {
        self.target = f64::from(bitrate) + self.beside;
        self.connect();
    }

    /// A connection begins: its path is not known yet.
    pub fn connect(&mut self) {
        (self.path, self.server, self.behind_at) = (Path::default(), Server::default(), None);
        (self.ceiling, self.usual, self.swing, self.last) = (None, None, 0.0, None);
    }

    /// The encoder's target in bits a second.
    pub fn bitrate(&mut self) -> u32 {
        let Bounds { min, max } = self.bounds;
        let (min, max) = (f64::from(min), f64::from(max.max(min)));
        let pictures = (self.target - self.beside).clamp(min, max);
        self.target = pictures + self.beside;
        let is_bound = pictures == min || pictures == max;
        let is_beyond = !(min..=max).contains(&self.told);
        if is_bound || is_beyond || (pictures - self.told).abs() >= STEP * self.told {
            self.told = pictures;
        }
        self.told as u32
    }

    /// Takes what the connection shows at `now`.
    pub fn sample(&mut self, now: Time, sample: &Sample) -> Decision {
        let tuning = self.policy.tuning();
        let mut view = self.path.observe(now, sample, tuning.window);
        self.look_behind(now, sample, &mut view);
        let since = self.last.replace(now).map_or(Duration::ZERO, |last| now.saturating_sub(last));
        let seconds = since.as_secs_f64().min(0.5);
        let is_narrow = match view.capacity {
            _ if view.is_held => false,
            Some(capacity) => self.follow(&view, capacity, &tuning, seconds),
            None => {
                self.rise(&view, &tuning, seconds);
                false
            }
        };
        let bitrate = self.bitrate();
        let is_calm = !view.is_busy && bitrate == self.bounds.max;
        Decision { bitrate, is_narrow, next: if is_calm { CALM_SAMPLING } else { SAMPLING } }
    }

    /// Where the server says that more waits than TCP knows of, that counts.
    fn look_behind(&mut self, now: Time, sample: &Sample, view: &mut View) {
        let behind = self.server.observe(now, sample);
        if let Some(behind) = behind.filter(|behind| behind.backlog > view.backlog) {
            (view.backlog, view.capacity) = (view.backlog + behind.backlog, Some(behind.capacity));
            view.is_busy = true;
            self.behind_at = Some(now);
        }
        if self.behind_at.is_some_and(|at| now < at + BEHIND_MEMORY) {
            // Idle time and bursts are those of the way to a proxy.
            (view.idle, view.burst) = (view.idle.min(BEHIND), 0.0);
        }
    }

    /// Something waits all the time: what the path takes is known. Tells whether that is too little.
    fn follow(&mut self, view: &View, capacity: f64, tuning: &Tuning, seconds: f64) -> bool {
        let usual = self.usual.unwrap_or(capacity);
        self.usual = Some(usual + (capacity - usual) * seconds);
        let swing = (capacity / usual.max(1.0) - 1.0).abs().min(1.0);
        self.swing += (swing - self.swing) * (seconds / SWING_MEMORY);
        self.ceiling = Some(capacity);
        let delay = view.backlog as f64 * 8.0 / capacity.max(1000.0);
        let burst = if self.target <= USE * capacity { BURST } else { 0.0 };
        let allowed = tuning.allowed * (1.0 + (SWING * self.swing).min(MOST_SWING));
        let late = (delay - allowed - burst).max(0.0);
        let wanted = capacity * (USE - late / tuning.drain * (late / SERIOUS).min(1.0)).max(0.0);
        if wanted > self.target {
            let reaction = 0.2 + view.base.as_secs_f64();
            self.target += (wanted - self.target) * (seconds / reaction).min(1.0);
            return false;
        }
        let is_narrow =
            late > 0.0 && capacity < NARROW * self.target && self.told > f64::from(self.bounds.min);
        if late > 0.0 {
            self.target = wanted;
        }
        is_narrow
    }

    fn rise(&mut self, view: &View, tuning: &Tuning, seconds: f64) {
        let proof = view.burst * PROOF;
        self.ceiling = self
            .ceiling
            .map(|ceiling| ceiling * (1.0 + AGING * seconds))
            .filter(|ceiling| proof <= DISPROVED * ceiling && self.target <= OUTGROWN * ceiling)
            .map(|ceiling| ceiling.max(proof));
        let is_near = self.ceiling.is_some_and(|ceiling| self.target > CAREFUL * ceiling);
        let least = if is_near { BUSY_ENCODER_NEAR } else { BUSY_ENCODER };
        if view.produced < least * self.target {
            return;
        }
        let is_sharp = ((view.produced / SHARP - 1.0) / 4.0).clamp(0.0, 1.0);
        // As if the encoder had made as much as it may.
        let idle = 1.0 - (1.0 - view.idle) * (self.target / view.produced.max(1.0)).max(1.0);
        let idle = ((idle - FULL) / (RELAXED - FULL)).clamp(0.0, 1.0);
        let ease = if is_near { idle * is_sharp } else { 1.0 };
        let fastest = tuning.rise / (1.0 + view.base.as_secs_f64() / LONG);
        self.target *= 1.0 + seconds * (PROBE + (fastest - PROBE) * ease * ease);
    }
}
