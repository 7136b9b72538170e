//! How the stream is doing, in the log: every drop is told.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use media::VideoCounters;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, warn};

use crate::audio::AudioStage;
use crate::engine::Engine;
use crate::hand::Display;
use crate::meter::INTERVAL;
use crate::sink::Queue;
use crate::video::VideoStage;

/// Figures for the log: quietly, and loudly when something was dropped since the last time.
pub(crate) struct Status {
    queue: Arc<Queue>,
    video: Arc<VideoStage>,
    audio: Arc<AudioStage>,
    display: Option<Arc<Display>>,
    before: [u64; 8],
}

impl Status {
    pub(crate) fn new(engine: &Engine) -> Self {
        let (video, audio) = (Arc::clone(&engine.video), Arc::clone(&engine.audio));
        let (queue, display) = (Arc::clone(&engine.queue), engine.display().cloned());
        Self { queue, video, audio, display, before: [0; 8] }
    }

    /// Tells them for as long as it is polled.
    pub(crate) async fn watch(&mut self) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.tell();
        }
    }

    pub(crate) fn tell(&mut self) {
        let sent = self.queue.dropped();
        let count = |of: fn(&VideoCounters) -> &AtomicU64| of(&self.video.counters).load(Relaxed);
        let (captured, encoded) = (count(|counters| &counters.captured), count(|counters| &counters.encoded));
        let queued_ms = self.queue.queued().as_millis() as u64;
        let copied = count(|counters| &counters.copied);
        let copied_coded = count(|counters| &counters.copied_coded);
        debug!(captured, encoded, copied, copied_coded, queued_ms, "status");
        let waiting = self.video.frames.dropped();
        // A picture that was dropped between the threads leaves a hole in the sensor's sequence too.
        let sensor = count(|counters| &counters.lost).saturating_sub(waiting);
        let (corrupt, skipped) = (count(|counters| &counters.repeated), count(|counters| &counters.skipped));
        let sound = self.audio.blocks.dropped();
        // Keys and codes, while a slow bus holds it.
        let panel = self.display.as_ref().map_or(0, |display| display.dropped());
        let drops = [sensor, corrupt, waiting, skipped, sound, sent.video, sent.audio, panel];
        if drops != self.before {
            let [.., network_video, network_audio, panel] = drops;
            warn!(
                sensor,
                corrupt, waiting, skipped, sound, network_video, network_audio, panel, "dropped so far"
            );
            self.before = drops;
        }
    }
}
