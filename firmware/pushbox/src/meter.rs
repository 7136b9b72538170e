//! Network status: what went through in the last two seconds (spec 9).

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use live_pusher::{Congestion, Quality, Sample};
use serde_json::{Value, json};

use crate::audio::AudioStage;
use crate::sink::Queue;
use crate::video::VideoStage;

/// From one event to the next.
pub(crate) const INTERVAL: Duration = Duration::from_secs(2);

pub(crate) struct Meter {
    queue: Arc<Queue>,
    video: Arc<VideoStage>,
    audio: Arc<AudioStage>,
    before: Reading,
    quality: Quality,
    congestion: Congestion,
    /// When bytes went out last, or none waited.
    moved: Instant,
}

/// Sums since the start.
#[derive(Clone, Copy)]
struct Reading {
    at: Instant,
    pictures: u64,
    video: u64,
    audio: u64,
    sent: u64,
    dropped: u64,
}

impl Meter {
    pub(crate) fn new(queue: Arc<Queue>, video: Arc<VideoStage>, audio: Arc<AudioStage>) -> Self {
        let before = Reading::take(&queue, &video, &audio);
        Self {
            queue,
            video,
            audio,
            before,
            quality: Quality::default(),
            congestion: Congestion::default(),
            moved: before.at,
        }
    }

    /// A stream begins.
    pub(crate) fn reset(&mut self) {
        self.before = Reading::take(&self.queue, &self.video, &self.audio);
        (self.quality, self.congestion, self.moved) =
            (Quality::default(), Congestion::default(), self.before.at);
    }

    /// The eleven figures since the last call, and whether the uplink is too narrow (1101).
    pub(crate) fn measure(&mut self, reconnecting: bool) -> (Value, bool) {
        let now = Reading::take(&self.queue, &self.video, &self.audio);
        let before = std::mem::replace(&mut self.before, now);
        let queued = self.queue.queued();
        if now.sent != before.sent || queued.is_zero() {
            self.moved = now.at;
        }
        let (pictures, dropped) = (now.pictures - before.pictures, now.dropped - before.dropped);
        let sample = Sample {
            queued,
            dropped: dropped as f64 / (pictures + dropped).max(1) as f64,
            unacknowledged: now.at - self.moved,
            reconnecting,
            ..Sample::default()
        };
        self.quality = self.quality.after(&sample);
        let seconds = (now.at - before.at).as_secs_f64().max(0.001);
        let kbps =
            |bytes: u64| if reconnecting { 0 } else { (bytes as f64 / 125.0 / seconds).round() as u64 };
        let [video_cache, audio_cache] = self.queue.waiting();
        let is_narrow = !reconnecting && self.congestion.is_due(&sample, video_cache);
        let counters = &self.video.counters;
        let size = counters.size.load(Relaxed);
        let info = json!({
            "videoBitrate": kbps(now.video - before.video),
            "audioBitrate": kbps(now.audio - before.audio),
            "videoFPS": if reconnecting { 0 } else { (pictures as f64 / seconds).round() as u64 },
            "videoGOP": (counters.idr_distance.load(Relaxed) as f64 / 1e5).round() / 10.0,
            "netSpeed": kbps(now.sent - before.sent),
            "netJitter": 0,
            "netQualityLevel": self.quality.level(),
            "videoWidth": size >> 32,
            "videoHeight": size & 0xffff_ffff,
            "videoCache": video_cache,
            "audioCache": audio_cache,
        });
        (info, is_narrow)
    }
}

impl Reading {
    fn take(queue: &Queue, video: &VideoStage, audio: &AudioStage) -> Self {
        Self {
            at: Instant::now(),
            pictures: video.counters.encoded.load(Relaxed),
            video: video.counters.bytes.load(Relaxed),
            audio: audio.bytes(),
            sent: queue.sent(),
            dropped: queue.dropped().video,
        }
    }
}
