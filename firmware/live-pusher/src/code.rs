//! Status codes (section 7) and the codes of failed calls (section 6.3).

use std::fmt;

/// A status code that the box sends of itself; the room's codes come from a room adapter, which there is none of yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i32)]
pub enum Code {
    Connected = 1001,
    Publishing = 1002,
    CameraOpened = 1003,
    ScreenStarted = 1004,
    ResolutionChanged = 1005,
    BitrateChanged = 1006,
    FirstFrame = 1007,
    EncoderStarted = 1008,
    UplinkTooNarrow = 1101,
    Reconnecting = 1102,
    HardwareEncoderFailed = 1103,
    EncoderRestarted = 1104,
    NameNotResolved = 3001,
    ConnectFailed = 3002,
    HandshakeFailed = 3003,
    ServerRefused = 3004,
    TransferFailed = 3005,
    MicrophoneSwitched = 4998,
    MutedSwitched = 4999,
    Suspended = 5000,
    Interrupted = 5001,
    CameraForbidden = 10001,
    MicrophoneForbidden = 10002,
    MusicFailed = 10003,
    WaitingImageFailed = 10004,
    CameraFailed = -1301,
    MicrophoneFailed = -1302,
    VideoEncoderFailed = -1303,
    AudioEncoderFailed = -1304,
    SizeUnsupported = -1305,
    RateUnsupported = -1306,
    Disconnected = -1307,
    ScreenFailed = -1308,
    ScreenUnsupported = -1309,
    ScreenLost = -1310,
    MicrophoneSilent = -1311,
    ScreenChanged = -1312,
    AddressInvalid = -1313,
}

impl Code {
    pub const ALL: [Self; 38] = [
        Self::Connected,
        Self::Publishing,
        Self::CameraOpened,
        Self::ScreenStarted,
        Self::ResolutionChanged,
        Self::BitrateChanged,
        Self::FirstFrame,
        Self::EncoderStarted,
        Self::UplinkTooNarrow,
        Self::Reconnecting,
        Self::HardwareEncoderFailed,
        Self::EncoderRestarted,
        Self::NameNotResolved,
        Self::ConnectFailed,
        Self::HandshakeFailed,
        Self::ServerRefused,
        Self::TransferFailed,
        Self::MicrophoneSwitched,
        Self::MutedSwitched,
        Self::Suspended,
        Self::Interrupted,
        Self::CameraForbidden,
        Self::MicrophoneForbidden,
        Self::MusicFailed,
        Self::WaitingImageFailed,
        Self::CameraFailed,
        Self::MicrophoneFailed,
        Self::VideoEncoderFailed,
        Self::AudioEncoderFailed,
        Self::SizeUnsupported,
        Self::RateUnsupported,
        Self::Disconnected,
        Self::ScreenFailed,
        Self::ScreenUnsupported,
        Self::ScreenLost,
        Self::MicrophoneSilent,
        Self::ScreenChanged,
        Self::AddressInvalid,
    ];

    pub fn number(self) -> i32 {
        self as i32
    }

    /// The short text of the event; none for the two local notices of section 5.4.
    pub fn text(self) -> &'static str {
        match self {
            Self::Connected => "connected to the server",
            Self::Publishing => "publishing started",
            Self::CameraOpened => "camera opened",
            Self::ScreenStarted => "external source started",
            Self::ResolutionChanged => "resolution changed",
            Self::BitrateChanged => "bitrate changed",
            Self::FirstFrame => "first frame captured",
            Self::EncoderStarted => "encoder started",
            Self::UplinkTooNarrow => "the uplink is too narrow",
            Self::Reconnecting => "connection lost, reconnecting",
            Self::HardwareEncoderFailed => "hardware encoder failed, software encoder used",
            Self::EncoderRestarted => "video encoding failed, encoder restarted",
            Self::NameNotResolved => "the server's name was not resolved",
            Self::ConnectFailed => "the server can not be reached",
            Self::HandshakeFailed => "handshake with the server failed",
            Self::ServerRefused => {
                "the server refused or closed the connection: check the address and its signature"
            }
            Self::TransferFailed => "sending failed or stalled",
            Self::MicrophoneSwitched | Self::MutedSwitched => "",
            Self::Suspended => "suspended after a long pause",
            Self::Interrupted => "interrupted by another user of the devices",
            Self::CameraForbidden => "camera not permitted",
            Self::MicrophoneForbidden => "microphone not permitted",
            Self::MusicFailed => "bgm load failed",
            Self::WaitingImageFailed => "waiting image load failed",
            Self::CameraFailed => "camera failed",
            Self::MicrophoneFailed => "microphone failed",
            Self::VideoEncoderFailed => "no video encoder works",
            Self::AudioEncoderFailed => "no audio encoder works",
            Self::SizeUnsupported => "resolution not supported",
            Self::RateUnsupported => "sampling rate not supported",
            Self::Disconnected => "disconnected, all retries failed: start again",
            Self::ScreenFailed => "external source failed to start",
            Self::ScreenUnsupported => "external source not available",
            Self::ScreenLost => "external source lost",
            Self::MicrophoneSilent => "the microphone delivers no data",
            Self::ScreenChanged => "external source changed and could not be set up again",
            Self::AddressInvalid => "invalid url",
        }
    }

    /// Whether profile `wechat-strict` leaves it out (7.5).
    pub fn is_extended(self) -> bool {
        matches!(self, Self::Suspended | Self::AddressInvalid)
    }

    /// Whether an error event with the same number follows (2.3).
    pub fn is_error(self) -> bool {
        (10_001..=10_004).contains(&self.number())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number())
    }
}

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("internal error")]
    Internal,
    #[error("invalid argument: {0}")]
    InvalidArgument(&'static str),
    #[error("invalid url: {0}")]
    InvalidUrl(&'static str),
    #[error("invalid state: {0}")]
    InvalidState(&'static str),
    #[error("not supported")]
    NotSupported,
    #[error("busy")]
    Busy,
    #[error("timeout")]
    Timeout,
    #[error("device error")]
    Device,
    #[error("no live-pusher")]
    NoPusher,
}

impl Failure {
    pub fn number(self) -> i32 {
        match self {
            Self::Internal => -1,
            Self::InvalidArgument(_) | Self::InvalidUrl(_) => -2,
            Self::InvalidState(_) => -3,
            Self::NotSupported => -4,
            Self::Busy => -5,
            Self::Timeout => -6,
            Self::Device => -7,
            Self::NoPusher => -8,
        }
    }
}
