//! An SSD1306 display controller (Solomon Systech, rev. 1.1), 128 by 64 pixels, as it is written to over I2C.

use super::I2cDevice;

const WIDTH: usize = 128;
const PAGES: usize = 8;

/// Where the next byte goes, within the window given by the guest (clause 10.1.3).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Addressing {
    Horizontal,
    Vertical,
    Page,
}

pub struct Ssd1306 {
    /// A byte holds eight pixels of a column, the lowest bit on top.
    memory: [u8; WIDTH * PAGES],
    on: bool,
    inverted: bool,
    addressing: Addressing,
    columns: (usize, usize),
    pages: (usize, usize),
    column: usize,
    page: usize,
    /// A command and the arguments it got so far.
    command: Vec<u8>,
}

impl Default for Ssd1306 {
    fn default() -> Self {
        Self {
            memory: [0; WIDTH * PAGES],
            on: false,
            inverted: false,
            addressing: Addressing::Page,
            columns: (0, WIDTH - 1),
            pages: (0, PAGES - 1),
            column: 0,
            page: 0,
            command: Vec::new(),
        }
    }
}

impl Ssd1306 {
    pub const WIDTH: usize = WIDTH;
    pub const HEIGHT: usize = PAGES * 8;

    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Whether a pixel is lit.
    pub fn pixel(&self, x: usize, y: usize) -> bool {
        self.on && (self.memory[y / 8 * WIDTH + x] >> (y % 8) & 1 == 1) != self.inverted
    }

    /// What a person would see, as PNG.
    pub fn png(&self) -> anyhow::Result<Vec<u8>> {
        let shade = |i: usize| if self.pixel(i % WIDTH, i / WIDTH) { 255 } else { 0 };
        let pixels: Vec<u8> = (0..WIDTH * Self::HEIGHT).map(shade).collect();
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, WIDTH as u32, Self::HEIGHT as u32);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.write_header()?.write_image_data(&pixels)?;
        Ok(file)
    }

    fn command_byte(&mut self, byte: u8) {
        self.command.push(byte);
        if self.command.len() > arguments(self.command[0]) {
            let command = std::mem::take(&mut self.command);
            self.execute(&command);
        }
    }

    fn execute(&mut self, command: &[u8]) {
        match *command {
            [low @ 0x00..=0x0f] => self.column = self.column & 0x70 | usize::from(low),
            [high @ 0x10..=0x17] => self.column = self.column & 0x0f | usize::from(high & 7) << 4,
            [0x20, mode] => {
                self.addressing = match mode & 3 {
                    0 => Addressing::Horizontal,
                    1 => Addressing::Vertical,
                    _ => Addressing::Page,
                };
            }
            [0x21, first, last] => {
                self.columns = (usize::from(first & 0x7f), usize::from(last & 0x7f));
                self.column = self.columns.0;
            }
            [0x22, first, last] => {
                self.pages = (usize::from(first & 7), usize::from(last & 7));
                self.page = self.pages.0;
            }
            [0xa6] => self.inverted = false,
            [0xa7] => self.inverted = true,
            [0xae] => self.on = false,
            [0xaf] => self.on = true,
            [page @ 0xb0..=0xb7] => self.page = usize::from(page & 7),
            _ => {}
        }
    }

    fn data_byte(&mut self, byte: u8) {
        self.memory[self.page * WIDTH + self.column] = byte;
        let next = |at: usize, (first, last): (usize, usize), size: usize| {
            if at == last { (first, true) } else { ((at + 1) % size, false) }
        };
        let (column, page) = (next(self.column, self.columns, WIDTH), next(self.page, self.pages, PAGES));
        match self.addressing {
            Addressing::Page => self.column = (self.column + 1) % WIDTH,
            Addressing::Horizontal => {
                self.column = column.0;
                if column.1 {
                    self.page = page.0;
                }
            }
            Addressing::Vertical => {
                self.page = page.0;
                if page.1 {
                    self.column = column.0;
                }
            }
        }
    }
}

/// How many bytes follow a command's first (table 9-1).
fn arguments(command: u8) -> usize {
    match command {
        0x20 | 0x81 | 0x8d | 0xa8 | 0xd3 | 0xd5 | 0xd9..=0xdb => 1,
        0x21 | 0x22 | 0xa3 => 2,
        0x29 | 0x2a => 5,
        0x26 | 0x27 => 6,
        _ => 0,
    }
}

impl I2cDevice for Ssd1306 {
    fn address(&self) -> u16 {
        0x3c
    }

    /// A control byte says whether data or a command follows, and whether one byte or all the rest (clause 8.1.5.2).
    fn write(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let [control, following @ ..] = rest {
            let count = if control & 0x80 != 0 { following.len().min(1) } else { following.len() };
            let (part, after) = following.split_at(count);
            for byte in part {
                if control & 0x40 != 0 {
                    self.data_byte(*byte);
                } else {
                    self.command_byte(*byte);
                }
            }
            rest = after;
        }
    }

    /// The status byte: bit 6 while the display is off.
    fn read(&mut self, bytes: &mut [u8]) {
        bytes.fill(if self.on { 0 } else { 0x40 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lit(display: &Ssd1306) -> Vec<(usize, usize)> {
        let all = (0..Ssd1306::HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y)));
        all.filter(|(x, y)| display.pixel(*x, *y)).collect()
    }

    #[test]
    fn a_window_is_filled_row_by_row() {
        let mut display = Ssd1306::default();
        display.write(&[0x00, 0xaf, 0x20, 0x00, 0x21, 10, 11, 0x22, 1, 2]);
        display.write(&[0x40, 0x01, 0x00, 0x00, 0x80, 0x02]);
        // The fifth byte is back at the window's start.
        assert_eq!(lit(&display), [(10, 9), (11, 23)]);
    }

    #[test]
    fn pages_wrap_at_their_end() {
        let mut display = Ssd1306::default();
        display.write(&[0x80, 0xaf, 0x80, 0xb3, 0x80, 0x0f, 0x80, 0x17, 0x40, 0x01, 0x02]);
        assert_eq!(lit(&display), [(127, 24), (0, 25)]);
        display.write(&[0x00, 0xae]);
        assert!(lit(&display).is_empty(), "it is off");
    }

    #[test]
    fn any_bytes_are_survived() {
        let mut noise = 1_u32;
        let mut bytes = Vec::new();
        for _ in 0..100_000 {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            bytes.push((noise >> 24) as u8);
        }
        let mut display = Ssd1306::default();
        bytes.chunks(37).for_each(|message| display.write(message));
        assert!(display.png().unwrap().starts_with(b"\x89PNG"));
    }
}
