//! Sound: decoded by symphonia, its clicks and its tone found.

use std::f64::consts::TAU;

use anyhow::{Context, Result};
use media::mark::{CLICK, CLICK_HZ, CLICK_LEVEL};
use symphonia::core::codecs::audio::well_known::CODEC_ID_AAC;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::packet::Packet;
use symphonia::core::units::Timestamp;

/// Sampling frequencies of the AudioSpecificConfig (ISO/IEC 14496-3 table 1.18).
const RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];
/// Steps between the places that are tried for a click first, in samples.
const COARSE: usize = 8;
/// Milliseconds by which a timestamp may be off for its rounding; beyond that, time jumped.
const ROUNDING: f64 = 2.0;

/// Follows a clock that is told in whole milliseconds, and averages the rounding out.
pub(crate) fn smooth(clock: f64, told: f64) -> f64 {
    if (told - clock).abs() > ROUNDING { told } else { clock + (told - clock) / 16.0 }
}

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
        let bits = configuration.first_chunk::<2>().context("an AudioSpecificConfig that is too short")?;
        let bits = u16::from_be_bytes(*bits);
        let rate = *RATES.get(usize::from(bits >> 7 & 15)).context("an unknown sampling frequency")?;
        let mut parameters = AudioCodecParameters::new();
        parameters.for_codec(CODEC_ID_AAC).with_sample_rate(rate).with_extra_data(configuration.into());
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
        let packet = Packet::new(0, Timestamp::new(self.packets * 1024), 1024_u64.into(), packet.to_vec());
        self.packets += 1;
        let decoded = self.decoder.decode(&packet)?;
        let mut interleaved = vec![0_f32; decoded.samples_interleaved()];
        decoded.copy_to_slice_interleaved(&mut interleaved);
        let mono =
            interleaved.chunks(self.channels).map(|frame| frame.iter().sum::<f32>() / frame.len() as f32);
        self.hear(timestamp, mono);
        Ok(())
    }

    /// Takes the samples of one packet.
    fn hear(&mut self, timestamp: u32, samples: impl Iterator<Item = f32>) {
        let told = f64::from(timestamp) - self.milliseconds(self.samples.len());
        if self.samples.is_empty() || (told - self.start).abs() > ROUNDING {
            self.samples.clear();
            self.start = f64::from(timestamp);
        } else {
            self.start = smooth(self.start, told);
        }
        self.samples.extend(samples);
        // Two clicks never fall into one search.
        if self.samples.len() >= self.rate as usize / 2 {
            self.search();
        }
    }

    fn milliseconds(&self, samples: usize) -> f64 {
        samples as f64 * 1000.0 / f64::from(self.rate)
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
        // At an edge, the peak may lie in the part before or in the next one, which begins one sample before this edge.
        let inside = at > 0 && at < last;
        let energy: f32 = self.template.iter().map(|(c, s)| c * c + s * s).sum();
        if inside && strength > 0.3 * CLICK_LEVEL * energy / 2.0 {
            self.clicks.push(self.start + self.milliseconds(at));
        }
        let done = last - 1;
        self.tone.take(&self.samples[..done]);
        self.samples.drain(..done);
        self.start += self.milliseconds(done);
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

#[cfg(test)]
mod tests {
    use media::mark::{TONE_HZ, TONE_LEVEL};

    use super::*;

    /// The test sound, `offset` seconds after the clock's full second.
    fn sound(rate: u32, offset: f64, seconds: f64) -> Vec<f32> {
        let at = |n: f64| {
            let time = n / f64::from(rate) + offset;
            let tone = f64::from(TONE_LEVEL) * (TAU * f64::from(TONE_HZ) * time).sin();
            let since = time.fract() / CLICK.as_secs_f64();
            if since >= 1.0 {
                return tone;
            }
            let window = 0.5 - 0.5 * (TAU * since).cos();
            tone + f64::from(CLICK_LEVEL) * window * (TAU * f64::from(CLICK_HZ) * time.fract()).sin()
        };
        (0..(f64::from(rate) * seconds) as u32).map(|n| at(f64::from(n)) as f32).collect()
    }

    /// AudioSpecificConfig of AAC-LC with one channel.
    fn configuration(rate: u32) -> [u8; 2] {
        let index = RATES.iter().position(|known| *known == rate).unwrap() as u16;
        (2 << 11 | index << 7 | 1 << 3_u16).to_be_bytes()
    }

    /// Hears the sound in packets whose times are rounded to milliseconds.
    fn hear(rate: u32, samples: &[f32], time: impl Fn(f64) -> f64) -> Sound {
        let mut sound = Sound::new(&configuration(rate)).unwrap();
        for (i, packet) in samples.chunks(1024).enumerate() {
            let start = time(i as f64 * 1024.0 * 1000.0 / f64::from(rate));
            sound.hear(start.round() as u32, packet.iter().copied());
        }
        sound
    }

    fn worst(clicks: &[f64], phase: f64) -> f64 {
        let error = |click: &f64| ((click - phase + 500.0).rem_euclid(1000.0) - 500.0).abs();
        clicks.iter().map(error).fold(0.0, f64::max)
    }

    /// Packets of 1024 samples fall into whole milliseconds in the same way each time at 16 kHz, in three ways at 48 kHz:
    /// so much of the rounding can't be averaged out.
    #[test]
    fn every_click_is_found_to_a_tenth_of_a_millisecond_and_rounding() {
        for (rate, rounding) in [(48_000, 1.0 / 6.0), (44_100, 0.02), (16_000, 0.5)] {
            for (offset, start) in [(0.2, 0.0), (0.5003, 0.0), (0.9999, 0.43), (0.731_77, 0.7)] {
                let limit = 0.1 + if start > 0.0 { rounding } else { 0.0 };
                let sound = hear(rate, &sound(rate, offset, 10.6), |time| time + start);
                let phase = start + (1.0 - offset) * 1000.0;
                let count = sound.clicks.len();
                assert!((10..=11).contains(&count), "{rate} Hz, {offset} s: {:?}", sound.clicks);
                let error = worst(&sound.clicks[3..], phase);
                assert!(error < limit, "{rate} Hz, {offset} s: {error} ms");
            }
        }
    }

    #[test]
    fn a_hole_in_the_sound_moves_no_click() {
        let rate = 48_000;
        let mut samples = sound(rate, 0.5, 8.0);
        let (from, length) = (3 * rate as usize / 1024 * 1024, 20 * 1024);
        samples.drain(from..from + length);
        let hole = |time: f64| {
            if time * 48.0 < from as f64 { time } else { time + length as f64 / 48.0 }
        };
        let sound = hear(rate, &samples, hole);
        assert!(sound.clicks.len() >= 7, "{:?}", sound.clicks);
        assert!(worst(&sound.clicks, 500.0) < 0.6, "{:?}", sound.clicks);
    }

    #[test]
    fn the_tone_is_measured_and_silence_and_noise_have_no_click() {
        let tone = hear(48_000, &sound(48_000, 0.3, 5.0), |time| time).tone.frequency().unwrap();
        assert!((tone - f64::from(TONE_HZ)).abs() < 0.5, "{tone} Hz");
        let mut state = 1_u32;
        let noise: Vec<f32> = (0..96_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 24) as f32 - 0.5
            })
            .collect();
        for samples in [noise, vec![0.0; 96_000]] {
            assert_eq!(hear(48_000, &samples, |time| time).clicks, []);
        }
    }

    /// FFmpeg's encoder delays by 1024 samples, and its FLV begins with time 0: what is decoded from the first packet, a
    /// whole frame of it, comes before the input.
    #[test]
    fn clicks_survive_coding_in_their_place() {
        let folder = tempfile::TempDir::new().unwrap();
        let (input, output) = (folder.path().join("sound.f32"), folder.path().join("sound.flv"));
        let bytes: Vec<u8> = sound(48_000, 0.4, 6.0).iter().flat_map(|sample| sample.to_le_bytes()).collect();
        std::fs::write(&input, bytes).unwrap();
        let mut ffmpeg = std::process::Command::new("ffmpeg");
        ffmpeg.args(["-nostdin", "-loglevel", "error", "-f", "f32le", "-ar", "48000", "-ac", "1", "-i"]);
        ffmpeg.arg(&input).args(["-c:a", "aac", "-b:a", "96k"]).arg(&output);
        assert!(ffmpeg.status().unwrap().success());

        let mut sound: Option<Sound> = None;
        for tag in crate::read_flv(&output).unwrap().iter().filter(|tag| tag.kind == 8) {
            match &mut sound {
                None => sound = Some(Sound::new(&tag.body[2..]).unwrap()),
                Some(sound) => {
                    let before = sound.samples.len();
                    sound.take(tag.timestamp, &tag.body[2..]).unwrap();
                    if sound.packets == 1 {
                        assert_eq!(
                            sound.samples.len() - before,
                            1024,
                            "the first packet gives a whole frame"
                        );
                    }
                }
            }
        }
        let mut sound = sound.unwrap();
        let error = worst(&sound.clicks, 600.0 + 1024.0 / 48.0);
        assert!(sound.clicks.len() >= 5 && error < 1.0, "{error} ms: {:?}", sound.clicks);
        let tone = sound.tone.frequency().unwrap();
        assert!((tone - f64::from(TONE_HZ)).abs() < 2.0, "{tone} Hz");
    }
}
