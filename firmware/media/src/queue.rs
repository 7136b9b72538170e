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
    woken: bool,
}

impl<T> DropOldest<T> {
    pub fn new(capacity: usize) -> Self {
        let state = Mutex::new(State { items: VecDeque::with_capacity(capacity + 1), woken: false });
        Self { state, ready: Condvar::new(), capacity, dropped: AtomicU64::new(0) }
    }

    pub fn push(&self, item: T) {
        let mut state = self.lock();
        state.items.push_back(item);
        let oldest = (state.items.len() > self.capacity).then(|| state.items.pop_front()).flatten();
        drop(state);
        self.ready.notify_one();
        if oldest.is_some() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes the oldest item, waiting up to `limit` for one, or until woken.
    pub fn pop(&self, limit: Duration) -> Option<T> {
        let is_idle = |state: &mut State<T>| state.items.is_empty() && !state.woken;
        let waited = self.ready.wait_timeout_while(self.lock(), limit, is_idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.woken = false;
        state.items.pop_front()
    }

    /// Ends the present or the next wait: there is something else to look at.
    pub fn wake(&self) {
        self.lock().woken = true;
        self.ready.notify_one();
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
        assert_eq!(queue.pop(SOON), Some(3));
        assert_eq!(queue.pop(SOON), Some(4));
        assert_eq!(queue.pop(SOON), None);
    }

    #[test]
    fn a_wait_ends_when_woken_once() {
        let queue = DropOldest::<u8>::new(2);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| queue.pop(Duration::from_secs(60)));
            queue.wake();
            assert_eq!(waiter.join().unwrap(), None);
        });
        queue.push(1);
        assert_eq!(queue.pop(SOON), Some(1));
    }

    #[test]
    fn a_waiting_thread_is_woken() {
        let queue = DropOldest::new(2);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| queue.pop(Duration::from_secs(10)));
            queue.push(7);
            assert_eq!(waiter.join().unwrap(), Some(7));
        });
    }
}
