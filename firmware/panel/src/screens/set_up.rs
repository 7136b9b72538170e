//! The way to a box that has no keyboard: a code for a telephone, and its address.

use embedded_graphics::pixelcolor::Rgb565;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use qrcodegen_no_heap::{QrCode, QrCodeEcc, Version};

use super::Scene;
use crate::brush::{Align, Sides, area};
use crate::icon::Icon;

/// 41 modules a side; at the lowest level of correction it holds 134 bytes (ISO/IEC 18004, table 7).
const LARGEST: Version = Version::new(6);
const BYTES: usize = LARGEST.buffer_len();
/// Modules of light around the code: four as the standard wants, two where room is short, which telephones read too.
const MARGIN: i32 = 2;

impl Scene<'_, '_> {
    /// `is_first`: the box was never set up.
    pub(super) fn set_up(&mut self, is_first: bool) {
        let words = if is_first { self.words.unprovisioned } else { self.words.set_up };
        let about = self.view.about;
        let (mut scratch, mut code) = ([0; BYTES], [0; BYTES]);
        let code = QrCode::encode_text(
            &about.set_up,
            &mut scratch,
            &mut code,
            QrCodeEcc::Low,
            Version::MIN,
            LARGEST,
            None,
            true,
        );
        match code {
            Ok(code) if about.has_code() => self.set_up_by_code(&code, words),
            _ => self.sign(
                Icon::SetUp,
                words,
                if about.address.is_empty() { self.words.press } else { &about.address },
            ),
        }
    }

    fn set_up_by_code(&mut self, code: &QrCode<'_>, words: &str) {
        let (whole, gap, colours) = (self.whole(), self.style.gap, self.style.colours);
        let is_wide = whole.width() * 10 > whole.height() * 12;
        if is_wide {
            let side = whole.height().min(whole.width() * 3 / 5);
            self.code(code, area(0, 0, side, whole.height()));
            let left = side + gap;
            let margin = if self.style.is_small { 0 } else { gap };
            let place = area(left, gap, whole.width() - left - gap / 2, whole.height() - 2 * gap);
            let (font, title, hint) = (self.style.font, self.style.title, self.words.unprovisioned_hint);
            let next = self.canvas.paragraph(place, Align::Left, title, colours.accent, words) + margin;
            let rest = area(left, next, place.width(), place.bottom() - next);
            let next = self.canvas.paragraph(rest, Align::Left, font, colours.text, hint) + margin;
            self.address(area(left, next, place.width(), place.bottom() - next), Align::Left);
        } else {
            let row = self.row();
            let body = self.header(Icon::SetUp, words, colours.text, "");
            self.code(code, area(0, body.top(), whole.width(), body.height() - row - gap));
            self.address(area(gap, whole.bottom() - row, whole.width() - 2 * gap, row), Align::Centre);
        }
    }

    /// As many lines as there is room for.
    fn address(&mut self, place: Rectangle, align: Align) {
        let (font, colour, view) = (self.style.font, self.style.colours.dim, self.view);
        let rows = (place.height() / font.line()).max(0) as usize;
        for (number, line) in font.lines(&view.about.address, place.width()).take(rows).enumerate() {
            let top = place.top() + number as i32 * font.line();
            self.canvas.elided(
                area(place.left(), top, place.width(), font.line()),
                align,
                font,
                colour,
                line,
            );
        }
    }

    /// Dark on light, in the middle of its place.
    fn code(&mut self, code: &QrCode<'_>, place: Rectangle) {
        let modules = code.size() + 2 * MARGIN;
        let module = (place.width().min(place.height()) / modules).max(1);
        let side = module * modules;
        let (left, top) =
            (place.left() + (place.width() - side) / 2, place.top() + (place.height() - side) / 2);
        self.canvas.fill(area(left, top, side, side), Rgb565::WHITE);
        for y in 0..code.size() {
            for x in 0..code.size() {
                if code.get_module(x, y) {
                    let (x, y) = (left + (x + MARGIN) * module, top + (y + MARGIN) * module);
                    self.canvas.fill(area(x, y, module, module), Rgb565::BLACK);
                }
            }
        }
    }
}
