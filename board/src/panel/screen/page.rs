//! A dumb buffer, which knows what it lacks of the picture.

use std::ffi::c_ulong;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;

use drm::buffer::{Buffer, DrmFourcc};
use drm::control::dumbbuffer::DumbBuffer;
use drm::control::{ClipRect, Device as ControlDevice, framebuffer};
use embedded_graphics::pixelcolor::{IntoStorage, Rgb888};
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::Card;
use crate::panel::Pixels;

/// Bits of a pixel, XRGB8888.
const DEPTH: u32 = 24;
const BITS: u32 = 32;
const BYTES: usize = BITS as usize / 8;
/// `DRM_IOCTL_MODE_CLOSEFB` of Linux 6.8 (drm/drm.h).
const CLOSE_FRAMEBUFFER: c_ulong = 0xc008_64d0;

/// Memory that a screen can show.
pub(super) struct Page {
    buffer: DumbBuffer,
    pub(super) framebuffer: framebuffer::Handle,
    lacks: Areas,
}

impl Page {
    /// A black one. `size`: pixels.
    pub(super) fn new(card: &Card, size: Size) -> io::Result<Self> {
        let buffer = card.create_dumb_buffer((size.width, size.height), DrmFourcc::Xrgb8888, BITS)?;
        match card.add_framebuffer(&buffer, DEPTH, BITS) {
            Ok(framebuffer) => Ok(Self { buffer, framebuffer, lacks: Areas::new(size) }),
            Err(error) => {
                let _ = card.destroy_dumb_buffer(buffer);
                Err(error)
            }
        }
    }

    pub(super) fn size(&self) -> Size {
        self.buffer.size().into()
    }

    /// That area of the picture is another one now.
    pub(super) fn outdate(&mut self, area: Rectangle) {
        self.lacks.add(area);
    }

    pub(super) fn is_outdated(&self) -> bool {
        !self.lacks.bounds().is_zero_sized()
    }

    /// Copies what it lacks; returns what that lies within.
    pub(super) fn draw(&mut self, card: &Card, picture: &Pixels<'_>) -> io::Result<Rectangle> {
        let (drawn, pitch) = (self.lacks.bounds(), self.buffer.pitch() as usize);
        if !drawn.is_zero_sized() {
            let mut memory = card.map_dumb_buffer(&mut self.buffer)?;
            self.lacks.copy(picture, &mut memory, pitch);
        }
        Ok(drawn)
    }

    /// Tells the driver what was drawn while it was on show.
    pub(super) fn tell(&self, card: &Card, drawn: Rectangle) -> io::Result<()> {
        let [left, top, right, bottom] = edges(drawn).map(|edge| edge as u16);
        card.dirty_framebuffer(self.framebuffer, &[ClipRect::new(left, top, right, bottom)])
    }

    /// It stays on show when this process ends, until something else is shown.
    pub(super) fn let_go(&self, card: &Card) -> io::Result<()> {
        // struct drm_mode_closefb: its number, and zero.
        let mut argument = [u32::from(self.framebuffer), 0];
        // SAFETY: the ioctl reads and writes eight bytes; a number that is none makes it fail.
        match unsafe { libc::ioctl(card.0.as_raw_fd(), CLOSE_FRAMEBUFFER as _, &raw mut argument) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }

    /// Where it is on show the screen goes dark.
    pub(super) fn destroy(&self, card: &Card) {
        // The kernel frees what it can't with the card's file.
        let _ = card.destroy_framebuffer(self.framebuffer);
        let _ = card.destroy_dumb_buffer(self.buffer);
    }
}

/// The first column and row, and those behind the last.
pub(super) fn edges(area: Rectangle) -> [i32; 4] {
    let (columns, rows) = (area.columns(), area.rows());
    [columns.start, rows.start, columns.end, rows.end]
}

/// Some columns of each row.
struct Areas {
    width: i32,
    rows: Vec<Range<i32>>,
}

impl Areas {
    fn new(size: Size) -> Self {
        Self { width: size.width as i32, rows: vec![0..0; size.height as usize] }
    }

    /// What lies beside the picture is left out.
    fn add(&mut self, area: Rectangle) {
        let [left, top, right, bottom] = edges(area);
        let (left, right) = (left.max(0), right.min(self.width));
        let rows = top.max(0) as usize..(bottom.max(0) as usize).min(self.rows.len());
        if left < right {
            for row in self.rows.get_mut(rows).into_iter().flatten() {
                *row =
                    if Range::is_empty(row) { left..right } else { row.start.min(left)..row.end.max(right) };
            }
        }
    }

    /// The least rectangle round them.
    fn bounds(&self) -> Rectangle {
        let filled = || self.rows.iter().enumerate().filter(|(_, row)| !Range::is_empty(row));
        let (Some((top, _)), Some((bottom, _))) = (filled().next(), filled().next_back()) else {
            return Rectangle::zero();
        };
        let left = filled().map(|(_, row)| row.start).min().unwrap_or(0);
        let right = filled().map(|(_, row)| row.end).max().unwrap_or(0);
        let corner = |x: i32, y: usize| Point::new(x, y as i32);
        Rectangle::with_corners(corner(left, top), corner(right - 1, bottom))
    }

    /// Copies them into memory of so many bytes a row, and is empty then.
    fn copy(&mut self, picture: &Pixels<'_>, memory: &mut [u8], pitch: usize) {
        for (y, columns) in self.rows.iter_mut().enumerate().filter(|(_, columns)| !Range::is_empty(columns))
        {
            let start = y * pitch + columns.start as usize * BYTES;
            let pixels = picture.row(y as i32, std::mem::take(columns));
            let row = memory.get_mut(start..).unwrap_or_default().as_chunks_mut::<BYTES>().0;
            for (pixel, colour) in row.iter_mut().zip(pixels) {
                *pixel = Rgb888::from(*colour).into_storage().to_le_bytes();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use embedded_graphics::pixelcolor::Rgb565;

    use super::*;

    const SIZE: Size = Size::new(20, 30);
    /// Longer than the rows.
    const PITCH: usize = 96;

    fn area(x: i32, y: i32, width: u32, height: u32) -> Rectangle {
        Rectangle::new(Point::new(x, y), Size::new(width, height))
    }

    /// How many pixels are copied.
    fn copied(areas: &mut Areas) -> usize {
        let mut memory = [0; PITCH * SIZE.height as usize];
        let pixels = [Rgb565::WHITE; (SIZE.width * SIZE.height) as usize];
        areas.copy(&Pixels { width: SIZE.width, pixels: &pixels }, &mut memory, PITCH);
        memory.as_chunks::<BYTES>().0.iter().filter(|pixel| **pixel != [0; BYTES]).count()
    }

    #[test]
    fn what_changed_again_is_copied_once() {
        let mut areas = Areas::new(SIZE);
        assert_eq!((areas.bounds(), copied(&mut areas)), (Rectangle::zero(), 0));
        areas.add(area(5, 6, 7, 8));
        areas.add(area(5, 6, 7, 8));
        areas.add(area(12, 13, 2, 2));
        assert_eq!(areas.bounds(), area(5, 6, 9, 9));
        assert_eq!(copied(&mut areas), 7 * 7 + 9 + 2);
        assert_eq!((areas.bounds(), copied(&mut areas)), (Rectangle::zero(), 0), "it is copied");
    }

    #[test]
    fn what_lies_beside_is_left_out() {
        let mut areas = Areas::new(SIZE);
        for beside in
            [area(-5, 3, 5, 5), area(3, -5, 5, 5), area(20, 3, 5, 5), area(3, 30, 5, 5), area(3, 3, 0, 9)]
        {
            areas.add(beside);
        }
        assert_eq!(areas.bounds(), Rectangle::zero());
        areas.add(area(-5, -5, 100, 100));
        assert_eq!((areas.bounds(), copied(&mut areas)), (area(0, 0, 20, 30), 600));
    }

    #[test]
    fn a_picture_that_is_too_small_fills_what_it_can() {
        let mut areas = Areas::new(SIZE);
        areas.add(area(0, 0, 20, 30));
        let mut memory = [0; PITCH * SIZE.height as usize];
        let pixels = [Rgb565::WHITE; 5 * 20];
        areas.copy(&Pixels { width: 20, pixels: &pixels }, &mut memory, PITCH);
        assert!(memory[4 * PITCH..][..20 * BYTES].chunks(BYTES).all(|pixel| pixel == [255, 255, 255, 0]));
        assert!(memory[5 * PITCH..].iter().all(|byte| *byte == 0));
    }
}
