//! Displays as the board file names them.

use std::fmt;
use std::num::NonZeroU16;
use std::path::PathBuf;

use serde::Deserialize;

use crate::camera_config::MountRotation;
use crate::config::LineConfig;

/// A display of 128 x 64 pixels, lit or dark, on an I2C bus.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OledConfig {
    /// The node of its I2C bus.
    pub bus: PathBuf,
    /// Seven bits: 0x3c, or 0x3d by its solder bridge.
    #[serde(default = "default_address")]
    pub address: u8,
    #[serde(default)]
    pub controller: OledController,
}

/// The SH1106 has 132 columns, of which displays show those in the middle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OledController {
    #[default]
    Ssd1306,
    Sh1106,
}

/// A display with colours on an SPI bus.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TftConfig {
    /// The node of its chip select: `/dev/spidev0.0`.
    pub device: PathBuf,
    pub controller: TftController,
    /// Tells data (active) from commands.
    pub data: LineConfig,
    pub reset: Option<LineConfig>,
    pub backlight: Option<LineConfig>,
    /// As it is made, before it is turned: at most 240 x 320.
    pub width: u16,
    pub height: u16,
    /// Degrees clockwise by which the picture is turned: 0, 90, 180 or 270.
    #[serde(default)]
    pub mount_rotation: MountRotation,
    /// IPS panels want it.
    #[serde(default)]
    pub inverted: bool,
    /// Whether its subpixels come in the order blue, green, red, as those of most ILI9341.
    #[serde(default)]
    pub bgr: bool,
    /// Where in the controller's memory the first column and row are, of panels that are smaller than it.
    #[serde(default)]
    pub offset: [u16; 2],
    /// Clock of the bus, Hz.
    #[serde(default = "default_speed")]
    pub speed: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TftController {
    St7789,
    Ili9341,
}

/// A screen of the kernel's DRM interface: HDMI, DSI.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScreenConfig {
    pub device: PathBuf,
}

/// A display with colours that nobody sees but who asks for its picture.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimDisplayConfig {
    /// Pixels.
    pub width: NonZeroU16,
    pub height: NonZeroU16,
}

impl fmt::Display for OledConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OLED {} at {:#x}", self.bus.display(), self.address)
    }
}

impl fmt::Display for TftConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TFT {}", self.device.display())
    }
}

impl fmt::Display for ScreenConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "screen {}", self.device.display())
    }
}

impl fmt::Display for SimDisplayConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "simulated display of {}x{}", self.width, self.height)
    }
}

const fn default_address() -> u8 {
    0x3c
}

/// Both controllers take it, and short wires.
const fn default_speed() -> u32 {
    32_000_000
}
