use std::path::Path;

use tracing::warn;
use v4l::v4l_sys as sys;

use super::device::Device;
use crate::OpenError;

/// A flash controller as a torch (kernel: userspace-api/media/v4l/ext-ctrls-flash), at the brightness that it is set to. While
/// its node is open, the kernel lets nobody light the same LED by the LED class.
pub(crate) struct Flash {
    device: Device,
    name: String,
}

impl Flash {
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let name = path.display().to_string();
        match Device::open_subdevice(path) {
            Ok(device) => Ok(Self { device, name }),
            Err(error) => Err(OpenError::from_io(name, &error, "see v4l2-ctl --list-devices")),
        }
    }

    pub(crate) fn light(&self, lit: bool) -> Result<(), OpenError> {
        let mode = if lit {
            self.recover();
            sys::v4l2_flash_led_mode_V4L2_FLASH_LED_MODE_TORCH
        } else {
            sys::v4l2_flash_led_mode_V4L2_FLASH_LED_MODE_NONE
        };
        self.device.set_control(sys::V4L2_CID_FLASH_LED_MODE, mode as i32).map_err(|error| {
            OpenError::failed(&self.name, error, "name a device with flash controls (v4l2-ctl --list-ctrls)")
        })
    }

    /// A controller that has put its light out for a fault gives none until its faults are read.
    fn recover(&self) {
        // Not every controller tells faults.
        let faults = self.device.value(sys::V4L2_CID_FLASH_FAULT).unwrap_or_default();
        if faults != 0 {
            let faults = format_args!("{faults:#x}");
            warn!(torch = self.name, %faults, "there was a fault (V4L2_FLASH_FAULT of linux/v4l2-controls.h)");
        }
    }
}
