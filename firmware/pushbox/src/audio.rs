//! The audio thread: sound of the microphone, or silence, through the pipeline.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::uplink::AudioMetadata;
use live_pusher::{AudioQuality, Code, Input, Kbps};
use media::{AacError, AudioControl, AudioFormat, AudioPipeline, AudioSettings, DropOldest, now};
use tracing::warn;

use crate::microphone::Captured;
use crate::news::{News, Reporter};
use crate::privacy::Privacy;
use crate::sink::{Description, QueueSink};

/// Periods of 10 ms between microphone and audio thread.
const BLOCKS: usize = 32;
/// Without a block for so long there is silence in the stream,
const PATIENCE: Duration = Duration::from_millis(500);
/// which is then put out in pieces of this length.
const SILENCE: Duration = Duration::from_millis(80);
/// How long the thread sleeps where nothing is to be heard.
const IDLE: Duration = Duration::from_secs(10);

/// What is encoded: in which session, and how.
type Plan = (u32, AudioQuality);

/// The audio thread, from outside.
pub(crate) struct AudioStage {
    order: Mutex<Option<Plan>>,
    pub(crate) blocks: Arc<DropOldest<Captured>>,
    control: Arc<AudioControl>,
    /// Sum of squares and number of the samples that came since it was asked for.
    energy: Mutex<(f64, u64)>,
    privacy: Privacy,
    reporter: Reporter,
    description: Arc<Description>,
}

impl AudioStage {
    pub(crate) fn new(description: Arc<Description>, reporter: Reporter, privacy: Privacy) -> Arc<Self> {
        let control = Arc::new(AudioControl { muted: true.into(), ..AudioControl::default() });
        let blocks = Arc::new(DropOldest::new(BLOCKS));
        Arc::new(Self {
            order: Mutex::default(),
            blocks,
            control,
            energy: Mutex::default(),
            privacy,
            reporter,
            description,
        })
    }

    /// Encodes for that session, or not at all.
    pub(crate) fn encode(&self, plan: Option<Plan>) {
        *self.order.lock().unwrap_or_else(PoisonError::into_inner) = plan;
        self.blocks.wake();
    }

    pub(crate) fn set_audible(&self, audible: bool) {
        self.control.muted.store(!audible, Relaxed);
    }

    /// Linear, 0 to 1.
    pub(crate) fn set_volume(&self, volume: f64) {
        self.control.attenuation.store((1000.0 * (1.0 - volume)).round() as u32, Relaxed);
    }

    /// How loud it was since the last call, 0 to 100 (5.4).
    pub(crate) fn take_volume(&self) -> u8 {
        let (squares, count) =
            std::mem::take(&mut *self.energy.lock().unwrap_or_else(PoisonError::into_inner));
        let level = 10.0 * (squares / count.max(1) as f64).max(1e-12).log10();
        (100.0 * ((level + 60.0) / 60.0).clamp(0.0, 1.0)).round() as u8
    }

    fn listen(&self, captured: &Captured) {
        let samples = &captured.block.samples;
        let squares: f64 = samples.iter().map(|sample| f64::from(sample * sample)).sum();
        let mut energy = self.energy.lock().unwrap_or_else(PoisonError::into_inner);
        *energy = (energy.0 + squares, energy.1 + samples.len() as u64);
    }

    /// Of the packets that went out.
    pub(crate) fn bytes(&self) -> u64 {
        self.control.bytes.load(Relaxed)
    }

    /// The thread's work.
    pub(crate) fn run(self: Arc<Self>) -> ! {
        let (mut made, mut wait, mut heard) = (None, IDLE, Instant::now());
        loop {
            let captured = self.blocks.pop(wait).filter(|_| !self.privacy.is_closed());
            if let Some(captured) = &captured {
                self.listen(captured);
            }
            let order = *self.order.lock().unwrap_or_else(PoisonError::into_inner);
            if made.as_ref().map(|(plan, _)| *plan) != order {
                made = order.map(|plan| (plan, self.open(plan)));
                heard = Instant::now();
            }
            if captured.is_some() {
                heard = Instant::now();
            }
            let is_silent = heard.elapsed() >= PATIENCE;
            let result = match (&mut made, captured) {
                (Some((_, Some(pipeline))), Some(captured)) => take(pipeline, captured),
                // Behind the present, so that sound which comes now finds its place.
                (Some((_, Some(pipeline))), None) if is_silent => pipeline.advance(now() - SILENCE),
                _ => Ok(()),
            };
            wait = match order {
                None => IDLE,
                Some(_) if is_silent => SILENCE,
                Some(_) => PATIENCE.saturating_sub(heard.elapsed()),
            };
            if let Err(error) = result {
                self.failed(&error);
                made = order.map(|plan| (plan, None));
            }
        }
    }

    fn open(&self, (_, quality): Plan) -> Option<AudioPipeline<QueueSink>> {
        let (rate, Kbps(kbps)) = (quality.rate(), quality.bitrate());
        self.description.set_audio(AudioMetadata { rate, kbps, stereo: false });
        let settings = AudioSettings { rate, bitrate: quality.bitrate().bits() };
        let silence = AudioFormat { rate, channels: 1 };
        let sink = QueueSink(Arc::clone(self.description.queue()));
        let pipeline = AudioPipeline::new(silence, settings, sink, Arc::clone(&self.control));
        pipeline.map_err(|error| self.failed(&error)).ok()
    }

    fn failed(&self, error: &AacError) {
        warn!(%error, "the audio encoder failed");
        self.reporter.tell(News::Input(Input::EncoderFailed(Code::AudioEncoderFailed)));
    }
}

fn take(pipeline: &mut AudioPipeline<QueueSink>, captured: Captured) -> Result<(), AacError> {
    let Captured { format, block } = captured;
    pipeline.set_format(format)?;
    pipeline.process(&block)
}
