//! How a box without a keyboard is set up, as a code that a telephone shows as text; and where the box is in the network.

use embedded_graphics::pixelcolor::Rgb565;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use qrcodegen_no_heap::{QrCode, QrCodeEcc, Version};

use super::Scene;
use crate::brush::{Align, Sides, area};
use crate::icon::Icon;
use crate::line::Line;
use crate::view::About;
use crate::words::Words;

/// 41 modules a side; at the lowest level of correction it holds 134 bytes (ISO/IEC 18004, table 7).
const LARGEST: u8 = 6;
const BYTES: usize = Version::new(LARGEST).buffer_len();
/// Modules of light around the code: four as the standard wants, two where room is short, which telephones read too.
const MARGIN: i32 = 2;
/// The file by which a box is set up.
const FILE: &str = "pushbox.toml";

/// What a telephone shows, from the longest text to the shortest: which box this is, where it is, and how its address is set.
/// The later ones are made of the 45 characters of which a code holds half as many again (ISO/IEC 18004, 7.3.4).
fn texts(about: &About, words: &Words) -> [Line; 4] {
    let serial = about.serial.as_str();
    let mut long = Line::of(format_args!("Pushbox {serial}\n"));
    if !about.address.is_empty() {
        long.add(format_args!("IP {}\n", about.address));
    }
    let mut short = Line::new();
    if let Some(baud) = about.baud {
        let (before, behind) = words.by_serial;
        long.add(format_args!("{before}{baud}{behind}{FILE}"));
        short.add(format_args!("SERIAL {baud}: SET URL"));
    } else {
        long.add(format_args!("{}{FILE}: url = 'rtmp://HOST/APP/KEY'", words.by_card));
        short.add(format_args!("CARD: PUSHBOX.TOML: URL"));
    }
    let upper = |letter: char| letter.to_ascii_uppercase();
    let mut named = Line::new();
    serial.chars().map(upper).for_each(|letter| named.add(format_args!("{letter}")));
    let mut placed = Line::of(format_args!("{} ", named.as_str()));
    about.address.chars().map(upper).for_each(|letter| placed.add(format_args!("{letter}")));
    for line in [&mut placed, &mut named] {
        line.add(format_args!(" {}", short.as_str()));
    }
    [long, placed, named, short]
}

/// Pixels of a module, so that a telephone tells them apart.
fn least(is_small: bool) -> i32 {
    if is_small { 2 } else { 3 }
}

/// The largest code for a square of so many pixels; none where there is room for none.
fn largest(side: i32, least: i32) -> Option<Version> {
    // A version has 17 modules a side, and 4 more for each (ISO/IEC 18004, 5.1).
    let version = (side / least - 2 * MARGIN - 17) / 4;
    (version >= 1).then(|| Version::new(version.min(LARGEST.into()) as u8))
}

impl Scene<'_, '_> {
    /// `is_first`: the box was never set up.
    pub(super) fn set_up(&mut self, is_first: bool) {
        let words = if is_first { self.words.unprovisioned } else { self.words.set_up };
        let (whole, font, gap) = (self.whole(), self.style.font, self.style.gap);
        let is_wide = whole.width() * 10 > whole.height() * 12;
        let place = if is_wide {
            let side = whole.height().min(whole.width() * 3 / 5);
            area(0, 0, side, whole.height())
        } else {
            let body = self.header(Icon::SetUp, words, self.style.colours.text, "");
            area(0, body.top(), whole.width(), body.height() - 2 * font.line() - gap)
        };
        let side = place.width().min(place.height());
        let mut has_code = false;
        if let Some(version) = largest(side, least(self.style.is_small)) {
            for text in texts(self.view.about, self.words) {
                let (mut scratch, mut bytes) = ([0; BYTES], [0; BYTES]);
                let (least, correction) = (Version::MIN, QrCodeEcc::Low);
                if let Ok(code) = QrCode::encode_text(
                    text.as_str(),
                    &mut scratch,
                    &mut bytes,
                    correction,
                    least,
                    version,
                    None,
                    true,
                ) {
                    self.code(&code, place);
                    has_code = true;
                    break;
                }
            }
        }
        match (has_code, is_wide) {
            (true, true) => self.beside_code(place, words),
            (true, false) => self.below_code(place),
            (false, _) => {
                let [.., short] = texts(self.view.about, self.words);
                self.sign(Icon::SetUp, words, short.as_str());
            }
        }
    }

    fn beside_code(&mut self, code: Rectangle, words: &str) {
        let (whole, gap, colours) = (self.whole(), self.style.gap, self.style.colours);
        let margin = if self.style.is_small { 0 } else { gap };
        let left = code.right() + gap;
        let place = area(left, gap, whole.width() - left - gap / 2, whole.height() - 2 * gap);
        let (font, title) = (self.style.font, self.style.title);
        let mut top = self.canvas.paragraph(place, Align::Left, title, colours.accent, words) + margin;
        let rest = |top| area(left, top, place.width(), place.bottom() - top);
        let lines = |text| font.lines(text, place.width()).count() as i32 * font.line();
        let has_network = !self.view.about.address.is_empty();
        // Without a network that comes first: what the code is for is seen.
        let hint = self.words.unprovisioned_hint;
        if has_network || top + lines(hint) + lines(self.words.no_network_hint) <= place.bottom() {
            top = self.canvas.paragraph(rest(top), Align::Left, font, colours.text, hint) + margin;
        }
        if has_network {
            return self.address(rest(top), Align::Left);
        }
        if !self.style.is_small {
            let side = title.line();
            self.canvas.picture(area(left, top, side, side), colours.warning, Icon::NoNetwork);
            top += side;
        }
        self.canvas.paragraph(rest(top), Align::Left, font, colours.warning, self.words.no_network_hint);
    }

    fn below_code(&mut self, code: Rectangle) {
        let (whole, font, gap) = (self.whole(), self.style.font, self.style.gap);
        let row = |number| {
            area(gap, code.bottom() + gap / 2 + number * font.line(), whole.width() - 2 * gap, font.line())
        };
        let colours = self.style.colours;
        self.canvas.text(row(0), Align::Centre, font, colours.text, self.words.unprovisioned_hint);
        if !self.view.about.address.is_empty() {
            return self.address(row(1), Align::Centre);
        }
        let words = self.words.no_network_hint;
        let width = font.line() + gap / 2 + font.width(words);
        let left = row(1).left() + (row(1).width() - width) / 2;
        self.labelled(left, row(1), Icon::NoNetwork, words, colours.warning);
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
