//! The functions of this crate in software, for tests: OpenH264 encodes what is put in, every object is counted, and
//! it fails on command.
//!
//! Handles are numbers that are never used twice, so that one that was released is told from one that lives: such a
//! call is noted in [`Session::misuses`], as is whatever would wait for ever or end the process with the real library.
//! A packet's memory is unmapped with its last reference.

mod config;
mod context;
mod exports;
mod state;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use state::State;

use crate::MPP_RET;

/// What is to go wrong from now on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// What `mpp_init` gives.
    pub init: Option<MPP_RET>,
    /// What [`crate::MPP_ENC_SET_CFG`] gives.
    pub configure: Option<MPP_RET>,
    /// The largest size that [`crate::MPP_ENC_SET_CFG`] takes.
    pub largest: Option<(i64, i64)>,
    /// What the import of a DMA-BUF gives.
    pub import: Option<MPP_RET>,
    /// What a request for a buffer gives.
    pub allocate: Option<MPP_RET>,
    /// Pictures that the hardware fails on: their packets are empty.
    pub fail: u32,
    /// Pictures whose packets end after three bytes.
    pub short: u32,
    /// Pictures go in and come back, packets don't come.
    pub silent: bool,
    /// A picture that went in is never done.
    pub stuck: bool,
    /// Waits at a port that end with success and without a task, as `pthread_cond_timedwait` may.
    pub spurious: u32,
    /// How long the hardware takes over a picture.
    pub delay: Duration,
}

/// What was asked of the library so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub pictures: u32,
    pub idr_pictures: u32,
    /// DMA-BUFs imported.
    pub imports: u32,
    /// Buffers that were asked for, packets' not among them.
    pub allocations: u32,
    /// [`crate::MPP_ENC_SET_CFG`].
    pub configurations: u32,
}

/// Objects that are not released.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Live {
    pub contexts: usize,
    pub frames: usize,
    pub packets: usize,
    /// Packets' and imported ones among them.
    pub buffers: usize,
    pub groups: usize,
    pub configs: usize,
}

static SESSION: Mutex<()> = Mutex::new(());

/// The library, empty, for one test at a time.
pub struct Session {
    _alone: MutexGuard<'static, ()>,
}

/// Waits until no other test has the library.
pub fn session() -> Session {
    let alone = SESSION.lock().unwrap_or_else(PoisonError::into_inner);
    *state::lock() = State::default();
    Session { _alone: alone }
}

impl Session {
    /// Changes what is to go wrong.
    pub fn faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut state::lock().faults);
    }

    pub fn counts(&self) -> Counts {
        state::lock().counts
    }

    pub fn live(&self) -> Live {
        state::lock().live()
    }

    /// What the real library would have answered with an abort, a wait without end, or a use of freed memory.
    pub fn misuses(&self) -> Vec<String> {
        state::lock().misuses.clone()
    }

    /// A value of the configuration that was set last, by its name in `rk_venc_cfg.h`.
    pub fn value(&self, name: &str) -> Option<i64> {
        state::lock().configured.as_ref().and_then(|config| config.get(name))
    }
}
