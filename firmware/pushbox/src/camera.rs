//! The camera thread: pictures from one camera into the queue before the video thread.

use std::sync::Arc;

use board::CameraConfig;
use live_pusher::{Device, DeviceEvent};
use media::{CaptureError, DropOldest, Frame, VideoFormat};
use serde_json::{Map, Value, json};
use tracing::info;

use crate::device::{Reports, Run};
use crate::news::Reporter;

/// A picture and how it is turned to stand upright.
pub(crate) struct Captured {
    pub(crate) frame: Frame,
    pub(crate) quarter_turns: u8,
}

pub(crate) fn start(
    config: CameraConfig,
    before: Option<Run>,
    reporter: Reporter,
    frames: Arc<DropOldest<Captured>>,
) -> std::io::Result<Run> {
    Run::start(Device::Camera, before, reporter, move |reports| capture(&config, reports, &frames))
}

fn capture(config: &CameraConfig, reports: &Reports, frames: &DropOldest<Captured>) {
    let mut camera = match board::open_camera(config) {
        Ok(camera) => camera,
        Err(error) => return reports.refused(&error),
    };
    let format = camera.format();
    info!(%format, "camera opened");
    reports.tell(DeviceEvent::Opened(description(config, &format)));
    let quarter_turns = config.mount_rotation.quarter_turns();
    let mut first = true;
    while !reports.is_closing() {
        match camera.next() {
            Ok(frame) => {
                if std::mem::take(&mut first) {
                    let size = [
                        ("width".to_owned(), json!(format.width)),
                        ("height".to_owned(), json!(format.height)),
                    ];
                    reports.tell(DeviceEvent::FirstFrame(Map::from_iter(size)));
                }
                frames.push(Captured { frame, quarter_turns });
            }
            // How long the first one may take, the machine decides (7.1).
            Err(CaptureError::Timeout { .. }) if first => {}
            Err(error) => return reports.lost(error),
        }
    }
}

fn description(config: &CameraConfig, format: &VideoFormat) -> Map<String, Value> {
    let description = [
        ("position", json!(config.position.to_string())),
        ("width", json!(format.width)),
        ("height", json!(format.height)),
        ("fps", json!(format.rate)),
        ("device", json!(config.device())),
    ];
    description.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
