//! PNG of what is drawn.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use embedded_graphics::pixelcolor::{Rgb565, Rgb888};
use embedded_graphics::prelude::*;
use panel::Canvas;

pub(crate) type Rgb = [u8; 3];

/// Width, height, and pixels in rows.
#[derive(PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: Vec<Rgb>,
}

fn rgb(pixel: Rgb565) -> Rgb {
    let pixel = Rgb888::from(pixel);
    [pixel.r(), pixel.g(), pixel.b()]
}

impl Image {
    pub(crate) fn of(canvas: &Canvas) -> Self {
        let Size { width, height } = canvas.size();
        let pixels = (0..height).flat_map(|y| canvas.row(y).iter().copied().map(rgb)).collect();
        Self { width: width as usize, height: height as usize, pixels }
    }

    pub(crate) fn read(path: &Path) -> Option<Self> {
        let mut decoder = png::Decoder::new(BufReader::new(File::open(path).ok()?));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        let samples = info.color_type.samples();
        let pixels = bytes[..info.buffer_size()]
            .chunks(samples)
            .map(|it| if samples == 1 { [it[0]; 3] } else { [it[0], it[1], it[2]] });
        Some(Self { width: info.width as usize, height: info.height as usize, pixels: pixels.collect() })
    }

    /// With a palette where that is enough.
    pub(crate) fn write(&self, path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut encoder =
            png::Encoder::new(File::create(path).unwrap(), self.width as u32, self.height as u32);
        encoder.set_compression(png::Compression::High);
        let palette: Vec<Rgb> = self.pixels.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let bits = match palette.len() {
            0..=2 => 1,
            3..=16 => 4,
            17..=256 => 8,
            _ => 0,
        };
        let data: Vec<u8> = if bits == 0 {
            encoder.set_color(png::ColorType::Rgb);
            self.pixels.iter().flatten().copied().collect()
        } else {
            encoder.set_color(png::ColorType::Indexed);
            encoder.set_depth(png::BitDepth::from_u8(bits).unwrap());
            encoder.set_palette(palette.concat());
            encoder.set_filter(png::Filter::NoFilter);
            let place = |pixel: &Rgb| palette.binary_search(pixel).unwrap() as u8;
            let pack =
                |pixels: &[Rgb]| pixels.iter().fold(0, |byte, pixel| byte << (bits % 8) | place(pixel));
            let whole = |pixels: &[Rgb]| {
                let missing = 8 / bits as usize - pixels.len();
                pack(pixels) << (missing * bits as usize % 8)
            };
            self.pixels.chunks(self.width).flat_map(|row| row.chunks(8 / bits as usize).map(whole)).collect()
        };
        encoder.write_header().unwrap().write_image_data(&data).unwrap();
    }
}
