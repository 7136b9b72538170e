//! What the box tells of itself.

use board::{CameraConfig, EncoderConfig};
use live_pusher::{Code, DevicePosition, MAX_ZOOM, Machine, Property};
use serde_json::{Map, Value, json};

use super::rpc::shortened;
use crate::engine::Engine;

/// State, reasons, camera in use, last error; how often each status was told.
pub(super) fn status(engine: &Engine) -> Value {
    let machine = engine.machine();
    let properties = machine.store().properties();
    json!({
        "state": machine.state().name(),
        "paused": machine.reasons().names(),
        "url": masked(&properties.url),
        "devicePosition": machine.position().name(),
        "lastError": machine.last_error().map_or(0, Code::number),
        "counts": engine.told(),
        "version": env!("CARGO_PKG_VERSION"),
    })
}

/// What this box can do (1.2).
pub(super) fn capabilities(engine: &Engine) -> Value {
    let (hardware, board) = (engine.machine().hardware(), engine.board());
    let camera = |(camera, config): (&DevicePosition, &CameraConfig)| {
        let (width, height, rate) = config.format();
        json!({
            "position": camera.name(),
            "sizes": [{"width": width, "height": height}],
            "frameRates": [rate],
            "torch": hardware.torch == Some(*camera),
            "focus": false,
            "maxZoom": MAX_ZOOM,
        })
    };
    let cameras: Vec<Value> = hardware.cameras.iter().zip(&board.cameras).map(camera).collect();
    let microphones: Vec<Value> = board.microphone.iter().map(|it| json!({"device": it.device()})).collect();
    json!({
        "cameras": cameras,
        "microphones": microphones,
        "display": engine.display().is_some(),
        "hwEncoder": board.encoders().iter().any(EncoderConfig::is_hardware),
        "beauty": false,
        "faceEffects": false,
        "voiceChanger": false,
        "reverb": false,
        "backgroundMusic": hardware.music,
        "customRender": false,
        "room": false,
        "screenSource": false,
        "flvPublish": true,
        "sei": true,
        "pictureInPicture": hardware.preview,
    })
}

/// All properties, or those of `names`. The address is shown without its secrets.
pub(super) fn properties(machine: &Machine, names: &[String]) -> Result<Map<String, Value>, String> {
    let mut values = machine.store().values();
    for name in ["url", "waiting-image"] {
        let text = values.get(name).and_then(Value::as_str).unwrap_or_default();
        let masked = if name == "url" { masked(text) } else { without_secrets(text) };
        values.insert(name.to_owned(), json!(masked));
    }
    if names.is_empty() {
        return Ok(values);
    }
    let find = |name: &String| {
        let property =
            Property::find(name).ok_or_else(|| format!("there is no property {}", shortened(name)))?;
        Ok((property.name.to_owned(), values[property.name].clone()))
    };
    names.iter().map(find).collect()
}

/// A path as it is, an address without user, password and query.
fn without_secrets(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let rest = rest.split_once('?').map_or(rest.to_owned(), |(path, _)| format!("{path}?***"));
    let (host, path) = rest.split_once('/').unwrap_or((&rest, ""));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}/{path}")
}

/// An address without what may be secret.
fn masked(url: &str) -> String {
    match ::uplink::Address::parse(url) {
        Ok(address) => address.to_string(),
        Err(_) if url.is_empty() => String::new(),
        Err(_) => "***".into(),
    }
}
