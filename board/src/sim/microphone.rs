use std::f64::consts::TAU;
use std::time::Duration;

use media::mark::{CLICK, CLICK_HZ, CLICK_LEVEL, TONE_HZ, TONE_LEVEL};
use media::{AudioBlock, AudioFormat, CaptureError, Microphone, Timestamp, now};

use super::sleep_until;
use crate::SimMicrophone;

const PERIODS_PER_SECOND: u32 = 100;
/// Like a sound card's buffer: what is not read for longer is lost.
const BUFFER: Duration = Duration::from_millis(200);

/// Plays the test sound of [`media::mark`] into the pipeline, one period of 10 ms at a time.
pub(crate) struct SimulatedMicrophone {
    format: AudioFormat,
    /// Microseconds from one sample to the next by the true clock.
    sample_time: f64,
    start: Timestamp,
    /// Samples since the start.
    position: u64,
}

impl SimulatedMicrophone {
    pub(crate) fn new(config: SimMicrophone) -> Self {
        Self {
            format: AudioFormat { rate: config.rate, channels: 1 },
            sample_time: 1e6 / (f64::from(config.rate) * (1.0 + config.ppm * 1e-6)),
            start: now(),
            position: 0,
        }
    }

    /// When sample number `position` was taken, in microseconds of the clock.
    fn time(&self, position: u64) -> f64 {
        self.start.micros() as f64 + position as f64 * self.sample_time
    }
}

impl Microphone for SimulatedMicrophone {
    fn format(&self) -> AudioFormat {
        self.format
    }

    fn read(&mut self, block: &mut AudioBlock) -> Result<(), CaptureError> {
        let period = u64::from(self.format.rate / PERIODS_PER_SECOND);
        let available =
            ((now().micros() as f64 - self.time(self.position)) / self.sample_time).max(0.0) as u64;
        block.overrun = available as f64 * self.sample_time > BUFFER.as_micros() as f64;
        if block.overrun {
            self.position += available;
        }
        sleep_until(Timestamp::from_micros(self.time(self.position + period) as i64));
        block.captured = Timestamp::from_micros(self.time(self.position).round() as i64);
        block.samples.clear();
        block
            .samples
            .extend((self.position..self.position + period).map(|position| sound(self.time(position))));
        self.position += period;
        Ok(())
    }
}

/// The test sound at a time in microseconds of the clock.
fn sound(time: f64) -> f32 {
    let second = time.rem_euclid(1e6) * 1e-6;
    let tone = f64::from(TONE_LEVEL) * (TAU * f64::from(TONE_HZ) * second).sin();
    let click = CLICK.as_secs_f64();
    if second >= click {
        return tone as f32;
    }
    let window = 0.5 - 0.5 * (TAU * second / click).cos();
    (tone + f64::from(CLICK_LEVEL) * window * (TAU * f64::from(CLICK_HZ) * second).sin()) as f32
}
