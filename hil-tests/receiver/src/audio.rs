//! Sound: decoded by symphonia, its clicks and its tone found.

use std::f64::consts::TAU;

use anyhow::{Context, Result};
use media::mark::{CLICK, CLICK_HZ, CLICK_LEVEL};
use symphonia::core::codecs::audio::well_known::CODEC_ID_AAC;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::packet::Packet;
use symphonia::core::units::Timestamp;

/// Sampling frequencies of the AudioSpecificConfig (ISO/IEC 14496-3 table 1.18).
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
];
/// Steps between the places that are tried for a click first, in samples.
const COARSE: usize = 8;

pub(crate) struct Sound {
    decoder: Box<dyn AudioDecoder>,
    pub(crate) rate: u32,
    channels: usize,
    packets: i64,
    /// Mono samples that were not searched yet, and the stream time of the first in milliseconds.
    samples: Vec<f32>,
    start: f64,
    template: Vec<(f32, f32)>,
    /// Stream times of the clicks' beginnings, in milliseconds.
    pub(crate) clicks: Vec<f64>,
    pub(crate) tone: Tone,
}

impl Sound {
    /// `configuration` is an AudioSpecificConfig.
    pub(crate) fn new(configuration: &[u8]) -> Result<Self> {
        let bits = configuration
            .first_chunk::<2>()
            .context("an AudioSpecificConfig that is too short")?;
        let bits = u16::from_be_bytes(*bits);
        let rate = *RATES
            .get(usize::from(bits >> 7 & 15))
            .context("an unknown sampling frequency")?;
        let mut parameters = AudioCodecParameters::new();
        parameters
            .for_codec(CODEC_ID_AAC)
            .with_sample_rate(rate)
            .with_extra_data(configuration.into());
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(&parameters, &AudioDecoderOptions::default())?;
        Ok(Self {
            decoder,
            rate,
            channels: usize::from(bits >> 3 & 15).clamp(1, 2),
            packets: 0,
            samples: Vec::new(),
            start: 0.0,
            template: template(rate),
            clicks: Vec::new(),
            tone: Tone::new(rate),
        })
    }

    /// Decodes a packet. A packet's time is that of its first decoded sample: publishers account for their encoder's
    /// delay.
    pub(crate) fn take(&mut self, timestamp: u32, packet: &[u8]) -> Result<()> {
        let packet = Packet::new(
            0,
            Timestamp::new(self.packets * 1024),
            1024_u64.into(),
            packet.to_vec(),
        );
        self.packets += 1;
        let decoded = self.decoder.decode(&packet)?;
        let mut interleaved = vec![0_f32; decoded.samples_interleaved()];
        decoded.copy_to_slice_interleaved(&mut interleaved);
        let expected = self.start + self.samples.len() as f64 * 1000.0 / f64::from(self.rate);
        if self.samples.is_empty() || (f64::from(timestamp) - expected).abs() > 2.0 {
            self.samples.clear();
            self.start = f64::from(timestamp);
        }
        let mono = interleaved
            .chunks(self.channels)
            .map(|frame| frame.iter().sum::<f32>() / frame.len() as f32);
        self.samples.extend(mono);
        if self.samples.len() >= self.rate as usize {
            self.search();
        }
        Ok(())
    }

    /// Searches what was collected; keeps a click's length for the next time.
    fn search(&mut self) {
        let length = self.template.len();
        let last = self.samples.len() - length;
        let coarse = (0..last).step_by(COARSE).map(|at| (at, self.match_at(at)));
        let Some((near, _)) = coarse.max_by(|a, b| a.1.total_cmp(&b.1)) else {
            return;
        };
        let fine =
            (near.saturating_sub(COARSE)..=(near + COARSE).min(last)).map(|at| (at, self.match_at(at)));
        let Some((at, strength)) = fine.max_by(|a, b| a.1.total_cmp(&b.1)) else {
            return;
        };
        // At the edge, the peak may lie in the next part.
        let inside = at > 0 && at < last;
        let energy: f32 = self.template.iter().map(|(c, s)| c * c + s * s).sum();
        if inside && strength > 0.3 * CLICK_LEVEL * energy / 2.0 {
            self.clicks
                .push(self.start + at as f64 * 1000.0 / f64::from(self.rate));
        }
        self.tone.take(&self.samples[..last]);
        self.samples.drain(..last);
        self.start += last as f64 * 1000.0 / f64::from(self.rate);
    }

    /// How much of a click begins at `at`, whatever its phase.
    fn match_at(&self, at: usize) -> f32 {
        let window = &self.samples[at..at + self.template.len()];
        let (c, s) = window
            .iter()
            .zip(&self.template)
            .fold((0.0, 0.0), |(c, s), (x, (tc, ts))| (c + x * tc, s + x * ts));
        c.hypot(s)
    }
}

/// The click in two phases, a quarter period apart.
fn template(rate: u32) -> Vec<(f32, f32)> {
    let length = (CLICK.as_secs_f64() * f64::from(rate)) as usize;
    let at = |n: usize| {
        let window = 0.5 - 0.5 * (TAU * n as f64 / length as f64).cos();
        let phase = TAU * f64::from(CLICK_HZ) * n as f64 / f64::from(rate);
        ((window * phase.cos()) as f32, (window * phase.sin()) as f32)
    };
    (0..length).map(at).collect()
}

/// Frequency of a tone by its rising zero crossings; loud parts, the clicks, are left out.
pub(crate) struct Tone {
    rate: f64,
    last: f32,
    position: u64,
    first_crossing: Option<f64>,
    last_crossing: f64,
    crossings: u32,
    periods: f64,
    seconds: f64,
}

impl Tone {
    fn new(rate: u32) -> Self {
        let rate = f64::from(rate);
        let (first_crossing, last_crossing) = (None, 0.0);
        Self {
            rate,
            last: 0.0,
            position: 0,
            first_crossing,
            last_crossing,
            crossings: 0,
            periods: 0.0,
            seconds: 0.0,
        }
    }

    fn take(&mut self, samples: &[f32]) {
        for sample in samples {
            if sample.abs() > 0.2 {
                self.finish();
            } else if self.last < 0.0 && *sample >= 0.0 {
                let crossing = self.position as f64 - f64::from(*sample / (sample - self.last));
                // Closer crossings are the beginning of a click.
                if crossing - self.last_crossing < self.rate / 1000.0 {
                    self.finish();
                }
                self.first_crossing.get_or_insert(crossing);
                self.last_crossing = crossing;
                self.crossings += 1;
            }
            self.last = *sample;
            self.position += 1;
        }
    }

    fn finish(&mut self) {
        if let Some(first) = self.first_crossing.take()
            && self.crossings > 20
        {
            self.periods += f64::from(self.crossings - 1);
            self.seconds += (self.last_crossing - first) / self.rate;
        }
        self.crossings = 0;
    }

    /// Hz; `None` while too little was heard.
    pub(crate) fn frequency(&mut self) -> Option<f64> {
        self.finish();
        (self.seconds > 0.2).then(|| self.periods / self.seconds)
    }
}
