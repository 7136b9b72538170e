//! The picture by which a person tells whether a display works.

use std::convert::Infallible;

use embedded_graphics::mono_font::{MonoTextStyle, ascii::FONT_10X20};
use embedded_graphics::pixelcolor::Rgb565;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{PrimitiveStyle, Rectangle};
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};

use super::{Panel, Pixels};
use crate::OpenError;

struct Memory {
    size: Size,
    pixels: Vec<Rgb565>,
}

impl OriginDimensions for Memory {
    fn size(&self) -> Size {
        self.size
    }
}

impl DrawTarget for Memory {
    type Color = Rgb565;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb565>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        let area = self.bounding_box();
        for Pixel(at, colour) in pixels.into_iter().filter(|pixel| area.contains(pixel.0)) {
            self.pixels[at.y as usize * self.size.width as usize + at.x as usize] = colour;
        }
        Ok(())
    }
}

/// Shows a frame round the whole display and the product's name in its middle: cut edges and shifted pixels show at once.
pub(crate) fn test(panel: &mut dyn Panel) -> Result<(), OpenError> {
    let size = panel.size();
    let mut memory = Memory { size, pixels: vec![Rgb565::BLACK; (size.width * size.height) as usize] };
    let area = Rectangle::new(Point::zero(), size);
    let Ok(()) = area.into_styled(PrimitiveStyle::with_stroke(Rgb565::WHITE, 1)).draw(&mut memory);
    let style = TextStyleBuilder::new().alignment(Alignment::Center).baseline(Baseline::Middle).build();
    let font = MonoTextStyle::new(&FONT_10X20, Rgb565::WHITE);
    let Ok(_) = Text::with_text_style("pushbox", area.center(), font, style).draw(&mut memory);
    panel.show(&Pixels { width: size.width, pixels: &memory.pixels }, &mut std::iter::once(area))
}
