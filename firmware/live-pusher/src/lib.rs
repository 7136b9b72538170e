//! The model of the live pusher: what its properties mean. Pure: no I/O, no clock, no threads.
//!
//! Section numbers are those of the live pusher's specification.

mod code;
mod machine;
mod network;
mod options;
mod properties;
mod size;

pub use code::{Code, Failure};
pub use machine::{
    Action, CallId, ConnectionId, Device, DeviceEvent, Hardware, Input, MAX_ZOOM, Machine, Media, Method,
    MusicCommand, MusicEvent, NetworkEvent, Output, Reason, Reasons, Reply, SnapshotQuality, State, Status,
    Time, Voice, WindowEvent,
};
pub use network::{Congestion, Quality, Sample};
pub use options::{AdaptResolution, DegradedStart, Options, PreviewFit, Profile};
pub use properties::{
    Aspect, AudioQuality, BeautyStyle, DefaultValue, DevicePosition, Filter, Kbps, Kind, LocalMirror, Mode,
    Orientation, Outcome, Properties, Property, Refusal, Rounding, Store, TABLE, Transition, VolumeType,
    schema,
};
pub use size::Size;
