use std::fmt;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use crate::{Pooled, Recycle, Timestamp};

/// How a camera hands over its pictures, in the order in which a camera's formats are preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PixelFormat {
    /// Y plane, then interleaved Cb Cr at half width and height (`V4L2_PIX_FMT_NV12`, `_NV12M`).
    Nv12,
    /// As NV12 with Cr before Cb.
    Nv21,
    /// Three planes Y, Cb, Cr, chroma at half width and height (`V4L2_PIX_FMT_YUV420`).
    I420,
    /// Packed Y Cb Y Cr (`V4L2_PIX_FMT_YUYV`).
    Yuyv,
    /// One JPEG picture (`V4L2_PIX_FMT_MJPEG`, `_JPEG`).
    Mjpeg,
    /// One access unit in Annex B form: a camera or a file that encodes by itself.
    H264,
}

impl fmt::Display for PixelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nv12 => "NV12",
            Self::Nv21 => "NV21",
            Self::I420 => "I420",
            Self::Yuyv => "YUYV",
            Self::Mjpeg => "MJPEG",
            Self::H264 => "H264",
        })
    }
}

/// Memory of one picture: a driver's mapped buffer or a vector. It moves between capture and pipeline; the
/// pictures in it are never copied for that.
pub trait Buffer: Send {
    /// The bytes of one memory plane. Single-planar buffers have plane 0 only; any other is empty.
    fn plane(&self, index: usize) -> &[u8];
    fn plane_mut(&mut self, index: usize) -> &mut [u8];
    /// The driver's number of this buffer; 0 where buffers have none.
    fn index(&self) -> u32;

    /// The DMA-BUF of one memory plane, by which another device reads it in place; none where it is no device's memory.
    fn dma_buf(&self, _plane: usize) -> Option<BorrowedFd<'_>> {
        None
    }
}

impl Buffer for Vec<u8> {
    fn plane(&self, index: usize) -> &[u8] {
        if index == 0 { self } else { &[] }
    }

    fn plane_mut(&mut self, index: usize) -> &mut [u8] {
        if index == 0 { self } else { &mut [] }
    }

    fn index(&self) -> u32 {
        0
    }
}

/// Where one colour plane lies in its buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlaneLayout {
    /// Number of the buffer's memory plane.
    pub memory: usize,
    /// Bytes from the start of that memory plane.
    pub offset: usize,
    /// Bytes from one row to the next.
    pub stride: usize,
}

/// Where the colour planes of a picture lie. For [`PixelFormat::Mjpeg`] and [`PixelFormat::H264`] only plane 0
/// counts, and its `stride` is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub format: PixelFormat,
    pub width: u32,
    pub height: u32,
    pub planes: [PlaneLayout; 3],
}

impl Layout {
    /// All planes one after another in one memory plane, rows of `stride` luma bytes (bytes of packed pixels
    /// for YUYV) and chroma rows in proportion, as the single-planar V4L2 formats define it.
    pub fn contiguous(format: PixelFormat, width: u32, height: u32, stride: usize) -> Self {
        let rows = height as usize;
        let chroma_rows = rows.div_ceil(2);
        let plane = |offset, stride| PlaneLayout { memory: 0, offset, stride };
        let none = PlaneLayout::default();
        let planes = match format {
            PixelFormat::Nv12 | PixelFormat::Nv21 => [plane(0, stride), plane(stride * rows, stride), none],
            PixelFormat::I420 => {
                let chroma = stride.div_ceil(2);
                let cb = stride * rows;
                [plane(0, stride), plane(cb, chroma), plane(cb + chroma * chroma_rows, chroma)]
            }
            PixelFormat::Yuyv => [plane(0, stride), none, none],
            PixelFormat::Mjpeg | PixelFormat::H264 => [none; 3],
        };
        Self { format, width, height, planes }
    }

    /// As [`Layout::contiguous`] without padding.
    pub fn packed(format: PixelFormat, width: u32, height: u32) -> Self {
        let bytes_per_pixel = if format == PixelFormat::Yuyv { 2 } else { 1 };
        Self::contiguous(format, width, height, width as usize * bytes_per_pixel)
    }

    /// Bytes in a row of colour plane `index` that carry pixels.
    pub fn row_bytes(&self, index: usize) -> usize {
        let width = self.width as usize;
        match (self.format, index) {
            (PixelFormat::Yuyv, 0) => width.div_ceil(2) * 4,
            (PixelFormat::Nv12 | PixelFormat::Nv21, 1) => width.div_ceil(2) * 2,
            (PixelFormat::I420, 1 | 2) => width.div_ceil(2),
            (PixelFormat::Nv12 | PixelFormat::Nv21 | PixelFormat::I420, 0) => width,
            _ => 0,
        }
    }

    /// Rows of colour plane `index`.
    pub fn rows(&self, index: usize) -> usize {
        let rows = self.height as usize;
        if index == 0 { rows } else { rows.div_ceil(2) }
    }

    /// Bytes that colour plane `index` needs from its offset on: the last row need not be padded.
    pub fn plane_bytes(&self, index: usize) -> usize {
        match self.row_bytes(index) {
            0 => 0,
            row => self.planes[index].stride * (self.rows(index) - 1) + row,
        }
    }

    /// Bytes of a whole picture of this layout, in all its memory planes; 0 for compressed formats.
    pub fn size(&self) -> usize {
        self.memory_bytes().iter().sum()
    }

    /// Bytes of pixels in all planes, without padding.
    pub fn pixel_bytes(&self) -> usize {
        (0..3).map(|i| self.row_bytes(i) * self.rows(i)).sum()
    }

    /// Bytes that a whole picture of this layout needs in each memory plane.
    pub fn memory_bytes(&self) -> [usize; 3] {
        let mut bytes = [0; 3];
        for (i, plane) in self.planes.iter().enumerate() {
            let needs = &mut bytes[plane.memory];
            *needs = plane.offset.saturating_add(self.plane_bytes(i)).max(*needs);
        }
        bytes
    }
}

/// One colour plane of a picture.
#[derive(Clone, Copy)]
pub struct Plane<'a> {
    pub data: &'a [u8],
    pub stride: usize,
}

/// One captured picture on loan. Dropping it gives the buffer back to where it came from.
pub struct Frame {
    pub layout: Layout,
    /// When the sensor delivered it.
    pub captured: Timestamp,
    /// Number of the picture since the camera was opened; gaps are pictures that the driver lost.
    pub sequence: u32,
    /// Bytes in use in each memory plane.
    used: [usize; 3],
    buffer: Pooled<Box<dyn Buffer>>,
}

impl Frame {
    /// A picture in `buffer`, of which the driver filled `used` bytes of each memory plane. `None` when that
    /// is less than `layout` needs: a short picture.
    pub fn new(
        layout: Layout,
        captured: Timestamp,
        sequence: u32,
        used: [usize; 3],
        buffer: Pooled<Box<dyn Buffer>>,
    ) -> Option<Self> {
        let whole = (0..3).all(|i| {
            let PlaneLayout { memory, offset, .. } = layout.planes[i];
            offset + layout.plane_bytes(i) <= used[memory] && used[memory] <= buffer.plane(memory).len()
        });
        whole.then_some(Self { layout, captured, sequence, used, buffer })
    }

    /// Colour plane `index`, the last row's padding included where the driver filled it; empty where the format has
    /// no such plane.
    pub fn plane(&self, index: usize) -> Plane<'_> {
        let PlaneLayout { memory, offset, stride } = self.layout.planes[index];
        let end = match self.layout.plane_bytes(index) {
            0 => offset,
            bytes => (offset + stride * self.layout.rows(index)).min(self.used[memory]).max(offset + bytes),
        };
        Plane { data: &self.buffer.plane(memory)[offset..end], stride }
    }

    /// A picture of its own with the same contents; none of compressed ones.
    pub fn copy(&self) -> Option<Self> {
        let layout = Layout::packed(self.layout.format, self.layout.width, self.layout.height);
        let pool = crate::Pool::new(1, move || -> Box<dyn Buffer> { Box::new(vec![0; layout.size()]) });
        self.copy_to(pool.take(), layout).filter(|copy| copy.layout.size() > 0)
    }

    /// The same picture in `buffer`, laid out as `layout` says, which has its format and size; none where it doesn't fit.
    pub fn copy_to(&self, mut buffer: Pooled<Box<dyn Buffer>>, layout: Layout) -> Option<Self> {
        let kind = |layout: &Layout| (layout.format, layout.width, layout.height);
        if kind(&layout) != kind(&self.layout) {
            return None;
        }
        for (index, plane) in layout.planes.iter().enumerate() {
            let (from, row) = (self.plane(index), layout.row_bytes(index));
            let rows = if row > 0 { layout.rows(index) } else { 0 };
            let to = buffer.plane_mut(plane.memory).get_mut(plane.offset..)?;
            for y in 0..rows {
                to.get_mut(y * plane.stride..)?
                    .get_mut(..row)?
                    .copy_from_slice(from.data.get(y * from.stride..)?.get(..row)?);
            }
        }
        Self::new(layout, self.captured, self.sequence, layout.memory_bytes(), buffer)
    }

    /// The same picture, whose buffer goes to `home` when it is dropped; and what makes it a picture again there.
    pub(crate) fn redirect(mut self, home: Arc<dyn Recycle<Box<dyn Buffer>>>) -> (Self, Origin) {
        let Self { layout, captured, sequence, used, .. } = self;
        let home = self.buffer.redirect(home);
        (self, Origin { layout, captured, sequence, used, home })
    }

    /// The memory that it lies in.
    pub fn buffer(&self) -> &Pooled<Box<dyn Buffer>> {
        &self.buffer
    }

    /// Bytes in use in each memory plane.
    pub fn used(&self) -> [usize; 3] {
        self.used
    }

    /// The bytes of a compressed picture ([`PixelFormat::Mjpeg`], [`PixelFormat::H264`]).
    pub fn compressed(&self) -> &[u8] {
        &self.buffer.plane(0)[..self.used[0]]
    }
}

/// A picture without its buffer, and where that came from.
pub(crate) struct Origin {
    layout: Layout,
    captured: Timestamp,
    sequence: u32,
    used: [usize; 3],
    home: Arc<dyn Recycle<Box<dyn Buffer>>>,
}

impl Origin {
    /// The picture in its buffer.
    pub(crate) fn frame(self, buffer: Box<dyn Buffer>) -> Frame {
        let Self { layout, captured, sequence, used, home } = self;
        Frame { layout, captured, sequence, used, buffer: Pooled::new(buffer, home) }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Layout { format, width, height, .. } = self.layout;
        write!(f, "Frame({format} {width}x{height} #{} at {})", self.sequence, self.captured)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pool;

    fn buffer(bytes: usize) -> Pooled<Box<dyn Buffer>> {
        let pool = Pool::new(1, move || -> Box<dyn Buffer> { Box::new(vec![0_u8; bytes]) });
        pool.take()
    }

    #[test]
    fn planes_lie_as_v4l2_defines_them() {
        let layout = Layout::contiguous(PixelFormat::I420, 6, 4, 8);
        assert_eq!(layout.planes.map(|p| (p.offset, p.stride)), [(0, 8), (32, 4), (40, 4)]);
        assert_eq!(layout.size(), 40 + 4 + 3);
        assert_eq!(Layout::packed(PixelFormat::Nv12, 6, 4).size(), 36);
        assert_eq!(Layout::packed(PixelFormat::Yuyv, 6, 4).size(), 48);
    }

    #[test]
    fn a_short_picture_is_refused() {
        let layout = Layout::packed(PixelFormat::Nv12, 6, 4);
        let frame = |used| Frame::new(layout, Timestamp::default(), 0, [used, 0, 0], buffer(36));
        assert!(frame(36).is_some());
        assert!(frame(35).is_none());
        assert!(frame(37).is_none(), "more bytes than the buffer has");
    }
}
