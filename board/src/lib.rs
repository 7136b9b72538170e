//! The hardware of a camera box: the only code that opens a device.
//!
//! A [`Board`] file names the devices; [`open_camera`], [`open_microphone`] and [`open_encoder`] open what it names,
//! real or simulated.

mod alsa;
mod camera_config;
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

use std::cell::Cell;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use media::{Camera, EncodeError, EncoderSettings, H264Profile, Layout, Microphone, VideoEncoder};

pub use camera_config::{
    CameraConfig, CameraSource, FileCamera, MountRotation, Position, SimCamera, V4l2Source,
};
pub use config::{
    AlsaSource, Board, FlashConfig, LampsConfig, LineConfig, MicrophoneConfig, MicrophoneSource,
    SerialLineConfig, SimMicrophone, TorchConfig, TorchSource, WatchdogConfig,
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

/// How long an encoder's driver may take to tell what it takes.
const ANSWER: Duration = Duration::from_millis(300);

/// Sets what libraries read from the environment, where it is not set. To be called before any thread is started.
pub fn prepare_environment() {
    alsa::provide_configuration();
    #[cfg(feature = "rkmpp")]
    rkmpp::shorten_log();
}

/// Opens a camera and starts it. Of what it offers it delivers pictures as `encoder` takes them.
pub fn open_camera(
    config: &CameraConfig,
    encoder: Option<&EncoderConfig>,
) -> Result<Box<dyn Camera>, OpenError> {
    Ok(match &config.source {
        CameraSource::V4l2(source) => {
            // Only hardware has a driver to ask.
            let encoder = encoder.filter(|encoder| encoder.is_hardware());
            let (kept, is_mute) = (encoder.map_or(0, EncoderConfig::latency), Cell::new(false));
            let input = |layout| {
                let answer = ask(encoder.filter(|_| !is_mute.get())?.clone(), layout);
                is_mute.set(answer.is_err());
                answer.ok()?
            };
            Box::new(v4l2::V4l2Camera::open(source, kept, input)?)
        }
        CameraSource::Sim(sim) => Box::new(sim::SimulatedCamera::new(sim)),
        CameraSource::File(file) => Box::new(file::FilePictures::open(file)?),
    })
}

/// [`input_layout`], or an error where the encoder's driver does not answer: one that hangs must not hold up the camera.
fn ask(encoder: EncoderConfig, source: Layout) -> Result<Option<Layout>, RecvTimeoutError> {
    let (tell, told) = mpsc::channel();
    let ask = move || {
        let _ = tell.send(input_layout(&encoder, source));
    };
    // Without a thread nobody tells.
    let _ = thread::Builder::new().name("encoder's formats".into()).spawn(ask);
    told.recv_timeout(ANSWER)
}

/// How an encoder of hardware would have a picture that lies as `source`; `None` where that can't be told.
fn input_layout(encoder: &EncoderConfig, source: Layout) -> Option<Layout> {
    let settings = EncoderSettings { source: Some(source), ..trial_settings(source.width, source.height) };
    match encoder {
        EncoderConfig::V4l2(config) => v4l2::input_layout(config, &settings),
        #[cfg(feature = "rkmpp")]
        EncoderConfig::RockchipMpp(_) => Some(rkmpp::input_layout(&settings)),
        _ => None,
    }
}

/// For an encoder that is asked what it can do.
fn trial_settings(width: u32, height: u32) -> EncoderSettings {
    let fps = 30;
    let profile = H264Profile::Main;
    let (bitrate, vbv, gop) = (2_000_000, Duration::from_secs(1), 3 * fps);
    EncoderSettings { width, height, fps, bitrate, vbv, gop, profile, source: None }
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
