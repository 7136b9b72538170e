//! The microphone thread and the audio thread.

use std::sync::Arc;
use std::time::Duration;

use board::MicrophoneConfig;
use live_pusher::Properties;
use media::{
    AudioBlock, AudioControl, AudioFormat, AudioPipeline, AudioSettings, CaptureError, DropOldest,
    Microphone, Pool, Pooled, now,
};
use tracing::{info, warn};

use crate::reopen::reopen;
use crate::sink::QueueSink;

/// Without a block for so long there is silence in the stream,
const PATIENCE: Duration = Duration::from_millis(500);
/// which is then put out in pieces of this length.
const SILENCE: Duration = Duration::from_millis(80);
/// Blocks on loan between the threads.
const BLOCKS: usize = 40;

/// A period of sound and the format of the microphone it came from.
pub(crate) struct Captured {
    format: AudioFormat,
    block: Pooled<AudioBlock>,
}

/// A microphone that was opened.
pub(crate) struct Opened {
    config: MicrophoneConfig,
    rate: u32,
    microphone: Box<dyn Microphone>,
}

impl Opened {
    /// `rate` in Hz is what would suit; the microphone may deliver another.
    pub(crate) fn open(config: MicrophoneConfig, rate: u32) -> anyhow::Result<Self> {
        let microphone = board::open_microphone(&config, rate)?;
        info!(format = %microphone.format(), "microphone opened");
        Ok(Self { config, rate, microphone })
    }

    /// The microphone thread: sound into `blocks`, for as long as there is a microphone or one may come back.
    pub(crate) fn capture(
        self,
        blocks: Arc<DropOldest<Captured>>,
    ) -> impl FnOnce() -> anyhow::Result<()> + Send {
        let Self { config, rate, mut microphone } = self;
        move || {
            let pool = Pool::new(BLOCKS, AudioBlock::default);
            loop {
                let error = capture_until_lost(microphone, &pool, &blocks);
                warn!(code = -1302, %error, "microphone lost, it is opened again when it is back");
                microphone = reopen("microphone", || board::open_microphone(&config, rate));
                info!(format = %microphone.format(), "microphone opened");
            }
        }
    }
}

fn capture_until_lost(
    mut microphone: Box<dyn Microphone>,
    pool: &Arc<Pool<AudioBlock>>,
    blocks: &DropOldest<Captured>,
) -> CaptureError {
    let format = microphone.format();
    loop {
        let mut block = pool.take();
        if let Err(error) = microphone.read(&mut block) {
            return error;
        }
        if block.overrun {
            warn!("the microphone's buffer overran, silence fills the hole");
        }
        blocks.push(Captured { format, block });
    }
}

pub(crate) fn pipeline(properties: &Properties, sink: QueueSink) -> anyhow::Result<AudioPipeline<QueueSink>> {
    let quality = properties.audio_quality;
    let settings = AudioSettings { rate: quality.rate(), bitrate: quality.bitrate().bits() };
    let silence = AudioFormat { rate: quality.rate(), channels: 1 };
    let control = Arc::new(AudioControl { muted: properties.muted.into() });
    Ok(AudioPipeline::new(silence, settings, sink, control)?)
}

/// The audio thread: sound from `blocks` through the pipeline, silence while there is none.
pub(crate) fn encode(
    mut pipeline: AudioPipeline<QueueSink>,
    blocks: Arc<DropOldest<Captured>>,
) -> impl FnOnce() -> anyhow::Result<()> + Send {
    move || {
        let mut wait = PATIENCE;
        loop {
            if let Some(Captured { format, block }) = blocks.pop(wait) {
                pipeline.set_format(format)?;
                pipeline.process(&block)?;
                wait = PATIENCE;
            } else {
                pipeline.advance(now())?;
                wait = SILENCE;
            }
        }
    }
}
