//! Whether an encoder makes anything of the pictures that it gets (spec 7.3, code 1104).

use std::time::{Duration, Instant};

use crate::Timestamp;

/// An encoder that puts out nothing for so long is given up.
pub(crate) const STALL: Duration = Duration::from_secs(2);
/// So long it may leave out each picture that comes. Rate control may do that for more than two seconds where the bitrate
/// falls far (OpenH264), but not beyond the next IDR picture, which the pipeline asks for within three (spec 10.3).
const LEFT_OUT: Duration = Duration::from_secs(4);

#[derive(Default)]
pub(crate) struct Progress {
    /// Since when anything is waited for.
    waits_since: Option<Instant>,
    /// The first and the last of the pictures that came since the last packet.
    unanswered: Option<(Timestamp, Timestamp)>,
}

impl Progress {
    /// A picture came for which a packet is to go out. Where none came for a while, none could.
    pub(crate) fn came(&mut self, captured: Timestamp) {
        let goes_on = |(_, last): &(Timestamp, Timestamp)| captured.since(*last) <= STALL.as_micros() as i64;
        let first = self.unanswered.filter(goes_on).map_or(captured, |(first, _)| first);
        self.unanswered = Some((first, captured));
    }

    /// Something is to come out.
    pub(crate) fn wait(&mut self) {
        self.waits_since.get_or_insert_with(Instant::now);
    }

    /// Something came out, and more is to come or not.
    pub(crate) fn came_out(&mut self, waits: bool) {
        self.waits_since = waits.then(Instant::now);
    }

    /// A packet went out: what came out was no word of a picture that is left out.
    pub(crate) fn went_out(&mut self) {
        self.unanswered = None;
    }

    /// How long nothing came out, if that is too long.
    pub(crate) fn silent(&self) -> Option<Duration> {
        self.waits_since.map(|since| since.elapsed()).filter(|waited| *waited > STALL)
    }

    /// For how long each picture that came was left out, if that is too long.
    pub(crate) fn left_out(&self) -> Option<Duration> {
        let (first, last) = self.unanswered?;
        let waited = Duration::from_micros(last.since(first).max(0) as u64);
        (waited > LEFT_OUT).then_some(waited)
    }
}
