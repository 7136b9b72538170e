use live_pusher::{Code, Reason, State};

use super::{Advice, Words, advice};

pub(super) const WORDS: Words = Words {
    name: "English",
    starting: "Starting",
    starting_hint: "One moment",
    stopping: "Stopping",
    stopping_hint: "Leave the power on",
    stopped: "Stopped",
    stopped_hint: "Power may be cut",
    unprovisioned: "Not set up",
    unprovisioned_hint: "Scan to set up",
    colon: ": ",
    double: "2x ",
    long: "Hold ",
    go_live: "go live",
    go_on: "resume",
    settings: "settings",
    seen: "OK",
    keep: "keep",
    back: "back",
    no_network: "No network",
    no_network_hint: "Connect network cable",
    by_serial: ("Serial console ", ": set url rtmp://HOST/APP/KEY\nor on its card: "),
    by_card: "On its card: ",
    failed: "Failed",
    past: "Last faults",
    ago: " ago",
    snapshot_taken: "Snapshot taken",
    zoom: "Zoom",
    menu: "Menu",
    camera: "Camera",
    picture: "Picture",
    sound: "Sound",
    network: "Network",
    more: "More",
    about: "About",
    set_up: "Set up",
    language: "Language",
    start: "Go on air",
    stop: "Go off air",
    pause: "Pause",
    resume: "Resume",
    start_preview: "Preview on",
    stop_preview: "Preview off",
    switch_camera: "Swap camera",
    torch: "Lamp",
    snapshot: "Snapshot",
    on: "On",
    off: "Off",
    none: "None",
    set: "Set",
    by_set_up: "Change it by Set up",
    version: "Version",
    address: "Address",
    serial: "Serial no.",
    temperature: "Temperature",
    dropped: "Lost pictures",
    done: "Done",
    state,
    reason,
    pause_end,
    button,
    quality: ["No figures", "Best", "Good", "Fair", "Poor", "Very poor", "Unusable"],
    code,
    failure,
    property,
    choice,
};

fn state(state: State) -> &'static str {
    match state {
        State::Unbound => "Starting",
        State::Idle => "Ready",
        State::Previewing => "Preview",
        State::Connecting => "Connecting",
        State::Pushing => "On air",
        State::Paused => "Paused",
        State::Reconnecting => "Retrying",
        State::Suspended => "Off air",
    }
}

fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Api => "By hand",
        Reason::Background => "Standby",
        Reason::Privacy => "Privacy",
        Reason::Interrupt => "In a call",
    }
}

fn pause_end(reason: Reason) -> &'static str {
    match reason {
        Reason::Api => "",
        Reason::Background => "Wake it to go on",
        Reason::Privacy => "Open privacy switch",
        Reason::Interrupt => "Goes on after call",
    }
}

fn button(name: &str) -> Option<&'static str> {
    Some(match name {
        "start" => "Start",
        "pause" => "Pause",
        "camera" => "Camera",
        "snapshot" => "Snapshot",
        "torch" => "Lamp",
        "menu" => "Menu",
        "ok" => "OK",
        "up" => "Up",
        "down" => "Down",
        "back" => "Back",
        "mute" => "Mute",
        _ => return None,
    })
}

fn code(code: Code) -> Advice {
    match code {
        Code::Connected => advice("Connected to the server", ""),
        Code::Publishing => advice("On air", ""),
        Code::CameraOpened => advice("Camera opened", ""),
        Code::ScreenStarted => advice("External source started", ""),
        Code::ResolutionChanged => advice("Picture size changed", ""),
        Code::BitrateChanged => advice("Bitrate changed", ""),
        Code::FirstFrame => advice("The camera gives pictures", ""),
        Code::EncoderStarted => advice("Encoder started", ""),
        Code::MicrophoneSwitched => advice("Microphone switched", ""),
        Code::MutedSwitched => advice("Mute switched", ""),
        Code::Reconnecting => advice("Connection lost", "The box tries again by itself"),
        Code::UplinkTooNarrow => {
            advice("The network is too slow", "Use a better network, or a lower bitrate")
        }
        Code::HardwareEncoderFailed => {
            advice("Hardware encoder failed", "Software encodes now. If the box gets hot, restart it")
        }
        Code::EncoderRestarted => {
            advice("The encoder was restarted", "If it happens again, choose a smaller picture")
        }
        Code::NameNotResolved => {
            advice("Server name not found", "Check network cable or Wi-Fi, and the address")
        }
        Code::ConnectFailed => advice("Server can't be reached", "Check the network, and the address"),
        Code::HandshakeFailed => {
            advice("Server gives no valid answer", "Check that the address is of an RTMP server")
        }
        Code::ServerRefused => {
            advice("Server refuses the stream", "Wrong or old key: get a new one. Key in use: wait a bit")
        }
        Code::TransferFailed => {
            advice("Sending has stalled", "Check the network. The box tries again by itself")
        }
        Code::Suspended => advice("Off air: paused too long", "End the pause, and it connects by itself"),
        Code::Interrupted => advice("Camera is taken by a call", "It goes on when the call has ended"),
        Code::CameraForbidden => advice("No camera, or not allowed", "Plug it in, or allow it on this box"),
        Code::MicrophoneForbidden => {
            advice("No microphone, or not allowed", "Plug it in, or allow it on this box")
        }
        Code::MusicFailed => advice("Music can't be played", "Check the file or address of the music"),
        Code::WaitingImageFailed => advice("Pause picture won't load", "Check its address and its hash"),
        Code::CameraFailed => {
            advice("Camera does not work", "Check its cable. The box tries again by itself")
        }
        Code::MicrophoneFailed => {
            advice("Microphone does not work", "Check its cable. The box tries again by itself")
        }
        Code::VideoEncoderFailed => {
            advice("Off air: no video encoder", "Restart the box, or choose a smaller picture")
        }
        Code::AudioEncoderFailed => advice("Off air: no audio encoder", "Restart the box"),
        Code::SizeUnsupported => {
            advice("Picture size not possible", "Another is used. Choose a size that the camera has")
        }
        Code::RateUnsupported => advice("Sound rate not possible", "Another is used. Nothing to do"),
        Code::Disconnected => {
            advice("Off air: all tries failed", "Check network and address, then start again")
        }
        Code::ScreenFailed => {
            advice("No signal at the input", "Check the HDMI cable, and that the source is on")
        }
        Code::ScreenUnsupported => advice("This box has no such input", "Choose the camera as source"),
        Code::ScreenLost => advice("Signal at the input lost", "Check the HDMI cable. It goes on by itself"),
        Code::MicrophoneSilent => advice("Microphone gives nothing", "Check its cable and its switch"),
        Code::ScreenChanged => advice("Input signal not usable", "Set the source to 1080p or 720p"),
        Code::AddressInvalid => advice("The address is not valid", "Enter an rtmp:// address: menu, Set up"),
    }
}

fn failure(number: i32) -> &'static str {
    match number {
        -2 => "Not valid",
        -3 => "Not possible now",
        -4 => "Not on this box",
        -5 => "Busy, try again",
        -6 => "It took too long",
        -7 => "Device not opened",
        -8 => "Not ready yet",
        _ => "Internal error",
    }
}

fn property(name: &str) -> Option<&'static str> {
    Some(match name {
        "url" => "Address",
        "custom-effect" => "Own effects",
        "mode" => "Quality",
        "aspect" => "Aspect",
        "orientation" => "Orientation",
        "video-width" => "Width",
        "video-height" => "Height",
        "fps" => "Frame rate",
        "min-bitrate" => "Lowest bitrate",
        "max-bitrate" => "Highest bitrate",
        "device-position" => "Camera in use",
        "mirror" => "Mirror stream",
        "local-mirror" => "Mirror display",
        "enable-camera" => "Camera",
        "auto-focus" => "Auto focus",
        "zoom" => "Zoom by hand",
        "waiting-image" => "Pause picture",
        "waiting-image-hash" => "Pause pic. hash",
        "enable-mic" => "Microphone",
        "muted" => "Muted",
        "background-mute" => "Mute in standby",
        "audio-quality" => "Sound quality",
        "audio-volume-type" => "Volume type",
        "enable-agc" => "Auto gain",
        "enable-ans" => "Less noise",
        "audio-reverb-type" => "Reverb",
        "voice-changer-type" => "Voice",
        "enable-video-custom-render" => "Frame tap",
        "beauty" => "Beauty",
        "whiteness" => "Whiteness",
        "beauty-style" => "Beauty style",
        "filter" => "Filter",
        "skin-whiteness" => "Skin whiteness",
        "skin-smoothness" => "Smooth skin",
        "face-thinness" => "Thin face",
        "eye-bigness" => "Big eyes",
        "picture-in-picture-mode" => "Small window",
        "autopush" => "Start by itself",
        _ => return None,
    })
}

#[expect(clippy::match_same_arms, reason = "a line for each choice")]
fn choice(property: &str, value: &str) -> Option<&'static str> {
    Some(match (property, value) {
        ("mode", "RTC") => "Call",
        ("mode", "QVGA") => "QVGA",
        ("mode", "HVGA") => "HVGA",
        ("mode", "SD") => "SD",
        ("mode", "HD") => "HD",
        ("mode", "FHD") => "Full HD",
        ("aspect", "3:4") => "3:4",
        ("aspect", "9:16") => "9:16",
        ("orientation", "vertical") => "Upright",
        ("orientation", "horizontal") => "Across",
        ("device-position", "front") => "Front",
        ("device-position", "back") => "Back",
        ("local-mirror" | "audio-volume-type", "auto") => "Auto",
        ("local-mirror", "enable") => "On",
        ("local-mirror", "disable") => "Off",
        ("audio-quality", "high") => "High",
        ("audio-quality", "low") => "Low",
        ("audio-volume-type", "media") => "Media",
        ("audio-volume-type", "voicecall") => "Call",
        ("beauty-style", "smooth") => "Smooth",
        ("beauty-style", "nature") => "Natural",
        ("filter", "standard") => "Standard",
        ("filter", "pink") => "Pink",
        ("filter", "nostalgia") => "Nostalgia",
        ("filter", "blues") => "Blues",
        ("filter", "romantic") => "Romantic",
        ("filter", "cool") => "Cool",
        ("filter", "fresher") => "Fresh",
        ("filter", "solor") => "Japanese",
        ("filter", "aestheticism") => "Aesthetic",
        ("filter", "whitening") => "Whitening",
        ("filter", "cerisered") => "Cherry red",
        ("picture-in-picture-mode", "push") => "In menus",
        ("picture-in-picture-mode", "pop") => "On leaving",
        ("audio-reverb-type" | "voice-changer-type", "0") => "Off",
        ("audio-reverb-type", "1") => "Karaoke",
        ("audio-reverb-type", "2") => "Small room",
        ("audio-reverb-type", "3") => "Great hall",
        ("audio-reverb-type", "4") => "Deep",
        ("audio-reverb-type", "5") => "Bright",
        ("audio-reverb-type", "6") => "Metallic",
        ("audio-reverb-type", "7") => "Magnetic",
        ("voice-changer-type", "1") => "Naughty kid",
        ("voice-changer-type", "2") => "Girl",
        ("voice-changer-type", "3") => "Uncle",
        ("voice-changer-type", "4") => "Heavy metal",
        ("voice-changer-type", "6") => "Foreigner",
        ("voice-changer-type", "7") => "Caged beast",
        ("voice-changer-type", "8") => "Heavy man",
        ("voice-changer-type", "9") => "Electric",
        ("voice-changer-type", "10") => "Machine",
        ("voice-changer-type", "11") => "Ethereal",
        _ => return None,
    })
}
