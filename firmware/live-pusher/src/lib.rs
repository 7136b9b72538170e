//! The model of the live pusher: what its properties mean. Pure: no I/O, no clock, no threads.
//!
//! Section numbers are those of the live pusher's specification.

mod properties;
mod size;

pub use properties::{
    Aspect, AudioQuality, BeautyStyle, DefaultValue, DevicePosition, Filter, Kbps, Kind, LocalMirror, Mode,
    Orientation, Outcome, Properties, Property, Refusal, Rounding, Store, TABLE, Transition, VolumeType,
    schema,
};
pub use size::Size;
