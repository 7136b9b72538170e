//! Words, icons and pictures on a canvas.

use embedded_graphics::pixelcolor::Rgb565;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use crate::canvas::{Canvas, Colours};
use crate::font::{self, FULL, Font, Glyph};
use crate::icon::Icon;
use crate::view::Picture;

/// Where in its place a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Centre,
    Right,
}

pub(crate) fn area(x: i32, y: i32, width: i32, height: i32) -> Rectangle {
    Rectangle::new(Point::new(x, y), Size::new(width.max(0) as u32, height.max(0) as u32))
}

/// The sides of a rectangle as numbers that can be reckoned with.
pub(crate) trait Sides {
    fn left(&self) -> i32;
    fn top(&self) -> i32;
    fn width(&self) -> i32;
    fn height(&self) -> i32;
    fn right(&self) -> i32 {
        self.left() + self.width()
    }
    fn bottom(&self) -> i32 {
        self.top() + self.height()
    }
}

impl Sides for Rectangle {
    fn left(&self) -> i32 {
        self.top_left.x
    }

    fn top(&self) -> i32 {
        self.top_left.y
    }

    fn width(&self) -> i32 {
        self.size.width as i32
    }

    fn height(&self) -> i32 {
        self.size.height as i32
    }
}

/// `share` of `whole` parts of a length.
pub(crate) fn part(length: i32, share: u32, whole: u32) -> i32 {
    (i64::from(length) * i64::from(share.min(whole)) / i64::from(whole.max(1))) as i32
}

impl Canvas {
    pub(crate) fn fill(&mut self, place: Rectangle, colour: Rgb565) {
        let Ok(()) = self.fill_solid(&place, colour);
    }

    /// One pixel wide, or more where the canvas is large.
    pub(crate) fn frame(&mut self, place: Rectangle, colour: Rgb565, stroke: i32) {
        let (left, top, width, height) = (place.left(), place.top(), place.width(), place.height());
        self.fill(area(left, top, width, stroke), colour);
        self.fill(area(left, place.bottom() - stroke, width, stroke), colour);
        self.fill(area(left, top, stroke, height), colour);
        self.fill(area(place.right() - stroke, top, stroke, height), colour);
    }

    /// A text that must fit into its place, in the middle of its height. What does not fit is left out, and counted.
    pub(crate) fn text(&mut self, place: Rectangle, align: Align, font: &Font, colour: Rgb565, text: &str) {
        if font.width(text) > place.width() || font.line() > place.height() {
            self.count_cut();
        }
        self.elided(place, align, font, colour, text);
    }

    /// A text of any length: an ellipsis stands for what there is no room for.
    pub(crate) fn elided(&mut self, place: Rectangle, align: Align, font: &Font, colour: Rgb565, text: &str) {
        let width = font.width(text);
        let free = (place.width() - width).max(0);
        let mut x = place.left()
            + match align {
                Align::Left => 0,
                Align::Centre => free / 2,
                Align::Right => free,
            };
        let y = place.top() + (place.height() - font.line()) / 2;
        let ellipsis = font.glyph('…');
        let end = place.right() - if width > place.width() { ellipsis.advance } else { 0 };
        for letter in text.chars() {
            let glyph = font.glyph(letter);
            if x + glyph.advance > end {
                if place.width() >= ellipsis.advance {
                    self.glyph(x, y, &ellipsis, colour);
                }
                return;
            }
            self.glyph(x, y, &glyph, colour);
            x += glyph.advance;
        }
    }

    /// A text in lines, which must fit; returns where the next would begin.
    pub(crate) fn paragraph(
        &mut self,
        place: Rectangle,
        align: Align,
        font: &Font,
        colour: Rgb565,
        text: &str,
    ) -> i32 {
        let mut top = place.top();
        let width = if align == Align::Centre { balanced(font, text, place.width()) } else { place.width() };
        for line in font.lines(text, width) {
            if top + font.line() > place.bottom() {
                self.count_cut();
                break;
            }
            self.text(area(place.left(), top, place.width(), font.line()), align, font, colour, line);
            top += font.line();
        }
        top
    }

    /// An icon of a letter's size, centred.
    pub(crate) fn icon(&mut self, place: Rectangle, font: &Font, colour: Rgb565, icon: Icon) {
        let glyph = font.glyph(icon.letter());
        let x = place.left() + (place.width() - glyph.advance) / 2;
        self.glyph(x, place.top() + (place.height() - font.line()) / 2, &glyph, colour);
    }

    fn glyph(&mut self, x: i32, y: i32, glyph: &Glyph, colour: Rgb565) {
        for row in 0..glyph.height {
            for column in 0..glyph.width {
                let cover = glyph.cover(column, row);
                self.blend(x + glyph.x + column, y + glyph.y + row, colour, cover.into(), FULL.into());
            }
        }
    }

    /// An icon that fills the square in the middle of `place`.
    pub(crate) fn picture(&mut self, place: Rectangle, colour: Rgb565, icon: Icon) {
        let side = place.width().min(place.height());
        let (font, side) = match self.colours() {
            Colours::Two => (&font::ICONS_24, side / 24 * 24),
            Colours::Many => (&font::ICONS_96, side),
        };
        let glyph = font.glyph(icon.letter());
        let (left, top) =
            (place.left() + (place.width() - side) / 2, place.top() + (place.height() - side) / 2);
        for y in 0..side {
            for x in 0..side {
                let (share, whole) = if self.colours() == Colours::Two {
                    let scale = side / 24;
                    (u32::from(glyph.cover(x / scale - glyph.x, y / scale - glyph.y)), FULL.into())
                } else {
                    (scaled(&glyph, x, y, side), SCALED)
                };
                self.blend(left + x, top + y, colour, share, whole);
            }
        }
    }

    /// A picture that fills its place: what stands over on two sides is cut off (1.4).
    pub(crate) fn cover(&mut self, place: Rectangle, picture: &Picture<'_>) {
        let (width, height) = (place.size.width, place.size.height);
        let (from_width, from_height) = picture.size();
        if width == 0 || height == 0 {
            return;
        }
        // The part that is seen, in the picture's pixels.
        let wide = u64::from(from_width) * u64::from(height) > u64::from(from_height) * u64::from(width);
        let (seen_width, seen_height) = if wide {
            ((u64::from(from_height) * u64::from(width) / u64::from(height)).max(1) as u32, from_height)
        } else {
            (from_width, (u64::from(from_width) * u64::from(height) / u64::from(width)).max(1) as u32)
        };
        let (left, top) = ((from_width - seen_width) / 2, (from_height - seen_height) / 2);
        // How far one pixel of the canvas is in the picture, in 65536ths.
        let (across, down) = (fixed(seen_width, width), fixed(seen_height, height));
        let visible = place.intersection(&self.area());
        let hidden = (visible.left() - place.left()) as u64;
        for y in visible.rows() {
            let line = top + (((y - place.top()) as u64 * down) >> 16) as u32;
            let from = picture.row(line).get(left as usize..).unwrap_or_default();
            let to = self.row_mut(y, visible.columns());
            if across == 1 << 16
                && let Some(from) = from.get(hidden as usize..).and_then(|it| it.get(..to.len()))
            {
                to.copy_from_slice(from);
                continue;
            }
            for (pixel, x) in to.iter_mut().zip(hidden..) {
                if let Some(colour) = from.get(((x * across) >> 16) as usize) {
                    *pixel = *colour;
                }
            }
        }
    }
}

fn fixed(length: u32, parts: u32) -> u64 {
    (u64::from(length) << 16) / u64::from(parts)
}

/// The least width in which `text` has as few lines as in `width`: so that no letter stands alone on the last.
pub(crate) fn balanced(font: &Font, text: &str, width: i32) -> i32 {
    let count = font.lines(text, width).count();
    let steps = (1..width).rev().step_by(2);
    steps.take_while(|width| font.lines(text, *width).count() <= count).last().unwrap_or(width)
}

/// Side of the large icons.
const LARGE: i32 = 96;
/// Parts of a pixel in either direction between which is interpolated, and what a pixel that is all covered comes to.
const PARTS: i32 = 16;
const SCALED: u32 = FULL as u32 * (PARTS * PARTS) as u32;

/// How much of a pixel a large icon covers when it is `side` pixels large, of [`SCALED`]: bilinear.
fn scaled(glyph: &Glyph, x: i32, y: i32, side: i32) -> u32 {
    let place = |at: i32| ((2 * at + 1) * LARGE * PARTS / (2 * side) - PARTS / 2).max(0);
    let (x, y) = (place(x), place(y));
    let (left, top, right, low) = (x / PARTS, y / PARTS, x % PARTS, y % PARTS);
    let cover = |x: i32, y: i32| i32::from(glyph.cover(x - glyph.x, y - glyph.y));
    let upper = cover(left, top) * (PARTS - right) + cover(left + 1, top) * right;
    let lower = cover(left, top + 1) * (PARTS - right) + cover(left + 1, top + 1) * right;
    (upper * (PARTS - low) + lower * low) as u32
}
