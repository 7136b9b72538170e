use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

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

struct State<P> {
    /// Microseconds.
    limit: i64,
    items: VecDeque<Media<P>>,
    metadata: Option<Arc<[u8]>>,
    configurations: [Option<Arc<[u8]>>; 2],
    connected: bool,
    /// Pictures are of no use before the next IDR picture.
    await_idr: bool,
    wants_idr: bool,
    dropped: Dropped,
}

/// How long the beginning of a group waits for a connection: a few round trips, too short to be seen as a delay.
const HOLD: i64 = 300_000;

/// Enough for the longest limit at the highest rates, so that the queue never grows.
const CAPACITY: usize = 1024;

impl<P> SendQueue<P> {
    pub fn new(limit: Duration) -> Self {
        let state = State {
            limit: limit.as_micros() as i64,
            items: VecDeque::with_capacity(CAPACITY),
            metadata: None,
            configurations: [None, None],
            connected: false,
            await_idr: true,
            wants_idr: false,
            dropped: Dropped::default(),
        };
        Self { state: Mutex::new(state), changed: Notify::new(), sent: AtomicU64::new(0) }
    }

    /// Sets what each connection begins with, and sends it on the present one.
    pub fn set_metadata(&self, metadata: &Metadata) {
        let body: Arc<[u8]> = metadata.body().into();
        let mut state = self.lock();
        state.metadata = Some(Arc::clone(&body));
        state.append(Media::Metadata(body));
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

impl<P> State<P> {
    fn append(&mut self, item: Media<P>) {
        if self.connected {
            self.items.push_back(item);
        }
    }

    /// Keeps a packet for a connection that may come soon.
    fn hold(&mut self, packet: Packet<P>) {
        let begins = packet.track == Track::Video && packet.sync;
        if begins {
            self.items.clear();
        }
        if begins || !self.items.is_empty() {
            self.items.push_back(Media::Packet(packet));
        }
        if self.span() > HOLD {
            self.items.clear();
        }
    }

    fn packets(&self) -> impl DoubleEndedIterator<Item = &Packet<P>> {
        self.items.iter().filter_map(|item| match item {
            Media::Packet(packet) => Some(packet),
            _ => None,
        })
    }

    fn span(&self) -> i64 {
        let times = || self.packets().map(|packet| packet.time);
        times().max().unwrap_or(0) - times().min().unwrap_or(0)
    }

    /// Drops what is older than the limit allows: pictures by whole groups, sound packet by packet.
    fn shorten(&mut self) {
        let limit = self.limit;
        let newest = self.packets().next_back().map_or(0, |packet| packet.time);
        let is_old = |packet: &Packet<P>| packet.time < newest - limit;
        while self.first(Track::Video).is_some_and(is_old) {
            self.drop_video();
        }
        if self.first(Track::Audio).is_some_and(is_old) {
            let before = self.items.len();
            self.items.retain(|item| !matches!(item, Media::Packet(packet) if is_old(packet)));
            self.dropped.audio += (before - self.items.len()) as u64;
        }
    }

    fn first(&self, track: Track) -> Option<&Packet<P>> {
        self.packets().find(|packet| packet.track == track)
    }

    /// Drops the pictures before the last IDR picture, or all where that would leave none out.
    fn drop_video(&mut self) {
        let is_video = |item: &Media<P>| matches!(item, Media::Packet(Packet { track: Track::Video, .. }));
        let is_idr =
            |item: &Media<P>| matches!(item, Media::Packet(Packet { track: Track::Video, sync: true, .. }));
        let first = self.items.iter().position(is_video);
        let resume = self.items.iter().rposition(is_idr).filter(|index| Some(*index) != first);
        let end = resume.unwrap_or(self.items.len());
        let mut index = 0;
        let before = self.items.len();
        self.items.retain(|item| {
            index += 1;
            index > end || !is_video(item)
        });
        self.dropped.video += (before - self.items.len()) as u64;
        if resume.is_none() {
            (self.await_idr, self.wants_idr) = (true, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn queue(milliseconds: u64) -> SendQueue<u32> {
        let queue = SendQueue::new(Duration::from_millis(milliseconds));
        queue.connect();
        assert!(queue.wants_idr() && !queue.wants_idr());
        queue
    }

    fn video(number: u32, sync: bool) -> Packet<u32> {
        Packet { track: Track::Video, sync, time: i64::from(number) * 40_000, data: number }
    }

    fn audio(number: u32) -> Packet<u32> {
        Packet { track: Track::Audio, sync: true, time: i64::from(number) * 20_000, data: number }
    }

    fn drain(queue: &SendQueue<u32>) -> Vec<(Track, u32)> {
        let items = std::iter::from_fn(|| queue.try_next());
        items
            .filter_map(|item| match item {
                Media::Packet(packet) => Some((packet.track, packet.data)),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn a_connection_begins_with_metadata_configurations_and_an_idr_picture() {
        let queue = SendQueue::new(Duration::from_secs(1));
        queue.set_configuration(Track::Audio, &[1]);
        queue.set_configuration(Track::Video, &[2]);
        queue.set_metadata(&Metadata::default());
        queue.push(video(0, true));
        queue.push(video(9, false));
        queue.connect();
        assert!(queue.wants_idr());
        queue.push(video(1, false));
        queue.push(audio(2));
        queue.push(video(2, true));
        let items: Vec<_> = std::iter::from_fn(|| queue.try_next()).collect();
        assert!(matches!(
            &items[..],
            [
                Media::Metadata(_),
                Media::Configuration(Track::Video, _),
                Media::Configuration(Track::Audio, _),
                Media::Packet(Packet { track: Track::Audio, .. }),
                Media::Packet(Packet { track: Track::Video, data: 2, .. }),
            ]
        ));
    }

    #[test]
    fn an_idr_picture_that_was_under_way_is_not_asked_for() {
        let queue = SendQueue::new(Duration::from_secs(1));
        queue.connect();
        queue.push(video(0, true));
        assert!(!queue.wants_idr());
        assert_eq!(drain(&queue), [(Track::Video, 0)]);
    }

    #[test]
    fn a_configuration_goes_out_again_only_when_it_changes() {
        let queue = queue(1000);
        for configuration in [[1], [1], [2]] {
            queue.set_configuration(Track::Video, &configuration);
        }
        let sent: Vec<_> = std::iter::from_fn(|| queue.try_next()).collect();
        assert!(
            matches!(&sent[..], [Media::Configuration(_, a), Media::Configuration(_, b)] if **a == [1] && **b == [2])
        );
    }

    #[test]
    fn a_group_that_has_just_begun_waits_for_its_connection() {
        let queue = SendQueue::new(Duration::from_secs(1));
        queue.set_configuration(Track::Video, &[2]);
        for packet in [audio(0), video(1, false), video(2, true), audio(5), video(3, false)] {
            queue.push(packet);
        }
        queue.connect();
        assert!(!queue.wants_idr());
        queue.push(video(4, false));
        assert!(matches!(queue.try_next(), Some(Media::Configuration(Track::Video, _))));
        let expected = [(Track::Video, 2), (Track::Audio, 5), (Track::Video, 3), (Track::Video, 4)];
        assert_eq!(drain(&queue), expected);
        queue.disconnect();
        queue.push(video(5, false));
        queue.connect();
        assert!(queue.wants_idr() && drain(&queue).is_empty());
    }

    #[test]
    fn a_full_queue_drops_pictures_and_asks_for_an_idr_picture() {
        let queue = queue(400);
        for number in 0..11 {
            queue.push(video(number, number == 0));
            queue.push(audio(2 * number));
        }
        assert!(!queue.wants_idr());
        queue.push(video(11, false));
        assert!(queue.wants_idr());
        queue.push(video(12, false));
        queue.push(video(13, true));
        let left = drain(&queue);
        let pictures: Vec<u32> =
            left.iter().filter(|(track, _)| *track == Track::Video).map(|(_, n)| *n).collect();
        assert_eq!(pictures, [13]);
        assert_eq!(queue.dropped().video, 13);
        assert!(
            left.iter().filter(|(track, _)| *track == Track::Audio).count() >= 5,
            "sound goes last: {left:?}"
        );
    }

    #[test]
    fn an_idr_picture_that_waits_already_is_where_the_stream_resumes() {
        let queue = queue(400);
        for number in 0..12 {
            queue.push(video(number, number % 8 == 0));
        }
        assert_eq!(drain(&queue).first(), Some(&(Track::Video, 8)));
        assert!(!queue.wants_idr());
    }

    proptest! {
        /// Whatever is pushed, no picture goes out whose group lost an earlier one, and the bound holds.
        #[test]
        fn no_picture_goes_out_without_those_it_refers_to(pushes in prop::collection::vec((any::<bool>(), 0_u8..8, 0_u8..3), 1..400)) {
            let queue = queue(500);
            let (mut number, mut time, mut next) = (0_u32, 0_i64, None);
            for (is_video, sync, takes) in pushes {
                time += 33_000;
                let track = if is_video { Track::Video } else { Track::Audio };
                let sync = !is_video || sync == 0;
                if is_video {
                    number += 1;
                }
                // The lowest bit tells an IDR picture.
                queue.push(Packet { track, sync, time, data: number << 1 | u32::from(sync) });
                prop_assert!(queue.queued() <= Duration::from_millis(500));
                for _ in 0..takes {
                    if let Some(Media::Packet(Packet { track: Track::Video, data, .. })) = queue.try_next() {
                        prop_assert!(data & 1 == 1 || next == Some(data >> 1), "picture {} after a gap", data >> 1);
                        next = Some((data >> 1) + 1);
                    }
                }
            }
        }
    }
}
