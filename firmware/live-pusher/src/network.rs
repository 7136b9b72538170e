//! Network status (section 9): the quality of the uplink.

use std::time::Duration;

/// What was seen in one interval of about two seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// From the oldest to the newest packet in the send queue.
    pub queued: Duration,
    /// Smoothed round trip.
    pub round_trip: Duration,
    /// Share of the pictures that were dropped, 0 to 1.
    pub dropped: f64,
    /// Time without an acknowledged byte.
    pub unacknowledged: Duration,
    pub reconnecting: bool,
}

/// 0 undefined, 1 best, to 6 unusable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quality(u8);

/// Level, and what the sample must stay below: queue and round trip in milliseconds, share of dropped pictures at the most.
const LEVELS: [(u8, u64, u64, f64); 4] =
    [(1, 200, 100, 0.0), (2, 500, 200, 0.0), (3, 1000, 400, 0.01), (4, 2000, u64::MAX, 0.05)];
const WORST: u8 = 5;
const UNUSABLE: u8 = 6;
const SILENCE: Duration = Duration::from_secs(2);

impl Quality {
    pub fn level(self) -> u8 {
        self.0
    }

    /// The level after `sample`: worse at once, better by one level only.
    #[must_use]
    pub fn after(self, sample: &Sample) -> Self {
        let level = level(sample);
        Self(if self.0 == 0 { level } else { level.max(self.0 - 1) })
    }
}

fn level(sample: &Sample) -> u8 {
    if sample.reconnecting || sample.unacknowledged >= SILENCE {
        return UNUSABLE;
    }
    let below = |time: Duration, limit: u64| time < Duration::from_millis(limit);
    let fits = |(_, queued, round_trip, dropped): &&(u8, u64, u64, f64)| {
        below(sample.queued, *queued) && below(sample.round_trip, *round_trip) && sample.dropped <= *dropped
    };
    LEVELS.iter().find(fits).map_or(WORST, |(level, ..)| *level)
}

/// Whether the uplink is too narrow (section 7.3, code 1101), from samples two seconds apart.
#[derive(Clone, Copy, Debug, Default)]
pub struct Congestion {
    /// Samples in a row in which too much waited, and in which hardly anything did.
    full: u32,
    calm: u32,
    /// Samples since it was told; none while the uplink is wide enough.
    told: Option<u32>,
}

/// Pictures and time in the queue: so much is too much, and less than so much is calm.
const FULL: (usize, Duration) = (10, Duration::from_secs(1));
const CALM: (usize, Duration) = (3, Duration::from_millis(300));
/// Samples until it is told again, and calm ones until it is over.
const AGAIN: u32 = 5;
const OVER: u32 = 2;

impl Congestion {
    /// Rate control had to go below what it gave, since less gets through. True on entry; from then on
    /// [`Congestion::is_due`] tells when it is due again.
    pub fn enter(&mut self) -> bool {
        let is_entry = self.told.is_none();
        (self.told, self.calm) = (self.told.or(Some(0)), 0);
        is_entry
    }

    /// Takes a sample with the pictures that wait, and tells whether 1101 is due.
    pub fn is_due(&mut self, sample: &Sample, waiting: usize) -> bool {
        let is_full = waiting >= FULL.0 || sample.queued >= FULL.1;
        let is_calm = waiting < CALM.0 && sample.queued < CALM.1 && sample.dropped == 0.0;
        self.full = if is_full { self.full + 1 } else { 0 };
        self.calm = if is_calm { self.calm + 1 } else { 0 };
        self.told = match self.told {
            Some(_) if self.calm >= OVER => None,
            Some(samples) => Some((samples + 1) % AGAIN),
            None => (self.full >= 2 || sample.dropped > 0.0).then_some(0),
        };
        self.told == Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(queued: u64, round_trip: u64, dropped: f64) -> Sample {
        let (queued, round_trip) = (Duration::from_millis(queued), Duration::from_millis(round_trip));
        Sample { queued, round_trip, dropped, ..Sample::default() }
    }

    #[test]
    fn n6_each_threshold_of_section_9_parts_its_levels() {
        for (sample, expected) in [
            (sample(199, 99, 0.0), 1),
            (sample(200, 99, 0.0), 2),
            (sample(199, 100, 0.0), 2),
            (sample(499, 199, 0.0), 2),
            (sample(499, 199, 0.001), 3),
            (sample(500, 199, 0.0), 3),
            (sample(999, 399, 0.01), 3),
            (sample(999, 400, 0.01), 4),
            (sample(1000, 10, 0.0), 4),
            (sample(10, 10, 0.011), 4),
            (sample(1999, 9999, 0.05), 4),
            (sample(2000, 10, 0.0), 5),
            (sample(10, 10, 0.051), 5),
        ] {
            assert_eq!(Quality::default().after(&sample).level(), expected, "{sample:?}");
        }
        let silent = Sample { unacknowledged: SILENCE, ..Sample::default() };
        let reconnecting = Sample { reconnecting: true, ..Sample::default() };
        assert_eq!([silent, reconnecting].map(|it| Quality::default().after(&it).level()), [6, 6]);
    }

    #[test]
    fn n4_1101_is_told_on_entry_and_every_ten_seconds_until_the_queue_is_calm() {
        let (calm, full, between) = (sample(0, 0, 0.0), sample(1000, 0, 0.0), sample(500, 0, 0.0));
        let mut congestion = Congestion::default();
        let told = |congestion: &mut Congestion, samples: &[(Sample, usize)]| -> Vec<bool> {
            samples.iter().map(|(sample, waiting)| congestion.is_due(sample, *waiting)).collect()
        };
        assert_eq!(
            told(&mut congestion, &[(full, 0), (between, 0), (calm, 10), (full, 0)]),
            [false, false, false, true]
        );
        assert_eq!(
            told(&mut congestion, &[(between, 5); 10]),
            [false, false, false, false, true, false, false, false, false, true]
        );
        assert_eq!(
            told(&mut congestion, &[(calm, 2), (calm, 0), (full, 0), (full, 0)]),
            [false, false, false, true]
        );
        assert_eq!(told(&mut Congestion::default(), &[(sample(0, 0, 0.01), 0)]), [true]);
    }

    #[test]
    fn n4_1101_is_told_at_once_where_the_rate_must_go_down_and_again_after_calm() {
        let (calm, between) = (sample(0, 0, 0.0), sample(500, 0, 0.0));
        let mut congestion = Congestion::default();
        assert!(congestion.enter() && !congestion.enter());
        let told: Vec<bool> = (0..5).map(|_| congestion.is_due(&between, 5)).collect();
        assert_eq!(told, [false, false, false, false, true]);
        assert!(!congestion.is_due(&calm, 0) && !congestion.enter());
        assert!(!congestion.is_due(&calm, 0) && !congestion.is_due(&calm, 0));
        assert!(congestion.enter());
    }

    #[test]
    fn n6_it_improves_by_one_level_and_worsens_at_once() {
        let (best, worst) = (sample(0, 0, 0.0), sample(9999, 0, 0.0));
        let mut quality = Quality::default().after(&worst);
        let levels: Vec<u8> = (0..6)
            .map(|_| {
                quality = quality.after(&best);
                quality.level()
            })
            .collect();
        assert_eq!(levels, [4, 3, 2, 1, 1, 1]);
        assert_eq!(quality.after(&worst).level(), 5);
    }
}
