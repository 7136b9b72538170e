//! Pictures, sound and the pipelines that turn them into packets.
//!
//! This crate knows no device and no socket: cameras, microphones and encoders come in as the traits
//! [`Camera`], [`Microphone`] and [`VideoEncoder`], packets leave as plain bytes with a timestamp.

mod audio;
mod capture;
mod clock;
mod convert;
mod encode;
mod frame;
mod geometry;
mod h264;
mod level;
pub mod mark;
mod nal;
mod pace;
mod packet;
mod pool;
mod progress;
mod queue;
mod rgb;
mod scale;
mod sei;
mod sps;
pub mod still;
mod tap;
mod video;

pub use audio::{AacEncoder, AacError, AudioControl, AudioPipeline, AudioSettings, FRAME, Timeline};
pub use capture::{
    AudioBlock, AudioFormat, CAPTURE_WAIT, Camera, CaptureError, Microphone, VideoFormat, patiently,
};
pub use clock::{Timestamp, now};
pub use encode::{
    AccessUnit, AccessUnitKind, EncodeError, EncoderInput, EncoderSettings, H264Profile, VideoEncoder,
};
pub use frame::{Buffer, Frame, Layout, PixelFormat, Plane, PlaneLayout};
pub use geometry::{Geometry, GeometryError, GeometrySettings};
pub use h264::{ParameterSets, nal_units, start_codes};
pub use nal::NalWriter;
pub use packet::{Bytes, Packet, PacketSink, Payload, Track};
pub use pool::{Pool, Pooled, Recycle};
pub use queue::DropOldest;
pub use rgb::rgb;
pub use sei::{Messages, TooMany};
pub use tap::Tap;
pub use video::{PAUSED_FPS, VideoControl, VideoCounters, VideoPipeline};
