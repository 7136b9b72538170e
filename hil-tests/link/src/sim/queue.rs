use std::collections::VecDeque;

use super::Drop;

/// Something in the send queue.
#[derive(Clone, Copy)]
pub(super) struct Item {
    pub(super) captured: u64,
    pub(super) bytes: usize,
    pub(super) is_video: bool,
    pub(super) is_idr: bool,
}

pub(super) struct Queue {
    pub(super) items: VecDeque<Item>,
    drop: Drop,
    await_idr: bool,
    wants_idr: bool,
    dropped: u64,
}

impl Queue {
    pub(super) fn new(drop: Drop) -> Self {
        Self { items: VecDeque::new(), drop, await_idr: false, wants_idr: false, dropped: 0 }
    }

    pub(super) fn take_idr_wish(&mut self) -> bool {
        std::mem::take(&mut self.wants_idr)
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn bytes(&self) -> usize {
        self.items.iter().map(|item| item.bytes).sum()
    }

    pub(super) fn push(&mut self, item: Item) {
        if let Drop::New(limit) = self.drop
            && self.items.len() >= limit
        {
            self.dropped += u64::from(item.is_video);
            return;
        }
        if item.is_video && self.await_idr && !item.is_idr {
            self.dropped += 1;
            return;
        }
        self.await_idr &= !item.is_video;
        self.items.push_back(item);
        let (Drop::ToIdr(limit) | Drop::ToNextIdr(limit)) = self.drop else { return };
        if self.span(item.captured) > limit {
            let last_idr = self.items.iter().rposition(|item| item.is_idr).filter(|index| *index > 0);
            let end = last_idr.unwrap_or(self.items.len());
            let before = self.items.len();
            let mut index = 0;
            self.items.retain(|item| {
                index += 1;
                index > end || !item.is_video
            });
            self.dropped += (before - self.items.len()) as u64;
            self.await_idr = last_idr.is_none();
            self.wants_idr |= self.await_idr && matches!(self.drop, Drop::ToIdr(_));
        }
        while self.items.front().is_some_and(|item| self.newest() > item.captured + limit) {
            self.items.pop_front();
        }
    }

    fn newest(&self) -> u64 {
        self.items.back().map_or(0, |item| item.captured)
    }

    pub(super) fn span(&self, now: u64) -> u64 {
        self.items.iter().find(|item| item.is_video).map_or(0, |item| now - item.captured)
    }
}
