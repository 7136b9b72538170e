//! How evenly a stream comes.

use media::Timestamp;

/// What waits before a link of the stream's bitrate. Where it never exceeds the size of the video buffering verifier, a player
/// with a buffer of that size, filled before it begins, never waits (H.264 clauses C.1 and C.3).
pub(crate) struct LeakyBucket {
    /// Bits a second.
    bitrate: u32,
    /// Bits, when the last picture was put in.
    filled: u64,
    last: Option<Timestamp>,
}

impl LeakyBucket {
    pub(crate) fn new(bitrate: u32) -> Self {
        Self { bitrate, filled: 0, last: None }
    }

    /// Puts in what was coded of the picture of `time`. Returns how many bits are in now.
    pub(crate) fn fill(&mut self, time: Timestamp, unit: &[u8]) -> u64 {
        let micros = self.last.map_or(0, |last| time.since(last)).max(0);
        let leaked = u64::from(self.bitrate) * micros as u64 / 1_000_000;
        self.last = Some(time);
        self.filled = self.filled.saturating_sub(leaked) + unit.len() as u64 * 8;
        self.filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_at_the_bitrate_never_adds_up_and_a_burst_does() {
        let mut bucket = LeakyBucket::new(80_000);
        let mut fill =
            |millis: i64, bytes| bucket.fill(Timestamp::from_micros(millis * 1000), &vec![0; bytes]);
        assert_eq!([0, 100, 200, 300].map(|millis| fill(millis, 1000)), [8000; 4]);
        assert_eq!([400, 500].map(|millis| fill(millis, 3000)), [24_000, 40_000]);
        assert_eq!(fill(1500, 10), 80, "no more than what is in leaks");
    }
}
