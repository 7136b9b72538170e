//! What comes of contacts that bounce, where the kernel does not debounce: version 1 of its interface to GPIO lines knows no period.

use std::time::Duration;

use media::Timestamp;

/// A level counts once it has lasted for a while.
#[derive(Debug)]
pub(crate) struct Debounce {
    period: Duration,
    /// The level that counts.
    settled: bool,
    /// The last edge, while it may be a bounce.
    last: Option<(bool, Timestamp)>,
}

impl Debounce {
    pub(crate) fn new(period: Duration, active: bool) -> Self {
        Self { period, settled: active, last: None }
    }

    /// Takes an edge to `active`; tells the one before, if it counts because nothing came for long enough after it.
    pub(crate) fn edge(&mut self, active: bool, at: Timestamp) -> Option<(bool, Timestamp)> {
        let told = self.settle(None, at);
        self.last = Some((active, at));
        told
    }

    /// When [`Debounce::rest`] has something to tell.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.last.map(|(_, at)| at + self.period)
    }

    /// No edge waits to be read, and the line is at `level`, where that is known. Tells the last edge, if it counts by now.
    pub(crate) fn rest(&mut self, level: Option<bool>, now: Timestamp) -> Option<(bool, Timestamp)> {
        self.settle(level, now)
    }

    /// The level is better known than the last edge: the kernel keeps sixteen of them, and drops the last of more.
    fn settle(&mut self, level: Option<bool>, now: Timestamp) -> Option<(bool, Timestamp)> {
        if self.due().is_none_or(|due| now.since(due) < 0) {
            return None;
        }
        let (edge, at) = self.last.take()?;
        let active = level.unwrap_or(edge);
        (std::mem::replace(&mut self.settled, active) != active).then_some((active, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of edges at these milliseconds to these levels, by a button that is looked at each millisecond; with the time
    /// of telling, and the edge's.
    fn told(edges: &[(i64, bool)]) -> Vec<(i64, bool, i64)> {
        let ms = |time| Timestamp::from_micros(time * 1000);
        let mut debounce = Debounce::new(Duration::from_millis(10), false);
        let (mut level, mut told) = (false, Vec::new());
        for time in 0..200 {
            for (_, active) in edges.iter().filter(|(at, _)| *at == time) {
                level = *active;
                told.extend(debounce.edge(level, ms(time)).map(|(active, at)| (time, active, at)));
            }
            if debounce.due().is_some_and(|due| ms(time).since(due) >= 0) {
                told.extend(debounce.rest(Some(level), ms(time)).map(|(active, at)| (time, active, at)));
            }
        }
        told.into_iter().map(|(time, active, at)| (time, active, at.micros() / 1000)).collect()
    }

    #[test]
    fn a_level_counts_that_lasted_and_its_time_is_the_edges() {
        assert_eq!(told(&[(5, true), (105, false)]), [(15, true, 5), (115, false, 105)]);
    }

    #[test]
    fn bounces_are_one_press() {
        let press = [(5, true), (6, false), (7, true), (11, false), (12, true)];
        let release = [(100, false), (103, true), (104, false)];
        assert_eq!(told(&[&press[..], &release].concat()), [(22, true, 12), (114, false, 104)]);
    }

    #[test]
    fn what_did_not_last_is_nothing() {
        assert_eq!(told(&[(5, true), (9, false), (50, true), (50, false)]), []);
        // Twice the same level: the edge between came too fast to be seen.
        assert_eq!(told(&[(5, true), (9, true)]), [(19, true, 9)]);
    }

    #[test]
    fn edges_that_waited_to_be_read_count_by_their_own_times() {
        let at = Timestamp::from_micros;
        let mut debounce = Debounce::new(Duration::from_millis(10), false);
        assert_eq!(debounce.edge(true, at(1_000)), None);
        assert_eq!(debounce.edge(false, at(90_000)), Some((true, at(1_000))));
        assert_eq!(debounce.rest(None, at(95_000)), None, "it may be a bounce");
        assert_eq!(debounce.due(), Some(at(100_000)));
        assert_eq!(debounce.rest(None, at(100_000)), Some((false, at(90_000))));
        assert_eq!(debounce.due(), None);
    }

    #[test]
    fn of_edges_that_were_lost_the_level_tells() {
        let at = Timestamp::from_micros;
        let mut debounce = Debounce::new(Duration::from_millis(10), false);
        assert_eq!(debounce.edge(false, at(1_000)), None);
        assert_eq!(debounce.rest(Some(true), at(11_000)), Some((true, at(1_000))));
    }
}
