//! What samples say of the path: how much waits on it, what it takes, and how much of the time it is idle.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Sample, Time};

/// Bytes beyond what the path itself holds that are still no sign of a queue: the last packets of a picture, whose
/// acknowledgement may be delayed (RFC 9293 section 3.8.6.3).
const STRAY: u64 = 3000;
/// How late an acknowledgement may be on an empty path.
const SLACK: Duration = Duration::from_millis(8);
/// How long a smallest round trip counts; half of it, since there are always two.
const HALF_MEMORY: Duration = Duration::from_secs(5);
/// Time in which the share of idle time comes to two thirds of a new value.
const IDLE_MEMORY: f64 = 0.7;
/// Samples that are kept: longer than any round trip that a stream survives.
const POINTS: usize = 192;

/// Of a sample, at its time.
#[derive(Clone, Copy, Debug, Default)]
struct Point {
    time: Time,
    accepted: u64,
    delivered: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Path {
    points: VecDeque<Point>,
    /// Smallest round trips: of the half that is under way, and of the one before.
    smallest: [Duration; 2],
    half_ends: Time,
    busy_since: Option<Time>,
    idle: f64,
}

/// What is known of the path after a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct View {
    /// Bytes that wait: in the send queue, in the kernel, and in the network beyond what an empty path would hold.
    pub(super) backlog: u64,
    /// Bits a second that it delivered while something waited all the time; none if that was not so for long enough.
    pub(super) capacity: Option<f64>,
    /// Share of the last second in which nothing waited.
    pub(super) idle: f64,
    /// The round trip of an empty path.
    pub(super) base: Duration,
}

impl Default for Path {
    fn default() -> Self {
        Self {
            points: VecDeque::with_capacity(POINTS),
            smallest: [Duration::MAX; 2],
            half_ends: Time::ZERO,
            busy_since: None,
            idle: 0.0,
        }
    }
}

impl Path {
    /// `window` is the time over which capacity is measured.
    pub(super) fn observe(&mut self, now: Time, sample: &Sample, window: Duration) -> View {
        let socket = &sample.socket;
        let base = self.base(now, socket.round_trip, socket.min_round_trip);
        let point = Point { time: now, accepted: socket.accepted, delivered: socket.delivered() };
        let before = self.points.back().copied().unwrap_or(point);
        if self.points.len() == POINTS {
            self.points.pop_front();
        }
        self.points.push_back(point);
        // On an empty path all that was written so long ago would have been acknowledged.
        let slack = SLACK;
        let due = self.at(now.saturating_sub(base + slack)).accepted;
        let backlog = sample.queue.bytes + due.saturating_sub(point.delivered);
        let is_busy = backlog > STRAY;
        let share = (now.saturating_sub(before.time).as_secs_f64() / IDLE_MEMORY).min(1.0);
        self.idle += (f64::from(u8::from(!is_busy)) - self.idle) * share;
        if is_busy {
            // It was when the sample before was taken, or has been since.
            self.busy_since = self.busy_since.or(Some(before.time));
        } else {
            self.busy_since = None;
        }
        let least = (window / 2).max(2 * base);
        let capacity = self.busy_since.filter(|since| now.saturating_sub(*since) >= least).map(|since| {
            let first = self.at(since.max(now.saturating_sub(window.max(2 * base))));
            let bits = (point.delivered - first.delivered.min(point.delivered)) as f64 * 8.0;
            bits / now.saturating_sub(first.time).as_secs_f64().max(0.001)
        });
        View { backlog, capacity, idle: self.idle, base }
    }

    /// The last sample that is not younger than `time`, or the oldest.
    fn at(&self, time: Time) -> Point {
        let index = self.points.partition_point(|point| point.time <= time);
        self.points.get(index.saturating_sub(1)).copied().unwrap_or_default()
    }

    /// The smoothed round trip swings less than the single ones on which the kernel's smallest is founded; but a queue
    /// that always stands must not pass for the path.
    fn base(&mut self, now: Time, round_trip: Duration, smallest: Duration) -> Duration {
        if now >= self.half_ends {
            self.smallest = [round_trip, self.smallest[0]];
            self.half_ends = now + HALF_MEMORY;
        }
        self.smallest[0] = self.smallest[0].min(round_trip);
        let most = smallest * 3 / 2 + Duration::from_millis(20);
        self.smallest[0].min(self.smallest[1]).clamp(smallest.min(most), most)
    }
}
