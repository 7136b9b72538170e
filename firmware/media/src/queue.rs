use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A bounded queue between two threads that drops its oldest item when it is full, and counts the drop:
/// for live media, where the newest is worth more.
pub struct DropOldest<T> {
    state: Mutex<State<T>>,
    ready: Condvar,
    capacity: usize,
    dropped: AtomicU64,
}

struct State<T> {
    items: VecDeque<T>,
    closed: bool,
}

/// What [`DropOldest::pop`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Popped<T> {
    Item(T),
    /// Nothing came within the time.
    Empty,
    /// The queue was closed and is drained.
    Closed,
}

impl<T> DropOldest<T> {
    pub fn new(capacity: usize) -> Self {
        let state = State { items: VecDeque::with_capacity(capacity + 1), closed: false };
        Self { state: Mutex::new(state), ready: Condvar::new(), capacity, dropped: AtomicU64::new(0) }
    }

    /// Appends `item`. Items pushed after `close` are dropped.
    pub fn push(&self, item: T) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        state.items.push_back(item);
        let oldest = (state.items.len() > self.capacity).then(|| state.items.pop_front()).flatten();
        drop(state);
        self.ready.notify_one();
        if oldest.is_some() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes the oldest item, waiting up to `limit` for one.
    pub fn pop(&self, limit: Duration) -> Popped<T> {
        let (mut state, _) = self
            .ready
            .wait_timeout_while(self.lock(), limit, |state| state.items.is_empty() && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        match state.items.pop_front() {
            Some(item) => Popped::Item(item),
            None if state.closed => Popped::Closed,
            None => Popped::Empty,
        }
    }

    /// Ends the queue: what is in it can still be taken.
    pub fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_all();
    }

    /// Items dropped because the queue was full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(1);

    #[test]
    fn a_full_queue_drops_its_oldest_and_counts_it() {
        let queue = DropOldest::new(2);
        for item in 0..5 {
            queue.push(item);
        }
        assert_eq!(queue.dropped(), 3);
        assert_eq!(queue.pop(SOON), Popped::Item(3));
        assert_eq!(queue.pop(SOON), Popped::Item(4));
        assert_eq!(queue.pop(SOON), Popped::Empty);
    }

    #[test]
    fn a_closed_queue_is_drained_first() {
        let queue = DropOldest::new(2);
        queue.push(1);
        queue.close();
        queue.push(2);
        assert_eq!(queue.pop(SOON), Popped::Item(1));
        assert_eq!(queue.pop(SOON), Popped::Closed);
    }

    #[test]
    fn a_waiting_thread_is_woken() {
        let queue = DropOldest::new(2);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| queue.pop(Duration::from_secs(10)));
            queue.push(7);
            assert_eq!(waiter.join().unwrap(), Popped::Item(7));
        });
    }
}
