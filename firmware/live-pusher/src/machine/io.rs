//! What goes into the machine and what comes out of it.

use std::time::Duration;

use serde_json::{Map, Value};

use super::method::Quality;
use super::{Method, Reason};
use crate::{Code, DevicePosition, Failure, Refusal, Transition};

/// Since any fixed moment, by a clock that never steps.
pub type Time = Duration;
/// A caller's own number for a call.
pub type CallId = u64;
/// Of one connection among all, so that news of an old one can be told.
pub type ConnectionId = u32;
/// What a successful call tells.
pub type Reply = Map<String, Value>;

/// Section 5.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    Unbound,
    Idle,
    Previewing,
    Connecting,
    Pushing,
    Paused,
    Reconnecting,
    Suspended,
}

impl State {
    pub const ALL: [Self; 8] = [
        Self::Unbound,
        Self::Idle,
        Self::Previewing,
        Self::Connecting,
        Self::Pushing,
        Self::Paused,
        Self::Reconnecting,
        Self::Suspended,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Unbound => "unbound",
            Self::Idle => "idle",
            Self::Previewing => "previewing",
            Self::Connecting => "connecting",
            Self::Pushing => "pushing",
            Self::Paused => "paused",
            Self::Reconnecting => "reconnecting",
            Self::Suspended => "suspended",
        }
    }

    pub fn has_session(self) -> bool {
        !matches!(self, Self::Unbound | Self::Idle | Self::Previewing)
    }
}

/// What the box has (1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hardware {
    pub cameras: Vec<DevicePosition>,
    /// The camera whose pictures the lamp lights.
    pub torch: Option<DevicePosition>,
    /// Whether background music can be played.
    pub music: bool,
    /// Whether there is a display that can show the camera's picture.
    pub preview: bool,
}

impl Hardware {
    /// The camera to use where `position` is wanted: the only one there is, else that.
    pub(super) fn nearest(&self, position: DevicePosition) -> DevicePosition {
        match self.cameras[..] {
            [only] => only,
            _ => position,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    Camera,
    Microphone,
}

/// What a device has to say.
#[derive(Clone, Debug, PartialEq)]
pub enum DeviceEvent {
    Opened(Map<String, Value>),
    /// Of a camera.
    FirstFrame(Map<String, Value>),
    /// It could not be opened: not there or not permitted, or else it does not work (8.1).
    Refused {
        forbidden: bool,
        reason: String,
    },
    /// It vanished or stopped working.
    Lost {
        reason: String,
    },
    /// A microphone is open and delivers nothing (-1311).
    Silent,
}

#[derive(Clone, Debug, PartialEq)]
pub enum NetworkEvent {
    Connected(Map<String, Value>),
    Published(Map<String, Value>),
    /// The attempt failed or the connection was lost: one of 3001 to 3005.
    /// Its parameters tell the `reason`, and what else is known of it.
    Failed {
        code: Code,
        params: Map<String, Value>,
    },
}

/// News of the background music (6.6).
#[derive(Clone, Debug, PartialEq)]
pub enum MusicEvent {
    /// Decoding has begun.
    Started,
    Ended,
    Failed {
        reason: String,
    },
}

/// News of the display's small window (12.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowEvent {
    /// The preview moved to it for that reason.
    Entered(Transition),
    /// It vanished; `by_hand`: its user closed it.
    Left { by_hand: bool },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    Attach,
    Detach,
    Call {
        id: CallId,
        method: Method,
    },
    /// Several properties at once.
    Update(Map<String, Value>),
    /// A pause reason of the box begins or ends; [`Reason::Api`] is the methods' own.
    Condition {
        reason: Reason,
        holds: bool,
    },
    /// Another user has the microphone alone.
    MicrophoneTaken(bool),
    Device {
        device: Device,
        event: DeviceEvent,
    },
    Network {
        connection: ConnectionId,
        event: NetworkEvent,
    },
    /// A link or an address of the box is there that was not: a server may have come into reach.
    RouteChanged,
    /// A code that the pipelines found out.
    Notice {
        code: Code,
        params: Map<String, Value>,
    },
    /// -1303 or -1304.
    EncoderFailed(Code),
    /// What became of an [`Output::Perform`].
    Performed {
        id: CallId,
        result: Result<Reply, Failure>,
    },
    Music(MusicEvent),
    Window(WindowEvent),
    /// The lamp was lit for as long as it may be, or privacy put it out.
    TorchOut,
    /// The time of [`super::Machine::deadline`] has come.
    Timer,
}

/// A state change event (5.4).
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    pub code: Code,
    pub params: Map<String, Value>,
}

/// What viewers get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Media {
    /// Camera, or else the placeholder.
    pub live: bool,
    /// Microphone, or else silence.
    pub audible: bool,
}

/// What the world does for a call, and answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Of the published picture.
    Snapshot(Quality),
    /// Of the picture as the display shows it.
    SnapshotView(Quality),
    /// A message in the video stream (10.8).
    Message(String),
    /// The lamp is to be lit, for so long at the most, or put out (12.9).
    Torch(Option<Duration>),
}

/// What is done with the background music.
#[derive(Clone, Debug, PartialEq)]
pub enum MusicCommand {
    Play { url: String, start: Duration, end: Option<Duration> },
    Stop,
    Pause,
    Resume,
}

/// Whose volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    Microphone,
    Music,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    Status(Status),
    Reply {
        id: CallId,
        result: Result<Reply, Failure>,
    },
    Perform {
        id: CallId,
        action: Action,
    },
    /// A camera at [`super::Machine::position`].
    Open(Device),
    Close(Device),
    Connect {
        connection: ConnectionId,
        url: String,
    },
    Disconnect {
        connection: ConnectionId,
    },
    /// What a session carries; none without one.
    Media(Option<Media>),
    /// Also one that is about to be lit.
    TorchOut,
    /// Ratio.
    Zoom(f64),
    /// Linear gain, 0 to 1.
    Volume(Voice, f64),
    Music(MusicCommand),
    /// The small window appeared or vanished: one of the two events of 5.4.
    Window(bool),
    /// The small window is to vanish.
    CloseWindow,
    /// Properties with another value, in the order of their application, and what was not taken.
    Updated {
        changed: Vec<&'static str>,
        refused: Vec<Refusal>,
    },
}
