//! The camera thread: pictures from one camera into the queue before the video thread.

use std::sync::Arc;
use std::time::Duration;

use board::{CameraConfig, EncoderConfig};
use live_pusher::{Device, DeviceEvent, DevicePosition};
use media::{CaptureError, DropOldest, Frame, VideoFormat};
use serde_json::{Map, Value, json};
use tracing::info;

use crate::device::{Reports, Run};
use crate::engine::position;
use crate::hand::Lamps;
use crate::news::Reporter;
use crate::privacy::Privacy;

/// A camera that delivers nothing for so long is as good as gone. How long the first picture may take, the machine decides
/// (spec 7.1).
const PATIENCE: Duration = Duration::from_secs(2);

/// A picture, how it is turned to stand upright, and whose it is.
pub(crate) struct Captured {
    pub(crate) frame: Frame,
    pub(crate) quarter_turns: u8,
    pub(crate) position: DevicePosition,
}

/// Its pictures are to suit `encoder`.
pub(crate) fn start(
    config: CameraConfig,
    encoder: Option<EncoderConfig>,
    before: Option<Run>,
    privacy: Privacy,
    reporter: Reporter,
    frames: Arc<DropOldest<Captured>>,
    lamps: Arc<Lamps>,
) -> std::io::Result<Run> {
    Run::start(Device::Camera, before, privacy, reporter, move |reports| {
        let _in_use = lamps.camera_in_use();
        capture(&config, encoder.as_ref(), reports, &frames);
        // Viewers get the placeholder at once.
        frames.wake();
    })
}

fn capture(
    config: &CameraConfig,
    encoder: Option<&EncoderConfig>,
    reports: &Reports,
    frames: &DropOldest<Captured>,
) {
    let mut camera = match board::open_camera(config, encoder) {
        Ok(camera) => camera,
        Err(error) => return reports.refused(&error),
    };
    let format = camera.format();
    info!(%format, "camera opened");
    reports.tell(DeviceEvent::Opened(description(config, &format)));
    let (quarter_turns, position) = (config.mount_rotation.quarter_turns(), position(config.position));
    let mut first = true;
    while !reports.is_closing() {
        match reports.wait(PATIENCE, || camera.next()) {
            Ok(frame) => {
                if std::mem::take(&mut first) {
                    let size = [
                        ("width".to_owned(), json!(format.width)),
                        ("height".to_owned(), json!(format.height)),
                    ];
                    reports.tell(DeviceEvent::FirstFrame(Map::from_iter(size)));
                }
                frames.push(Captured { frame, quarter_turns, position });
            }
            Err(CaptureError::Timeout { .. }) if first || reports.is_closing() => {}
            Err(error) => {
                // Its node is let go first: whoever hears of it may plug it in again, and it should get the same name.
                drop(camera);
                return reports.lost(error);
            }
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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Instant;

    use board::{Board, LampsConfig};

    use super::*;
    use crate::news::channel;

    /// Though the control plane hangs: nobody hears the reports, nobody asks the camera to close.
    #[test]
    fn a_closed_privacy_switch_ends_the_camera_by_itself() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../board/boards/sim.toml");
        let config = Board::read(&path).unwrap().cameras.remove(0);
        let (reporter, _unheard) = channel();
        let (frames, privacy) = (Arc::new(DropOldest::new(2)), Privacy::default());
        let lamps = Lamps::start(&LampsConfig::default()).unwrap();
        let _run = start(config, None, None, privacy.clone(), reporter, Arc::clone(&frames), lamps).unwrap();
        assert!(frames.pop(Duration::from_secs(20)).is_some());
        privacy.set(true);
        let deadline = Instant::now() + Duration::from_secs(20);
        while Arc::strong_count(&frames) > 1 {
            assert!(Instant::now() < deadline, "the camera runs on");
            frames.pop(Duration::from_millis(20));
        }
    }
}
