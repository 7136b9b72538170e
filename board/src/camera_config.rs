//! The cameras of the board file, and what a sensor's mounting does to pictures.

use std::fmt;
use std::path::PathBuf;

use media::PixelFormat;
use serde::Deserialize;

/// Which way a camera looks (spec section 1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Position {
    Front,
    Back,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Front => "front",
            Self::Back => "back",
        })
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CameraConfig {
    pub position: Position,
    pub source: CameraSource,
    /// Degrees clockwise by which its pictures are turned to stand upright: 0, 90, 180 or 270.
    #[serde(default)]
    pub mount_rotation: MountRotation,
}

impl CameraConfig {
    /// What it is opened by.
    pub fn device(&self) -> String {
        match &self.source {
            CameraSource::V4l2(source) => source.device.display().to_string(),
            CameraSource::Sim(_) => "simulated".into(),
            CameraSource::File(file) => file.path.display().to_string(),
        }
    }

    /// Width, height and pictures a second that it is asked for.
    pub fn format(&self) -> (u32, u32, u32) {
        match &self.source {
            CameraSource::V4l2(V4l2Source { width, height, rate, .. })
            | CameraSource::Sim(SimCamera { width, height, rate, .. })
            | CameraSource::File(FileCamera { width, height, rate, .. }) => (*width, *height, *rate),
        }
    }

    /// Whether it encodes by itself.
    pub fn encodes(&self) -> bool {
        matches!(&self.source, CameraSource::File(FileCamera { pixels: PixelFormat::H264, .. }))
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        let (width, height, rate) = self.format();
        for (key, value) in [("width", width), ("height", height)] {
            if !(96..=8192).contains(&value) || value % 2 != 0 {
                return Err(format!("{key} = {value}: give an even number from 96 to 8192"));
            }
        }
        if !(1..=240).contains(&rate) {
            return Err(format!("rate = {rate}: give 1 to 240 pictures a second"));
        }
        match &self.source {
            CameraSource::Sim(SimCamera {
                pixels: pixels @ (PixelFormat::Mjpeg | PixelFormat::H264),
                ..
            }) => Err(format!("pixels: {pixels} is not drawn: give nv12, nv21, i420 or yuyv")),
            _ => Ok(()),
        }
    }
}

/// Degrees clockwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u16")]
pub struct MountRotation(u16);

impl MountRotation {
    pub fn quarter_turns(self) -> u8 {
        (self.0 / 90) as u8
    }
}

impl TryFrom<u16> for MountRotation {
    type Error = String;

    fn try_from(degrees: u16) -> Result<Self, String> {
        match degrees {
            0 | 90 | 180 | 270 => Ok(Self(degrees)),
            _ => Err(format!("{degrees} is no mounting angle: give 0, 90, 180 or 270")),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CameraSource {
    V4l2(V4l2Source),
    Sim(SimCamera),
    File(FileCamera),
}

/// A camera of the kernel's V4L2 interface.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct V4l2Source {
    /// Its node, best a stable name below `/dev/v4l`.
    pub device: PathBuf,
    /// Size and rate to ask the sensor for. The driver may offer another.
    #[serde(default = "default_width")]
    pub width: u32,
    #[serde(default = "default_height")]
    pub height: u32,
    #[serde(default = "default_rate")]
    pub rate: u32,
}

/// A drawn picture that carries a mark ([`media::mark`]), in real time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimCamera {
    #[serde(default = "default_width")]
    pub width: u32,
    #[serde(default = "default_height")]
    pub height: u32,
    #[serde(default = "default_rate")]
    pub rate: u32,
    #[serde(default = "default_pixels", deserialize_with = "pixels")]
    pub pixels: PixelFormat,
}

/// Pictures from a file or a named pipe: raw ones one after another, or an H.264 byte stream (Annex B).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileCamera {
    pub path: PathBuf,
    pub width: u32,
    pub height: u32,
    pub rate: u32,
    #[serde(deserialize_with = "pixels")]
    pub pixels: PixelFormat,
    /// Begin again at the end, until stopped.
    #[serde(default, rename = "loop")]
    pub endless: bool,
}

const fn default_width() -> u32 {
    1280
}

const fn default_height() -> u32 {
    720
}

const fn default_rate() -> u32 {
    30
}

const fn default_pixels() -> PixelFormat {
    PixelFormat::Nv12
}

fn pixels<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<PixelFormat, D::Error> {
    let name = String::deserialize(deserializer)?;
    match name.as_str() {
        "nv12" => Ok(PixelFormat::Nv12),
        "nv21" => Ok(PixelFormat::Nv21),
        "i420" => Ok(PixelFormat::I420),
        "yuyv" => Ok(PixelFormat::Yuyv),
        "mjpeg" => Ok(PixelFormat::Mjpeg),
        "h264" => Ok(PixelFormat::H264),
        _ => {
            let known = &["nv12", "nv21", "i420", "yuyv", "mjpeg", "h264"];
            Err(serde::de::Error::unknown_variant(&name, known))
        }
    }
}
