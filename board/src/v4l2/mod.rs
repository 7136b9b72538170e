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
mod stream;

pub(crate) use camera::V4l2Camera;
pub(crate) use context::input_layout;
pub(crate) use encoder::V4l2Encoder;
pub(crate) use flash::Flash;
