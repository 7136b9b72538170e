//! The model of the live pusher: what its properties mean. Pure: no I/O, no clock, no threads.
//!
//! Section numbers are those of the live pusher's specification.

mod properties;
mod size;

pub use properties::{Aspect, AudioQuality, DevicePosition, Kbps, Mode, Orientation, Properties};
pub use size::Size;
