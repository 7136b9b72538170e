//! A driver of libva in software, for tests: OpenH264 encodes what is put in, every object is counted, and it fails on
//! command. libva itself is the real one: it opens the driver, checks its table and calls it.
//!
//! Slices are written by the parameter buffers, while parameter sets are those of the packed headers: a stream can be
//! decoded only where both agree. Numbers of objects are never used twice, so that one that was destroyed is told from one
//! that lives: such a call is noted in [`Session::misuses`], as is whatever hardware would answer with a wrong picture.

mod bits;
mod display;
mod encode;
mod exports;
mod state;
mod surfaces;

use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

pub use display::vaGetDisplayDRM;
use state::State;

use crate::VAStatus;

/// What the driver makes of headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Headers {
    /// It takes them, as Intel's drivers do.
    #[default]
    Taken,
    /// It makes them all by itself, as Mesa's older ones do.
    Made,
    /// It makes slice headers only.
    Missing,
}

/// What kind of driver it is, and what is to go wrong from now on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub headers: Headers,
    /// There is no constant bitrate.
    pub varies: bool,
    /// It has no vaSyncBuffer.
    pub no_sync_buffer: bool,
    /// Of a surface it says that it is rendering until it was waited for, as Mesa's older ones do of those that it encodes.
    pub tells_no_status: bool,
    /// It only decodes.
    pub decodes: bool,
    /// What its initialization gives.
    pub initialize: Option<VAStatus>,
    /// What a request for a configuration gives.
    pub configure: Option<VAStatus>,
    /// What a request for a context gives.
    pub context: Option<VAStatus>,
    /// What the import of a DMA-BUF gives.
    pub import: Option<VAStatus>,
    /// What a request for surfaces of its own gives.
    pub allocate: Option<VAStatus>,
    /// What every call about pictures gives: the device is lost.
    pub lost: Option<VAStatus>,
    /// Pictures that the hardware fails on.
    pub fail: u32,
    /// How long the hardware takes over a picture.
    pub delay: Duration,
    /// A picture that went in is never done.
    pub stuck: bool,
}

/// What was asked of the driver so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub pictures: u32,
    pub idr_pictures: u32,
    /// DMA-BUFs imported.
    pub imports: u32,
    /// Surfaces of its own.
    pub surfaces: u32,
    /// Pictures that came with rates.
    pub rates: u32,
}

/// Objects that are not destroyed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Live {
    pub displays: usize,
    pub configs: usize,
    pub contexts: usize,
    pub surfaces: usize,
    pub buffers: usize,
    pub images: usize,
}

/// The rates that came last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    pub bits_per_second: u32,
    pub target_percentage: u32,
    /// Bits.
    pub buffer_size: u32,
    pub fps: u32,
}

static SESSION: Mutex<()> = Mutex::new(());
static ENVIRONMENT: Once = Once::new();

/// The driver, empty, for one test at a time.
pub struct Session {
    _alone: MutexGuard<'static, ()>,
}

/// Waits until no other test has the driver.
pub fn session() -> Session {
    let alone = SESSION.lock().unwrap_or_else(PoisonError::into_inner);
    ENVIRONMENT.call_once(|| std::env::set_var("LIBVA_DRIVERS_PATH", env!("TESTDRIVER_FOLDER")));
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

    pub fn rates(&self) -> Rates {
        state::lock().rates
    }

    /// What a real driver would have answered with an error at best.
    pub fn misuses(&self) -> Vec<String> {
        state::lock().misuses.clone()
    }
}
