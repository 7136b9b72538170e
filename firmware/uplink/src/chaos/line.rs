//! A line in memory, which can be cut and frozen.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

/// Bytes under way in one direction.
const CAPACITY: usize = 16 << 10;

/// One end of a line.
pub(crate) struct Line {
    pub(super) shared: Arc<Shared>,
    side: usize,
}

#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
pub(super) struct State {
    /// By the side that writes.
    pipes: [VecDeque<u8>; 2],
    closed: [bool; 2],
    pub(super) is_reset: bool,
    pub(super) is_frozen: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_waiters();
    }

    async fn until(&self, holds: impl Fn(&State) -> bool) -> io::Result<()> {
        while !holds(&self.lock()) {
            self.changed.notified().await;
        }
        Ok(())
    }
}

impl Line {
    pub(super) fn pair() -> [Self; 2] {
        let shared = Arc::<Shared>::default();
        [0, 1].map(|side| Self { shared: Arc::clone(&shared), side })
    }

    pub(crate) async fn readable(&self) -> io::Result<()> {
        let from = 1 - self.side;
        let holds = |state: &State| {
            state.is_reset || (!state.is_frozen && (!state.pipes[from].is_empty() || state.closed[from]))
        };
        self.shared.until(holds).await
    }

    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.shared.until(|state| state.is_reset || state.pipes[self.side].len() < CAPACITY).await
    }

    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let (mut count, from) = (0, 1 - self.side);
        self.shared.change(|state| {
            if !state.is_frozen {
                count = state.pipes[from].len().min(buffer.len());
                for (to, byte) in buffer.iter_mut().zip(state.pipes[from].drain(..count)) {
                    *to = byte;
                }
            }
        });
        let state = self.shared.lock();
        match count {
            0 if state.is_reset => Err(io::ErrorKind::ConnectionReset.into()),
            0 if state.is_frozen || !state.closed[from] => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }

    pub(crate) fn try_write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut count = 0;
        self.shared.change(|state| {
            for piece in pieces {
                let room = CAPACITY - state.pipes[self.side].len();
                let part = &piece[..piece.len().min(room)];
                state.pipes[self.side].extend(part);
                count += part.len();
            }
        });
        match count {
            _ if self.shared.lock().is_reset => Err(io::ErrorKind::ConnectionReset.into()),
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }

    pub(crate) fn close(&self) {
        self.shared.change(|state| state.closed[self.side] = true);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.close();
    }
}
