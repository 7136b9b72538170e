//! What the pipelines are told, and what is asked of them.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, PoisonError};

use anyhow::Result;
use live_pusher::{Action, CallId, Code, Failure, Input, Kbps, Media, Refusal, Reply, SnapshotQuality};
use media::Frame;
use serde_json::{Map, json};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::{Engine, send_limit};
use crate::config::in_short;
use crate::news::News;
use crate::snapshot;
use crate::waiting_image::{self, LoadError};

impl Engine {
    pub(super) fn set_media(&mut self, media: Option<Media>) {
        let begins = self.media.is_none() && media.is_some();
        self.media = media;
        let Some(Media { live, audible }) = media else {
            self.measures = None;
            self.video.control.messages.clear();
            self.video.change(|order| order.session = None);
            self.audio.encode(None);
            return;
        };
        let properties = self.machine.store().properties();
        if begins {
            self.sessions += 1;
            self.dropped_before = self.dropped_ever();
            self.description.clear();
            self.rate.begin(properties);
            self.audio.encode(Some((self.sessions, properties.audio_quality)));
        }
        let session = self.machine.has_pictures().then_some(self.sessions);
        // What could not be loaded before may be there now.
        if begins && !self.has_image && self.loading.as_ref().is_none_or(JoinHandle::is_finished) {
            self.load_waiting_image();
        }
        self.video.change(|order| (order.session, order.live) = (session, live));
        self.audio.set_audible(audible);
    }

    pub(super) fn updated(&mut self, changed: &[&str], refused: Vec<Refusal>) {
        if !refused.is_empty() {
            warn!(refused = in_short(&refused), "properties not taken");
        }
        self.refused = refused;
        if changed.iter().any(|name| name.starts_with("waiting-image")) {
            self.images += 1;
            self.load_waiting_image();
        }
        if !changed.is_empty() {
            info!(?changed, "properties");
            if let Some(display) = self.display() {
                let store = Arc::new(self.machine.store().clone());
                display.update(|scene| scene.store = store);
            }
            self.keep();
        }
        if self.media.is_some() {
            let session = self.machine.has_pictures().then_some(self.sessions);
            self.video.change(|order| order.session = session);
        }
        self.apply();
    }

    /// Brings the pipelines in line with the properties.
    pub(super) fn apply(&mut self) {
        let properties = self.machine.store().properties().clone();
        let control = &self.video.control;
        let passes = self.camera_config().is_some_and(|config| config.encodes());
        let fps = if passes { self.sensor_fps } else { properties.fps.min(self.sensor_fps) };
        let Kbps(kbps) = properties.start_bitrate();
        control.fps.store(fps, Relaxed);
        control.mirror.store(properties.mirror, Relaxed);
        self.queue.set_limit(send_limit(properties.mode));
        self.description.set_rates(fps, kbps);
        self.video.change(|order| order.follow(&properties));
        self.rate.follow(&properties, passes);
    }

    /// The file of the placeholder, and whether it can be shown. One that can't leaves the one before.
    pub(super) fn load_waiting_image(&mut self) {
        let properties = self.machine.store().properties();
        let (address, hash) = (properties.waiting_image.clone(), properties.waiting_image_hash.clone());
        if let Some(before) = self.loading.take() {
            before.abort();
        }
        self.has_image = address.is_empty();
        if address.is_empty() {
            self.video.change(|order| order.waiting_image = None);
            return;
        }
        let (number, loader, reporter) = (self.images, Arc::clone(&self.loader), self.reporter.clone());
        let load = tokio::spawn(async move {
            let result = loader.lock().await.load(&address, &hash, waiting_image::LIMIT).await;
            reporter.send(News::WaitingImage { number, result }).await;
        });
        self.loading = Some(load);
    }

    pub(super) fn hear_waiting_image(
        &mut self,
        number: u32,
        result: Result<Arc<[u8]>, LoadError>,
    ) -> Result<()> {
        if number != self.images {
            return Ok(());
        }
        match result {
            Ok(file) => {
                self.has_image = true;
                self.video.change(|order| order.waiting_image = Some(file));
                Ok(())
            }
            Err(error) => {
                warn!(%error, "no waiting image");
                // Of each value it is told once (4.15).
                if self.failed_image.replace(number) == Some(number) {
                    return Ok(());
                }
                let params = Map::from_iter([("reason".to_owned(), json!(error.reason()))]);
                self.handle(Input::Notice { code: Code::WaitingImageFailed, params })
            }
        }
    }

    pub(super) fn perform(&mut self, id: CallId, action: Action) {
        match action {
            Action::Message(text) => {
                let result = self.video.control.messages.push(&text);
                let result = result.map(|()| Reply::new()).map_err(|_| Failure::Busy);
                let _ = self.handle(Input::Performed { id, result });
            }
            Action::Torch(limit) => self.torch.iter().for_each(|torch| torch.perform(limit, id)),
            Action::Snapshot(quality) => {
                let picture = self.snapshot(id, quality);
                *self.video.control.still.lock().unwrap_or_else(PoisonError::into_inner) = Some(picture);
            }
            Action::SnapshotView(quality) => {
                let picture = self.snapshot(id, quality);
                if let Some(display) = self.display() {
                    display.snapshot(picture);
                }
            }
        }
    }

    /// Where the picture is to be sent to. Who drops this has none.
    fn snapshot(&self, id: CallId, quality: SnapshotQuality) -> SyncSender<Frame> {
        let (sender, picture) = sync_channel(1);
        let reporter = self.reporter.clone();
        tokio::task::spawn_blocking(move || {
            let result = snapshot::take(&picture, quality);
            reporter.tell(News::Input(Input::Performed { id, result }));
        });
        sender
    }
}
