//! An SSD1306 or SH1106 on an I2C bus (Solomon Systech, SSD1306 rev. 1.1; Sino Wealth, SH1106 v2.3), written to in pages, as
//! both can: a page is eight rows, a byte of it eight pixels of a column, the lowest bit on top.

use embedded_graphics::pixelcolor::Rgb565;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use embedded_hal::i2c::I2c;
use linux_embedded_hal::I2cdev;

use super::config::OledController;
use super::{OledConfig, Panel, Pixels};
use crate::OpenError;

pub(crate) struct OledPanel<I = I2cdev> {
    bus: I,
    address: u8,
    controller: OledController,
    name: String,
    /// A control byte, and a page at the most.
    message: Vec<u8>,
    /// Dark until there is a picture: its memory may hold anything.
    is_on: bool,
}

const WIDTH: u32 = 128;
const HEIGHT: u32 = 64;
const PAGE: i32 = 8;
/// What begins a message of commands, and one of data (SSD1306, clause 8.1.5.2).
const COMMANDS: u8 = 0x00;
const DATA: u8 = 0x40;
const REMEDY: &str = "check its wiring and its address (i2cdetect)";

/// Display off; clock, 64 rows, no offset, first line; turned so that the connector is above; pins of 64 rows, contrast.
const BEGIN: [u8; 14] = [0xae, 0xd5, 0x80, 0xa8, 0x3f, 0xd3, 0x00, 0x40, 0xa1, 0xc8, 0xda, 0x12, 0x81, 0x8f];
/// Show the memory, not inverted.
const END: [u8; 2] = [0xa4, 0xa6];
const ON: u8 = 0xaf;

impl OledController {
    /// The voltage from the charge pump, its timing, and on the SSD1306 addressing by page.
    fn supply(self) -> &'static [u8] {
        match self {
            Self::Ssd1306 => &[0x8d, 0x14, 0x20, 0x02, 0xd9, 0xf1, 0xdb, 0x40],
            Self::Sh1106 => &[0xad, 0x8b, 0xd9, 0x1f, 0xdb, 0x40],
        }
    }

    /// The column of the memory that is the first of the display.
    fn first_column(self) -> i32 {
        match self {
            Self::Ssd1306 => 0,
            Self::Sh1106 => 2,
        }
    }
}

impl OledPanel {
    pub(crate) fn open(config: &OledConfig) -> Result<Self, OpenError> {
        let name = config.to_string();
        let bus =
            I2cdev::new(&config.bus).map_err(|error| OpenError::from_io(&name, &error.into(), REMEDY))?;
        Self::begin(bus, config)
    }
}

impl<I: I2c> OledPanel<I> {
    fn begin(bus: I, config: &OledConfig) -> Result<Self, OpenError> {
        let (address, controller, name) = (config.address, config.controller, config.to_string());
        let mut panel = Self {
            bus,
            address,
            controller,
            name,
            message: Vec::with_capacity(WIDTH as usize + 1),
            is_on: false,
        };
        for commands in [&BEGIN, controller.supply(), &END] {
            panel.send(COMMANDS, commands.iter().copied(), "it does not answer")?;
        }
        Ok(panel)
    }

    fn send(&mut self, control: u8, bytes: impl Iterator<Item = u8>, failure: &str) -> Result<(), OpenError> {
        self.message.clear();
        self.message.push(control);
        self.message.extend(bytes);
        let sent = self.bus.write(self.address, &self.message);
        sent.map_err(|_| OpenError::failed(&self.name, failure, REMEDY))
    }
}

impl<I: I2c + Send> Panel for OledPanel<I> {
    fn size(&self) -> Size {
        Size::new(WIDTH, HEIGHT)
    }

    fn has_colours(&self) -> bool {
        false
    }

    fn show(
        &mut self,
        picture: &Pixels<'_>,
        areas: &mut dyn Iterator<Item = Rectangle>,
    ) -> Result<(), OpenError> {
        const GONE: &str = "it stopped answering";
        let whole = Rectangle::new(Point::zero(), self.size());
        for area in areas.map(|area| area.intersection(&whole)).filter(|area| !area.is_zero_sized()) {
            let columns = area.columns();
            for page in area.rows().start / PAGE..(area.rows().end + PAGE - 1) / PAGE {
                let first = columns.start + self.controller.first_column();
                let place = [0xb0 | page as u8, first as u8 & 0x0f, 0x10 | (first as u8 >> 4)];
                self.send(COMMANDS, place.into_iter(), GONE)?;
                let rows: [&[Rgb565]; PAGE as usize] =
                    std::array::from_fn(|row| picture.row(page * PAGE + row as i32, columns.clone()));
                let lit = |row: &[Rgb565], x: usize| row.get(x).is_some_and(|pixel| *pixel != Rgb565::BLACK);
                let byte = |x| rows.iter().rev().fold(0, |byte, row| (byte << 1) | u8::from(lit(row, x)));
                self.send(DATA, (0..columns.len()).map(byte), GONE)?;
            }
        }
        if !self.is_on {
            self.send(COMMANDS, [ON].into_iter(), GONE)?;
            self.is_on = true;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use embedded_hal::i2c::{ErrorType, Operation};

    use super::*;

    /// A controller of 132 columns, as it is written to in pages.
    struct Memory {
        bytes: [[u8; 132]; 8],
        page: usize,
        column: usize,
        sent: usize,
        is_on: bool,
    }

    impl ErrorType for Memory {
        type Error = Infallible;
    }

    impl I2c for Memory {
        fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), Infallible> {
            assert_eq!(address, 0x3d);
            for operation in operations {
                let Operation::Write([control, bytes @ ..]) = operation else { panic!("only written to") };
                self.sent += bytes.len();
                match (*control, bytes) {
                    (COMMANDS, &[page @ 0xb0..=0xb7, low @ 0x00..=0x0f, high @ 0x10..=0x1f]) => {
                        self.page = usize::from(page & 7);
                        self.column = usize::from(low | (high << 4));
                    }
                    (COMMANDS, [ON]) => self.is_on = true,
                    (COMMANDS, commands) => assert!(!commands.contains(&ON)),
                    (DATA, bytes) => {
                        self.bytes[self.page][self.column..self.column + bytes.len()].copy_from_slice(bytes);
                    }
                    _ => panic!("{control:#x}"),
                }
            }
            Ok(())
        }
    }

    fn panel(controller: OledController) -> OledPanel<Memory> {
        let config = OledConfig { bus: "/dev/i2c-1".into(), address: 0x3d, controller };
        OledPanel::begin(Memory { bytes: [[0; 132]; 8], page: 0, column: 0, sent: 0, is_on: false }, &config)
            .unwrap()
    }

    #[test]
    fn each_pixel_is_in_its_page_and_column() {
        for controller in [OledController::Ssd1306, OledController::Sh1106] {
            let mut panel = panel(controller);
            assert!(!panel.bus.is_on, "its memory may hold anything");
            let lit = |x: u32, y: u32| (x * 7 + y * 13).is_multiple_of(5);
            let pixels: Vec<_> = (0..64)
                .flat_map(|y| (0..128).map(move |x| (x, y)))
                .map(|(x, y)| if lit(x, y) { Rgb565::WHITE } else { Rgb565::BLACK })
                .collect();
            let whole = Rectangle::new(Point::zero(), panel.size());
            panel.show(&Pixels { width: 128, pixels: &pixels }, &mut std::iter::once(whole)).unwrap();
            assert!(panel.bus.is_on);
            let first = controller.first_column() as usize;
            for (x, y) in (0..64).flat_map(|y| (0..128).map(move |x| (x, y))) {
                let byte = panel.bus.bytes[y / 8][x + first];
                assert_eq!(byte >> (y % 8) & 1 == 1, lit(x as u32, y as u32), "{x} {y} {controller:?}");
            }
        }
    }

    #[test]
    fn only_the_pages_and_columns_of_an_area_are_sent() {
        let mut panel = panel(OledController::Ssd1306);
        panel.is_on = true;
        let pixels = vec![Rgb565::WHITE; 128 * 64];
        let before = panel.bus.sent;
        let areas = [
            Rectangle::new(Point::new(10, 7), Size::new(5, 2)),
            Rectangle::new(Point::new(120, 60), Size::new(50, 50)),
            Rectangle::new(Point::new(200, 0), Size::new(5, 5)),
        ];
        panel.show(&Pixels { width: 128, pixels: &pixels }, &mut areas.into_iter()).unwrap();
        assert_eq!(panel.bus.sent - before, 2 * (3 + 5) + 3 + 8);
        assert_eq!(panel.bus.bytes[0][9..16], [0, 255, 255, 255, 255, 255, 0]);
    }

    #[test]
    fn a_display_that_is_not_there_is_told_with_a_remedy() {
        let config = OledConfig {
            bus: "/nonexistent/i2c".into(),
            address: 0x3c,
            controller: OledController::default(),
        };
        let error = OledPanel::open(&config).err().unwrap().to_string();
        assert!(error.starts_with("OLED /nonexistent/i2c at 0x3c"), "{error}");
    }
}
