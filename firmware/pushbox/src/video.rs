//! The camera thread and the video thread.

use std::sync::Arc;
use std::time::Duration;

use board::CameraConfig;
use live_pusher::{Properties, Size};
use media::{
    Camera, CaptureError, DropOldest, EncoderSettings, Frame, GeometrySettings, H264Profile, PixelFormat,
    VideoControl, VideoCounters, VideoPipeline,
};
use tracing::{info, warn};

use crate::reopen::reopen;
use crate::sink::QueueSink;

/// Seconds from one IDR picture to the next (spec 10.3).
const GOP: u32 = 3;
/// Pictures between camera and encoder: one under way and one that waits,
const PICTURES: usize = 2;
/// but of those that refer to one another none may be lost in a burst.
const ACCESS_UNITS: usize = 32;

/// A camera that was opened, and what is published of it.
pub(crate) struct Opened {
    config: CameraConfig,
    camera: Box<dyn Camera>,
    size: Size,
    fps: u32,
}

impl Opened {
    pub(crate) fn open(config: CameraConfig, properties: &Properties) -> anyhow::Result<Self> {
        let camera = board::open_camera(&config)?;
        let format = camera.format();
        info!(code = 1003, %format, "camera opened");
        let rate = format.rate.round().max(1.0) as u32;
        let (size, fps) = if format.pixels == PixelFormat::H264 {
            (Size { width: format.width, height: format.height }, rate)
        } else {
            (Size::of(properties), properties.fps.min(rate))
        };
        Ok(Self { config, camera, size, fps })
    }

    pub(crate) fn size(&self) -> Size {
        self.size
    }

    /// How many pictures may wait for the encoder.
    pub(crate) fn backlog(&self) -> usize {
        if self.camera.format().pixels == PixelFormat::H264 { ACCESS_UNITS } else { PICTURES }
    }

    pub(crate) fn quarter_turns(&self) -> u8 {
        self.config.mount_rotation.quarter_turns()
    }

    pub(crate) fn fps(&self) -> u32 {
        self.fps
    }

    /// Geometry and encoder for this camera.
    pub(crate) fn pipeline(
        &self,
        properties: &Properties,
        sink: QueueSink,
        counters: Arc<VideoCounters>,
    ) -> anyhow::Result<VideoPipeline<QueueSink>> {
        let Size { width, height } = self.size;
        let bitrate = properties.start_bitrate().bits();
        let profile =
            if properties.mode.is_baseline() { H264Profile::ConstrainedBaseline } else { H264Profile::Main };
        let settings =
            EncoderSettings { width, height, fps: self.fps, bitrate, gop: GOP * self.fps, profile };
        let encoder = board::open_encoder(self.camera.format().pixels, settings)?;
        info!(code = 1008, encoder = encoder.name(), size = %self.size, fps = self.fps, bitrate, "encoder started");
        let quarter_turns = self.config.mount_rotation.quarter_turns();
        let geometry = GeometrySettings { width, height, quarter_turns, mirror: properties.mirror };
        let control = Arc::new(VideoControl::new(bitrate, self.fps, properties.mirror));
        Ok(VideoPipeline::new(geometry, Some(encoder), sink, control, counters))
    }

    /// The camera thread: pictures into `frames`, for as long as there is a camera or one may come back.
    pub(crate) fn capture(
        self,
        frames: Arc<DropOldest<Frame>>,
    ) -> impl FnOnce() -> anyhow::Result<()> + Send {
        let Self { config, mut camera, .. } = self;
        move || {
            loop {
                let error = capture_until_lost(camera, &frames);
                if let CaptureError::Ended { .. } = &error {
                    return Err(error.into());
                }
                warn!(code = -1301, %error, "camera lost, it is opened again when it is back");
                camera = reopen("camera", || board::open_camera(&config));
                let format = camera.format();
                info!(code = 1003, %format, "camera opened");
            }
        }
    }
}

fn capture_until_lost(mut camera: Box<dyn Camera>, frames: &DropOldest<Frame>) -> CaptureError {
    let mut first = true;
    loop {
        match camera.next() {
            Ok(frame) => {
                if std::mem::take(&mut first) {
                    info!(code = 1007, picture = ?frame, "first picture");
                }
                frames.push(frame);
            }
            Err(error) => return error,
        }
    }
}

/// The video thread: pictures from `frames` through the pipeline.
pub(crate) fn encode(
    mut pipeline: VideoPipeline<QueueSink>,
    frames: Arc<DropOldest<Frame>>,
    quarter_turns: u8,
) -> impl FnOnce() -> anyhow::Result<()> + Send {
    move || {
        loop {
            if let Some(frame) = frames.pop(Duration::from_secs(1)) {
                pipeline.process(frame, quarter_turns)?;
            }
        }
    }
}
