//! The board file: which devices a box has and how they are mounted.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::camera_config::{CameraConfig, Position};
use crate::encoder_config::{EncoderConfig, SoftwareEncoderConfig};
use crate::inputs::ButtonConfig;
use crate::panel::{OledConfig, ScreenConfig, SimDisplayConfig, TftConfig};
use crate::toml_file::{ConfigError, read_toml};

/// One board, as described by a file in `board/boards/`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Board {
    /// What the board is called in reports.
    pub name: String,
    #[serde(default, rename = "camera")]
    pub cameras: Vec<CameraConfig>,
    pub microphone: Option<MicrophoneConfig>,
    /// Tried in this order; software where there is none.
    #[serde(default, rename = "encoder")]
    pub encoders: Vec<EncoderConfig>,
    #[serde(default)]
    pub buttons: BTreeMap<String, ButtonConfig>,
    pub privacy_switch: Option<LineConfig>,
    #[serde(default)]
    pub lamps: LampsConfig,
    pub torch: Option<TorchConfig>,
    pub oled: Option<OledConfig>,
    pub tft: Option<TftConfig>,
    pub screen: Option<ScreenConfig>,
    pub sim_display: Option<SimDisplayConfig>,
    /// A second serial line, for provisioning.
    pub serial_line: Option<SerialLineConfig>,
    pub flash: Option<FlashConfig>,
    pub watchdog: Option<WatchdogConfig>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MicrophoneConfig {
    pub source: MicrophoneSource,
}

impl MicrophoneConfig {
    /// What it is opened by.
    pub fn device(&self) -> &str {
        match &self.source {
            MicrophoneSource::Alsa(source) => &source.device,
            MicrophoneSource::Sim(_) => "simulated",
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MicrophoneSource {
    Alsa(AlsaSource),
    Sim(SimMicrophone),
}

/// A capture PCM of ALSA.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlsaSource {
    /// `hw:CARD=name,DEV=0`, or `plughw:…` where ALSA is to convert.
    pub device: String,
}

/// The test sound of [`media::mark`], in real time.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimMicrophone {
    #[serde(default = "default_sound_rate")]
    pub rate: u32,
    /// By how much its clock is fast, in millionths.
    #[serde(default)]
    pub ppm: f64,
}

/// A GPIO line, by its name in the device tree (`gpioinfo`).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LineConfig {
    pub line: String,
    /// Pressed, closed or lit at low level.
    #[serde(default)]
    pub active_low: bool,
}

/// Indicators (spec section 1.1).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LampsConfig {
    /// Lit while a sensor delivers pictures.
    pub camera: Option<LineConfig>,
    /// Lit while a session stands, blinking while it connects.
    pub on_air: Option<LineConfig>,
}

/// A lamp that lights what a camera sees (spec section 12.9).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TorchConfig {
    pub source: TorchSource,
    /// Whose pictures it lights: the only camera, or else the one at the back where the file says nothing.
    pub camera: Option<Position>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum TorchSource {
    Line(LineConfig),
    /// A name in /sys/class/leds.
    Led(String),
    /// A V4L2 sub-device with flash controls.
    Flash(PathBuf),
}

impl fmt::Display for TorchSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {}", line.line),
            Self::Led(name) => write!(f, "LED {name}"),
            Self::Flash(device) => write!(f, "{}", device.display()),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SerialLineConfig {
    pub device: PathBuf,
    /// Bits a second; 8 bits, no parity, one stop bit.
    #[serde(default = "default_baud")]
    pub baud: u32,
}

/// Where settings are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlashConfig {
    pub folder: PathBuf,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchdogConfig {
    pub device: PathBuf,
}

const fn default_baud() -> u32 {
    115_200
}

const fn default_sound_rate() -> u32 {
    48_000
}

impl Board {
    /// Reads a board file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let board: Self = read_toml("board file", path)?;
        let invalid = |message| ConfigError::Invalid {
            what: "board file",
            path: path.to_owned(),
            place: String::new(),
            message,
        };
        board.check().map_err(invalid)?;
        Ok(board)
    }

    /// The encoders in the order in which they are tried.
    pub fn encoders(&self) -> Vec<EncoderConfig> {
        if self.encoders.is_empty() {
            return vec![EncoderConfig::Software(SoftwareEncoderConfig::default())];
        }
        self.encoders.clone()
    }

    /// The camera at `position`, or the only one.
    pub fn camera(&self, position: Position) -> Option<&CameraConfig> {
        self.cameras.iter().find(|camera| camera.position == position).or(match self.cameras.as_slice() {
            [only] => Some(only),
            _ => None,
        })
    }

    /// The camera whose pictures the torch lights.
    pub fn torch_camera(&self) -> Option<Position> {
        let wanted = self.torch.as_ref()?.camera.unwrap_or(Position::Back);
        self.camera(wanted).map(|camera| camera.position)
    }

    fn check(&self) -> Result<(), String> {
        if let Some(position) = self.torch.as_ref().and_then(|torch| torch.camera)
            && !self.cameras.iter().any(|camera| camera.position == position)
        {
            return Err(format!(
                "torch: camera = {position}: there is no such camera: give the position of one"
            ));
        }
        for (i, camera) in self.cameras.iter().enumerate() {
            camera.check().map_err(|error| format!("camera {i}: {error}"))?;
            if self.cameras[..i].iter().any(|other| other.position == camera.position) {
                return Err(format!(
                    "camera {i}: position is taken by another camera: give front to one, back to one"
                ));
            }
        }
        self.encoders.iter().try_for_each(EncoderConfig::check)?;
        if let Some(MicrophoneConfig { source: MicrophoneSource::Sim(sim) }) = self.microphone {
            if !(8_000..=192_000).contains(&sim.rate) {
                return Err(format!("microphone: rate = {}: give 8000 to 192000 Hz", sim.rate));
            }
            if !(-1000.0..=1000.0).contains(&sim.ppm) {
                return Err(format!("microphone: ppm = {}: give -1000 to 1000", sim.ppm));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RockchipMppConfig;

    fn read(text: &str) -> Result<Board, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Board::read(file.path())
            .map_err(|error| error.to_string().replace(&file.path().display().to_string(), "FILE"))
    }

    #[test]
    fn every_board_file_of_the_tree_is_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("boards");
        let boards: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!boards.is_empty());
        for path in boards {
            Board::read(&path).unwrap();
        }
    }

    #[test]
    fn errors_name_file_line_key_and_remedy() {
        let cases = [
            ("name = 1", "board file FILE, line 1, name: invalid type: integer `1`, expected a string"),
            (
                "name = 'x'\n[[camera]]\nposition = 'left'\nsource.sim = {}",
                "board file FILE, line 3, position: unknown variant `left`, expected `front` or `back`",
            ),
            (
                "name = 'x'\n[[camera]]\nposition = 'front'\nmount-rotation = 45\nsource.sim = {}",
                "board file FILE, line 4, mount-rotation: 45 is no mounting angle: give 0, 90, 180 or 270",
            ),
            (
                "name = 'x'\n[[camera]]\nposition = 'front'\nsource.sim = { width = 5 }",
                "board file FILE: camera 0: width = 5: give an even number from 96 to 8192",
            ),
            (
                "name = 'x'\n[[encoder]]\nv4l2 = { device = '/dev/video11', latency = 99 }",
                "board file FILE: encoder /dev/video11: latency = 99: give 0 to 8 pictures",
            ),
        ];
        let buttons = [
            ("{ key = 'KEY_CAMERA' }", "give line (and active-low), or key and device"),
            (
                "{ line = 'a', key = 'KEY_CAMERA', device = 'b' }",
                "give line (and active-low), or key and device",
            ),
            (
                "{ key = 'KEY_CAMRA', device = 'keypad' }",
                "there is no key KEY_CAMRA: give a name of linux/input-event-codes.h, as KEY_CAMERA",
            ),
        ];
        for (button, message) in buttons {
            let wrong = read(&format!("name = 'x'\n[buttons]\ncamera = {button}")).unwrap_err();
            assert_eq!(wrong, format!("board file FILE, line 3, camera: {message}"));
        }
        for (text, message) in cases {
            assert_eq!(read(text).unwrap_err(), message);
        }
    }

    #[test]
    fn an_encoder_has_its_quirks_from_the_file() {
        let text = "name = 'x'\n[[encoder]]\nv4l2 = { device = '/dev/video11', min-bitrate = 100000, latency = 1, \
                    bitrate-change = 'reopen', max-size = [1920, 1080] }";
        let EncoderConfig::V4l2(config) = &read(text).unwrap().encoders()[0] else {
            panic!("another encoder")
        };
        assert_eq!((config.min_bitrate, config.latency), (100_000, 1));
        assert_eq!(config.bitrate_change, crate::BitrateChange::Reopen);
        assert!(config.takes(1920, 1080) && config.takes(1080, 1920) && !config.takes(1920, 1088));
    }

    #[test]
    fn encoders_are_tried_in_the_file_s_order_and_software_where_it_names_none() {
        let software = EncoderConfig::Software(SoftwareEncoderConfig::default());
        assert_eq!(read("name = 'x'").unwrap().encoders(), vec![software.clone()]);
        let text = "name = 'x'\n[[encoder]]\nrockchip-mpp = { min-bitrate = 300000, max-size = [1920, 1080] }\n[[encoder]]\nsoftware = {}";
        let rockchip = EncoderConfig::RockchipMpp(RockchipMppConfig {
            min_bitrate: 300_000,
            max_size: Some([1920, 1080]),
        });
        assert_eq!(read(text).unwrap().encoders(), [rockchip, software]);
    }

    #[test]
    fn the_torch_lights_what_a_lone_camera_sees_or_the_one_at_the_back() {
        let board = |positions: &[&str], torch: &str| {
            let camera = |position| format!("[[camera]]\nposition = '{position}'\nsource.sim = {{}}\n");
            let cameras: String = positions.iter().map(camera).collect();
            read(&format!("name = 'x'\n{cameras}[torch]\nsource.led = 'torch'\n{torch}"))
        };
        let lights = |positions, torch| board(positions, torch).unwrap().torch_camera();
        assert_eq!(lights(&["front"], ""), Some(Position::Front));
        assert_eq!(lights(&["back"], ""), Some(Position::Back));
        assert_eq!(lights(&["front", "back"], ""), Some(Position::Back));
        assert_eq!(lights(&["front", "back"], "camera = 'front'"), Some(Position::Front));
        assert_eq!(
            board(&["front"], "camera = 'back'").unwrap_err(),
            "board file FILE: torch: camera = back: there is no such camera: give the position of one"
        );
    }

    #[test]
    fn a_lone_camera_serves_both_positions() {
        let board =
            read("name = 'x'\n[[camera]]\nposition = 'back'\nsource.v4l2 = { device = '/dev/video0' }")
                .unwrap();
        assert_eq!(board.camera(Position::Front).unwrap().position, Position::Back);
    }
}
