//! A camera that draws, for tests of encoders.
#![allow(dead_code)] // no test uses all of it

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use media::{
    AccessUnit, Buffer, Frame, Layout, PixelFormat, PlaneLayout, Pooled, Recycle, Timestamp, nal_units,
};

/// Neither is a multiple of 16 lines or columns.
pub(crate) const WIDTH: u32 = 328;
pub(crate) const HEIGHT: u32 = 180;

/// A camera's buffer: shared memory in a DMA-BUF's place, or memory that no device can read.
struct CameraBuffer {
    bytes: Vec<u8>,
    dma_buf: Option<File>,
}

impl Buffer for CameraBuffer {
    fn plane(&self, index: usize) -> &[u8] {
        if index == 0 { &self.bytes } else { &[] }
    }

    fn plane_mut(&mut self, index: usize) -> &mut [u8] {
        if index == 0 { &mut self.bytes } else { &mut [] }
    }

    fn index(&self) -> u32 {
        0
    }

    fn dma_buf(&self, _plane: usize) -> Option<BorrowedFd<'_>> {
        self.dma_buf.as_ref().map(AsFd::as_fd)
    }
}

/// Counts the buffers that came back.
#[derive(Default)]
struct Returned(AtomicU32);

impl Recycle<Box<dyn Buffer>> for Returned {
    fn recycle(&self, _buffer: Box<dyn Buffer>) {
        self.0.fetch_add(1, Relaxed);
    }
}

pub(crate) fn nv12(stride: usize, rows: usize) -> Layout {
    let plane = |offset| PlaneLayout { memory: 0, offset, stride };
    let planes = [plane(0), plane(stride * rows), plane(0)];
    Layout { format: PixelFormat::Nv12, width: WIDTH, height: HEIGHT, planes }
}

/// A slope that wanders, with noise on it.
pub(crate) fn draw(memory: &mut [u8], layout: &Layout, number: u32) {
    for (index, plane) in layout.planes.iter().enumerate() {
        for row in 0..layout.rows(index) {
            let start = plane.offset + row * plane.stride;
            let bytes = memory.get_mut(start..).unwrap_or_default();
            let bytes = &mut bytes[..layout.row_bytes(index)];
            for (column, byte) in bytes.iter_mut().enumerate() {
                let noise = (column as u32 * 7919 + row as u32 * 104_729).wrapping_mul(number + 1) >> 13;
                *byte = (column as u32 / 2 + row as u32 + 3 * number) as u8 / 2 + 64 + (noise % 16) as u8;
            }
        }
    }
}

/// Draws one picture after the other, 33 ms apart.
#[derive(Default)]
pub(crate) struct Camera {
    returned: Arc<Returned>,
    /// Pictures so far.
    number: u32,
}

impl Camera {
    /// The next picture, in memory where it is drawn already.
    pub(crate) fn frame(&mut self, layout: Layout, buffer: Pooled<Box<dyn Buffer>>) -> Frame {
        let captured = Timestamp::from_micros(i64::from(self.number) * 33_333);
        self.number += 1;
        Frame::new(layout, captured, self.number, layout.memory_bytes(), buffer).unwrap()
    }

    pub(crate) fn picture(&mut self, layout: Layout, is_dma_buf: bool) -> Frame {
        let mut bytes = vec![0; layout.size()];
        draw(&mut bytes, &layout, self.number);
        let dma_buf = is_dma_buf.then(|| {
            // SAFETY: plain calls; the descriptor is new and owned by nobody else.
            let fd =
                unsafe { OwnedFd::from_raw_fd(libc::memfd_create(c"camera".as_ptr(), libc::MFD_CLOEXEC)) };
            let file = File::from(fd);
            file.write_all_at(&bytes, 0).unwrap();
            file
        });
        let home = Arc::clone(&self.returned) as Arc<dyn Recycle<Box<dyn Buffer>>>;
        self.frame(layout, Pooled::new(Box::new(CameraBuffer { bytes, dma_buf }), home))
    }

    /// How many of its buffers came back.
    pub(crate) fn returned(&self) -> u32 {
        self.returned.0.load(Relaxed)
    }
}

/// NAL unit types.
pub(crate) fn kinds(unit: &AccessUnit) -> Vec<u8> {
    nal_units(&unit.bytes).map(|nal| nal[0] & 0x1f).collect()
}

pub(crate) fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}
