//! Sheets of all screens, for a person to judge: `cargo run -p panel --example screens FOLDER`.

#[path = "../tests/scenes/mod.rs"]
mod scenes;

use std::path::PathBuf;

use embedded_graphics::mono_font::{MonoTextStyle, ascii::FONT_6X10};
use embedded_graphics::pixelcolor::Rgb565;
use embedded_graphics::prelude::*;
use embedded_graphics::text::{Baseline, Text};
use panel::{Canvas, Language};
use scenes::picture::Image;

/// Between the screens of a sheet.
const MARGIN: usize = 8;
const CAPTION: usize = 12;

fn main() {
    let folder: PathBuf = std::env::args().nth(1).unwrap_or_else(|| "screens".into()).into();
    for size in scenes::SIZES {
        let columns = (1600 / size.0 as usize).max(2);
        for language in Language::ALL {
            let name = format!("{}x{}-{}", size.0, size.1, language.code());
            let shown = scenes::SCENES.iter().filter(|(name, _)| scenes::is_shown(name, size));
            let screens = shown.map(|(name, show)| ((*name).to_owned(), scenes::draw(*show, language, size)));
            write(&folder.join(format!("{name}.png")), columns, &screens.collect::<Vec<_>>());
            let pages: &[bool] = if size.1 < 100 { &[false, true] } else { &[false] };
            let screens = scenes::faults()
                .flat_map(|code| pages.iter().map(move |remedy| (code, *remedy)))
                .map(|(code, remedy)| (code.to_string(), scenes::draw_message(code, remedy, language, size)));
            write(&folder.join(format!("{name}-faults.png")), columns, &screens.collect::<Vec<_>>());
        }
    }
    println!("sheets are in {}", folder.display());
}

fn write(path: &std::path::Path, columns: usize, screens: &[(String, Canvas)]) {
    let images: Vec<Image> = screens.iter().map(|(_, canvas)| Image::of(canvas)).collect();
    let (across, down) = (images[0].width + MARGIN, images[0].height + MARGIN + CAPTION);
    let (width, height) = (columns * across, images.len().div_ceil(columns) * down);
    let mut sheet = Image { width, height, pixels: vec![[90, 90, 110]; width * height] };
    for (place, (image, (name, _))) in images.iter().zip(screens).enumerate() {
        let (left, top) = (place % columns * across + MARGIN / 2, place / columns * down);
        let mut caption = Canvas::new(image.width as u32, CAPTION as u32, panel::Colours::Many);
        let style = MonoTextStyle::new(&FONT_6X10, Rgb565::WHITE);
        Text::with_baseline(name, Point::new(0, 1), style, Baseline::Top).draw(&mut caption).unwrap();
        for (image, top) in [(&Image::of(&caption), top), (image, top + CAPTION)] {
            for (y, row) in image.pixels.chunks(image.width).enumerate() {
                let start = (top + y) * width + left;
                sheet.pixels[start..start + row.len()].copy_from_slice(row);
            }
        }
    }
    sheet.write(path);
}
