//! A screen of the kernel's DRM/KMS, drawn to through dumb buffers (kernel: Documentation/gpu/drm-kms.rst).

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use drm::Device;
use drm::buffer::{Buffer, DrmFourcc};
use drm::control::dumbbuffer::{DumbBuffer, DumbMapping};
use drm::control::{Device as ControlDevice, Mode, connector, crtc, framebuffer};
use embedded_graphics::pixelcolor::{IntoStorage, Rgb888};
use embedded_graphics::prelude::*;

use super::draw_test_picture;
use crate::{OpenError, ScreenConfig};

/// Bits of a pixel, XRGB8888.
const DEPTH: u32 = 24;
const BITS: u32 = 32;

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
}

impl ScreenPanel {
    pub(crate) fn open(config: &ScreenConfig) -> Result<Self, OpenError> {
        let name = config.to_string();
        let io = |error: io::Error| OpenError::from_io(&name, &error, "end what else shows on it");
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
        Ok(Self { card, buffer, framebuffer, crtc, connector, mode, name })
    }

    /// Width and height in pixels, and the rate in Hz.
    pub(crate) fn mode(&self) -> String {
        let (width, height) = self.mode.size();
        format!("{width}x{height} at {} Hz", self.mode.vrefresh())
    }

    /// Shows the test picture for as long as the panel lives.
    pub(crate) fn test(&mut self) -> Result<(), OpenError> {
        self.show().map_err(|error| OpenError::from_io(&self.name, &error, "end what else shows on it"))
    }

    fn show(&mut self) -> io::Result<()> {
        let (size, pitch) = (self.buffer.size(), self.buffer.pitch() as usize);
        let mut canvas = Canvas { pixels: self.card.map_dumb_buffer(&mut self.buffer)?, size, pitch };
        let Ok(()) = draw_test_picture(&mut canvas);
        drop(canvas);
        let (connectors, mode) = ([self.connector], Some(self.mode));
        self.card.set_crtc(self.crtc, Some(self.framebuffer), (0, 0), &connectors, mode)
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

/// A mapped buffer to draw on.
struct Canvas<'a> {
    pixels: DumbMapping<'a>,
    size: (u32, u32),
    /// Bytes from one row to the next.
    pitch: usize,
}

impl OriginDimensions for Canvas<'_> {
    fn size(&self) -> Size {
        self.size.into()
    }
}

impl DrawTarget for Canvas<'_> {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        let area = self.bounding_box();
        for Pixel(at, color) in pixels.into_iter().filter(|pixel| area.contains(pixel.0)) {
            let start = at.y as usize * self.pitch + at.x as usize * 4;
            if let Some(pixel) = self.pixels.get_mut(start..start + 4) {
                pixel.copy_from_slice(&color.into_storage().to_le_bytes());
            }
        }
        Ok(())
    }
}
