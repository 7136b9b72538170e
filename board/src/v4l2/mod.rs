//! Cameras through V4L2 (kernel: userspace-api/media/v4l), in three levels: [`device`] makes the calls, [`format`]
//! chooses, [`camera`] streams.

mod camera;
mod device;
mod flash;
mod format;

pub(crate) use camera::V4l2Camera;
pub(crate) use flash::Flash;
