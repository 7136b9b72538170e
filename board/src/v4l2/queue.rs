//! A node's queue of buffers, each call by itself and safe.

use std::fs::File;
use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use v4l::v4l_sys as sys;
use v4l::v4l2::vidioc;

use super::device::Device;
use super::format::memory_planes;

/// `VIDIOC_S_SELECTION`, `_IOWR('V', 95, struct v4l2_selection)`.
const S_SELECTION: vidioc::_IOC_TYPE =
    (3 << 30 | (size_of::<sys::v4l2_selection>() as u32) << 16 | (b'V' as u32) << 8 | 0x5f)
        as vidioc::_IOC_TYPE;

/// What an encoder is told of its pictures (kernel: userspace-api/media/v4l/colorspaces). Without a word players take small
/// ones for BT.601 and large ones for BT.709. Cameras deliver BT.601.
const COLOURS: Colours = Colours {
    colorspace: sys::v4l2_colorspace_V4L2_COLORSPACE_REC709,
    ycbcr_enc: sys::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_601,
    quantization: sys::v4l2_quantization_V4L2_QUANTIZATION_LIM_RANGE,
    xfer_func: sys::v4l2_xfer_func_V4L2_XFER_FUNC_709,
};

struct Colours {
    colorspace: u32,
    ycbcr_enc: u32,
    quantization: u32,
    xfer_func: u32,
}

/// Memory planes that a picture may have here.
pub(super) const PLANES: usize = 3;

/// Pictures or coded bytes on their way out of a device (`CAPTURE`) or into it (`OUTPUT`).
#[derive(Clone)]
pub(super) struct Queue {
    pub(super) device: Arc<Device>,
    kind: u32,
    pub(super) multiplanar: bool,
}

/// What `VIDIOC_S_FMT` settled on.
#[derive(Clone, Debug)]
pub(super) struct PixFormat {
    pub(super) fourcc: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    /// Bytes from row to row in each memory plane.
    pub(super) strides: Vec<usize>,
}

/// Where the memory of a queue's buffers comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// From this driver.
    Mmap,
    /// From another device.
    DmaBuf,
}

impl Memory {
    fn code(self) -> u32 {
        match self {
            Self::Mmap => sys::v4l2_memory_V4L2_MEMORY_MMAP,
            Self::DmaBuf => sys::v4l2_memory_V4L2_MEMORY_DMABUF,
        }
    }
}

/// What goes into a device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filled {
    pub(super) index: u32,
    /// Microseconds.
    pub(super) timestamp: i64,
    pub(super) used: [usize; PLANES],
    /// DMA-BUF and length of each plane, for a queue of imported memory.
    pub(super) dma_bufs: Option<[(RawFd, usize); PLANES]>,
}

/// A buffer that the driver is done with.
pub(super) struct Dequeued {
    pub(super) index: u32,
    pub(super) sequence: u32,
    pub(super) flags: u32,
    /// Microseconds of the clock that `flags` name.
    pub(super) timestamp: i64,
    pub(super) used: [usize; PLANES],
    /// Of the used bytes of the first plane, those before the data.
    pub(super) offset: usize,
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

impl Queue {
    /// Pictures from a camera, or coded bytes from an encoder.
    pub(super) fn capture(device: &Arc<Device>) -> Self {
        let multiplanar = device.is_multiplanar();
        let kind = if multiplanar {
            sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE
        } else {
            sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE
        };
        Self { device: Arc::clone(device), kind, multiplanar }
    }

    /// Pictures into an encoder.
    pub(super) fn output(device: &Arc<Device>) -> Self {
        let multiplanar = device.is_multiplanar();
        let kind = if multiplanar {
            sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE
        } else {
            sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_OUTPUT
        };
        Self { device: Arc::clone(device), kind, multiplanar }
    }

    fn is_output(&self) -> bool {
        let outputs = [
            sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_OUTPUT,
            sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE,
        ];
        outputs.contains(&self.kind)
    }

    /// `VIDIOC_ENUM_FMT`: the four-character codes on offer.
    pub(super) fn formats(&self) -> Vec<u32> {
        super::device::enumerate(|index| {
            // SAFETY: plain numbers.
            let mut description: sys::v4l2_fmtdesc = unsafe { zeroed() };
            (description.index, description.type_) = (index, self.kind);
            self.device.ioctl(vidioc::VIDIOC_ENUM_FMT, &mut description)?;
            Ok(description.pixelformat)
        })
    }

    /// `VIDIOC_S_FMT`; the driver may settle on something else. `strides` are those of the colour planes; 0 is the driver's
    /// choice, and so is a `size` of 0 of the first memory plane.
    pub(super) fn set_format(
        &self,
        fourcc: u32,
        (width, height): (u32, u32),
        strides: [usize; PLANES],
        size: usize,
    ) -> io::Result<PixFormat> {
        // SAFETY: plain numbers.
        let mut format: sys::v4l2_format = unsafe { zeroed() };
        format.type_ = self.kind;
        let field = sys::v4l2_field_V4L2_FIELD_NONE;
        if self.multiplanar {
            // SAFETY: plain numbers.
            let mut pix: sys::v4l2_pix_format_mplane = unsafe { zeroed() };
            (pix.width, pix.height, pix.pixelformat, pix.field) = (width, height, fourcc, field);
            let planes = memory_planes(fourcc);
            pix.num_planes = planes as u8;
            if self.is_output() {
                pix.colorspace = COLOURS.colorspace;
                pix.__bindgen_anon_1.ycbcr_enc = COLOURS.ycbcr_enc as u8;
                pix.quantization = COLOURS.quantization as u8;
                pix.xfer_func = COLOURS.xfer_func as u8;
            }
            let mut formats = pix.plane_fmt;
            for (format, stride) in formats.iter_mut().zip(strides).take(planes) {
                format.bytesperline = stride as u32;
            }
            formats[0].sizeimage = size as u32;
            pix.plane_fmt = formats;
            format.fmt.pix_mp = pix;
        } else {
            // SAFETY: plain numbers.
            let mut pix: sys::v4l2_pix_format = unsafe { zeroed() };
            (pix.width, pix.height, pix.pixelformat, pix.field) = (width, height, fourcc, field);
            (pix.bytesperline, pix.sizeimage) = (strides[0] as u32, size as u32);
            if self.is_output() {
                pix.colorspace = COLOURS.colorspace;
                pix.__bindgen_anon_1.ycbcr_enc = COLOURS.ycbcr_enc;
                pix.quantization = COLOURS.quantization;
                pix.xfer_func = COLOURS.xfer_func;
            }
            format.fmt.pix = pix;
        }
        self.device.ioctl(vidioc::VIDIOC_S_FMT, &mut format)?;
        if self.multiplanar {
            // SAFETY: the buffer type says which member of the union is in use.
            let pix = unsafe { format.fmt.pix_mp };
            let planes = pix.plane_fmt;
            let count = usize::from(pix.num_planes).min(PLANES);
            let strides = (0..count).map(|i| planes[i].bytesperline as usize).collect();
            return Ok(PixFormat { fourcc: pix.pixelformat, width: pix.width, height: pix.height, strides });
        }
        // SAFETY: as above.
        let pix = unsafe { format.fmt.pix };
        let strides = vec![pix.bytesperline as usize];
        Ok(PixFormat { fourcc: pix.pixelformat, width: pix.width, height: pix.height, strides })
    }

    /// `VIDIOC_S_PARM`: asks for a rate in pictures a second, of which thousandths are told; the rate that it will be, `None` where the
    /// driver doesn't tell. For `OUTPUT` it is the rate of the coded stream too.
    pub(super) fn set_rate(&self, rate: f64) -> Option<f64> {
        // SAFETY: plain numbers.
        let mut parameters: sys::v4l2_streamparm = unsafe { zeroed() };
        parameters.type_ = self.kind;
        // SAFETY: `capture` and `output` have their interval at the same place.
        let capture = unsafe { &mut parameters.parm.capture };
        capture.timeperframe =
            sys::v4l2_fract { numerator: 1000, denominator: (rate * 1000.0).round() as u32 };
        self.device.ioctl(vidioc::VIDIOC_S_PARM, &mut parameters).ok()?;
        // SAFETY: as above.
        let sys::v4l2_fract { numerator, denominator } = unsafe { parameters.parm.capture.timeperframe };
        (numerator > 0 && denominator > 0).then(|| f64::from(denominator) / f64::from(numerator))
    }

    /// `VIDIOC_S_SELECTION`, `V4L2_SEL_TGT_CROP`: the part of each picture, from its top left, that is seen; returns what it
    /// will be.
    pub(super) fn crop(&self, (width, height): (u32, u32)) -> io::Result<(u32, u32)> {
        // SAFETY: plain numbers.
        let mut selection: sys::v4l2_selection = unsafe { zeroed() };
        // Selections know no multi-planar types (VIDIOC_G_SELECTION, note).
        selection.type_ = sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_OUTPUT;
        selection.target = sys::V4L2_SEL_TGT_CROP;
        selection.r = sys::v4l2_rect { left: 0, top: 0, width, height };
        self.device.ioctl(S_SELECTION, &mut selection)?;
        Ok((selection.r.width, selection.r.height))
    }

    /// `VIDIOC_REQBUFS`; returns how many buffers there are. None gives all back.
    pub(super) fn request_buffers(&self, count: u32, memory: Memory) -> io::Result<u32> {
        // SAFETY: plain numbers.
        let mut request: sys::v4l2_requestbuffers = unsafe { zeroed() };
        request.count = count;
        (request.type_, request.memory) = (self.kind, memory.code());
        self.device.ioctl(vidioc::VIDIOC_REQBUFS, &mut request)?;
        Ok(request.count)
    }

    /// `VIDIOC_QUERYBUF` and `mmap`: the memory planes of a buffer of the driver's.
    pub(super) fn map(&self, index: u32) -> io::Result<Vec<Mapping>> {
        let nothing = Filled { index, timestamp: 0, used: [0; PLANES], dma_bufs: None };
        let places =
            self.with_buffer(vidioc::VIDIOC_QUERYBUF, &nothing, Memory::Mmap, |buffer, planes| {
                if self.multiplanar {
                    let count = (buffer.length as usize).min(PLANES);
                    // SAFETY: QUERYBUF wrote offsets.
                    planes[..count]
                        .iter()
                        .map(|plane| (unsafe { plane.m.mem_offset }, plane.length))
                        .collect()
                } else {
                    // SAFETY: as above.
                    vec![(unsafe { buffer.m.offset }, buffer.length)]
                }
            })?;
        places.into_iter().map(|(offset, length)| self.map_plane(offset, length as usize)).collect()
    }

    fn map_plane(&self, offset: u32, length: usize) -> io::Result<Mapping> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let file: &File = self.device.file();
        // SAFETY: a new shared mapping of the driver's memory at the offset that it named.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                protection,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                libc::off_t::from(offset),
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Mapping { address: address.cast(), length })
    }

    /// `VIDIOC_EXPBUF`: a memory plane of a buffer of the driver's as a DMA-BUF.
    pub(super) fn export(&self, index: u32, plane: usize) -> io::Result<OwnedFd> {
        // SAFETY: plain numbers.
        let mut export: sys::v4l2_exportbuffer = unsafe { zeroed() };
        (export.type_, export.index, export.plane) = (self.kind, index, plane as u32);
        export.flags = (libc::O_CLOEXEC | libc::O_RDWR) as u32;
        self.device.ioctl(vidioc::VIDIOC_EXPBUF, &mut export)?;
        // SAFETY: the call succeeded, so that this is a new descriptor of ours.
        Ok(unsafe { OwnedFd::from_raw_fd(export.fd) })
    }

    /// `VIDIOC_QBUF`: gives a buffer of the driver's own memory back, to be filled.
    pub(super) fn queue(&self, index: u32) -> io::Result<()> {
        let nothing = Filled { index, timestamp: 0, used: [0; PLANES], dma_bufs: None };
        self.with_buffer(vidioc::VIDIOC_QBUF, &nothing, Memory::Mmap, |_, _| ())
    }

    /// `VIDIOC_QBUF`: hands a picture to an encoder.
    pub(super) fn fill(&self, filled: &Filled) -> io::Result<()> {
        let memory = if filled.dma_bufs.is_some() { Memory::DmaBuf } else { Memory::Mmap };
        self.with_buffer(vidioc::VIDIOC_QBUF, filled, memory, |_, _| ())
    }

    /// `VIDIOC_DQBUF`: takes a buffer that the driver is done with; `WouldBlock` while there is none.
    pub(super) fn dequeue(&self, memory: Memory) -> io::Result<Dequeued> {
        let nothing = Filled { index: 0, timestamp: 0, used: [0; PLANES], dma_bufs: None };
        self.with_buffer(vidioc::VIDIOC_DQBUF, &nothing, memory, |buffer, planes| {
            let (mut used, mut offset) = ([0; PLANES], 0);
            if self.multiplanar {
                offset = planes[0].data_offset as usize;
                for (used, plane) in used.iter_mut().zip(planes.iter()) {
                    *used = plane.bytesused as usize;
                }
            } else {
                used[0] = buffer.bytesused as usize;
            }
            #[allow(clippy::useless_conversion)] // the fields are 32 bits wide on some targets
            let (seconds, micros) = (i64::from(buffer.timestamp.tv_sec), i64::from(buffer.timestamp.tv_usec));
            let timestamp = seconds * 1_000_000 + micros;
            let sys::v4l2_buffer { index, sequence, flags, .. } = *buffer;
            Dequeued { index, sequence, flags, timestamp, used, offset }
        })
    }

    fn with_buffer<T>(
        &self,
        request: vidioc::_IOC_TYPE,
        filled: &Filled,
        memory: Memory,
        take: impl FnOnce(&sys::v4l2_buffer, &[sys::v4l2_plane; 8]) -> T,
    ) -> io::Result<T> {
        // SAFETY: plain numbers and a null pointer.
        let (mut buffer, mut planes): (sys::v4l2_buffer, [sys::v4l2_plane; 8]) =
            unsafe { (zeroed(), zeroed()) };
        buffer.index = filled.index;
        (buffer.type_, buffer.memory) = (self.kind, memory.code());
        buffer.field = sys::v4l2_field_V4L2_FIELD_NONE;
        buffer.timestamp.tv_sec = (filled.timestamp / 1_000_000) as _;
        buffer.timestamp.tv_usec = (filled.timestamp % 1_000_000) as _;
        if self.multiplanar {
            for (i, plane) in planes.iter_mut().enumerate().take(PLANES) {
                plane.bytesused = filled.used[i] as u32;
                if let Some(dma_bufs) = filled.dma_bufs {
                    plane.m.fd = dma_bufs[i].0;
                    plane.length = dma_bufs[i].1 as u32;
                }
            }
            buffer.m.planes = planes.as_mut_ptr();
            buffer.length = planes.len() as u32;
        } else {
            buffer.bytesused = filled.used[0] as u32;
            if let Some(dma_bufs) = filled.dma_bufs {
                buffer.m.fd = dma_bufs[0].0;
                buffer.length = dma_bufs[0].1 as u32;
            }
        }
        self.device.ioctl(request, &mut buffer)?;
        Ok(take(&buffer, &planes))
    }

    pub(super) fn start(&self) -> io::Result<()> {
        self.device.ioctl(vidioc::VIDIOC_STREAMON, &mut self.kind.clone())
    }

    pub(super) fn stop(&self) -> io::Result<()> {
        self.device.ioctl(vidioc::VIDIOC_STREAMOFF, &mut self.kind.clone())
    }
}
