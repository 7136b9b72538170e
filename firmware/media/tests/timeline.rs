//! Microphone clocks that drift, timestamps that jitter, holes: the sound must stay with the picture's clock.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use media::{AacEncoder, AudioBlock, AudioFormat, FRAME, Timeline, Timestamp};
use proptest::prelude::*;

const RATE: u32 = 48_000;
const PERIOD: u64 = 480;

/// A microphone whose sound is a pulse around each full second of the true clock.
struct Microphone {
    sample_time: f64,
    position: u64,
    noise: u32,
}

impl Microphone {
    fn new(ppm: f64) -> Self {
        Self { sample_time: 1e6 / (f64::from(RATE) * (1.0 + ppm * 1e-6)), position: 0, noise: 1 }
    }

    fn time(&self, position: u64) -> f64 {
        position as f64 * self.sample_time
    }

    /// Up to half a millisecond to either side.
    fn jitter(&mut self) -> f64 {
        self.noise = self.noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(self.noise) / f64::from(u32::MAX) * 1000.0 - 500.0
    }

    fn read(&mut self, block: &mut AudioBlock) {
        block.captured = Timestamp::from_micros((self.time(self.position) + self.jitter()) as i64);
        block.samples.clear();
        block.samples.extend((self.position..self.position + PERIOD).map(|n| pulse(self.time(n))));
        self.position += PERIOD;
    }
}

fn pulse(micros: f64) -> f32 {
    let off = (micros + 500_000.0).rem_euclid(1e6) - 500_000.0;
    if off.abs() > 1000.0 { 0.0 } else { (0.5 + 0.5 * (off / 1000.0 * std::f64::consts::PI).cos()) as f32 }
}

/// Offsets in milliseconds of the pulses from the full seconds, in the order of the sound.
#[derive(Default)]
struct Offsets {
    found: Vec<f64>,
    peak: (f32, f64),
    end: Option<f64>,
}

impl Offsets {
    fn take(&mut self, time: Timestamp, rate: u32, frame: &[f32]) {
        let step = 1e6 / f64::from(rate);
        let start = time.micros() as f64;
        if let Some(end) = self.end {
            assert!((start - end).abs() <= 2.0, "frames must follow one another: {end} then {start}");
        }
        self.end = Some(start + frame.len() as f64 * step);
        for (i, sample) in frame.iter().enumerate() {
            if *sample > 0.3 && *sample > self.peak.0 {
                self.peak = (*sample, start + i as f64 * step);
            } else if *sample < 0.01 && self.peak.0 > 0.0 {
                self.found.push(((self.peak.1 + 500_000.0).rem_euclid(1e6) - 500_000.0) / 1000.0);
                self.peak = (0.0, 0.0);
            }
        }
    }

    fn worst(&self) -> f64 {
        self.found.iter().fold(0.0, |worst: f64, offset| worst.max(offset.abs()))
    }
}

fn run(
    ppm: f64,
    rate: u32,
    seconds: u64,
    mut disturb: impl FnMut(&mut Microphone, &mut AudioBlock),
) -> Offsets {
    let mut microphone = Microphone::new(ppm);
    let format = AudioFormat { rate: RATE, channels: 1 };
    let mut timeline = Timeline::new(format, rate).unwrap();
    let (mut offsets, mut block) = (Offsets::default(), AudioBlock::default());
    while microphone.time(microphone.position) < seconds as f64 * 1e6 {
        block.overrun = false;
        disturb(&mut microphone, &mut block);
        microphone.read(&mut block);
        timeline.push(&block, |time, frame| offsets.take(time, rate, frame));
    }
    offsets
}

#[test]
fn half_an_hour_with_a_clock_300_ppm_off_stays_within_20_ms() {
    for ppm in [300.0, -300.0] {
        let offsets = run(ppm, RATE, 30 * 60, |_, _| {});
        assert!(offsets.found.len() >= 1798, "{} pulses", offsets.found.len());
        println!("{ppm} ppm: worst {:.2} ms", offsets.worst());
        assert!(offsets.worst() < 5.0, "worst offset {} ms", offsets.worst());
    }
}

#[test]
fn sixteen_kilohertz_keep_the_time_too() {
    let offsets = run(100.0, 16_000, 60, |_, _| {});
    assert!(offsets.found.len() >= 58);
    assert!(offsets.worst() < 2.0, "worst offset {} ms", offsets.worst());
}

#[test]
fn an_overrun_becomes_silence_of_its_length() {
    let mut lost = false;
    let offsets = run(0.0, RATE, 20, |microphone, block| {
        if !lost && microphone.position > 5 * u64::from(RATE) {
            lost = true;
            block.overrun = true;
            microphone.position += u64::from(RATE) * 3 / 10;
        }
    });
    assert!(offsets.found.len() >= 17);
    assert!(offsets.worst() < 2.0, "worst offset {} ms", offsets.worst());
}

#[test]
fn a_silent_microphone_gives_silence_and_comes_back_in_time() {
    let format = AudioFormat { rate: RATE, channels: 1 };
    let mut timeline = Timeline::new(format, RATE).unwrap();
    let mut samples = 0;
    timeline.advance(Timestamp::from_micros(0), |_, _| {});
    for tenth in 1..=30 {
        timeline.advance(Timestamp::from_micros(tenth * 100_000), |_, frame| {
            assert!(frame.iter().all(|sample| *sample == 0.0));
            samples += frame.len();
        });
    }
    assert!((samples as i64 - 3 * i64::from(RATE)).abs() <= 2 * FRAME as i64, "{samples} samples");
    let mut microphone = Microphone::new(0.0);
    microphone.position = 3 * u64::from(RATE) + 4800;
    let (mut offsets, mut block) = (Offsets::default(), AudioBlock::default());
    for _ in 0..300 {
        microphone.read(&mut block);
        timeline.push(&block, |time, frame| offsets.take(time, RATE, frame));
    }
    assert!(offsets.found.len() >= 2 && offsets.worst() < 2.0, "{:?}", offsets.found);
}

proptest! {
    /// Whatever a driver says of the time, frames follow one another and the work is bounded.
    #[test]
    fn any_timestamps_are_survived(times in prop::collection::vec((any::<i32>(), any::<bool>()), 1..60)) {
        let mut timeline = Timeline::new(AudioFormat { rate: RATE, channels: 2 }, RATE).unwrap();
        let (mut frames, mut end) = (0_usize, None);
        for (time, overrun) in &times {
            let samples = vec![f32::NAN; 960];
            let block = AudioBlock { samples, captured: Timestamp::from_micros(i64::from(*time)), overrun: *overrun };
            timeline.push(&block, |time, frame| {
                assert!(frame.iter().all(|sample| sample.abs() <= 1.0));
                assert!(end.is_none_or(|end| time.since(end) > -2), "{time:?} after {end:?}");
                end = Some(time + std::time::Duration::from_micros(frame.len() as u64 * 1_000_000 / u64::from(RATE)));
                frames += 1;
            });
        }
        prop_assert!(frames <= times.len() * 6 * RATE as usize / FRAME);
    }
}

/// What a receiver decodes lies where the packet's time and the encoder's delay say.
#[test]
fn the_encoders_delay_is_what_it_says() {
    use symphonia::core::codecs::audio::well_known::CODEC_ID_AAC;
    use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoderOptions};
    use symphonia::core::packet::Packet;
    use symphonia::core::units::Timestamp as Ticks;

    for rate in [48_000, 16_000] {
        let mut encoder = AacEncoder::new(rate, 64_000).unwrap();
        let mut parameters = AudioCodecParameters::new();
        parameters
            .for_codec(CODEC_ID_AAC)
            .with_sample_rate(rate)
            .with_extra_data(encoder.configuration().into());
        let mut decoder = symphonia::default::get_codecs()
            .make_audio_decoder(&parameters, &AudioDecoderOptions::default())
            .unwrap();
        let input: Vec<f32> =
            (0..8 * FRAME).map(|n| if n.abs_diff(4 * FRAME + 300) < 20 { 0.8 } else { 0.0 }).collect();
        let (mut output, mut packet) = (Vec::new(), Vec::new());
        for (i, frame) in input.chunks(FRAME).enumerate() {
            packet.clear();
            encoder.encode(frame, &mut packet).unwrap();
            assert!(!packet.is_empty(), "each frame in gives a packet out");
            let packet =
                Packet::new(0, Ticks::new(i as i64 * FRAME as i64), (FRAME as u64).into(), packet.clone());
            let decoded = decoder.decode(&packet).unwrap();
            let mut samples = vec![0_f32; decoded.samples_interleaved()];
            decoded.copy_to_slice_interleaved(&mut samples);
            output.extend(samples);
        }
        let centre: f32 = output.iter().enumerate().map(|(i, s)| i as f32 * s * s).sum::<f32>()
            / output.iter().map(|s| s * s).sum::<f32>();
        let delay = encoder.delay().as_secs_f32() * rate as f32;
        let off = centre - (4.0 * FRAME as f32 + 300.0) - delay;
        assert!(off.abs() < 20.0, "{rate} Hz: decoded {off} samples off, centre {centre}");
    }
}
