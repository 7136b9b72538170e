//! A display with colours on an SPI bus, with a controller that speaks MIPI's display command set.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use embedded_graphics::pixelcolor::Rgb565;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use linux_embedded_hal::Delay;
use linux_embedded_hal::spidev::{SpiModeFlags, Spidev, SpidevOptions};
use mipidsi::interface::{Interface, InterfaceKind};
use mipidsi::models::{ILI9341Rgb565, Model, ST7789};
use mipidsi::options::{ColorInversion, Orientation, Rotation};
use mipidsi::{Builder, Display, NoResetPin};

use super::config::TftController;
use super::{Panel, Pixels, TftConfig};
use crate::OpenError;
use crate::lines::Line;

/// A transfer of spidev, unless its module was told otherwise (kernel: drivers/spi/spidev.c, bufsiz).
const TRANSFER: usize = 4096;
/// A reset, and until the controller listens after it (ST7789V, clause 7.4.5).
const RESET: Duration = Duration::from_millis(1);
const AWAKE: Duration = Duration::from_millis(120);
const REMEDY: &str = "check its wiring, and size and controller in the board file";

/// Opens it, and lights it.
pub(crate) fn open(config: &TftConfig) -> Result<Box<dyn Panel>, OpenError> {
    match config.controller {
        TftController::St7789 => open_model(config, ST7789),
        TftController::Ili9341 => open_model(config, ILI9341Rgb565),
    }
}

fn open_model<M>(config: &TftConfig, model: M) -> Result<Box<dyn Panel>, OpenError>
where
    M: Model<ColorFormat = Rgb565> + Send + 'static,
{
    let name = config.to_string();
    let io = |error: io::Error| OpenError::from_io(&name, &error, REMEDY);
    let mut bus = Spidev::open(&config.device).map_err(io)?;
    let options = SpidevOptions::new().max_speed_hz(config.speed).mode(SpiModeFlags::SPI_MODE_0).build();
    bus.configure(&options).map_err(io)?;
    let data = Line::output(&config.data)?;
    if let Some(line) = &config.reset {
        let line = Line::output(line)?;
        line.set(true)?;
        thread::sleep(RESET);
        line.set(false)?;
        thread::sleep(AWAKE);
    }
    let inversion = if config.inverted { ColorInversion::Inverted } else { ColorInversion::Normal };
    let rotation = match config.mount_rotation.quarter_turns() {
        0 => Rotation::Deg0,
        1 => Rotation::Deg90,
        2 => Rotation::Deg180,
        _ => Rotation::Deg270,
    };
    let wire = Wire { bus, data, message: Vec::with_capacity(TRANSFER) };
    let display = Builder::new(model, wire)
        .display_size(config.width, config.height)
        .orientation(Orientation::new().rotate(rotation))
        .invert_colors(inversion)
        .init(&mut Delay)
        .map_err(|error| OpenError::failed(&name, format!("{error:?}"), REMEDY))?;
    let (width, height) = (u32::from(config.width), u32::from(config.height));
    let size = if rotation.is_horizontal() { Size::new(width, height) } else { Size::new(height, width) };
    let backlight = config.backlight.as_ref().map(Line::output).transpose()?;
    Ok(Box::new(TftPanel { display, size, backlight, name }))
}

struct TftPanel<M: Model<ColorFormat = Rgb565>> {
    display: Display<Wire, M, NoResetPin>,
    size: Size,
    /// Dark until there is a picture.
    backlight: Option<Line>,
    name: String,
}

impl<M: Model<ColorFormat = Rgb565> + Send> Panel for TftPanel<M> {
    fn size(&self) -> Size {
        self.size
    }

    fn has_colours(&self) -> bool {
        true
    }

    fn show(
        &mut self,
        picture: &Pixels<'_>,
        areas: &mut dyn Iterator<Item = Rectangle>,
    ) -> Result<(), OpenError> {
        let whole = Rectangle::new(Point::zero(), self.size);
        for area in areas.map(|area| area.intersection(&whole)).filter(|area| !area.is_zero_sized()) {
            let (columns, rows) = (area.columns(), area.rows());
            let pixels = rows.clone().flat_map(|y| picture.row(y, columns.clone())).copied();
            let last = |range: &std::ops::Range<i32>| (range.end - 1) as u16;
            let (left, top) = (columns.start as u16, rows.start as u16);
            let sent = self.display.set_pixels(left, top, last(&columns), last(&rows), pixels);
            sent.map_err(|error| OpenError::failed(&self.name, error, REMEDY))?;
        }
        match &self.backlight {
            Some(line) => line.set(true),
            None => Ok(()),
        }
    }
}

/// SPI with a line that tells data from commands.
struct Wire {
    bus: Spidev,
    data: Line,
    message: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
enum WireError {
    #[error(transparent)]
    Bus(#[from] io::Error),
    #[error(transparent)]
    Line(#[from] OpenError),
}

impl Wire {
    /// Takes bytes, and sends them a transfer at a time.
    fn send(&mut self, pixels: impl Iterator<Item = impl AsRef<[u8]>>) -> Result<(), WireError> {
        self.message.clear();
        for pixel in pixels {
            if self.message.len() + pixel.as_ref().len() > TRANSFER {
                self.bus.write_all(&self.message)?;
                self.message.clear();
            }
            self.message.extend_from_slice(pixel.as_ref());
        }
        Ok(self.bus.write_all(&self.message)?)
    }
}

impl Interface for Wire {
    type Word = u8;
    type Error = WireError;

    const KIND: InterfaceKind = InterfaceKind::Serial4Line;

    fn send_command(&mut self, command: u8, arguments: &[u8]) -> Result<(), WireError> {
        self.data.set(false)?;
        self.bus.write_all(&[command])?;
        self.data.set(true)?;
        Ok(self.bus.write_all(arguments)?)
    }

    fn send_pixels<const N: usize>(
        &mut self,
        pixels: impl IntoIterator<Item = [u8; N]>,
    ) -> Result<(), WireError> {
        self.send(pixels.into_iter())
    }

    fn send_repeated_pixel<const N: usize>(&mut self, pixel: [u8; N], count: u32) -> Result<(), WireError> {
        self.send((0..count).map(|_| pixel))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_display_that_is_not_there_is_told_with_a_remedy() {
        let config = "device = '/nonexistent/spidev'\ncontroller = 'st7789'\ndata.line = 'dc'\n\
                      width = 240\nheight = 240\nmount-rotation = 90";
        let error = open(&toml::from_str(config).unwrap()).err().unwrap().to_string();
        assert!(error.starts_with("TFT /nonexistent/spidev may not be used"), "{error}");
        assert!(error.contains("check the name in the board file"), "{error}");
    }
}
