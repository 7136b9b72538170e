//! The hardware of a camera box: the only code that opens a device.
//!
//! A [`Board`] file names the devices; [`open_camera`], [`open_microphone`] and [`open_encoder`] open what it names,
//! real or simulated.

mod config;
mod error;
mod file;
mod openh264;
mod passthrough;
mod sim;

use media::{Camera, EncodeError, EncoderSettings, Microphone, PixelFormat, VideoEncoder};

pub use config::{
    AlsaSource, Board, BoardError, CameraConfig, CameraSource, FileCamera, MicrophoneConfig, MicrophoneSource,
    MountRotation, Position, SimCamera, SimMicrophone, V4l2Source,
};
pub use error::OpenError;
pub use openh264::OpenH264;

/// Opens a camera and starts it.
pub fn open_camera(config: &CameraConfig) -> Result<Box<dyn Camera>, OpenError> {
    Ok(match &config.source {
        CameraSource::V4l2(source) => todo!(),
        CameraSource::Sim(sim) => Box::new(sim::SimulatedCamera::new(sim)),
        CameraSource::File(file) => Box::new(file::FilePictures::open(file)?),
    })
}

/// Opens a microphone and starts it. It may deliver another rate than `rate`, in Hz.
pub fn open_microphone(config: &MicrophoneConfig, rate: u32) -> Result<Box<dyn Microphone>, OpenError> {
    Ok(match &config.source {
        MicrophoneSource::Alsa(source) => todo!(),
        MicrophoneSource::Sim(sim) => Box::new(sim::SimulatedMicrophone::new(*sim)),
    })
}

/// Opens an encoder for pictures that the camera delivers as `pixels`.
pub fn open_encoder(pixels: PixelFormat, settings: EncoderSettings) -> Result<Box<dyn VideoEncoder>, EncodeError> {
    Ok(match pixels {
        PixelFormat::H264 => Box::new(passthrough::Passthrough),
        _ => Box::new(OpenH264::new(settings)?),
    })
}
