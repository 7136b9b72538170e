//! The figures of one stream, and how they are drawn from what was seen.

use serde::Serialize;

use crate::coding::Coding;

/// The figures of one stream.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    pub frames: u64,
    /// Frame numbers that are missing between those that came, given an even decimation.
    pub missing: u64,
    /// Frames that carry the number of the one before.
    pub duplicates: u64,
    /// Frames that carry a lower number than the one before.
    pub out_of_order: u64,
    /// Pictures whose mark could not be read.
    pub unreadable: u64,
    pub audio_packets: u64,
    /// Milliseconds from the first to the last timestamp.
    pub duration_ms: u32,
    /// kbit/s of all media, and of its last full second.
    pub kbps: f64,
    pub kbps_now: f64,
    /// Pictures a second in all, and in the last full second.
    pub fps: f64,
    pub fps_now: f64,
    pub width: u32,
    pub height: u32,
    pub coding: Coding,
    pub sample_rate: u32,
    /// Milliseconds from capture to arrival; empty for recordings.
    pub latency_ms: Option<Quantiles>,
    /// Milliseconds by which sound comes later than the picture, at each click.
    pub av_offset_ms: Vec<f64>,
    pub tone_hz: Option<f64>,
    pub metadata: Vec<(String, f64)>,
    pub mirrored: Option<bool>,
    pub idr_ms: Vec<u32>,
    /// When the first IDR picture arrived, in microseconds of `CLOCK_MONOTONIC`.
    pub first_idr: Option<i64>,
    /// Each media message: for those who plot them.
    #[serde(skip)]
    pub arrivals: Vec<Arrival>,
    /// What a publisher may not do.
    pub faults: Vec<String>,
}

/// A media message, on its way to a plot.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Microseconds of `CLOCK_MONOTONIC`.
    pub at: i64,
    pub bytes: usize,
    pub is_picture: bool,
    /// Milliseconds since its capture, where a mark tells.
    pub latency_ms: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Quantiles {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

impl Report {
    /// Why the media did not arrive whole; empty if it did.
    pub fn complaints(&self) -> Vec<String> {
        let counts = [
            (self.missing, "frames lost"),
            (self.duplicates, "frames repeated"),
            (self.out_of_order, "frames out of order"),
        ];
        let nothing = (self.frames == 0).then(|| "no picture came".to_owned());
        let counts = counts.into_iter().filter(|(count, _)| *count > 0);
        let counts = counts.map(|(count, what)| format!("{count} {what}"));
        nothing.into_iter().chain(counts).chain(self.faults.iter().cloned()).collect()
    }
}

/// Numbers that are missing. The middle half of the steps from one number to the next tells the decimation, which need
/// not be whole: a stream of 20 fps from a camera of 30 has steps of 1 and 2. A rarer step counts as a loss.
pub(crate) fn missing(numbers: &[u32]) -> u64 {
    let steps =
        || numbers.windows(2).filter_map(|pair| pair[1].checked_sub(pair[0])).filter(|step| *step > 0);
    let mut sorted: Vec<u32> = steps().collect();
    sorted.sort_unstable();
    let quarter = sorted.len() / 4;
    let middle = &sorted[quarter..sorted.len() - quarter];
    let usual = middle.iter().map(|step| f64::from(*step)).sum::<f64>() / middle.len() as f64;
    steps()
        .map(f64::from)
        .filter(|step| *step > usual.ceil())
        .map(|step| ((step / usual).round() as u64).saturating_sub(1))
        .sum()
}

pub(crate) fn quantiles(values: &[f64]) -> Quantiles {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| {
        sorted.get((share * (sorted.len().saturating_sub(1)) as f64).round() as usize).copied().unwrap_or(0.0)
    };
    Quantiles { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_numbers_are_counted_by_the_usual_step() {
        assert_eq!(missing(&[0, 1, 2, 5, 6]), 2);
        assert_eq!(missing(&[0, 2, 4, 8, 10, 12]), 1);
        assert_eq!(missing(&[7]), 0);
    }

    #[test]
    fn uneven_decimation_is_no_loss() {
        for (camera, fps) in [(30, 20), (60, 25), (30, 15)] {
            let mut numbers: Vec<u32> = (0..100).map(|n| n * camera / fps).collect();
            assert_eq!(missing(&numbers), 0, "{camera} -> {fps}");
            numbers.drain(40..43);
            assert_eq!(missing(&numbers), 3, "{camera} -> {fps}");
        }
    }

    #[test]
    fn quantiles_are_values_that_were_seen() {
        let values: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        let found = quantiles(&values);
        assert_eq!((found.p50, found.p95, found.p99, found.max), (50.0, 95.0, 99.0, 100.0));
    }
}
