//! How the stream is doing, in the log: every drop is told.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use media::{DropOldest, Frame, VideoCounters};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, warn};

use crate::sink::Queue;

/// The distance of network status events (spec 9).
const INTERVAL: Duration = Duration::from_secs(2);

/// What is watched of the pictures.
pub(crate) struct Watched {
    pub(crate) counters: Arc<VideoCounters>,
    pub(crate) frames: Arc<DropOldest<Frame>>,
}

/// Logs figures for as long as it is polled: quietly, and loudly when something was dropped since the last time.
pub(crate) async fn log(queue: &Queue, video: Option<Watched>) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = [0; 5];
    loop {
        ticks.tick().await;
        let sent = queue.dropped();
        let counters = video.as_ref().map(|watched| &watched.counters);
        let count = |of: fn(&VideoCounters) -> u64| counters.map_or(0, |counters| of(counters));
        let (captured, encoded) = (
            count(|counters| counters.captured.load(Relaxed)),
            count(|counters| counters.encoded.load(Relaxed)),
        );
        let skipped = count(|counters| counters.skipped.load(Relaxed));
        let queued_ms = queue.queued().as_millis() as u64;
        debug!(captured, encoded, skipped, queued_ms, "status");
        let drops = [
            count(|counters| counters.lost.load(Relaxed)),
            count(|counters| counters.repeated.load(Relaxed)),
            video.as_ref().map_or(0, |watched| watched.frames.dropped()),
            sent.video,
            sent.audio,
        ];
        if drops != before {
            let [sensor, corrupt, encoder, network_video, network_audio] = drops;
            warn!(sensor, corrupt, encoder, network_video, network_audio, "dropped so far");
            before = drops;
        }
    }
}
