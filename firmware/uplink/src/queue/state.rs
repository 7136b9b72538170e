//! What waits, and what is dropped of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::{Dropped, Media, Packet, Track};

/// How long the beginning of a group waits for a connection: a few round trips, too short to be seen as a delay.
const HOLD: i64 = 300_000;

/// Enough for the longest limit at the highest rates, so that the queue never grows.
const CAPACITY: usize = 1024;

pub(super) struct State<P> {
    /// Microseconds.
    pub(super) limit: i64,
    pub(super) items: VecDeque<Media<P>>,
    pub(super) metadata: Option<Arc<[u8]>>,
    pub(super) configurations: [Option<Arc<[u8]>>; 2],
    pub(super) connected: bool,
    /// Pictures are of no use before the next IDR picture.
    pub(super) await_idr: bool,
    pub(super) wants_idr: bool,
    pub(super) dropped: Dropped,
}

impl<P> State<P> {
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            limit: limit.as_micros() as i64,
            items: VecDeque::with_capacity(CAPACITY),
            metadata: None,
            configurations: [None, None],
            connected: false,
            await_idr: true,
            wants_idr: false,
            dropped: Dropped::default(),
        }
    }

    pub(super) fn append(&mut self, item: Media<P>) {
        if self.connected {
            self.items.push_back(item);
        }
    }

    pub(super) fn waiting_metadata(&mut self) -> Option<&mut Arc<[u8]>> {
        self.items.iter_mut().find_map(|item| match item {
            Media::Metadata(body) => Some(body),
            _ => None,
        })
    }

    /// Keeps a packet for a connection that may come soon.
    pub(super) fn hold(&mut self, packet: Packet<P>) {
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

    pub(super) fn packets(&self) -> impl DoubleEndedIterator<Item = &Packet<P>> {
        self.items.iter().filter_map(|item| match item {
            Media::Packet(packet) => Some(packet),
            _ => None,
        })
    }

    pub(super) fn span(&self) -> i64 {
        let times = || self.packets().map(|packet| packet.time);
        times().max().unwrap_or(0) - times().min().unwrap_or(0)
    }

    /// Drops what is older than the limit allows: pictures by whole groups, sound packet by packet.
    pub(super) fn shorten(&mut self) {
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
