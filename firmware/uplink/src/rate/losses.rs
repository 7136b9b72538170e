use std::time::Duration;

use super::{Sample, SocketState, Time};

/// From one judgement to the next, and by how many those that agree must outnumber the others.
const WINDOW: Duration = Duration::from_secs(1);
const WINDOWS: u32 = 3;
/// Packets that must have got lost in a window, and as a share of those that were sent.
const LEAST: u64 = 1;
const SHARE: f64 = 0.003;
/// Of the samples of a window, those in which bytes waited to be sent.
const WAITING: f64 = 0.25;
/// How much longer than the smallest a round trip may be on a path without a queue.
const JITTER: Duration = Duration::from_millis(20);

/// Finds out that packets get lost on a path that is not full, as on radio, and that the stream suffers.
///
/// Congestion control that takes each loss for a full path (Cubic, RFC 9438) then leaves most of the path unused, and one
/// that goes by what arrives does better (BBR); everywhere else the latter is the worse of the two.
#[derive(Clone, Debug, Default)]
pub struct Losses {
    begin: Time,
    sent: u64,
    /// At the sample before.
    repeated: u64,
    was_empty: bool,
    /// In this window.
    lost: u64,
    samples: u32,
    waited: u32,
    /// Windows, less those that did not.
    agreed: u32,
}

impl Losses {
    /// Takes what the connection shows at `now`; whether losses should be disregarded from now on.
    pub fn observe(&mut self, now: Time, sample: &Sample) -> bool {
        let SocketState { sent, repeated, unsent, round_trip, min_round_trip, .. } = sample.socket;
        let is_empty = round_trip <= min_round_trip * 3 / 2 + JITTER;
        if is_empty && self.was_empty {
            self.lost += repeated.saturating_sub(self.repeated);
        }
        (self.repeated, self.was_empty) = (repeated, is_empty);
        self.samples += 1;
        self.waited += u32::from(unsent > 0 || sample.queue.bytes > 0);
        if now < self.begin + WINDOW {
            return false;
        }
        let least = SHARE * sent.saturating_sub(self.sent) as f64;
        let is_suffering = f64::from(self.waited) >= WAITING * f64::from(self.samples);
        let agrees = self.lost >= LEAST && self.lost as f64 >= least && is_suffering;
        let agreed = if agrees { self.agreed + 1 } else { self.agreed.saturating_sub(1) };
        let Self { repeated, was_empty, .. } = *self;
        *self = Self { begin: now, sent, repeated, was_empty, agreed, ..Self::default() };
        agreed >= WINDOWS
    }
}
