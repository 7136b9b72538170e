//! The wiring: whoever reads this knows the product.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ::uplink::{AudioMetadata, Metadata, VideoMetadata};
use anyhow::anyhow;
use live_pusher::{AudioQuality, DevicePosition, Kbps, Mode, Properties, Size};
use media::{DropOldest, VideoCounters};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::config::{Config, usage};
use crate::sink::{Queue, QueueSink};
use crate::status::{Status, Watched};
use crate::{audio, uplink, video};

/// Periods of 10 ms between microphone and encoder.
const BLOCKS: usize = 32;

/// Publishes until SIGTERM or SIGINT, or until something fails for good.
pub(crate) fn run(config: Config) -> anyhow::Result<()> {
    let Config { board, properties, address } = config;
    let queue = Arc::new(Queue::new(send_limit(properties.mode)));
    let (failed, failures) = mpsc::channel(1);
    let mut metadata =
        Metadata { encoder: format!("Pushbox/{}", env!("CARGO_PKG_VERSION")), ..Metadata::default() };

    let mut video = None;
    if properties.enable_camera {
        let position = position(properties.device_position);
        let camera =
            board.camera(position).ok_or_else(|| usage("the board file has no camera: add one"))?.clone();
        let opened = video::Opened::open(camera, &properties)?;
        let frames = Arc::new(DropOldest::new(opened.backlog()));
        metadata.video = Some(video_metadata(&opened, &properties));
        let counters = Arc::<VideoCounters>::default();
        let pipeline = opened.pipeline(&properties, QueueSink(Arc::clone(&queue)), Arc::clone(&counters))?;
        video = Some((counters, Arc::clone(&frames)));
        start("video", &failed, video::encode(pipeline, Arc::clone(&frames), opened.quarter_turns()))?;
        start("camera", &failed, opened.capture(frames))?;
    }

    let blocks = Arc::new(DropOldest::new(BLOCKS));
    metadata.audio = Some(audio_metadata(properties.audio_quality));
    let pipeline = audio::pipeline(&properties, QueueSink(Arc::clone(&queue)))?;
    start("audio", &failed, audio::encode(pipeline, Arc::clone(&blocks)))?;
    if let Some(microphone) = board.microphone.filter(|_| properties.enable_mic) {
        let opened = audio::Opened::open(microphone, properties.audio_quality.rate())?;
        start("microphone", &failed, opened.capture(Arc::clone(&blocks)))?;
    }

    queue.set_metadata(&metadata);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let watched = Watched { video, blocks };
    let result = runtime.block_on(publish(&address, &queue, watched, failures));
    // A name that is still being looked up must not hold up the end.
    runtime.shutdown_background();
    result
}

async fn publish(
    address: &::uplink::Address,
    queue: &Queue,
    watched: Watched,
    mut failures: mpsc::Receiver<anyhow::Error>,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut failure = None;
    let shutdown = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            error = failures.recv() => failure = error,
        }
    };
    let mut status = Status::new(queue, watched);
    let result = tokio::select! {
        result = uplink::run(address, queue, shutdown) => result,
        () = status.watch() => Ok(()),
    };
    status.tell();
    failure.map_or(result, Err)
}

/// Starts a thread that lives as long as the process: its end ends the process too.
fn start(
    name: &'static str,
    failed: &mpsc::Sender<anyhow::Error>,
    work: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
) -> anyhow::Result<()> {
    let failed = failed.clone();
    let body = move || {
        let result =
            panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(anyhow!("it panicked")));
        let error = result.err().unwrap_or_else(|| anyhow!("it ended"));
        // Only the first failure counts.
        let _ = failed.try_send(error.context(format!("failed in thread {name}")));
    };
    thread::Builder::new().name(name.into()).spawn(body)?;
    Ok(())
}

/// How much media may wait for the network (spec 10.9).
fn send_limit(mode: Mode) -> Duration {
    Duration::from_secs(if mode == Mode::Rtc { 1 } else { 3 })
}

fn position(position: DevicePosition) -> board::Position {
    match position {
        DevicePosition::Front => board::Position::Front,
        DevicePosition::Back => board::Position::Back,
    }
}

fn video_metadata(opened: &video::Opened, properties: &Properties) -> VideoMetadata {
    let Size { width, height } = opened.size();
    let Kbps(kbps) = properties.start_bitrate();
    VideoMetadata { width, height, fps: opened.fps(), kbps }
}

fn audio_metadata(quality: AudioQuality) -> AudioMetadata {
    let Kbps(kbps) = quality.bitrate();
    AudioMetadata { rate: quality.rate(), kbps, stereo: false }
}
