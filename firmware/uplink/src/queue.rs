//! Between the pipelines and the network.

mod state;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use self::state::State;
use crate::Metadata;
use crate::rate::Waiting;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Track {
    Video,
    Audio,
}

/// The bytes of a packet, where they are.
pub trait Payload {
    /// All of them in two parts, of which the first may be empty.
    fn parts(&self) -> [&[u8]; 2];
}

impl<T: AsRef<[u8]>> Payload for T {
    fn parts(&self) -> [&[u8]; 2] {
        [&[], self.as_ref()]
    }
}

/// One access unit: H.264 with lengths of four bytes, or raw AAC.
#[derive(Debug)]
pub struct Packet<P> {
    pub track: Track,
    /// An IDR picture; true of all sound.
    pub sync: bool,
    /// Microseconds of any clock that all packets share.
    pub time: i64,
    pub data: P,
}

/// What goes out, in this order.
#[derive(Debug)]
pub enum Media<P> {
    Metadata(Arc<[u8]>),
    Configuration(Track, Arc<[u8]>),
    Packet(Packet<P>),
}

/// Access units that the queue dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    pub video: u64,
    pub audio: u64,
}

/// The queue between pipelines and network, bounded by the time between its oldest and its newest packet (spec 10.9).
///
/// When it is full, the pictures up to the next IDR picture are dropped, never one that others behind it refer to, and an
/// IDR picture is asked for; sound only loses what is too old. While no connection is up, only what came since an IDR picture
/// is kept, and only for a moment: a stream then begins at once, also from an encoder that makes no IDR picture on demand.
pub struct SendQueue<P> {
    state: Mutex<State<P>>,
    changed: Notify,
    /// Bytes that the network took.
    sent: AtomicU64,
}

impl<P> SendQueue<P> {
    pub fn new(limit: Duration) -> Self {
        Self { state: Mutex::new(State::new(limit)), changed: Notify::new(), sent: AtomicU64::new(0) }
    }

    /// Sets what each connection begins with, and sends it on the present one, in place of such that still waits there.
    pub fn set_metadata(&self, metadata: &Metadata) {
        let body: Arc<[u8]> = metadata.body().into();
        let mut state = self.lock();
        state.metadata = Some(Arc::clone(&body));
        match state.waiting_metadata() {
            Some(waiting) => *waiting = body,
            None => state.append(Media::Metadata(body)),
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Sets a track's decoder configuration (AVCDecoderConfigurationRecord, AudioSpecificConfig): each connection begins
    /// with it, and the packets that follow belong to it. The present one goes out once.
    pub fn set_configuration(&self, track: Track, configuration: &[u8]) {
        let mut state = self.lock();
        if state.configurations[track as usize].as_deref() == Some(configuration) {
            return;
        }
        let configuration: Arc<[u8]> = configuration.into();
        state.configurations[track as usize] = Some(Arc::clone(&configuration));
        state.append(Media::Configuration(track, configuration));
        drop(state);
        self.changed.notify_one();
    }

    /// Takes a packet, without waiting.
    pub fn push(&self, packet: Packet<P>) {
        let mut state = self.lock();
        if !state.connected {
            state.hold(packet);
            return;
        }
        if packet.track == Track::Video {
            if state.await_idr && !packet.sync {
                state.dropped.video += 1;
                return;
            }
            state.await_idr = false;
            // One that was under way when it was asked for will do.
            state.wants_idr &= !packet.sync;
        }
        state.append(Media::Packet(packet));
        state.shorten();
        drop(state);
        self.changed.notify_one();
    }

    /// Changes how much may wait, from the next packet on.
    pub fn set_limit(&self, limit: Duration) {
        self.lock().limit = limit.as_micros() as i64;
    }

    /// Forgets what connections begin with, and what waits: another stream comes.
    pub fn clear(&self) {
        let mut state = self.lock();
        (state.metadata, state.configurations) = (None, [None, None]);
        state.items.clear();
    }

    /// Pictures and sounds that wait.
    pub fn waiting(&self) -> [usize; 2] {
        let state = self.lock();
        [Track::Video, Track::Audio].map(|track| state.packets().filter(|it| it.track == track).count())
    }

    /// Whether an IDR picture is asked for since the last call.
    pub fn wants_idr(&self) -> bool {
        std::mem::take(&mut self.lock().wants_idr)
    }

    /// Begins a connection: with metadata and decoder configurations, then an IDR picture.
    pub fn connect(&self) {
        let mut state = self.lock();
        let nothing_held = state.items.is_empty();
        (state.connected, state.await_idr, state.wants_idr) = (true, nothing_held, nothing_held);
        let headers = [
            state.metadata.clone().map(Media::Metadata),
            state.configurations[Track::Video as usize]
                .clone()
                .map(|it| Media::Configuration(Track::Video, it)),
            state.configurations[Track::Audio as usize]
                .clone()
                .map(|it| Media::Configuration(Track::Audio, it)),
        ];
        for header in headers.into_iter().flatten().rev() {
            state.items.push_front(header);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Ends a connection; what waits is dropped.
    pub fn disconnect(&self) {
        let mut state = self.lock();
        state.connected = false;
        state.items.clear();
    }

    /// Waits for the next item.
    pub async fn next(&self) -> Media<P> {
        loop {
            if let Some(item) = self.try_next() {
                return item;
            }
            self.changed.notified().await;
        }
    }

    fn try_next(&self) -> Option<Media<P>> {
        self.lock().items.pop_front()
    }

    pub fn dropped(&self) -> Dropped {
        self.lock().dropped
    }

    /// Bytes that the network took, of all connections.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub(crate) fn add_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Time between the oldest and the newest packet.
    pub fn queued(&self) -> Duration {
        Duration::from_micros(self.lock().span().unsigned_abs())
    }

    fn lock(&self) -> MutexGuard<'_, State<P>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Payload> SendQueue<P> {
    /// Time and bytes that wait.
    pub fn what_waits(&self) -> Waiting {
        let state = self.lock();
        let parts = state.packets().flat_map(|packet| packet.data.parts());
        let bytes = parts.map(|part| part.len() as u64).sum();
        Waiting { time: Duration::from_micros(state.span().unsigned_abs()), bytes }
    }
}
