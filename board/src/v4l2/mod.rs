//! Cameras and encoders through V4L2 (kernel: userspace-api/media/v4l), in three levels: [`device`] and [`queue`] make the
//! calls, [`format`] chooses, [`camera`] and [`encoder`] stream.

mod bitrate;
mod camera;
mod context;
mod device;
mod encoder;
mod flash;
mod format;
mod parameters;
mod pictures;
mod queue;
mod reopened;
mod stream;

pub(crate) use camera::V4l2Camera;
pub(crate) use context::input_layout;
pub(crate) use flash::Flash;

use encoder::V4l2Encoder;
use media::{EncodeError, EncoderSettings, VideoEncoder};
use reopened::Reopened;

use crate::{BitrateChange, V4l2EncoderConfig};

pub(crate) fn open_encoder(
    config: &V4l2EncoderConfig,
    settings: EncoderSettings,
) -> Result<Box<dyn VideoEncoder>, EncodeError> {
    let encoder = V4l2Encoder::open(config, settings)?;
    Ok(match config.bitrate_change {
        BitrateChange::Reopen if encoder.has_bitrate() => Box::new(Reopened::new(encoder)),
        BitrateChange::Reopen | BitrateChange::Running => Box::new(encoder),
    })
}
