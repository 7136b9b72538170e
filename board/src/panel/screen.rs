//! A screen of the kernel's DRM/KMS, drawn to through dumb buffers (kernel: Documentation/gpu/drm-kms.rst).

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use drm::Device;
use drm::buffer::{Buffer, DrmFourcc};
use drm::control::dumbbuffer::DumbBuffer;
use drm::control::{ClipRect, Device as ControlDevice, Mode, connector, crtc, framebuffer};
use embedded_graphics::pixelcolor::{IntoStorage, Rgb888};
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::{Panel, Pixels, ScreenConfig};
use crate::OpenError;

/// Bits of a pixel, XRGB8888.
const DEPTH: u32 = 24;
const BITS: u32 = 32;
const BYTES: usize = BITS as usize / 8;
/// How often is looked whether the screen is still plugged in.
const LOOK: Duration = Duration::from_secs(1);
const REMEDY: &str = "end what else shows on it";

struct Card(File);

impl AsFd for Card {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Device for Card {}
impl ControlDevice for Card {}

pub(crate) struct ScreenPanel {
    card: Card,
    buffer: DumbBuffer,
    framebuffer: framebuffer::Handle,
    crtc: crtc::Handle,
    connector: connector::Handle,
    mode: Mode,
    name: String,
    /// Whether the buffer is what the screen shows.
    is_shown: bool,
    /// Whether the driver wants to be told what was drawn.
    wants_news: bool,
    looked: Instant,
}

impl ScreenPanel {
    pub(crate) fn open(config: &ScreenConfig) -> Result<Self, OpenError> {
        let name = config.to_string();
        let io = |error: io::Error| OpenError::from_io(&name, &error, REMEDY);
        let card = Card(File::options().read(true).write(true).open(&config.device).map_err(io)?);
        let (connector, crtc, mode) = output(&card).map_err(io)?.ok_or_else(|| {
            OpenError::failed(
                &name,
                "no screen is connected",
                "connect one, or take it out of the board file",
            )
        })?;
        let (width, height) = mode.size();
        let size = (width.into(), height.into());
        let buffer = card.create_dumb_buffer(size, DrmFourcc::Xrgb8888, BITS).map_err(io)?;
        let framebuffer = card.add_framebuffer(&buffer, DEPTH, BITS).map_err(io)?;
        Ok(Self {
            card,
            buffer,
            framebuffer,
            crtc,
            connector,
            mode,
            name,
            is_shown: false,
            wants_news: true,
            looked: Instant::now(),
        })
    }

    /// Width and height in pixels, and the rate in Hz.
    pub(crate) fn mode(&self) -> String {
        let (width, height) = self.mode.size();
        format!("{width}x{height} at {} Hz", self.mode.vrefresh())
    }

    /// Copies parts of the picture into the buffer; returns what they lie within.
    fn copy(
        &mut self,
        picture: &Pixels<'_>,
        areas: &mut dyn Iterator<Item = Rectangle>,
    ) -> io::Result<Rectangle> {
        let (whole, pitch) = (Rectangle::new(Point::zero(), self.size()), self.buffer.pitch() as usize);
        let mut memory = self.card.map_dumb_buffer(&mut self.buffer)?;
        let mut drawn = Rectangle::zero();
        for area in areas.map(|area| area.intersection(&whole)).filter(|area| !area.is_zero_sized()) {
            for y in area.rows() {
                let start = y as usize * pitch + area.top_left.x as usize * BYTES;
                let row = memory.get_mut(start..).unwrap_or_default();
                for (pixel, colour) in row.chunks_exact_mut(BYTES).zip(picture.row(y, area.columns())) {
                    pixel.copy_from_slice(&Rgb888::from(*colour).into_storage().to_le_bytes());
                }
            }
            drawn = around(drawn, area);
        }
        Ok(drawn)
    }

    /// Has the screen show the buffer, or what was drawn in it.
    fn publish(&mut self, drawn: Rectangle) -> io::Result<()> {
        if !self.is_shown {
            let (connectors, mode) = ([self.connector], Some(self.mode));
            self.card.set_crtc(self.crtc, Some(self.framebuffer), (0, 0), &connectors, mode)?;
            self.is_shown = true;
        } else if self.wants_news && !drawn.is_zero_sized() {
            let (columns, rows) = (drawn.columns(), drawn.rows());
            let [left, top, right, bottom] =
                [columns.start, rows.start, columns.end, rows.end].map(|edge| edge as u16);
            let told =
                self.card.dirty_framebuffer(self.framebuffer, &[ClipRect::new(left, top, right, bottom)]);
            match told {
                // It sends what is in the buffer by itself.
                Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => self.wants_news = false,
                told => told?,
            }
        }
        Ok(())
    }

    /// An error once the plug is out; the kernel goes on as if it were not.
    fn look(&mut self) -> Result<(), OpenError> {
        if self.looked.elapsed() < LOOK {
            return Ok(());
        }
        self.looked = Instant::now();
        match self.card.get_connector(self.connector, false) {
            Ok(connector) if connector.state() == connector::State::Disconnected => {
                Err(OpenError::failed(&self.name, "it was unplugged", "plug it in"))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(OpenError::from_io(&self.name, &error, REMEDY)),
        }
    }
}

/// The least rectangle round both.
fn around(one: Rectangle, other: Rectangle) -> Rectangle {
    match (one.bottom_right(), other.bottom_right()) {
        (Some(low), Some(lower)) => {
            Rectangle::with_corners(one.top_left.component_min(other.top_left), low.component_max(lower))
        }
        (None, _) => other,
        (_, None) => one,
    }
}

impl Panel for ScreenPanel {
    fn size(&self) -> Size {
        self.buffer.size().into()
    }

    fn has_colours(&self) -> bool {
        true
    }

    fn show(
        &mut self,
        picture: &Pixels<'_>,
        areas: &mut dyn Iterator<Item = Rectangle>,
    ) -> Result<(), OpenError> {
        self.look()?;
        let shown = self.copy(picture, areas).and_then(|drawn| self.publish(drawn));
        shown.map_err(|error| OpenError::from_io(&self.name, &error, REMEDY))
    }
}

impl Drop for ScreenPanel {
    fn drop(&mut self) {
        // The kernel frees what it can't with the card's file.
        let _ = self.card.destroy_framebuffer(self.framebuffer);
        let _ = self.card.destroy_dumb_buffer(self.buffer);
    }
}

/// The first connected connector with its preferred mode, and a CRTC that can drive it.
fn output(card: &Card) -> io::Result<Option<(connector::Handle, crtc::Handle, Mode)>> {
    let resources = card.resource_handles()?;
    for handle in resources.connectors() {
        let connector = card.get_connector(*handle, true)?;
        let Some(mode) = connector.modes().first().copied() else {
            continue;
        };
        if connector.state() != connector::State::Connected {
            continue;
        }
        for encoder in connector.encoders() {
            let possible = card.get_encoder(*encoder)?.possible_crtcs();
            if let Some(crtc) = resources.filter_crtcs(possible).first() {
                return Ok(Some((*handle, *crtc, mode)));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_drawn_lies_within_one_rectangle() {
        let area = |x, y, width, height| Rectangle::new(Point::new(x, y), Size::new(width, height));
        assert_eq!(around(Rectangle::zero(), area(5, 6, 7, 8)), area(5, 6, 7, 8));
        assert_eq!(around(area(5, 6, 7, 8), area(1, 10, 2, 20)), area(1, 6, 11, 24));
    }

    #[test]
    fn a_screen_that_is_not_there_is_told_with_a_remedy() {
        let error = ScreenPanel::open(&ScreenConfig { device: "/nonexistent/card".into() }).err().unwrap();
        assert!(error.to_string().starts_with("screen /nonexistent/card may not be used"), "{error}");
    }
}
