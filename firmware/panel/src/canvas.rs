//! What is drawn on: a picture in memory that knows what changed since it was shown.

use std::convert::Infallible;
use std::ops::Range;

use embedded_graphics::pixelcolor::raw::RawU16;
use embedded_graphics::pixelcolor::{IntoStorage, Rgb565};
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

/// What a panel can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// Lit or dark.
    Two,
    Many,
}

/// Rows whose changes are told together: a page of an SSD1306.
const BAND: u32 = 8;

/// The picture of a panel: pixels in rows, from the upper left corner.
pub struct Canvas {
    size: Size,
    colours: Colours,
    pixels: Vec<Rgb565>,
    /// As they were at the last [`Canvas::finish`].
    shown: Vec<Rgb565>,
    /// One for each band: columns from, to.
    changes: Vec<(u32, u32)>,
    is_new: bool,
    cut: usize,
}

/// Most pixels of a side.
const LONGEST: u32 = 4096;

impl Canvas {
    /// A black picture of which all is changed. Sides are at most 4096 pixels long.
    pub fn new(width: u32, height: u32, colours: Colours) -> Self {
        let size = Size::new(width.min(LONGEST), height.min(LONGEST));
        let count = (size.width * size.height) as usize;
        Self {
            size,
            colours,
            pixels: vec![Rgb565::BLACK; count],
            shown: vec![Rgb565::BLACK; count],
            changes: vec![(0, 0); size.height.div_ceil(BAND) as usize],
            is_new: true,
            cut: 0,
        }
    }

    pub fn colours(&self) -> Colours {
        self.colours
    }

    pub(crate) fn area(&self) -> Rectangle {
        Rectangle::new(Point::zero(), self.size)
    }

    /// All of them, row by row.
    pub fn pixels(&self) -> &[Rgb565] {
        &self.pixels
    }

    /// The pixels of one row.
    pub fn row(&self, y: u32) -> &[Rgb565] {
        let width = self.size.width as usize;
        self.pixels.get(y as usize * width..).and_then(|rest| rest.get(..width)).unwrap_or_default()
    }

    /// Whether a pixel is lit, where there are two colours.
    pub fn is_lit(&self, x: u32, y: u32) -> bool {
        self.row(y).get(x as usize).is_some_and(|pixel| *pixel != Rgb565::BLACK)
    }

    /// The rectangles that differ from what was shown before: at most one for each eight rows, from the top down. A driver
    /// that sends them leaves the panel with the whole picture.
    pub fn changes(&self) -> impl Iterator<Item = Rectangle> + '_ {
        let rows = |band: u32| (self.size.height - band).min(BAND);
        (0..).step_by(BAND as usize).zip(&self.changes).filter(|(_, (from, to))| from < to).map(
            move |(top, (from, to))| {
                Rectangle::new(Point::new(*from as i32, top as i32), Size::new(to - from, rows(top)))
            },
        )
    }

    /// All is told as changed at the next drawing: the panel was opened anew.
    pub fn forget(&mut self) {
        self.is_new = true;
    }

    /// Texts of the last drawing that were too long for their places.
    pub fn cut(&self) -> usize {
        self.cut
    }

    pub(crate) fn begin(&mut self, background: Rgb565) {
        self.pixels.fill(background);
        self.cut = 0;
    }

    pub(crate) fn count_cut(&mut self) {
        self.cut += 1;
    }

    /// Finds what changed.
    pub(crate) fn finish(&mut self) {
        let width = self.size.width as usize;
        if width == 0 {
            return;
        }
        let bands = width * BAND as usize;
        let both = self.pixels.chunks(bands).zip(self.shown.chunks_mut(bands));
        for (change, (pixels, shown)) in self.changes.iter_mut().zip(both) {
            *change = if self.is_new { (0, width as u32) } else { columns(pixels, shown, width) };
            shown.copy_from_slice(pixels);
        }
        self.is_new = false;
    }

    /// Some columns of a row, all of which are on the canvas.
    pub(crate) fn row_mut(&mut self, y: i32, columns: Range<i32>) -> &mut [Rgb565] {
        let row = y as usize * self.size.width as usize;
        self.pixels.get_mut(row + columns.start as usize..row + columns.end as usize).unwrap_or_default()
    }

    fn pixel(&mut self, x: i32, y: i32) -> Option<&mut Rgb565> {
        let (x, y) = (u32::try_from(x).ok()?, u32::try_from(y).ok()?);
        let at = y * self.size.width + x;
        (x < self.size.width).then(|| self.pixels.get_mut(at as usize)).flatten()
    }

    /// Lays a colour over a pixel, `share` of `whole` of it.
    pub(crate) fn blend(&mut self, x: i32, y: i32, colour: Rgb565, share: u32, whole: u32) {
        let Some(pixel) = self.pixel(x, y).filter(|_| share > 0) else {
            return;
        };
        let mix = |old: u8, new: u8| {
            ((u32::from(old) * (whole - share) + u32::from(new) * share + whole / 2) / whole) as u8
        };
        *pixel =
            Rgb565::new(mix(pixel.r(), colour.r()), mix(pixel.g(), colour.g()), mix(pixel.b(), colour.b()));
    }

    /// Darkens what is below, so that words can be read on it.
    pub(crate) fn shade(&mut self, area: Rectangle) {
        /// What is left of each part when all is moved down by two bits: three of red, four of green, three of blue.
        const QUARTER: u16 = (7 << 11) | (15 << 5) | 7;
        let area = area.intersection(&self.area());
        for y in area.rows() {
            for pixel in self.row_mut(y, area.columns()) {
                *pixel = RawU16::new((pixel.into_storage() >> 2) & QUARTER).into();
            }
        }
    }
}

/// The columns from the first to behind the last that differ.
fn columns(pixels: &[Rgb565], shown: &[Rgb565], width: usize) -> (u32, u32) {
    if pixels == shown {
        return (0, 0);
    }
    let (mut from, mut to) = (width, 0);
    for (new, old) in pixels.chunks(width).zip(shown.chunks(width)) {
        let differs = |(new, old): (&Rgb565, &Rgb565)| new != old;
        if let Some(first) = new.iter().zip(old).position(differs) {
            from = from.min(first);
        }
        if let Some(last) = new.iter().zip(old).rposition(differs) {
            to = to.max(last + 1);
        }
    }
    (from as u32, to as u32)
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        self.size
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb565;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb565>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(at, colour) in pixels {
            if let Some(pixel) = self.pixel(at.x, at.y) {
                *pixel = colour;
            }
        }
        Ok(())
    }

    fn fill_solid(&mut self, area: &Rectangle, colour: Rgb565) -> Result<(), Infallible> {
        let area = area.intersection(&self.area());
        for y in area.rows() {
            self.row_mut(y, area.columns()).fill(colour);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_the_columns_that_differ_in_each_band_of_eight_rows() {
        let mut canvas = Canvas::new(20, 20, Colours::Many);
        canvas.finish();
        let area = |x, y, width, height| Rectangle::new(Point::new(x, y), Size::new(width, height));
        assert_eq!(
            canvas.changes().collect::<Vec<_>>(),
            [area(0, 0, 20, 8), area(0, 8, 20, 8), area(0, 16, 20, 4)]
        );
        canvas.finish();
        assert_eq!(canvas.changes().count(), 0);
        canvas.blend(3, 7, Rgb565::WHITE, 1, 1);
        canvas.blend(17, 19, Rgb565::WHITE, 1, 1);
        canvas.blend(5, 18, Rgb565::WHITE, 1, 1);
        canvas.finish();
        assert_eq!(canvas.changes().collect::<Vec<_>>(), [area(3, 0, 1, 8), area(5, 16, 13, 4)]);
        canvas.forget();
        canvas.finish();
        assert_eq!(canvas.changes().count(), 3);
    }

    #[test]
    fn a_shade_is_a_quarter_of_each_colour() {
        let mut canvas = Canvas::new(1, 1, Colours::Many);
        canvas.begin(Rgb565::new(31, 63, 16));
        canvas.shade(canvas.area());
        assert_eq!(canvas.row(0), [Rgb565::new(7, 15, 4)]);
    }
}
