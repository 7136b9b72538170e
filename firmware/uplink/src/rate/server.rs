//! What the server says to have (RTMP section 5.4.3). Where a proxy or a tunnel takes all bytes at once, TCP tells of the way
//! to it alone, and these numbers of the whole one.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Sample, Time};

/// Bytes that must have been acknowledged step by step before the numbers are believed: some servers begin anew with each.
const TRUST: u64 = 1_000_000;
/// The longest step from one number to the next.
const STEP: u64 = 16 << 20;
/// Where counters begin anew: as the specification has it, as Twitch, as nginx-rtmp.
const ENDS: [u64; 3] = [1 << 32, 1 << 31, 0xf000_0000];
/// How late an acknowledgement may be: it is seen with a sample, and servers send them when they come to it.
const SLACK: Duration = Duration::from_millis(200);
/// So many of the longest steps that are due and do not come are silence: one may be a little longer than all before.
const MISSED: u64 = 2;
/// Over which the rate is measured at the least; after a silence, so many acknowledgements suffice.
const WINDOW: Duration = Duration::from_millis(500);
const AGAIN: usize = 3;
/// How long half of what counts for the smallest delay lasts.
const HALF_MEMORY: Duration = Duration::from_secs(15);
/// A delay that stays so long in spite of all that was done against it, without shrinking to that share, is a mistake of the
/// numbers. A path that takes little more than the least bitrate drains slowly; for one that takes less they are tried again.
const LONG: Duration = Duration::from_secs(1);
const SHRUNK: f64 = 0.95;
const PATIENCE: Duration = Duration::from_secs(8);
const REFUTED: Duration = Duration::from_secs(60);
/// From one point to the next, and how many are kept.
const SPACING: Duration = Duration::from_millis(40);
const POINTS: usize = 256;

/// Bytes that had come at a time.
type Point = (Time, u64);

/// What waits behind the reach of TCP.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Behind {
    pub(super) backlog: u64,
    /// Bits a second that come through.
    pub(super) capacity: f64,
}

#[derive(Clone, Debug)]
pub(super) struct Server {
    /// Bytes that came as far as TCP knows.
    reached: VecDeque<Point>,
    /// Its last number, and what it means.
    number: Option<u32>,
    total: u64,
    /// Of it since the numbers make sense.
    counted: u64,
    /// Acknowledgements since something waits.
    arrivals: VecDeque<Point>,
    /// The smallest delays of an acknowledgement, and the bytes of the longest steps from one to the next: of the half that
    /// is under way, and of the one before.
    smallest: [Duration; 2],
    longest: [u64; 2],
    half_ends: Time,
    /// Since when the delay is long and does not get smaller, and the most that waited since.
    late: Option<(Time, u64)>,
    refuted_until: Time,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            reached: VecDeque::with_capacity(POINTS),
            number: None,
            total: 0,
            counted: 0,
            arrivals: VecDeque::with_capacity(POINTS),
            smallest: [Duration::MAX; 2],
            longest: [0; 2],
            half_ends: Time::ZERO,
            late: None,
            refuted_until: Time::ZERO,
        }
    }
}

impl Server {
    /// None where nothing waits, or nothing is known.
    pub(super) fn observe(&mut self, now: Time, sample: &Sample) -> Option<Behind> {
        let number = sample.server.number?;
        let reached = sample.server.written.saturating_sub(sample.socket.unacknowledged);
        if self.reached.back().is_none_or(|(time, _)| now >= *time + SPACING) {
            push(&mut self.reached, (now, reached));
        }
        if self.number != Some(number) {
            self.count(number, sample.server.written);
            self.acknowledge(now);
        }
        let behind = self.behind(now).filter(|_| self.counted >= TRUST);
        // What is refuted is counted on, so that all is known when it is believed again.
        let behind = behind.filter(|_| now >= self.refuted_until);
        self.judge(now, behind.as_ref());
        behind
    }

    fn judge(&mut self, now: Time, behind: Option<&Behind>) {
        let is_late = |behind: &&Behind| behind.backlog as f64 * 8.0 > behind.capacity * LONG.as_secs_f64();
        self.late = behind.filter(is_late).map(|behind| {
            let is_stuck = |late: &(Time, u64)| behind.backlog as f64 > SHRUNK * late.1 as f64;
            let (since, most) = self.late.filter(is_stuck).unwrap_or((now, 0));
            (since, most.max(behind.backlog))
        });
        if self.late.is_some_and(|(since, _)| now >= since + PATIENCE) {
            self.refuted_until = now + REFUTED;
        }
    }

    fn count(&mut self, number: u32, written: u64) {
        let step = self.number.replace(number).and_then(|before| {
            let steps = ENDS.map(|end| (u64::from(number) + 2 * end - u64::from(before)) % end);
            steps.into_iter().find(|step| *step <= STEP && self.total + step <= written)
        });
        if let Some(step) = step {
            (self.total, self.counted) = (self.total + step, self.counted + step);
            self.longest[0] = self.longest[0].max(step);
        } else {
            // The first, or one that makes no sense: as if all had come.
            (self.total, self.counted) = (written, 0);
            self.arrivals.clear();
            (self.smallest, self.longest) = ([Duration::MAX; 2], [0; 2]);
        }
    }

    fn acknowledge(&mut self, now: Time) {
        if now >= self.half_ends {
            self.smallest = [Duration::MAX, self.smallest[0]];
            self.longest = [0, self.longest[0]];
            self.half_ends = now + HALF_MEMORY;
        }
        let index = self.reached.partition_point(|(_, bytes)| *bytes < self.total);
        let reached_at = self.reached.get(index).map_or(now, |(time, _)| *time);
        self.smallest[0] = self.smallest[0].min(now.saturating_sub(reached_at));
        if self.due(now) <= self.total {
            self.arrivals.clear();
        }
        push(&mut self.arrivals, (now, self.total));
    }

    /// What reached the end of TCP's path so long ago that the server would have said to have it, if nothing waited.
    fn due(&self, now: Time) -> u64 {
        let base = self.smallest[0].min(self.smallest[1]).saturating_add(SLACK);
        let index = self.reached.partition_point(|(time, _)| *time <= now.saturating_sub(base));
        index.checked_sub(1).and_then(|index| self.reached.get(index)).map_or(0, |(_, bytes)| *bytes)
    }

    fn behind(&self, now: Time) -> Option<Behind> {
        let (last, total) = *self.arrivals.back()?;
        let silence = now.saturating_sub(last);
        if self.arrivals.len() == 1 {
            // All was well, and there is no rate but that of the stream: what is due twice should have come.
            let backlog = self.due(now).saturating_sub(total);
            let step = self.longest[0].max(self.longest[1]);
            let capacity = step as f64 * 8.0 / silence.as_secs_f64();
            let is_silent = step > 0 && backlog >= MISSED * step;
            return is_silent.then_some(Behind { backlog, capacity });
        }
        let since = last.saturating_sub(WINDOW);
        let within = self.arrivals.partition_point(|(time, _)| *time <= since);
        let earlier = within.saturating_sub(1);
        let time = |index: usize| self.arrivals.get(index).map_or(last, |(time, _)| *time);
        let was_silent = time(within) > time(earlier) + WINDOW && self.arrivals.len() >= within + AGAIN;
        let index = if was_silent { within } else { earlier };
        let (first, before) = *self.arrivals.get(index)?;
        let (bytes, took) = ((total - before) as f64, last.saturating_sub(first));
        if bytes == 0.0 {
            return None;
        }
        // One that keeps silent for longer than it takes for as many bytes gets slower meanwhile.
        let came = bytes * (silence.as_secs_f64() / took.as_secs_f64()).min(1.0);
        let rate = bytes / took.max(silence).as_secs_f64();
        let backlog = self.due(now).saturating_sub(total + came as u64);
        (backlog > 0).then_some(Behind { backlog, capacity: rate * 8.0 })
    }
}

fn push(points: &mut VecDeque<Point>, point: Point) {
    if points.len() == POINTS {
        points.pop_front();
    }
    points.push_back(point);
}
