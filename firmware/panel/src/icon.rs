//! Pictures of a character's size, from the fonts.

use live_pusher::{Code, State};

/// The first icon's place among Unicode's private ones.
const FIRST: u32 = 0xe000;

/// In the order in which `fonts/bake` finds them here; behind each, its name in Material Design Icons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Icon {
    OnAir,           // broadcast
    Play,            // play
    Stop,            // stop
    Pause,           // pause
    Eye,             // eye
    Ready,           // check-circle
    Connecting,      // lan-pending
    Retrying,        // sync-alert
    Sleep,           // sleep
    Hourglass,       // timer-sand
    Power,           // power
    Camera,          // video
    CameraOff,       // video-off
    SwitchCamera,    // camera-flip
    Snapshot,        // camera
    Torch,           // flashlight
    Microphone,      // microphone
    Muted,           // microphone-off
    Heat,            // thermometer
    Hot,             // thermometer-alert
    Lost,            // filmstrip-off
    Picture,         // image-size-select-large
    Network,         // lan
    More,            // dots-horizontal-circle
    About,           // information
    SetUp,           // qrcode
    Language,        // translate
    Alert,           // alert
    Chosen,          // check-bold
    Up,              // chevron-up
    Down,            // chevron-down
    Close,           // close-box
    Privacy,         // eye-off
    Call,            // phone
    Slow,            // speedometer-slow
    Name,            // server-network-off
    Unreachable,     // server-off
    NoAnswer,        // comment-question
    Refused,         // key-alert
    Stalled,         // upload-off
    Disconnected,    // lan-disconnect
    Encoder,         // chip
    EncoderRestart,  // restart-alert
    EncoderFailed,   // close-octagon
    CameraForbidden, // lock-alert
    MicForbidden,    // microphone-question
    MicSilent,       // volume-off
    Music,           // music-off
    WaitingImage,    // image-broken-variant
    SizeUnsupported, // image-off
    RateUnsupported, // sine-wave
    NoSignal,        // video-input-hdmi
    NoInput,         // cancel
    InputLost,       // power-plug-off
    InputChanged,    // aspect-ratio
    Address,         // link-off
    NoNetwork,       // ethernet-cable-off
    Unusable,        // close-thick
    Past,            // history
}

impl Icon {
    pub(crate) fn letter(self) -> char {
        char::from_u32(FIRST + self as u32).unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    pub(crate) fn of_state(state: State) -> Self {
        match state {
            State::Unbound => Self::Hourglass,
            State::Idle => Self::Ready,
            State::Previewing => Self::Eye,
            State::Connecting => Self::Connecting,
            State::Pushing => Self::OnAir,
            State::Paused => Self::Pause,
            State::Reconnecting => Self::Retrying,
            State::Suspended => Self::Sleep,
        }
    }

    pub(crate) fn of_code(code: Code) -> Self {
        match code {
            Code::Connected | Code::BitrateChanged => Self::Network,
            Code::Publishing => Self::OnAir,
            Code::CameraOpened | Code::FirstFrame => Self::Camera,
            Code::ScreenStarted | Code::ScreenFailed => Self::NoSignal,
            Code::ResolutionChanged => Self::Picture,
            Code::EncoderStarted | Code::HardwareEncoderFailed => Self::Encoder,
            Code::UplinkTooNarrow => Self::Slow,
            Code::Reconnecting => Self::Retrying,
            Code::EncoderRestarted => Self::EncoderRestart,
            Code::NameNotResolved => Self::Name,
            Code::ConnectFailed => Self::Unreachable,
            Code::HandshakeFailed => Self::NoAnswer,
            Code::ServerRefused => Self::Refused,
            Code::TransferFailed => Self::Stalled,
            Code::MicrophoneSwitched => Self::Microphone,
            Code::Suspended => Self::Sleep,
            Code::Interrupted => Self::Call,
            Code::CameraForbidden => Self::CameraForbidden,
            Code::MicrophoneForbidden => Self::MicForbidden,
            Code::MusicFailed => Self::Music,
            Code::WaitingImageFailed => Self::WaitingImage,
            Code::CameraFailed => Self::CameraOff,
            Code::MicrophoneFailed | Code::MutedSwitched => Self::Muted,
            Code::VideoEncoderFailed | Code::AudioEncoderFailed => Self::EncoderFailed,
            Code::SizeUnsupported => Self::SizeUnsupported,
            Code::RateUnsupported => Self::RateUnsupported,
            Code::Disconnected => Self::Disconnected,
            Code::ScreenUnsupported => Self::NoInput,
            Code::ScreenLost => Self::InputLost,
            Code::MicrophoneSilent => Self::MicSilent,
            Code::ScreenChanged => Self::InputChanged,
            Code::AddressInvalid => Self::Address,
        }
    }
}
