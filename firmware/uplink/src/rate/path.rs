//! What samples say of the path: how much waits on it, what it takes, and how much of the time it is idle.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Sample, SocketState, Time};

/// Bytes beyond what the path itself holds that are still no sign of a queue: the last packet of a picture, whose
/// acknowledgement may be delayed (RFC 9293 section 3.8.6.3).
const STRAY: u64 = 1500;
/// How late an acknowledgement may be on an empty path, beside the mean deviation of the round trip.
const SLACK: Duration = Duration::from_millis(5);
/// How long a smallest round trip counts; half of it, since there are always two.
const HALF_MEMORY: Duration = Duration::from_secs(5);
/// Long enough that acknowledgements which come in heaps do not pass for a burst, and how long one counts at the least:
/// from one IDR picture to the next.
const BURST: Duration = Duration::from_millis(80);
const BURST_MEMORY: Duration = Duration::from_secs(3);
/// How long congestion control may look for the round trip of an empty path, beside two of them: what lasts longer is a path
/// that takes nothing.
const PROBING: Duration = Duration::from_millis(300);
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
    /// Accepted, or in the send queue.
    produced: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Path {
    points: VecDeque<Point>,
    /// Smallest round trips and their mean deviations: of the half that is under way, and of the one before.
    smallest: [Duration; 2],
    steadiest: [Duration; 2],
    half_ends: Time,
    busy_since: Option<Time>,
    /// Since when congestion control looks for the round trip of an empty path.
    probing_since: Option<Time>,
    idle: f64,
    /// The same halves of the most that was delivered in a burst, in bits a second.
    bursts: [f64; 2],
    bursts_half_ends: Time,
}

/// What is known of the path after a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct View {
    /// Bytes that wait: in the send queue, in the kernel, and in the network beyond what an empty path would hold.
    pub(super) backlog: u64,
    /// Whether that is more than may be there by chance.
    pub(super) is_busy: bool,
    /// Bits a second that it delivered while something waited all the time; none if that was not so for long enough.
    pub(super) capacity: Option<f64>,
    /// Congestion control holds the stream back: nothing is known of the path.
    pub(super) is_held: bool,
    /// Share of the last second in which nothing waited.
    pub(super) idle: f64,
    /// The most bits a second that it delivered in a short time lately, as of an IDR picture.
    pub(super) burst: f64,
    /// Bits a second that came from the encoders in the last second.
    pub(super) produced: f64,
    /// The round trip of an empty path.
    pub(super) base: Duration,
}

impl Default for Path {
    fn default() -> Self {
        Self {
            points: VecDeque::with_capacity(POINTS),
            smallest: [Duration::MAX; 2],
            steadiest: [Duration::MAX; 2],
            half_ends: Time::ZERO,
            busy_since: None,
            probing_since: None,
            idle: 0.0,
            bursts: [0.0; 2],
            bursts_half_ends: Time::ZERO,
        }
    }
}

impl Path {
    /// `window` is the time over which capacity is measured.
    pub(super) fn observe(&mut self, now: Time, sample: &Sample, window: Duration) -> View {
        let socket = &sample.socket;
        let base = self.base(now, socket);
        let point = Point {
            time: now,
            accepted: socket.accepted,
            delivered: socket.delivered(),
            produced: socket.accepted + sample.queue.bytes,
        };
        let before = self.points.back().copied().unwrap_or(point);
        if self.points.len() == POINTS {
            self.points.pop_front();
        }
        self.points.push_back(point);
        // On an empty path all that was written so long ago would have been acknowledged.
        let slack = SLACK + self.steadiest[0].min(self.steadiest[1]).min(base / 4);
        let due = self.accepted(now.saturating_sub(base + slack));
        let backlog = sample.queue.bytes + due.saturating_sub(point.delivered);
        let is_busy = backlog > STRAY;
        let is_held = self.is_held(now, socket.is_probing, base);
        if !is_held {
            let share = (now.saturating_sub(before.time).as_secs_f64() / IDLE_MEMORY).min(1.0);
            self.idle += (f64::from(u8::from(!is_busy)) - self.idle) * share;
        }
        if is_held {
            self.busy_since = Some(now);
        } else if is_busy {
            // It was when the sample before was taken, or has been since.
            self.busy_since = self.busy_since.or(Some(before.time));
        } else {
            self.busy_since = None;
        }
        let busy_for = self.busy_since.filter(|_| !is_held).map(|since| now.saturating_sub(since));
        let capacity = busy_for.and_then(|time| {
            if time >= (window / 2).max(2 * base) {
                let first = self.at(now.saturating_sub(time.min(window.max(2 * base))));
                let bits = (point.delivered - first.delivered.min(point.delivered)) as f64 * 8.0;
                return Some(bits / now.saturating_sub(first.time).as_secs_f64().max(0.001));
            }
            // Two round trips of a long path take long: until then the last one counts, as the kernel has measured it. Of a shorter
            // one that is too short a time.
            socket.full_rate().filter(|_| 2 * base > window && time >= base)
        });
        let earlier = self.at(now.saturating_sub(Duration::from_secs(1)));
        let seconds = now.saturating_sub(earlier.time).as_secs_f64().max(0.1);
        let produced = point.produced.saturating_sub(earlier.produced) as f64 * 8.0 / seconds;
        let burst = self.burst(now, point.delivered, capacity.is_some());
        View { burst, produced, backlog, is_busy, capacity, is_held, idle: self.idle, base }
    }

    fn is_held(&mut self, now: Time, is_probing: bool, base: Duration) -> bool {
        self.probing_since = self.probing_since.or(Some(now)).filter(|_| is_probing);
        self.probing_since.is_some_and(|since| now < since + PROBING + 2 * base)
    }

    fn burst(&mut self, now: Time, delivered: u64, is_known: bool) -> f64 {
        // Capacity says more than a burst, and later.
        if is_known {
            self.bursts = [0.0; 2];
            return 0.0;
        }
        if now >= self.bursts_half_ends {
            self.bursts = [0.0, self.bursts[0]];
            self.bursts_half_ends = now + BURST_MEMORY;
        }
        let first = self.at(now.saturating_sub(BURST));
        let seconds = now.saturating_sub(first.time).as_secs_f64().max(BURST.as_secs_f64());
        // A packet may have come just before.
        let bytes = delivered.saturating_sub(first.delivered + STRAY);
        self.bursts[0] = self.bursts[0].max(bytes as f64 * 8.0 / seconds);
        self.bursts[0].max(self.bursts[1])
    }

    /// The last sample that is not younger than `time`, or the oldest.
    fn at(&self, time: Time) -> Point {
        let index = self.points.partition_point(|point| point.time <= time);
        self.points.get(index.saturating_sub(1)).copied().unwrap_or_default()
    }

    /// Bytes accepted by that time, as if they had come evenly between two samples.
    fn accepted(&self, time: Time) -> u64 {
        let index = self.points.partition_point(|point| point.time <= time);
        let before = self.points.get(index.saturating_sub(1)).copied().unwrap_or_default();
        let Some(after) = self.points.get(index) else {
            return before.accepted;
        };
        let share = time.saturating_sub(before.time).as_secs_f64()
            / after.time.saturating_sub(before.time).as_secs_f64().max(1e-6);
        before.accepted
            + ((after.accepted - before.accepted.min(after.accepted)) as f64 * share.min(1.0)) as u64
    }

    /// The smoothed round trip swings less than the single ones on which the kernel's smallest is founded; but a queue
    /// that always stands must not pass for the path.
    fn base(&mut self, now: Time, socket: &SocketState) -> Duration {
        if now >= self.half_ends {
            self.smallest = [socket.round_trip, self.smallest[0]];
            self.steadiest = [socket.variation, self.steadiest[0]];
            self.half_ends = now + HALF_MEMORY;
        }
        self.smallest[0] = self.smallest[0].min(socket.round_trip);
        self.steadiest[0] = self.steadiest[0].min(socket.variation);
        let most = socket.min_round_trip * 3 / 2 + Duration::from_millis(20);
        let smallest = self.smallest[0].min(self.smallest[1]);
        let deviation = self.steadiest[0].min(self.steadiest[1]);
        smallest.saturating_sub(2 * deviation).clamp(socket.min_round_trip, most)
    }
}
