//! How much a link takes over time: by hand, made up like a mobile network's, or from a file.
//!
//! **Files** are those of mahimahi (`mm-link`): a line a packet of 1500 bytes that the link can take, its time in whole
//! milliseconds, not falling; the file repeats from the end.

use std::time::Duration;

use crate::random::Random;

/// Bytes of a delivery opportunity in a file.
const PACKET: u32 = 1500;

/// Bytes that a link takes in each millisecond; it repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    bytes: Vec<u32>,
}

impl Trace {
    /// Rates in bits a second, each for so long.
    pub fn steps(steps: &[(u64, f64)]) -> Self {
        let mut trace = Self { bytes: Vec::new() };
        let mut sum = 0.0;
        for (milliseconds, rate) in steps {
            for _ in 0..*milliseconds {
                trace.take(&mut sum, rate / 8000.0);
            }
        }
        trace
    }

    /// A rate that rises or falls evenly.
    pub fn ramp(milliseconds: u64, from: f64, to: f64) -> Self {
        let mut trace = Self { bytes: Vec::new() };
        let mut sum = 0.0;
        for now in 0..milliseconds {
            let rate = from + (to - from) * now as f64 / milliseconds as f64;
            trace.take(&mut sum, rate / 8000.0);
        }
        trace
    }

    /// An uplink like that of a phone in a car. The logarithm of the rate wanders as an Ornstein-Uhlenbeck process round
    /// that of `median`, with standard deviation `spread` and a memory of four seconds; packets are taken at the times
    /// of a Poisson process of that rate, as in Sprout's model (Winstein, Sivaraman, Balakrishnan, NSDI 2013, section
    /// 3.1); every ten seconds on the average a handover takes the link away for 50 to 400 ms.
    pub fn mobile(seed: u64, seconds: u64, median: f64, spread: f64) -> Self {
        const MEMORY: f64 = 4000.0;
        let mut random = Random::new(seed);
        let (mut logarithm, mut out) = (0.0, 0_u32);
        let mut bytes = Vec::new();
        for _ in 0..seconds * 1000 {
            logarithm += spread * (2.0_f64 / MEMORY).sqrt() * random.normal() - logarithm / MEMORY;
            if random.uniform() < 1e-4 {
                out = 50 + (350.0 * random.uniform()) as u32;
            }
            let rate = if out > 0 { 0.0 } else { median * f64::exp(logarithm) };
            out = out.saturating_sub(1);
            bytes.push(PACKET * random.poisson(rate / 8000.0 / f64::from(PACKET)));
        }
        Self { bytes }
    }

    /// The text of a file of mahimahi's; none where it can't be read or holds nothing.
    pub fn parse(text: &str) -> Option<Self> {
        let times: Vec<usize> = text.lines().map(|line| line.trim().parse().ok()).collect::<Option<_>>()?;
        let mut bytes = vec![0; *times.last()?];
        for time in times {
            // Time zero is that of the end, the round before.
            let index = time.checked_sub(1).unwrap_or(bytes.len().checked_sub(1)?);
            *bytes.get_mut(index)? += PACKET;
        }
        Some(Self { bytes })
    }

    /// As a file of mahimahi's.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut sum = 0;
        for (index, bytes) in self.bytes.iter().enumerate() {
            sum += bytes;
            for _ in 0..sum / PACKET {
                text += &format!("{}\n", index + 1);
            }
            sum %= PACKET;
        }
        text
    }

    #[must_use]
    pub fn then(mut self, other: &Self) -> Self {
        self.bytes.extend(&other.bytes);
        self
    }

    pub fn length(&self) -> Duration {
        Duration::from_millis(self.bytes.len() as u64)
    }

    /// Bytes in the millisecond that begins at `now`.
    pub fn bytes_at(&self, now: u64) -> u32 {
        self.bytes[(now % self.bytes.len() as u64) as usize]
    }

    /// Bits a second, on the average from one millisecond to another.
    pub fn mean(&self, from: u64, to: u64) -> f64 {
        let sum: u64 = (from..to).map(|now| u64::from(self.bytes_at(now))).sum();
        sum as f64 * 8000.0 / to.saturating_sub(from).max(1) as f64
    }

    fn take(&mut self, sum: &mut f64, bytes: f64) {
        *sum += bytes;
        let whole = sum.floor();
        *sum -= whole;
        self.bytes.push(whole as u32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_ramps_hold_their_rates() {
        let trace = Trace::steps(&[(1000, 6e6), (500, 1.2e6)]).then(&Trace::ramp(1000, 1e6, 3e6));
        assert_eq!(trace.length(), Duration::from_millis(2500));
        for (from, to, rate) in [(0, 1000, 6e6), (1000, 1500, 1.2e6), (1500, 2500, 2e6), (2500, 3500, 6e6)] {
            assert!((trace.mean(from, to) / rate - 1.0).abs() < 0.01, "{}", trace.mean(from, to));
        }
    }

    #[test]
    fn a_mobile_link_has_its_mean_and_is_the_same_each_time() {
        let trace = Trace::mobile(1, 600, 3e6, 0.6);
        assert_eq!(trace, Trace::mobile(1, 600, 3e6, 0.6));
        let mean = trace.mean(0, 600_000);
        assert!((2e6..4e6).contains(&mean), "{mean}");
    }

    #[test]
    fn files_are_read_and_written() {
        assert_eq!(Trace::parse("2\n2\n4\n"), Some(Trace { bytes: vec![0, 3000, 0, 1500] }));
        for wrong in ["", "x\n", "0\n", "5\n2\n1\n0\n"] {
            assert_eq!(Trace::parse(wrong), None, "{wrong:?}");
        }
        let trace = Trace::parse("1\n1\n7\n").unwrap();
        assert_eq!(trace.to_text(), "1\n1\n7\n");
    }
}
