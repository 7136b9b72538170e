//! The properties of a live pusher (section 4): what may be set, what is set, and what it means.

mod kind;
mod store;
mod table;

use std::time::Duration;

use serde::Deserialize;

pub use store::{Outcome, Refusal, Store, schema};
pub use table::{Default as DefaultValue, Kind, Property, Rounding, TABLE};

/// All properties by type. A [`Store`] fills it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Properties {
    /// Where to publish (4.1).
    pub url: String,
    pub custom_effect: bool,
    pub mode: Mode,
    pub aspect: Aspect,
    pub orientation: Orientation,
    /// Pixels; `None` unless set (4.28).
    pub video_width: Option<u32>,
    pub video_height: Option<u32>,
    /// Pictures a second (4.39).
    pub fps: u32,
    pub min_bitrate: Kbps,
    pub max_bitrate: Kbps,
    pub device_position: DevicePosition,
    /// Left and right exchanged in the published picture (4.20, 4.21).
    pub mirror: bool,
    /// The same on the box's own display (4.22).
    pub local_mirror: LocalMirror,
    pub enable_camera: bool,
    pub auto_focus: bool,
    /// Whether a person may zoom at the box (4.17).
    pub zoom: bool,
    /// Path or address of the picture that is shown while paused (4.15).
    pub waiting_image: String,
    /// Its MD5 in lower case, or nothing.
    pub waiting_image_hash: String,
    pub enable_mic: bool,
    pub muted: bool,
    pub background_mute: bool,
    pub audio_quality: AudioQuality,
    pub audio_volume_type: VolumeType,
    pub enable_agc: bool,
    pub enable_ans: bool,
    /// 0 to 7 (4.23).
    pub audio_reverb_type: u8,
    /// 0 to 4 and 6 to 11 (4.33).
    pub voice_changer_type: u8,
    pub enable_video_custom_render: bool,
    /// 0 to 9, as `whiteness`.
    pub beauty: f64,
    pub whiteness: f64,
    pub beauty_style: BeautyStyle,
    pub filter: Filter,
    /// 0 to 1, as the three that follow; act with `custom_effect` only (4.34).
    pub skin_whiteness: f64,
    pub skin_smoothness: f64,
    pub face_thinness: f64,
    pub eye_bigness: f64,
    pub picture_in_picture_mode: Vec<Transition>,
    pub autopush: bool,
    /// Which of the bitrates wins where they cross (4.12).
    #[serde(skip)]
    pub minimum_came_last: bool,
}

impl Default for Properties {
    fn default() -> Self {
        Self {
            url: String::new(),
            custom_effect: false,
            mode: Mode::default(),
            aspect: Aspect::default(),
            orientation: Orientation::default(),
            video_width: None,
            video_height: None,
            fps: 15,
            min_bitrate: Kbps(200),
            max_bitrate: Kbps(1000),
            device_position: DevicePosition::default(),
            mirror: false,
            local_mirror: LocalMirror::default(),
            enable_camera: true,
            auto_focus: true,
            zoom: false,
            waiting_image: String::new(),
            waiting_image_hash: String::new(),
            enable_mic: true,
            muted: false,
            background_mute: false,
            audio_quality: AudioQuality::default(),
            audio_volume_type: VolumeType::default(),
            enable_agc: false,
            enable_ans: false,
            audio_reverb_type: 0,
            voice_changer_type: 0,
            enable_video_custom_render: false,
            beauty: 0.0,
            whiteness: 0.0,
            beauty_style: BeautyStyle::default(),
            filter: Filter::default(),
            skin_whiteness: 0.0,
            skin_smoothness: 0.0,
            face_thinness: 0.0,
            eye_bigness: 0.0,
            picture_in_picture_mode: Vec::new(),
            autopush: false,
            minimum_came_last: false,
        }
    }
}

impl Properties {
    /// The bounds of the video bitrate. Where they cross, the one written last is both (4.12).
    pub fn bitrates(&self) -> (Kbps, Kbps) {
        let Self { min_bitrate: low, max_bitrate: high, .. } = *self;
        match (low <= high, self.minimum_came_last) {
            (true, _) => (low, high),
            (false, true) => (low, low),
            (false, false) => (high, high),
        }
    }

    /// Whether the preview of that camera is mirrored (4.22).
    pub fn mirrors_preview(&self, camera: DevicePosition) -> bool {
        match self.local_mirror {
            LocalMirror::Auto => camera == DevicePosition::Front,
            LocalMirror::Enable => true,
            LocalMirror::Disable => false,
        }
    }

    /// Video target at the start of a session (4.12): the mode's nominal rate within the bounds.
    pub fn start_bitrate(&self) -> Kbps {
        let (low, high) = self.bitrates();
        self.mode.nominal().clamp(low, high)
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

    /// How much of the stream a player's buffer holds, which the encoder's rate control may neither drain nor flood (10.3).
    pub fn vbv(self) -> Duration {
        Duration::from_millis(if self == Self::Rtc { 500 } else { 1000 })
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

impl DevicePosition {
    pub fn name(self) -> &'static str {
        match self {
            Self::Front => "front",
            Self::Back => "back",
        }
    }
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Kbps(pub u32);

impl Kbps {
    /// Bits a second.
    pub fn bits(self) -> u32 {
        self.0 * 1000
    }
}

/// Whether the display shows the picture mirrored (4.22): by itself only the front camera's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LocalMirror {
    #[default]
    Auto,
    Enable,
    Disable,
}

/// Monitor path and voice processing (4.27).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeType {
    #[default]
    Auto,
    Media,
    Voicecall,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BeautyStyle {
    #[default]
    Smooth,
    Nature,
}

/// A colour transform of the whole picture (4.31).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    #[default]
    Standard,
    Pink,
    Nostalgia,
    Blues,
    Romantic,
    Cool,
    Fresher,
    Solor,
    Aestheticism,
    Whitening,
    Cerisered,
}

/// When the preview moves to a small window (4.32).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transition {
    Push,
    Pop,
}
