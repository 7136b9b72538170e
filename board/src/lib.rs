//! The hardware of a camera box: the only code that opens a device.
//!
//! A [`Board`] file names the devices; [`open_camera`], [`open_microphone`] and [`open_encoder`] open what it names,
//! real or simulated.

mod config;
mod file;
mod openh264;
mod sim;

use media::{Camera, EncodeError, EncoderSettings, Microphone, PixelFormat, VideoEncoder};

pub use config::{
    AlsaSource, Board, BoardError, CameraConfig, CameraSource, FileCamera, MicrophoneConfig, MicrophoneSource,
    MountRotation, Position, SimCamera, SimMicrophone, V4l2Source,
};
pub use openh264::OpenH264;
