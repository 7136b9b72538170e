//! Joins the pipelines to the uplink, which knows nothing of them.

use std::sync::{Arc, Mutex, PoisonError};

use ::uplink::{AudioMetadata, Metadata, SendQueue, VideoMetadata};
use media::{Packet, PacketSink, Track};

pub(crate) type Queue = SendQueue<Payload>;

/// A packet's bytes where the encoder put them.
pub(crate) struct Payload(media::Payload);

impl ::uplink::Payload for Payload {
    fn parts(&self) -> [&[u8]; 2] {
        self.0.parts()
    }
}

pub(crate) struct QueueSink(pub(crate) Arc<Queue>);

fn track(track: Track) -> ::uplink::Track {
    match track {
        Track::Video => ::uplink::Track::Video,
        Track::Audio => ::uplink::Track::Audio,
    }
}

impl PacketSink for QueueSink {
    fn configure(&mut self, of: Track, configuration: &[u8]) {
        self.0.set_configuration(track(of), configuration);
    }

    fn push(&mut self, packet: Packet) {
        let Packet { track: of, sync, time, data } = packet;
        self.0.push(::uplink::Packet { track: track(of), sync, time: time.micros(), data: Payload(data) });
    }

    fn wants_idr(&mut self) -> bool {
        self.0.wants_idr()
    }
}

/// What the stream says of itself: each part is set by who makes it.
pub(crate) struct Description {
    queue: Arc<Queue>,
    metadata: Mutex<Metadata>,
}

impl Description {
    pub(crate) fn new(queue: Arc<Queue>) -> Self {
        Self { queue, metadata: Mutex::new(empty()) }
    }

    pub(crate) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    pub(crate) fn set_video(&self, video: VideoMetadata) {
        self.change(|metadata| metadata.video = Some(video));
    }

    pub(crate) fn set_audio(&self, audio: AudioMetadata) {
        self.change(|metadata| metadata.audio = Some(audio));
    }

    /// Changes the rates of the pictures, where there are any.
    pub(crate) fn set_rates(&self, fps: u32, kbps: u32) {
        self.change(|metadata| {
            if let Some(video) = &mut metadata.video {
                (video.fps, video.kbps) = (fps, kbps);
            }
        });
    }

    /// A new stream begins.
    pub(crate) fn clear(&self) {
        *self.metadata.lock().unwrap_or_else(PoisonError::into_inner) = empty();
        self.queue.clear();
    }

    fn change(&self, change: impl FnOnce(&mut Metadata)) {
        let mut metadata = self.metadata.lock().unwrap_or_else(PoisonError::into_inner);
        let before = metadata.clone();
        change(&mut metadata);
        if *metadata != before {
            self.queue.set_metadata(&metadata);
        }
    }
}

fn empty() -> Metadata {
    Metadata { encoder: format!("Pushbox/{}", env!("CARGO_PKG_VERSION")), ..Metadata::default() }
}
