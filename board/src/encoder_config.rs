//! The encoders of the board file.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

/// A camera gives as many buffers more as its encoder keeps pictures.
const MAX_LATENCY: usize = 8;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncoderConfig {
    V4l2(V4l2EncoderConfig),
    RockchipMpp(RockchipMppConfig),
    Vaapi(VaapiConfig),
    X264(X264Config),
    Software(SoftwareEncoderConfig),
}

/// A memory-to-memory encoder of the kernel's V4L2 interface, and its quirks.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct V4l2EncoderConfig {
    /// Its node, best a stable name below `/dev/v4l`.
    pub device: PathBuf,
    /// Other than H.264 for tests of the protocol only.
    #[serde(default)]
    pub codec: Codec,
    /// Bits a second below which it does not work well.
    #[serde(default)]
    pub min_bitrate: u32,
    /// Pictures that it keeps until later ones come.
    #[serde(default)]
    pub latency: usize,
    /// What it takes to change the bitrate.
    #[serde(default)]
    pub bitrate_change: BitrateChange,
    /// The long and the short side of the largest picture that it encodes, where its driver takes larger ones.
    pub max_size: Option<[u32; 2]>,
}

impl V4l2EncoderConfig {
    pub(crate) fn takes(&self, width: u32, height: u32) -> bool {
        is_within(self.max_size, width, height)
    }
}

fn is_within(max_size: Option<[u32; 2]>, width: u32, height: u32) -> bool {
    max_size.is_none_or(|[long, short]| width.max(height) <= long && width.min(height) <= short)
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BitrateChange {
    /// It is told while it runs, or with its coded pictures stopped where it wants that.
    #[default]
    Running,
    /// It takes what it is told and goes on as before until it is opened anew.
    Reopen,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Codec {
    #[default]
    H264,
    /// Fast Walsh Hadamard Transform, of the kernel's vicodec.
    Fwht,
}

/// Rockchip's Media Process Platform, and its quirks. It is there in programs that were built with feature `rkmpp`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RockchipMppConfig {
    /// Bits a second below which it does not work well.
    #[serde(default)]
    pub min_bitrate: u32,
    /// The long and the short side of the largest picture that the hardware encodes: the library does not know it.
    pub max_size: Option<[u32; 2]>,
}

impl RockchipMppConfig {
    #[cfg(feature = "rkmpp")]
    pub(crate) fn takes(&self, width: u32, height: u32) -> bool {
        is_within(self.max_size, width, height)
    }
}

/// The Video Acceleration API of x86's graphics. It is there in programs that were built with feature `vaapi`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaapiConfig {
    /// Its render node: `/dev/dri/renderD128`, or a stable name below `/dev/dri/by-path`.
    pub device: PathBuf,
}

/// x264, on the processor's cores. It is there in programs that were built with feature `gpl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct X264Config {}

/// OpenH264, on the processor's cores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoftwareEncoderConfig {}

impl EncoderConfig {
    pub fn is_hardware(&self) -> bool {
        !matches!(self, Self::Software(_) | Self::X264(_))
    }

    /// Pictures that it keeps until later ones come.
    pub(crate) fn latency(&self) -> usize {
        if let Self::V4l2(config) = self { config.latency } else { 0 }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        let latency = self.latency();
        if latency > MAX_LATENCY {
            return Err(format!("{self}: latency = {latency}: give 0 to {MAX_LATENCY} pictures"));
        }
        Ok(())
    }
}

impl fmt::Display for EncoderConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4l2(config) => write!(f, "encoder {}", config.device.display()),
            Self::RockchipMpp(_) => f.write_str("encoder Rockchip MPP"),
            Self::Vaapi(config) => write!(f, "encoder VA-API {}", config.device.display()),
            Self::X264(_) => f.write_str("encoder x264"),
            Self::Software(_) => f.write_str("encoder OpenH264"),
        }
    }
}
