use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use v4l::v4l_sys as sys;
use v4l::v4l2::vidioc;

use crate::OpenError;

/// A flash controller as a torch (kernel: userspace-api/media/v4l/ext-ctrls-flash), at the brightness that it is set to.
pub(crate) struct Flash {
    file: File,
    name: String,
}

impl Flash {
    pub(crate) fn open(device: &Path) -> Result<Self, OpenError> {
        let name = device.display().to_string();
        match OpenOptions::new().read(true).write(true).open(device) {
            Ok(file) => Ok(Self { file, name }),
            Err(error) => Err(OpenError::from_io(name, &error, "see v4l2-ctl --list-devices")),
        }
    }

    pub(crate) fn light(&self, lit: bool) -> Result<(), OpenError> {
        let mode = if lit {
            sys::v4l2_flash_led_mode_V4L2_FLASH_LED_MODE_TORCH
        } else {
            sys::v4l2_flash_led_mode_V4L2_FLASH_LED_MODE_NONE
        };
        self.set(sys::V4L2_CID_FLASH_LED_MODE, mode as i32).map_err(|error| {
            OpenError::failed(&self.name, error, "name a device with flash controls (v4l2-ctl --list-ctrls)")
        })
    }

    /// `VIDIOC_S_CTRL`.
    fn set(&self, id: u32, value: i32) -> io::Result<()> {
        let mut control = sys::v4l2_control { id, value };
        // SAFETY: the request takes this struct, which lives through the call.
        unsafe { v4l::v4l2::ioctl(self.file.as_raw_fd(), vidioc::VIDIOC_S_CTRL, (&raw mut control).cast()) }
    }
}
