//! The calls, each by itself and safe.

use std::fs::{File, OpenOptions};
use std::io;
use std::mem::zeroed;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use v4l::v4l_sys as sys;
use v4l::v4l2::vidioc;

/// Memory planes that a picture may have here.
pub(super) const PLANES: usize = 3;

/// A node that captures.
pub(super) struct Device {
    file: File,
    pub(super) multiplanar: bool,
}

/// What `VIDIOC_S_FMT` settled on.
pub(super) struct PixFormat {
    pub(super) fourcc: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    /// Bytes from row to row in each memory plane.
    pub(super) strides: Vec<usize>,
}

/// Sizes that a format comes in: one, or a range in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SizeRange {
    pub(super) min: (u32, u32),
    pub(super) max: (u32, u32),
    pub(super) step: (u32, u32),
}

/// A filled buffer.
pub(super) struct Dequeued {
    pub(super) index: u32,
    pub(super) sequence: u32,
    pub(super) flags: u32,
    /// Microseconds of the clock that `flags` name.
    pub(super) timestamp: i64,
    pub(super) used: [usize; PLANES],
}

/// A buffer's memory plane in this process.
pub(super) struct Mapping {
    address: *mut u8,
    length: usize,
}

// SAFETY: the mapping is owned by this value alone and is plain memory.
unsafe impl Send for Mapping {}

impl Mapping {
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping covers `length` bytes until it is dropped.
        unsafe { std::slice::from_raw_parts(self.address, self.length) }
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `&mut self` is the only way to it.
        unsafe { std::slice::from_raw_parts_mut(self.address, self.length) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by mmap with this length and is undone once.
        unsafe { libc::munmap(self.address.cast(), self.length) };
    }
}

impl Device {
    /// Opens a node; one that doesn't capture and stream is an error.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        let mut device = Self { file, multiplanar: false };
        // SAFETY: the struct is plain numbers, for which zeros are valid.
        let mut capability: sys::v4l2_capability = unsafe { zeroed() };
        device.ioctl(vidioc::VIDIOC_QUERYCAP, &mut capability)?;
        let capabilities = if capability.capabilities & sys::V4L2_CAP_DEVICE_CAPS == 0 {
            capability.capabilities
        } else {
            capability.device_caps
        };
        device.multiplanar = capabilities & sys::V4L2_CAP_VIDEO_CAPTURE_MPLANE != 0;
        let captures = device.multiplanar || capabilities & sys::V4L2_CAP_VIDEO_CAPTURE != 0;
        if !captures || capabilities & sys::V4L2_CAP_STREAMING == 0 {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "this node does not capture pictures"));
        }
        Ok(device)
    }

    /// Calls the driver; `argument` is the struct that the kernel's documentation of `request` names.
    fn ioctl<T>(&self, request: vidioc::_IOC_TYPE, argument: &mut T) -> io::Result<()> {
        loop {
            // SAFETY: the request codes carry the size of their argument, and each caller in this file passes the
            // struct that belongs to its request; pointers in it are valid for the call.
            let result =
                unsafe { v4l::v4l2::ioctl(self.file.as_raw_fd(), request, (&raw mut *argument).cast()) };
            match result {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    fn buffer_type(&self) -> u32 {
        if self.multiplanar {
            sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE
        } else {
            sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE
        }
    }

    /// `VIDIOC_ENUM_FMT`: the four-character codes on offer.
    pub(super) fn formats(&self) -> Vec<u32> {
        Self::enumerate(|index| {
            // SAFETY: plain numbers.
            let mut description: sys::v4l2_fmtdesc = unsafe { zeroed() };
            (description.index, description.type_) = (index, self.buffer_type());
            self.ioctl(vidioc::VIDIOC_ENUM_FMT, &mut description)?;
            Ok(description.pixelformat)
        })
    }

    /// `VIDIOC_ENUM_FRAMESIZES`; empty where the driver doesn't tell.
    pub(super) fn sizes(&self, fourcc: u32) -> Vec<SizeRange> {
        Self::enumerate(|index| {
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
        let found = Self::enumerate(|index| {
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

    /// Calls with 0, 1, 2 … until the driver says that there is no more.
    fn enumerate<T>(mut at: impl FnMut(u32) -> io::Result<T>) -> Vec<T> {
        (0..256).map_while(|index| at(index).ok()).collect()
    }

    /// `VIDIOC_S_FMT`; the driver may settle on something else.
    pub(super) fn set_format(&self, fourcc: u32, (width, height): (u32, u32)) -> io::Result<PixFormat> {
        // SAFETY: plain numbers.
        let mut format: sys::v4l2_format = unsafe { zeroed() };
        format.type_ = self.buffer_type();
        let field = sys::v4l2_field_V4L2_FIELD_NONE;
        if self.multiplanar {
            // SAFETY: plain numbers.
            let mut pix: sys::v4l2_pix_format_mplane = unsafe { zeroed() };
            (pix.width, pix.height, pix.pixelformat, pix.field) = (width, height, fourcc, field);
            format.fmt.pix_mp = pix;
        } else {
            // SAFETY: plain numbers.
            let mut pix: sys::v4l2_pix_format = unsafe { zeroed() };
            (pix.width, pix.height, pix.pixelformat, pix.field) = (width, height, fourcc, field);
            format.fmt.pix = pix;
        }
        self.ioctl(vidioc::VIDIOC_S_FMT, &mut format)?;
        if self.multiplanar {
            // SAFETY: the buffer type says which member of the union is in use.
            let pix = unsafe { format.fmt.pix_mp };
            let planes = pix.plane_fmt;
            let strides =
                (0..usize::from(pix.num_planes).min(PLANES)).map(|i| planes[i].bytesperline as usize);
            let strides = strides.collect();
            return Ok(PixFormat { fourcc: pix.pixelformat, width: pix.width, height: pix.height, strides });
        }
        // SAFETY: as above.
        let pix = unsafe { format.fmt.pix };
        let strides = vec![pix.bytesperline as usize];
        Ok(PixFormat { fourcc: pix.pixelformat, width: pix.width, height: pix.height, strides })
    }

    /// `VIDIOC_S_PARM`: asks for a rate in thousandths of pictures a second; the rate that it will be, `None` where the
    /// driver doesn't tell.
    pub(super) fn set_rate(&self, rate: f64) -> Option<f64> {
        // SAFETY: plain numbers.
        let mut parameters: sys::v4l2_streamparm = unsafe { zeroed() };
        parameters.type_ = self.buffer_type();
        // SAFETY: the buffer type says that `capture` is the member in use.
        let capture = unsafe { &mut parameters.parm.capture };
        capture.timeperframe =
            sys::v4l2_fract { numerator: 1000, denominator: (rate * 1000.0).round() as u32 };
        self.ioctl(vidioc::VIDIOC_S_PARM, &mut parameters).ok()?;
        // SAFETY: as above.
        let sys::v4l2_fract { numerator, denominator } = unsafe { parameters.parm.capture.timeperframe };
        (numerator > 0 && denominator > 0).then(|| f64::from(denominator) / f64::from(numerator))
    }

    /// `VIDIOC_REQBUFS` for memory of the driver's; returns how many it gave.
    pub(super) fn request_buffers(&self, count: u32) -> io::Result<u32> {
        // SAFETY: plain numbers.
        let mut request: sys::v4l2_requestbuffers = unsafe { zeroed() };
        request.count = count;
        (request.type_, request.memory) = (self.buffer_type(), sys::v4l2_memory_V4L2_MEMORY_MMAP);
        self.ioctl(vidioc::VIDIOC_REQBUFS, &mut request)?;
        Ok(request.count)
    }

    /// `VIDIOC_QUERYBUF` and `mmap`: the memory planes of a buffer.
    pub(super) fn map(&self, index: u32) -> io::Result<Vec<Mapping>> {
        let places = self.with_buffer(vidioc::VIDIOC_QUERYBUF, index, |buffer, planes| {
            if self.multiplanar {
                let count = (buffer.length as usize).min(PLANES);
                // SAFETY: QUERYBUF wrote offsets.
                planes[..count].iter().map(|plane| (unsafe { plane.m.mem_offset }, plane.length)).collect()
            } else {
                // SAFETY: as above.
                vec![(unsafe { buffer.m.offset }, buffer.length)]
            }
        })?;
        places.into_iter().map(|(offset, length)| self.map_plane(offset, length as usize)).collect()
    }

    fn map_plane(&self, offset: u32, length: usize) -> io::Result<Mapping> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new shared mapping of the driver's memory at the offset that it named.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                protection,
                libc::MAP_SHARED,
                self.file.as_raw_fd(),
                libc::off_t::from(offset),
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Mapping { address: address.cast(), length })
    }

    /// `VIDIOC_QBUF`: gives a buffer to the driver.
    pub(super) fn queue(&self, index: u32) -> io::Result<()> {
        self.with_buffer(vidioc::VIDIOC_QBUF, index, |_, _| ())
    }

    /// `VIDIOC_DQBUF`: takes a filled buffer; `WouldBlock` while there is none.
    pub(super) fn dequeue(&self) -> io::Result<Dequeued> {
        self.with_buffer(vidioc::VIDIOC_DQBUF, 0, |buffer, planes| {
            let mut used = [0; PLANES];
            if self.multiplanar {
                for (used, plane) in used.iter_mut().zip(planes.iter()) {
                    *used = plane.bytesused as usize;
                }
            } else {
                used[0] = buffer.bytesused as usize;
            }
            #[allow(clippy::useless_conversion)] // the fields are 32 bits wide on some targets
            let (seconds, micros) = (i64::from(buffer.timestamp.tv_sec), i64::from(buffer.timestamp.tv_usec));
            let timestamp = seconds * 1_000_000 + micros;
            Dequeued { index: buffer.index, sequence: buffer.sequence, flags: buffer.flags, timestamp, used }
        })
    }

    fn with_buffer<T>(
        &self,
        request: vidioc::_IOC_TYPE,
        index: u32,
        take: impl FnOnce(&sys::v4l2_buffer, &[sys::v4l2_plane; 8]) -> T,
    ) -> io::Result<T> {
        // SAFETY: plain numbers and a null pointer.
        let (mut buffer, mut planes): (sys::v4l2_buffer, [sys::v4l2_plane; 8]) =
            unsafe { (zeroed(), zeroed()) };
        buffer.index = index;
        (buffer.type_, buffer.memory) = (self.buffer_type(), sys::v4l2_memory_V4L2_MEMORY_MMAP);
        if self.multiplanar {
            buffer.m.planes = planes.as_mut_ptr();
            buffer.length = planes.len() as u32;
        }
        self.ioctl(request, &mut buffer)?;
        Ok(take(&buffer, &planes))
    }

    pub(super) fn start(&self) -> io::Result<()> {
        self.ioctl(vidioc::VIDIOC_STREAMON, &mut self.buffer_type())
    }

    pub(super) fn stop(&self) -> io::Result<()> {
        self.ioctl(vidioc::VIDIOC_STREAMOFF, &mut self.buffer_type())
    }

    /// Waits until a buffer can be dequeued or the device has something to complain of; false when neither came.
    pub(super) fn wait(&self, limit: Duration) -> io::Result<bool> {
        let mut poll = libc::pollfd { fd: self.file.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid pollfd.
        match unsafe { libc::poll(&raw mut poll, 1, limit.as_millis() as libc::c_int) } {
            -1 => Err(io::Error::last_os_error()),
            count => Ok(count > 0),
        }
    }
}
