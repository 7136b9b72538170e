//! The hardware of a camera box: the only code that opens a device.
//!
//! A [`Board`] file names the devices; [`open_camera`], [`open_microphone`] and [`open_encoder`] open what it names,
//! real or simulated.

mod alsa;
mod config;
mod debounce;
mod dma_buf;
mod encoder_config;
mod error;
mod file;
mod inputs;
mod keys;
mod lines;
mod openh264;
mod panel;
mod passthrough;
mod probe;
#[cfg(feature = "rkmpp")]
mod rkmpp;
mod sim;
mod toml_file;
mod torch;
mod v4l2;
#[cfg(feature = "vaapi")]
mod vaapi;
#[cfg(feature = "gpl")]
mod x264;

use media::{Camera, EncodeError, EncoderSettings, Microphone, VideoEncoder};

pub use alsa::provide_configuration as provide_alsa_configuration;
pub use config::{
    AlsaSource, Board, CameraConfig, CameraSource, FileCamera, FlashConfig, LampsConfig, LineConfig,
    MicrophoneConfig, MicrophoneSource, MountRotation, Position, SerialLineConfig, SimCamera, SimMicrophone,
    TorchConfig, TorchSource, V4l2Source, WatchdogConfig,
};
pub use encoder_config::{
    BitrateChange, Codec, EncoderConfig, RockchipMppConfig, SoftwareEncoderConfig, V4l2EncoderConfig,
    VaapiConfig, X264Config,
};
pub use error::OpenError;
pub use inputs::{ButtonConfig, Change, ChangeKind, Inputs, KeyConfig};
pub use lines::Lamp;
pub use openh264::OpenH264;
pub use panel::{
    OledConfig, OledController, Opened, Panel, Pixels, ScreenConfig, SimDisplayConfig, SteadyPanel,
    TftConfig, TftController, has_colours, panels,
};
pub use probe::{Finding, probe};
pub use toml_file::{ConfigError, read_toml, read_values};
pub use torch::Torch;

/// Opens a camera and starts it.
pub fn open_camera(config: &CameraConfig) -> Result<Box<dyn Camera>, OpenError> {
    Ok(match &config.source {
        CameraSource::V4l2(source) => Box::new(v4l2::V4l2Camera::open(source)?),
        CameraSource::Sim(sim) => Box::new(sim::SimulatedCamera::new(sim)),
        CameraSource::File(file) => Box::new(file::FilePictures::open(file)?),
    })
}

/// Opens a microphone and starts it. It may deliver another rate than `rate`, in Hz.
pub fn open_microphone(config: &MicrophoneConfig, rate: u32) -> Result<Box<dyn Microphone>, OpenError> {
    Ok(match &config.source {
        MicrophoneSource::Alsa(source) => Box::new(alsa::AlsaMicrophone::open(&source.device, rate)?),
        MicrophoneSource::Sim(sim) => Box::new(sim::SimulatedMicrophone::new(*sim)),
    })
}

/// Opens an encoder.
pub fn open_encoder(
    config: &EncoderConfig,
    settings: EncoderSettings,
) -> Result<Box<dyn VideoEncoder>, EncodeError> {
    Ok(match config {
        EncoderConfig::V4l2(config) => v4l2::open_encoder(config, settings)?,
        #[cfg(feature = "rkmpp")]
        EncoderConfig::RockchipMpp(config) => Box::new(rkmpp::RkMpp::open(*config, settings)?),
        #[cfg(feature = "vaapi")]
        EncoderConfig::Vaapi(config) => Box::new(vaapi::Vaapi::open(config, settings)?),
        #[cfg(feature = "gpl")]
        EncoderConfig::X264(_) => Box::new(x264::X264::new(settings)?),
        #[cfg(not(feature = "rkmpp"))]
        EncoderConfig::RockchipMpp(_) => return Err(left_out("Rockchip MPP", "rkmpp")),
        #[cfg(not(feature = "vaapi"))]
        EncoderConfig::Vaapi(_) => return Err(left_out("VA-API", "vaapi")),
        #[cfg(not(feature = "gpl"))]
        EncoderConfig::X264(_) => return Err(left_out("x264", "gpl")),
        EncoderConfig::Software(_) => Box::new(OpenH264::new(settings)?),
    })
}

#[cfg(not(all(feature = "rkmpp", feature = "vaapi", feature = "gpl")))]
fn left_out(encoder: &str, feature: &str) -> EncodeError {
    let cause = format!("this program was built without it (feature {feature})");
    EncodeError::Open { encoder: encoder.into(), cause }
}

/// What stands in for an encoder where the camera delivers H.264 itself.
pub fn passthrough() -> Box<dyn VideoEncoder> {
    Box::new(passthrough::Passthrough::new())
}
