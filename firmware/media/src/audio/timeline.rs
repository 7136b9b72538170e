use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{
    Adjustable, Async, FixedAsync, Resampler, SincInterpolationParameters, SincInterpolationType,
    WindowFunction,
};

use super::FRAME;
use crate::{AudioBlock, AudioFormat, Timestamp};

/// A block that is off by more was not late by chance: samples are missing or superfluous.
const GAP: f64 = 0.040;
/// After an overrun any hole is filled that is longer than timestamps jitter.
const OVERRUN_GAP: f64 = 0.002;
/// A hole longer than this is no hole: the timeline starts anew behind it.
const LONGEST_GAP: f64 = 5.0;
/// Sound cards are off by 100 ppm at the most; more would be heard as a change of pitch.
const MOST_CORRECTION: f64 = 1000e-6;
/// Gains of the loop that keeps the timeline on the clock: a natural frequency of 0.01 Hz, damped by 0.7. Timestamps
/// that jitter by a millisecond then move the pitch by less than 100 ppm.
const PROPORTIONAL: f64 = 0.088;
const INTEGRAL: f64 = 0.0039;

/// Sound on `CLOCK_MONOTONIC`: turns a microphone's blocks, by its own clock and with holes, into frames of
/// [`FRAME`] samples that follow one another without a gap at exactly the nominal rate.
///
/// The blocks' timestamps tell how far the microphone's clock has drifted. The drift is resampled away, too slowly to
/// be heard; holes are filled with silence.
pub struct Timeline {
    format: AudioFormat,
    rate: u32,
    resampler: Async<f32>,
    /// Mono samples that wait for the resampler.
    waiting: Vec<f32>,
    frame: Vec<f32>,
    /// The time of frame 0's first sample, once there was a block.
    start: Option<Timestamp>,
    frames: u64,
    /// The microphone's drift as learnt so far.
    drift: f64,
    silence: u64,
    /// Samples without sound at the end of what came in.
    zeros: usize,
}

impl Timeline {
    /// From a microphone's `format` to mono frames at `rate` Hz. `None` for rates that can't be resampled.
    pub fn new(format: AudioFormat, rate: u32) -> Option<Self> {
        let parameters = SincInterpolationParameters {
            sinc_len: 64,
            f_cutoff: None,
            oversampling_factor: 128,
            interpolation: SincInterpolationType::Linear,
            window: WindowFunction::BlackmanHarris2,
        };
        let ratio = f64::from(rate) / f64::from(format.rate);
        let slack = 1.0 + 2.0 * MOST_CORRECTION;
        let resampler = Async::new_sinc(ratio, slack, &parameters, FRAME, 1, FixedAsync::Output).ok()?;
        Some(Self {
            format,
            rate,
            waiting: Vec::with_capacity(2 * format.rate as usize),
            frame: vec![0.0; FRAME],
            resampler,
            start: None,
            frames: 0,
            drift: 0.0,
            silence: 0,
            zeros: 0,
        })
    }

    /// By how much the microphone's clock is slow, in millionths, as learnt so far.
    pub fn drift_ppm(&self) -> f64 {
        self.drift * 1e6
    }

    /// Samples of silence that filled holes so far, at the microphone's rate.
    pub fn silence(&self) -> u64 {
        self.silence
    }

    pub fn format(&self) -> AudioFormat {
        self.format
    }

    /// The time up to which frames were put out; `None` before the first block.
    pub fn end(&self) -> Option<Timestamp> {
        let micros = self.frames * FRAME as u64 * 1_000_000 / u64::from(self.rate);
        self.start.map(|start| Timestamp::from_micros(start.micros() + micros as i64))
    }

    /// Has the first frame begin at `time`, before any block.
    pub fn begin(&mut self, time: Timestamp) {
        self.start = Some(time);
    }

    /// Takes a block; `emit` gets each frame that is complete, with the time of its first sample.
    pub fn push(&mut self, block: &AudioBlock, mut emit: impl FnMut(Timestamp, &[f32])) {
        let channels = usize::from(self.format.channels.max(1));
        let length = block.samples.len() / channels;
        if length == 0 {
            return;
        }
        let late = self.late(block.captured);
        let gap = if block.overrun { OVERRUN_GAP } else { GAP };
        let mut skip = 0;
        if late > LONGEST_GAP {
            self.restart(block.captured);
        } else if late > gap {
            self.fill(late, &mut emit);
        } else if late < -gap {
            skip = ((-late * f64::from(self.format.rate)) as usize).min(length);
        } else {
            self.steer(late, length as f64 / f64::from(self.format.rate));
        }
        let mono = block.samples.chunks_exact(channels).skip(skip);
        self.waiting.extend(mono.map(|frame| limit(frame.iter().sum::<f32>() / channels as f32)));
        let sounds = block.samples.iter().any(|sample| *sample != 0.0);
        self.zeros = if sounds { 0 } else { self.zeros + length };
        self.resample(&mut emit);
    }

    /// Fills with silence up to `time`, for a microphone that delivers nothing.
    pub fn advance(&mut self, time: Timestamp, mut emit: impl FnMut(Timestamp, &[f32])) {
        let late = self.late(time);
        if late > LONGEST_GAP {
            self.restart(time);
        } else if late > 0.0 {
            self.fill(late, &mut emit);
        }
    }

    /// Seconds from the timeline's end to `time`.
    fn late(&mut self, time: Timestamp) -> f64 {
        // The resampler's output lags behind its input by its filter's half length.
        let delay = self.resampler.output_delay() as f64 / f64::from(self.rate);
        let start =
            *self.start.get_or_insert_with(|| Timestamp::from_micros(time.micros() - (delay * 1e6) as i64));
        let done = (self.frames * FRAME as u64) as f64 / f64::from(self.rate);
        let waiting = self.waiting.len() as f64 / f64::from(self.format.rate);
        time.since(start) as f64 * 1e-6 - (done + delay + waiting)
    }

    /// Moves the timeline so that it ends at `time`.
    fn restart(&mut self, time: Timestamp) {
        let late = self.late(time);
        self.start = self.start.map(|start| Timestamp::from_micros(start.micros() + (late * 1e6) as i64));
    }

    fn fill(&mut self, seconds: f64, emit: &mut impl FnMut(Timestamp, &[f32])) {
        let mut missing = (seconds * f64::from(self.format.rate)) as usize;
        self.silence += missing as u64;
        while missing > 0 {
            let part = missing.min(self.format.rate as usize / 10);
            self.waiting.resize(self.waiting.len() + part, 0.0);
            self.zeros += part;
            self.resample(emit);
            missing -= part;
        }
    }

    fn steer(&mut self, late: f64, seconds: f64) {
        self.drift = (self.drift + INTEGRAL * late * seconds).clamp(-MOST_CORRECTION, MOST_CORRECTION);
        let correction = (self.drift + PROPORTIONAL * late).clamp(-MOST_CORRECTION, MOST_CORRECTION);
        // Within the slack given at the start, so it can't be refused.
        let _ = self.resampler.set_resample_ratio_relative(1.0 + correction, true);
    }

    fn resample(&mut self, emit: &mut impl FnMut(Timestamp, &[f32])) {
        let mut used = 0;
        while let Some(time) = self.end() {
            let needed = self.resampler.input_frames_next();
            let Some(input) = self.waiting.get(used..used + needed) else {
                break;
            };
            // Where this input and all that the filter still remembers is silent, so is the output.
            let silent = self.zeros >= self.waiting.len() - used + 2 * needed;
            if silent {
                self.frame.fill(0.0);
            } else if !convert(&mut self.resampler, input, &mut self.frame) {
                break;
            }
            used += needed;
            emit(time, &self.frame);
            self.frames += 1;
        }
        self.waiting.drain(..used);
    }
}

/// Both buffers have the lengths that the resampler asked for, so that it does not refuse them.
fn convert(resampler: &mut Async<f32>, input: &[f32], output: &mut [f32]) -> bool {
    let Ok(input) = SequentialSlice::new(input, 1, input.len()) else {
        return false;
    };
    let Ok(mut output) = SequentialSlice::new_mut(output, 1, FRAME) else {
        return false;
    };
    resampler.process_into_buffer(&input, &mut output, None).is_ok()
}

/// A sample within full scale; what is no number is silence.
fn limit(sample: f32) -> f32 {
    if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 }
}
