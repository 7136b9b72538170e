//! Methods of the context by name and arguments (sections 6.4 to 6.7).

use std::time::Duration;

use serde_json::{Map, Value};

use crate::Failure;

/// Of a snapshot's JPEG (6.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quality {
    Raw,
    Compressed,
}

impl Quality {
    /// JPEG quality, 1 to 100.
    pub fn jpeg(self) -> u8 {
        match self {
            Self::Raw => 95,
            Self::Compressed => 50,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Method {
    Start,
    Stop,
    StartPreview,
    StopPreview,
    Pause,
    Resume,
    SwitchCamera,
    /// The published picture.
    Snapshot(Quality),
    /// The picture as displayed.
    SnapshotView(Quality),
    ExitPictureInPicture,
    ToggleTorch,
    /// An end of zero is the file's.
    PlayMusic {
        url: String,
        start: Duration,
        end: Duration,
    },
    StopMusic,
    PauseMusic,
    ResumeMusic,
    /// 0 to 1.
    SetMusicVolume(f64),
    SetMicrophoneVolume(f64),
    SendMessage(String),
    GetMaxZoom,
    SetZoom(f64),
    /// Something that this box can't do.
    Unsupported,
}

type Parse = fn(&Map<String, Value>) -> Result<Method, Failure>;

/// Methods by their names.
const METHODS: &[(&str, Parse)] = &[
    ("start", |_| Ok(Method::Start)),
    ("stop", |_| Ok(Method::Stop)),
    ("pause", |_| Ok(Method::Pause)),
    ("resume", |_| Ok(Method::Resume)),
    ("switchCamera", |_| Ok(Method::SwitchCamera)),
    ("snapshot", snapshot),
    ("toggleTorch", |_| Ok(Method::ToggleTorch)),
    ("playBGM", play_music),
    ("stopBGM", |_| Ok(Method::StopMusic)),
    ("pauseBGM", |_| Ok(Method::PauseMusic)),
    ("resumeBGM", |_| Ok(Method::ResumeMusic)),
    ("setBGMVolume", |arguments| volume(arguments).map(Method::SetMusicVolume)),
    ("startPreview", |_| Ok(Method::StartPreview)),
    ("stopPreview", |_| Ok(Method::StopPreview)),
    ("setMICVolume", |arguments| volume(arguments).map(Method::SetMicrophoneVolume)),
    ("sendMessage", message),
    ("getMaxZoom", |_| Ok(Method::GetMaxZoom)),
    ("exitPictureInPicture", |_| Ok(Method::ExitPictureInPicture)),
    ("setZoom", |arguments| number(arguments, "zoom", "zoom").map(Method::SetZoom)),
];

/// Those that no box can do yet (6.7).
const UNSUPPORTED: &[&str] = &[
    "createOffscreenCanvas",
    "onCustomRendererEvent",
    "applyFilter",
    "clearFilters",
    "applySticker",
    "clearStickers",
    "applyBlusherStickMakeup",
    "applyEyeBrowMakeup",
    "applyEyeShadowMakeup",
    "applyFaceContourMakeup",
    "applyLipStickMakeup",
    "clearMakeups",
];

impl Method {
    /// The method of that name; none where there is no such method.
    pub fn parse(name: &str, arguments: &Map<String, Value>) -> Option<Result<Self, Failure>> {
        let unsupported = UNSUPPORTED.contains(&name).then_some(Ok(Self::Unsupported));
        METHODS.iter().find(|(known, _)| *known == name).map(|(_, parse)| parse(arguments)).or(unsupported)
    }

    pub fn names() -> impl Iterator<Item = &'static str> {
        METHODS.iter().map(|(name, _)| *name).chain(UNSUPPORTED.iter().copied())
    }
}

fn snapshot(arguments: &Map<String, Value>) -> Result<Method, Failure> {
    let quality = match choice(arguments, "quality", "raw") {
        Some("raw") => Quality::Raw,
        Some("compressed") => Quality::Compressed,
        _ => return Err(Failure::InvalidArgument("quality is raw or compressed")),
    };
    match choice(arguments, "sourceType", "stream") {
        Some("stream") => Ok(Method::Snapshot(quality)),
        Some("view") => Ok(Method::SnapshotView(quality)),
        _ => Err(Failure::InvalidArgument("sourceType is stream or view")),
    }
}

/// `default` where it is not given, none where it is no text.
fn choice<'a>(arguments: &'a Map<String, Value>, name: &str, default: &'a str) -> Option<&'a str> {
    arguments.get(name).map_or(Some(default), Value::as_str)
}

fn play_music(arguments: &Map<String, Value>) -> Result<Method, Failure> {
    let url = match arguments.get("url").and_then(Value::as_str).map(str::trim) {
        Some(url) if !url.is_empty() => url.to_owned(),
        _ => return Err(Failure::InvalidArgument("url")),
    };
    let time = |name| match arguments.get(name) {
        None => Ok(Duration::ZERO),
        // A time before the file's start is its start; one that no file reaches is its end.
        Some(_) => number(arguments, name, "a time in milliseconds")
            .map(|milliseconds| Duration::from_millis(milliseconds.clamp(0.0, 1e12) as u64)),
    };
    let (start, end) = (time("startTimeMs")?, time("endTimeMs")?);
    if !end.is_zero() && end <= start {
        return Err(Failure::InvalidArgument("endTimeMs must come after startTimeMs"));
    }
    Ok(Method::PlayMusic { url, start, end })
}

fn volume(arguments: &Map<String, Value>) -> Result<f64, Failure> {
    number(arguments, "volume", "volume").map(|volume| volume.clamp(0.0, 1.0))
}

/// A finite number, or a text that is one.
fn number(arguments: &Map<String, Value>, name: &str, wanted: &'static str) -> Result<f64, Failure> {
    let value = match arguments.get(name) {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    value.filter(|value| value.is_finite()).ok_or(Failure::InvalidArgument(wanted))
}

/// Most bytes of a message in the stream (10.8).
const MESSAGE: usize = 1024;

fn message(arguments: &Map<String, Value>) -> Result<Method, Failure> {
    match arguments.get("msg").and_then(Value::as_str) {
        Some(text) if (1..=MESSAGE).contains(&text.len()) => Ok(Method::SendMessage(text.to_owned())),
        _ => Err(Failure::InvalidArgument("msg is a text of 1 to 1024 bytes")),
    }
}
