//! Network status: what went through in the last two seconds (spec 9).

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use live_pusher::{Congestion, Quality, Sample};
use serde_json::{Value, json};

use crate::audio::AudioStage;
use crate::rate::RateControl;
use crate::sink::Queue;
use crate::video::VideoStage;

/// From one event to the next.
pub(crate) const INTERVAL: Duration = Duration::from_secs(2);

pub(crate) struct Meter {
    queue: Arc<Queue>,
    video: Arc<VideoStage>,
    audio: Arc<AudioStage>,
    rate: Arc<RateControl>,
    before: Reading,
    quality: Quality,
    congestion: Congestion,
}

/// Sums since the start.
#[derive(Clone, Copy)]
struct Reading {
    at: Instant,
    pictures: u64,
    video: u64,
    audio: u64,
    /// Acknowledged.
    sent: u64,
    dropped: u64,
}

impl Meter {
    pub(crate) fn new(
        queue: Arc<Queue>,
        video: Arc<VideoStage>,
        audio: Arc<AudioStage>,
        rate: Arc<RateControl>,
    ) -> Self {
        let before = Reading::take(&queue, &video, &audio, rate.take_link().delivered);
        Self {
            queue,
            video,
            audio,
            rate,
            before,
            quality: Quality::default(),
            congestion: Congestion::default(),
        }
    }

    /// A stream begins.
    pub(crate) fn reset(&mut self) {
        let delivered = self.rate.take_link().delivered;
        self.before = Reading::take(&self.queue, &self.video, &self.audio, delivered);
        (self.quality, self.congestion) = (Quality::default(), Congestion::default());
    }

    /// Rate control found the uplink too narrow: whether that is to be told now (1101).
    pub(crate) fn is_narrow(&mut self) -> bool {
        self.congestion.enter()
    }

    /// The eleven figures since the last call, and whether the uplink is too narrow (1101).
    pub(crate) fn measure(&mut self, reconnecting: bool) -> (Value, bool) {
        let link = self.rate.take_link();
        let now = Reading::take(&self.queue, &self.video, &self.audio, link.delivered);
        let before = std::mem::replace(&mut self.before, now);
        let queued = self.queue.queued();
        let (pictures, dropped) = (now.pictures - before.pictures, now.dropped - before.dropped);
        let sample = Sample {
            queued,
            dropped: dropped as f64 / (pictures + dropped).max(1) as f64,
            round_trip: link.round_trip,
            unacknowledged: now.at.saturating_duration_since(link.moved),
            reconnecting,
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
            "netJitter": link.jitter().round(),
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
    fn take(queue: &Queue, video: &VideoStage, audio: &AudioStage, sent: u64) -> Self {
        Self {
            at: Instant::now(),
            pictures: video.counters.encoded.load(Relaxed),
            video: video.counters.bytes.load(Relaxed),
            audio: audio.bytes(),
            sent,
            dropped: queue.dropped().video,
        }
    }
}
