use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use super::{AacEncoder, AacError, FRAME, Timeline};
use crate::{AudioBlock, AudioFormat, Packet, PacketSink, Pool, Pooled, Timestamp, Track};

/// Packets that may be on loan to a send queue before memory grows.
const PACKETS: usize = 256;
/// The largest AAC-LC frame of one channel: 6144 bits.
const PACKET: usize = 768;
/// Seconds from full sound to silence and back.
const FADE: f32 = 0.010;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioSettings {
    /// Hz: 48000 or 16000.
    pub rate: u32,
    /// Bits a second.
    pub bitrate: u32,
}

/// What may be changed while the pipeline runs.
#[derive(Debug, Default)]
pub struct AudioControl {
    pub muted: AtomicBool,
    /// Thousandths by which the sound is made softer; 0 leaves it as it is.
    pub attenuation: AtomicU32,
    /// Of the packets that went out.
    pub bytes: AtomicU64,
}

impl AudioControl {
    /// Linear, 0 to 1.
    fn gain(&self) -> f32 {
        let audible = !self.muted.load(Relaxed);
        if audible { 1.0 - self.attenuation.load(Relaxed) as f32 / 1000.0 } else { 0.0 }
    }
}

/// The audio pipeline: microphone blocks in, AAC packets out, without a gap.
pub struct AudioPipeline<S> {
    settings: AudioSettings,
    timeline: Timeline,
    stage: EncodeStage<S>,
}

/// Mutes, encodes and hands over.
struct EncodeStage<S> {
    encoder: AacEncoder,
    pool: Arc<Pool<Vec<u8>>>,
    sink: S,
    control: Arc<AudioControl>,
    gain: f32,
    fade_step: f32,
    frame: [f32; FRAME],
    silence: Silence,
    failed: Option<AacError>,
}

impl<S: PacketSink> AudioPipeline<S> {
    pub fn new(
        format: AudioFormat,
        settings: AudioSettings,
        mut sink: S,
        control: Arc<AudioControl>,
    ) -> Result<Self, AacError> {
        let encoder = AacEncoder::new(settings.rate, settings.bitrate)?;
        sink.configure(Track::Audio, encoder.configuration());
        let gain = control.gain();
        let stage = EncodeStage {
            encoder,
            pool: Pool::new(PACKETS, || Vec::with_capacity(PACKET)),
            sink,
            control,
            gain,
            fade_step: 1.0 / (FADE * settings.rate as f32),
            frame: [0.0; FRAME],
            silence: Silence::default(),
            failed: None,
        };
        Ok(Self { settings, timeline: timeline(format, settings)?, stage })
    }

    /// Takes over from a microphone of another format.
    pub fn set_format(&mut self, format: AudioFormat) -> Result<(), AacError> {
        if format != self.timeline.format() {
            let time = self.timeline.end();
            self.timeline = timeline(format, self.settings)?;
            if let Some(time) = time {
                self.timeline.begin(time);
            }
        }
        Ok(())
    }

    pub fn process(&mut self, block: &AudioBlock) -> Result<(), AacError> {
        let stage = &mut self.stage;
        self.timeline.push(block, |time, frame| stage.take(time, frame));
        stage.failed.take().map_or(Ok(()), Err)
    }

    /// Puts out silence up to `time` while no microphone delivers.
    pub fn advance(&mut self, time: Timestamp) -> Result<(), AacError> {
        let stage = &mut self.stage;
        self.timeline.advance(time, |time, frame| stage.take(time, frame));
        stage.failed.take().map_or(Ok(()), Err)
    }

    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }
}

fn timeline(format: AudioFormat, settings: AudioSettings) -> Result<Timeline, AacError> {
    Timeline::new(format, settings.rate).ok_or_else(|| AacError::rate(format.rate, settings.rate))
}

impl<S: PacketSink> EncodeStage<S> {
    fn take(&mut self, time: Timestamp, samples: &[f32]) {
        let target = self.control.gain();
        for (to, from) in self.frame.iter_mut().zip(samples) {
            self.gain += (target - self.gain).clamp(-self.fade_step, self.fade_step);
            *to = from * self.gain;
        }
        let mut data: Pooled<Vec<u8>> = self.pool.take();
        data.clear();
        match self.silence.encode(&self.frame, &mut self.encoder, &mut data) {
            Ok(()) => {
                let time = time - self.encoder.delay();
                self.control.bytes.fetch_add(data.len() as u64, Relaxed);
                self.sink.push(Packet { track: Track::Audio, sync: true, time, data: data.into() });
            }
            Err(error) => self.failed = Some(error),
        }
    }
}

/// Digital silence, encoded once: where nothing sounds, each packet is the same.
#[derive(Default)]
struct Silence {
    /// Silent frames in a row.
    frames: u32,
    packet: Vec<u8>,
}

/// Frames after which neither the transform's overlap nor the encoder's look at what came before tells of sound.
const SETTLED: u32 = 4;

impl Silence {
    fn encode(&mut self, frame: &[f32], encoder: &mut AacEncoder, out: &mut Vec<u8>) -> Result<(), AacError> {
        if frame.iter().any(|sample| *sample != 0.0) {
            self.frames = 0;
            return encoder.encode(frame, out);
        }
        if self.frames < SETTLED {
            encoder.encode(frame, out)?;
            self.frames += 1;
            self.packet.clear();
            self.packet.extend_from_slice(out);
        } else {
            out.extend_from_slice(&self.packet);
        }
        Ok(())
    }
}
