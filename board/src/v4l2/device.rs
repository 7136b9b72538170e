//! The calls to a node, each by itself and safe. Those to its buffers are in [`super::queue`].

use std::fs::{File, OpenOptions};
use std::io;
use std::mem::zeroed;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use v4l::v4l_sys as sys;
use v4l::v4l2::vidioc;

/// An open node.
pub(super) struct Device {
    file: File,
    capabilities: u32,
}

/// Sizes that a format comes in: one, or a range in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SizeRange {
    pub(super) min: (u32, u32),
    pub(super) max: (u32, u32),
    pub(super) step: (u32, u32),
}

/// What a control may be set to.
#[derive(Clone, Copy, Debug)]
pub(super) struct ControlRange {
    pub(super) min: i64,
    pub(super) max: i64,
}

const CAPTURES: u32 = sys::V4L2_CAP_VIDEO_CAPTURE | sys::V4L2_CAP_VIDEO_CAPTURE_MPLANE;
const MULTIPLANAR: u32 = sys::V4L2_CAP_VIDEO_CAPTURE_MPLANE | sys::V4L2_CAP_VIDEO_M2M_MPLANE;
const CONVERTS: u32 = sys::V4L2_CAP_VIDEO_M2M | sys::V4L2_CAP_VIDEO_M2M_MPLANE;

impl Device {
    /// Opens a node that captures; any other is an error.
    pub(super) fn open_camera(path: &Path) -> io::Result<Self> {
        Self::open(path, CAPTURES, "this node does not capture pictures")
    }

    /// Opens a node that makes coded bytes of pictures, in memory; any other is an error.
    pub(super) fn open_encoder(path: &Path) -> io::Result<Self> {
        Self::open(path, CONVERTS, "this node is no memory-to-memory device")
    }

    /// Opens the node of a part of a device, such as a flash, which has controls and none of a node's capabilities.
    pub(super) fn open_subdevice(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        Ok(Self { file, capabilities: 0 })
    }

    fn open(path: &Path, needed: u32, otherwise: &'static str) -> io::Result<Self> {
        let mut device = Self::open_subdevice(path)?;
        // SAFETY: the struct is plain numbers, for which zeros are valid.
        let mut capability: sys::v4l2_capability = unsafe { zeroed() };
        device.ioctl(vidioc::VIDIOC_QUERYCAP, &mut capability)?;
        device.capabilities = if capability.capabilities & sys::V4L2_CAP_DEVICE_CAPS == 0 {
            capability.capabilities
        } else {
            capability.device_caps
        };
        if device.capabilities & needed == 0 || device.capabilities & sys::V4L2_CAP_STREAMING == 0 {
            return Err(io::Error::new(io::ErrorKind::Unsupported, otherwise));
        }
        Ok(device)
    }

    pub(super) fn is_multiplanar(&self) -> bool {
        self.capabilities & MULTIPLANAR != 0
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Calls the driver; `argument` is the struct that the kernel's documentation of `request` names.
    pub(super) fn ioctl<T>(&self, request: vidioc::_IOC_TYPE, argument: &mut T) -> io::Result<()> {
        loop {
            // SAFETY: the request codes carry the size of their argument, and each caller in this module passes the
            // struct that belongs to its request; pointers in it are valid for the call.
            let result =
                unsafe { v4l::v4l2::ioctl(self.file.as_raw_fd(), request, (&raw mut *argument).cast()) };
            match result {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// `VIDIOC_ENUM_FRAMESIZES`; empty where the driver doesn't tell.
    pub(super) fn sizes(&self, fourcc: u32) -> Vec<SizeRange> {
        enumerate(|index| {
            // SAFETY: plain numbers.
            let mut size: sys::v4l2_frmsizeenum = unsafe { zeroed() };
            (size.index, size.pixel_format) = (index, fourcc);
            self.ioctl(vidioc::VIDIOC_ENUM_FRAMESIZES, &mut size)?;
            if size.type_ == sys::v4l2_frmsizetypes_V4L2_FRMSIZE_TYPE_DISCRETE {
                // SAFETY: the type says which member of the union was written.
                let discrete = unsafe { size.__bindgen_anon_1.discrete };
                let only = (discrete.width, discrete.height);
                return Ok(SizeRange { min: only, max: only, step: (1, 1) });
            }
            if index > 0 {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            // SAFETY: as above.
            let range = unsafe { size.__bindgen_anon_1.stepwise };
            Ok(SizeRange {
                min: (range.min_width, range.min_height),
                max: (range.max_width, range.max_height),
                step: (range.step_width.max(1), range.step_height.max(1)),
            })
        })
    }

    /// `VIDIOC_ENUM_FRAMEINTERVALS`: pictures a second; of a range its ends. Empty where the driver doesn't tell.
    pub(super) fn rates(&self, fourcc: u32, (width, height): (u32, u32)) -> Vec<f64> {
        let rate = |interval: sys::v4l2_fract| {
            f64::from(interval.denominator) / f64::from(interval.numerator.max(1))
        };
        let found = enumerate(|index| {
            // SAFETY: plain numbers.
            let mut interval: sys::v4l2_frmivalenum = unsafe { zeroed() };
            (interval.index, interval.pixel_format) = (index, fourcc);
            (interval.width, interval.height) = (width, height);
            self.ioctl(vidioc::VIDIOC_ENUM_FRAMEINTERVALS, &mut interval)?;
            if interval.type_ == sys::v4l2_frmivaltypes_V4L2_FRMIVAL_TYPE_DISCRETE {
                // SAFETY: the type says which member of the union was written.
                return Ok([rate(unsafe { interval.__bindgen_anon_1.discrete }); 2]);
            }
            if index > 0 {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            // SAFETY: as above.
            let range = unsafe { interval.__bindgen_anon_1.stepwise };
            Ok([rate(range.min), rate(range.max)])
        });
        found.into_iter().flatten().collect()
    }

    /// `VIDIOC_QUERY_EXT_CTRL`: what a control takes; `None` where there is no such control, or not now.
    pub(super) fn control(&self, id: u32) -> Option<ControlRange> {
        // SAFETY: plain numbers.
        let mut query: sys::v4l2_query_ext_ctrl = unsafe { zeroed() };
        query.id = id;
        self.ioctl(vidioc::VIDIOC_QUERY_EXT_CTRL, &mut query).ok()?;
        let unusable = sys::V4L2_CTRL_FLAG_DISABLED | sys::V4L2_CTRL_FLAG_READ_ONLY;
        (query.flags & unusable == 0).then_some(ControlRange { min: query.minimum, max: query.maximum })
    }

    /// `VIDIOC_G_CTRL`.
    pub(super) fn value(&self, id: u32) -> io::Result<i32> {
        let mut control = sys::v4l2_control { id, value: 0 };
        self.ioctl(vidioc::VIDIOC_G_CTRL, &mut control)?;
        Ok(control.value)
    }

    /// `VIDIOC_S_EXT_CTRLS` with one control.
    pub(super) fn set_control(&self, id: u32, value: i32) -> io::Result<()> {
        // SAFETY: plain numbers and null pointers.
        let (mut control, mut controls): (sys::v4l2_ext_control, sys::v4l2_ext_controls) =
            unsafe { (zeroed(), zeroed()) };
        control.id = id;
        control.__bindgen_anon_1.value = value;
        // Zero is V4L2_CTRL_WHICH_CUR_VAL: controls of any class.
        (controls.count, controls.controls) = (1, &raw mut control);
        self.ioctl(vidioc::VIDIOC_S_EXT_CTRLS, &mut controls)
    }

    /// `VIDIOC_ENCODER_CMD`.
    pub(super) fn command(&self, command: u32) -> io::Result<()> {
        // SAFETY: plain numbers.
        let mut argument: sys::v4l2_encoder_cmd = unsafe { zeroed() };
        argument.cmd = command;
        self.ioctl(vidioc::VIDIOC_ENCODER_CMD, &mut argument)
    }

    /// Waits for one of `events` (poll) or until the device has something to complain of; none where neither came.
    pub(super) fn wait(&self, events: libc::c_short, limit: Duration) -> io::Result<libc::c_short> {
        let mut poll = libc::pollfd { fd: self.file.as_raw_fd(), events, revents: 0 };
        let limit = limit.as_micros().div_ceil(1000).min(i32::MAX as u128) as libc::c_int;
        // SAFETY: one valid pollfd.
        match unsafe { libc::poll(&raw mut poll, 1, limit) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(poll.revents),
        }
    }
}

/// Calls with 0, 1, 2 … until the driver says that there is no more.
pub(super) fn enumerate<T>(mut at: impl FnMut(u32) -> io::Result<T>) -> Vec<T> {
    (0..256).map_while(|index| at(index).ok()).collect()
}
