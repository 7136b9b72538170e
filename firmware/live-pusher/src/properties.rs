use serde::{Deserialize, Deserializer};

/// The properties of a live pusher (section 4) that the pipelines act on, with their defaults.
///
/// Names are those of the specification in kebab case; the same in camel case is accepted. Numbers out of their range
/// are brought to the nearest bound (section 3.1, rule 2).
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Properties {
    /// Where to publish (4.1).
    pub url: String,
    pub mode: Mode,
    pub muted: bool,
    #[serde(alias = "enableCamera")]
    pub enable_camera: bool,
    #[serde(alias = "enableMic")]
    pub enable_mic: bool,
    pub orientation: Orientation,
    pub aspect: Aspect,
    #[serde(alias = "minBitrate")]
    pub min_bitrate: Kbps,
    #[serde(alias = "maxBitrate")]
    pub max_bitrate: Kbps,
    #[serde(alias = "audioQuality")]
    pub audio_quality: AudioQuality,
    #[serde(alias = "devicePosition")]
    pub device_position: DevicePosition,
    /// Left and right exchanged in the published picture (4.20, 4.21).
    #[serde(alias = "remote-mirror", alias = "remoteMirror")]
    pub mirror: bool,
    /// Pixels; `None` unless set (4.28).
    #[serde(alias = "videoWidth", deserialize_with = "side")]
    pub video_width: Option<u32>,
    #[serde(alias = "videoHeight", deserialize_with = "side")]
    pub video_height: Option<u32>,
    /// Pictures a second (4.39).
    #[serde(deserialize_with = "fps")]
    pub fps: u32,
}

impl Default for Properties {
    fn default() -> Self {
        Self {
            url: String::new(),
            mode: Mode::default(),
            muted: false,
            enable_camera: true,
            enable_mic: true,
            orientation: Orientation::default(),
            aspect: Aspect::default(),
            min_bitrate: Kbps(200),
            max_bitrate: Kbps(1000),
            audio_quality: AudioQuality::default(),
            device_position: DevicePosition::default(),
            mirror: false,
            video_width: None,
            video_height: None,
            fps: 15,
        }
    }
}

impl Properties {
    /// Video target at the start of a session (4.12): the mode's nominal rate within the bounds.
    pub fn start_bitrate(&self) -> Kbps {
        let low = self.min_bitrate.0.min(self.max_bitrate.0);
        Kbps(self.mode.nominal().0.clamp(low, self.max_bitrate.0))
    }
}

/// Size and policy of the published picture (4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Mode {
    Qvga,
    Hvga,
    Sd,
    Hd,
    Fhd,
    #[default]
    Rtc,
}

impl Mode {
    fn nominal(self) -> Kbps {
        Kbps(match self {
            Self::Qvga => 300,
            Self::Hvga => 450,
            Self::Sd => 800,
            Self::Hd => 1200,
            Self::Fhd => 1800,
            Self::Rtc => 500,
        })
    }

    /// Whether H.264 Constrained Baseline is used, Main otherwise (10.3).
    pub fn is_baseline(self) -> bool {
        matches!(self, Self::Qvga | Self::Hvga | Self::Rtc)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Orientation {
    #[default]
    Vertical,
    Horizontal,
}

/// Width to height of the upright picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Aspect {
    #[serde(rename = "3:4")]
    ThreeToFour,
    #[default]
    #[serde(rename = "9:16")]
    NineToSixteen,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DevicePosition {
    #[default]
    Front,
    Back,
}

/// Sampling rate and bitrate of the sound (4.14).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AudioQuality {
    #[default]
    High,
    Low,
}

impl AudioQuality {
    /// Hz.
    pub fn rate(self) -> u32 {
        match self {
            Self::High => 48_000,
            Self::Low => 16_000,
        }
    }

    pub fn bitrate(self) -> Kbps {
        Kbps(match self {
            Self::High => 64,
            Self::Low => 24,
        })
    }
}

/// 1000 bits a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kbps(pub u32);

impl Kbps {
    /// Bits a second.
    pub fn bits(self) -> u32 {
        self.0 * 1000
    }
}

impl<'de> Deserialize<'de> for Kbps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        bounded(deserializer, 50.0, 20_000.0).map(Self)
    }
}

fn side<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    bounded(deserializer, 96.0, 1920.0).map(Some)
}

fn fps<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    bounded(deserializer, 1.0, 30.0)
}

/// A finite number, rounded and brought into the range.
fn bounded<'de, D: Deserializer<'de>>(deserializer: D, low: f64, high: f64) -> Result<u32, D::Error> {
    let number = f64::deserialize(deserializer)?;
    if !number.is_finite() {
        return Err(serde::de::Error::custom(format!("{number} is no number: give {low} to {high}")));
    }
    Ok(number.round().clamp(low, high) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Properties, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn nothing_given_means_the_defaults_of_table_4_0() {
        let properties = read("").unwrap();
        assert_eq!(properties, Properties::default());
        assert_eq!(
            (properties.min_bitrate, properties.max_bitrate, properties.fps),
            (Kbps(200), Kbps(1000), 15)
        );
    }

    #[test]
    fn both_spellings_write_the_same_property() {
        for text in ["max-bitrate = 2000", "maxBitrate = 2000"] {
            assert_eq!(read(text).unwrap().max_bitrate, Kbps(2000));
        }
        for text in ["mirror = true", "remote-mirror = true", "remoteMirror = true"] {
            assert!(read(text).unwrap().mirror);
        }
    }

    #[test]
    fn numbers_are_brought_into_their_range() {
        let properties = read("fps = 99\nvideo-width = 1\nmin-bitrate = 1e9\nvideo-height = 640.4").unwrap();
        assert_eq!(
            (properties.fps, properties.video_width, properties.video_height),
            (30, Some(96), Some(640))
        );
        assert_eq!(properties.min_bitrate, Kbps(20_000));
    }

    #[test]
    fn bad_values_are_refused_with_what_would_be_right() {
        assert!(
            read("mode = 'UHD'")
                .unwrap_err()
                .contains("expected one of `QVGA`, `HVGA`, `SD`, `HD`, `FHD`, `RTC`")
        );
        assert!(read("fps = nan").unwrap_err().contains("give 1 to 30"));
        assert!(read("framerate = 30").unwrap_err().contains("unknown field `framerate`"));
    }

    #[test]
    fn the_start_rate_lies_within_the_bounds() {
        let start = |mode, min, max| {
            let bounds =
                Properties { mode, min_bitrate: Kbps(min), max_bitrate: Kbps(max), ..Properties::default() };
            bounds.start_bitrate()
        };
        assert_eq!(start(Mode::Rtc, 200, 1000), Kbps(500));
        assert_eq!(start(Mode::Fhd, 200, 1000), Kbps(1000));
        assert_eq!(start(Mode::Qvga, 600, 1000), Kbps(600));
        assert_eq!(start(Mode::Fhd, 900, 700), Kbps(700));
    }
}
