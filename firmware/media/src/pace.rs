use crate::Timestamp;

/// Takes pictures evenly from a sensor that runs at the same rate or faster.
pub(crate) struct Pace {
    pub(crate) fps: u32,
    due: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl Pace {
    pub(crate) fn new(fps: u32) -> Self {
        Self { fps, due: None, last: None }
    }

    pub(crate) fn takes(&mut self, captured: Timestamp) -> bool {
        let interval = 1_000_000 / i64::from(self.fps.max(1));
        let late = self.due.map_or(0, |due| captured.since(due));
        let sensor_interval = self.last.replace(captured).map_or(interval, |last| captured.since(last));
        // Early by less than half of what the next one would be late. A sensor at the same rate may jitter.
        let early = (sensor_interval / 2).clamp(0, interval / 4);
        if late < -early && late > -2 * interval {
            return false;
        }
        let keeps_beat = late.abs() <= interval;
        let from = if keeps_beat { self.due.unwrap_or(captured) } else { captured };
        self.due = Some(Timestamp::from_micros(from.micros() + interval));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(fps: u32, times: impl Iterator<Item = i64>) -> Vec<i64> {
        let mut pace = Pace::new(fps);
        times.filter(|time| pace.takes(Timestamp::from_micros(*time))).collect()
    }

    #[test]
    fn pictures_are_left_out_evenly() {
        let sensor = |rate: i64| (0..rate * 4).map(move |n| 7_000_000 + n * 1_000_000 / rate);
        for (rate, fps) in [(30, 30), (30, 15), (30, 10), (60, 24), (30, 20), (30, 1)] {
            let times = taken(fps, sensor(rate));
            let wanted = 4 * fps as usize;
            assert!(times.len().abs_diff(wanted) <= 1, "{rate} -> {fps}: {}", times.len());
            for pair in times.windows(2) {
                let jitter = (pair[1] - pair[0]) - 1_000_000 / i64::from(fps);
                assert!(jitter.abs() <= 1_000_000 / rate + 1, "{rate} -> {fps}: interval off by {jitter} us");
            }
        }
    }

    #[test]
    fn jitter_loses_no_picture_of_a_sensor_at_the_same_rate() {
        let times = (0..300).map(|n| n * 33_333 + if n % 2 == 0 { 4_000 } else { -4_000 });
        assert_eq!(taken(30, times).len(), 300);
    }

    #[test]
    fn a_hole_in_the_pictures_is_not_made_up_for() {
        let times = (0..30).chain(90..120).map(|n| n * 33_333);
        assert_eq!(taken(15, times).len(), 30);
    }
}
