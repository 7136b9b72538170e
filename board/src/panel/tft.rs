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
use mipidsi::options::{ColorInversion, ColorOrder, Orientation, Rotation};
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
    let io = |error: io::Error| OpenError::from_io(config.to_string(), &error, REMEDY);
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
    let wire = Wire::new(bus, move |is_data| data.set(is_data));
    let mut panel = TftPanel::begin(config, model, wire)?;
    panel.backlight = config.backlight.as_ref().map(Line::output).transpose()?;
    Ok(Box::new(panel))
}

impl<M: Model<ColorFormat = Rgb565>, B: Write> TftPanel<M, B> {
    fn begin(config: &TftConfig, model: M, wire: Wire<B>) -> Result<Self, OpenError> {
        let name = config.to_string();
        let inversion = if config.inverted { ColorInversion::Inverted } else { ColorInversion::Normal };
        let rotation = match config.mount_rotation.quarter_turns() {
            0 => Rotation::Deg0,
            1 => Rotation::Deg90,
            2 => Rotation::Deg180,
            _ => Rotation::Deg270,
        };
        let order = if config.bgr { ColorOrder::Bgr } else { ColorOrder::Rgb };
        let [first_column, first_row] = config.offset;
        let display = Builder::new(model, wire)
            .display_size(config.width, config.height)
            .orientation(Orientation::new().rotate(rotation))
            .display_offset(first_column, first_row)
            .color_order(order)
            .invert_colors(inversion)
            .init(&mut Delay)
            .map_err(|error| OpenError::failed(&name, format!("{error:?}"), REMEDY))?;
        let (width, height) = (u32::from(config.width), u32::from(config.height));
        let size = if rotation.is_horizontal() { Size::new(width, height) } else { Size::new(height, width) };
        Ok(Self { display, size, backlight: None, name })
    }
}

struct TftPanel<M: Model<ColorFormat = Rgb565>, B: Write> {
    display: Display<Wire<B>, M, NoResetPin>,
    size: Size,
    /// Dark until there is a picture.
    backlight: Option<Line>,
    name: String,
}

impl<M: Model<ColorFormat = Rgb565> + Send, B: Write + Send> Panel for TftPanel<M, B> {
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
struct Wire<B> {
    bus: B,
    set_data: SetData,
    message: Vec<u8>,
}

type SetData = Box<dyn FnMut(bool) -> Result<(), OpenError> + Send>;

#[derive(Debug, thiserror::Error)]
enum WireError {
    #[error(transparent)]
    Bus(#[from] io::Error),
    #[error(transparent)]
    Line(#[from] OpenError),
}

impl<B: Write> Wire<B> {
    fn new(bus: B, set_data: impl FnMut(bool) -> Result<(), OpenError> + Send + 'static) -> Self {
        Self { bus, set_data: Box::new(set_data), message: Vec::with_capacity(TRANSFER) }
    }

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

impl<B: Write> Interface for Wire<B> {
    type Word = u8;
    type Error = WireError;

    const KIND: InterfaceKind = InterfaceKind::Serial4Line;

    fn send_command(&mut self, command: u8, arguments: &[u8]) -> Result<(), WireError> {
        (self.set_data)(false)?;
        self.bus.write_all(&[command])?;
        (self.set_data)(true)?;
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
    use std::sync::{Arc, Mutex};

    use embedded_graphics::pixelcolor::raw::RawU16;

    use super::*;

    /// A controller, as it is written to.
    struct Controller {
        is_data: bool,
        command: u8,
        arguments: Vec<u8>,
        columns: [u16; 2],
        rows: [u16; 2],
        place: (u16, u16),
        /// The first half of a pixel.
        half: Option<u8>,
        memory: Vec<[u16; 240]>,
        /// Memory data access control: bit 3 is for blue before red.
        access: u8,
    }

    impl Controller {
        fn new() -> Self {
            Self {
                is_data: false,
                command: 0,
                arguments: Vec::new(),
                columns: [0; 2],
                rows: [0; 2],
                place: (0, 0),
                half: None,
                memory: vec![[0; 240]; 320],
                access: 0,
            }
        }

        fn take(&mut self, byte: u8) {
            if !self.is_data {
                (self.command, self.half) = (byte, None);
                self.arguments.clear();
                self.place = (self.columns[0], self.rows[0]);
                return;
            }
            if self.command == 0x2c {
                match self.half.take() {
                    None => self.half = Some(byte),
                    Some(high) => self.draw(u16::from_be_bytes([high, byte])),
                }
                return;
            }
            self.arguments.push(byte);
            match (self.command, &self.arguments[..]) {
                (0x2a, &[a, b, c, d]) => self.columns = [[a, b], [c, d]].map(u16::from_be_bytes),
                (0x2b, &[a, b, c, d]) => self.rows = [[a, b], [c, d]].map(u16::from_be_bytes),
                (0x36, &[access]) => self.access = access,
                _ => {}
            }
        }

        fn draw(&mut self, pixel: u16) {
            let (column, row) = self.place;
            self.memory[usize::from(row)][usize::from(column)] = pixel;
            self.place =
                if column == self.columns[1] { (self.columns[0], row + 1) } else { (column + 1, row) };
        }
    }

    struct Bus(Arc<Mutex<Controller>>);

    impl Write for Bus {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            assert!(bytes.len() <= TRANSFER);
            let mut controller = self.0.lock().unwrap();
            for byte in bytes {
                controller.take(*byte);
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn config(more: &str) -> TftConfig {
        let config = "device = 'spi'\ncontroller = 'st7789'\ndata.line = 'dc'\nwidth = 135\nheight = 240\n";
        toml::from_str(&format!("{config}{more}")).unwrap()
    }

    #[test]
    fn pixels_come_to_their_places_and_the_rest_stays() {
        let controller = Arc::new(Mutex::new(Controller::new()));
        let data = Arc::clone(&controller);
        let wire = Wire::new(Bus(Arc::clone(&controller)), move |is_data| {
            data.lock().unwrap().is_data = is_data;
            Ok(())
        });
        let config = config("bgr = true\noffset = [52, 40]");
        let mut panel = TftPanel::begin(&config, ST7789, wire).unwrap();
        assert_eq!(panel.size(), Size::new(135, 240));
        assert_eq!(controller.lock().unwrap().access & 8, 8);
        let pixels: Vec<Rgb565> =
            (0..135 * 240_u32).map(|at| Rgb565::from(RawU16::new((at % 60_000) as u16 + 1))).collect();
        let picture = Pixels { width: 135, pixels: &pixels };
        for area in [
            Rectangle::new(Point::new(3, 5), Size::new(4, 2)),
            // More than a transfer holds, and beyond the edge.
            Rectangle::new(Point::new(100, 100), Size::new(80, 70)),
        ] {
            panel.show(&picture, &mut [area].into_iter()).unwrap();
        }
        let controller = controller.lock().unwrap();
        for y in 0..240 {
            for x in 0..135 {
                let is_shown =
                    ((3..7).contains(&x) && (5..7).contains(&y)) || (x >= 100 && (100..170).contains(&y));
                let pixel = if is_shown { ((y * 135 + x) % 60_000) as u16 + 1 } else { 0 };
                assert_eq!(controller.memory[y + 40][x + 52], pixel, "{x} {y}");
            }
        }
    }

    #[test]
    fn a_display_that_is_not_there_is_told_with_a_remedy() {
        let config = "device = '/nonexistent/spidev'\ncontroller = 'st7789'\ndata.line = 'dc'\n\
                      width = 240\nheight = 240\nmount-rotation = 90";
        let error = open(&toml::from_str(config).unwrap()).err().unwrap().to_string();
        assert!(error.starts_with("TFT /nonexistent/spidev may not be used"), "{error}");
        assert!(error.contains("check the name in the board file"), "{error}");
    }
}
