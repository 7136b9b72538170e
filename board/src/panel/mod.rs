//! Displays that a person reads at the box.

mod oled;
mod screen;

use embedded_graphics::mono_font::{MonoTextStyle, ascii::FONT_10X20};
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::PrimitiveStyle;
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};

pub(crate) use oled::OledPanel;
pub(crate) use screen::ScreenPanel;

/// A frame round the whole display and the product's name in its middle: cut edges and shifted pixels show at once.
fn draw_test_picture<D>(display: &mut D) -> Result<(), D::Error>
where
    D: DrawTarget,
    D::Color: From<BinaryColor>,
{
    let (lit, area) = (BinaryColor::On.into(), display.bounding_box());
    display.clear(BinaryColor::Off.into())?;
    area.into_styled(PrimitiveStyle::with_stroke(lit, 1)).draw(display)?;
    let style = TextStyleBuilder::new().alignment(Alignment::Center).baseline(Baseline::Middle).build();
    let font = MonoTextStyle::new(&FONT_10X20, lit);
    Text::with_text_style("pushbox", area.center(), font, style).draw(display).map(|_| ())
}
