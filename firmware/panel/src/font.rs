//! Letters and icons, made from their sources by `fonts/bake`, which tells the format.

use crate::text;

/// Bytes of a glyph in the table.
const ENTRY: usize = 12;

/// One face at one size.
#[derive(Debug)]
pub(crate) struct Font {
    line: u8,
    /// Of a pixel: 1 or 2.
    bits: u8,
    table: &'static [u8],
    pictures: &'static [u8],
}

pub(crate) static PIXEL_12: Font = Font::new(include_bytes!("../fonts/pixel-12.font"));
pub(crate) static SANS_18: Font = Font::new(include_bytes!("../fonts/sans-18.font"));
pub(crate) static SANS_26: Font = Font::new(include_bytes!("../fonts/sans-26.font"));
pub(crate) static SANS_40: Font = Font::new(include_bytes!("../fonts/sans-40.font"));
/// Has the letters of titles only.
pub(crate) static SANS_64: Font = Font::new(include_bytes!("../fonts/sans-64.font"));
pub(crate) static ICONS_24: Font = Font::new(include_bytes!("../fonts/icons-24.font"));
pub(crate) static ICONS_96: Font = Font::new(include_bytes!("../fonts/icons-96.font"));

impl Font {
    const fn new(data: &'static [u8]) -> Self {
        let count = u16::from_le_bytes([data[2], data[3]]) as usize;
        let (table, pictures) = data.split_at(4).1.split_at(count * ENTRY);
        Self { line: data[0], bits: data[1], table, pictures }
    }

    /// Pixels from one line to the next.
    pub(crate) fn line(&self) -> i32 {
        self.line.into()
    }

    #[cfg(test)]
    pub(crate) fn has(&self, letter: char) -> bool {
        self.find(letter).is_some()
    }

    /// The glyph of `letter`, or of the question mark.
    pub(crate) fn glyph(&self, letter: char) -> Glyph {
        self.find(letter).or_else(|| self.find('?')).unwrap_or(Glyph::EMPTY)
    }

    fn find(&self, letter: char) -> Option<Glyph> {
        let (entries, _) = self.table.as_chunks::<ENTRY>();
        let wanted = u16::try_from(u32::from(letter)).ok()?;
        let place =
            entries.binary_search_by_key(&wanted, |entry| u16::from_le_bytes([entry[0], entry[1]])).ok()?;
        let [_, _, x, y, width, height, advance, _, begin @ ..] = entries[place];
        let picture = self.pictures.get(u32::from_le_bytes(begin) as usize..)?;
        Some(Glyph {
            x: i8::from_le_bytes([x]).into(),
            y: i8::from_le_bytes([y]).into(),
            width: width.into(),
            height: height.into(),
            advance: advance.into(),
            bits: self.bits.into(),
            picture,
        })
    }

    /// Pixels that `text` is wide on one line.
    pub(crate) fn width(&self, text: &str) -> i32 {
        text.chars().map(|letter| self.glyph(letter).advance).sum()
    }

    /// `text` in lines of at most `width` pixels.
    pub(crate) fn lines<'a>(&self, text: &'a str, width: i32) -> impl Iterator<Item = &'a str> {
        text::lines(text, width, |letter| self.glyph(letter).advance)
    }
}

/// One letter's picture, and where it stands in its cell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Glyph {
    pub(crate) x: i32,
    pub(crate) y: i32,
    pub(crate) width: i32,
    pub(crate) height: i32,
    pub(crate) advance: i32,
    bits: usize,
    picture: &'static [u8],
}

/// Cover of a pixel that is all the letter's.
pub(crate) const FULL: u8 = 3;

impl Glyph {
    const EMPTY: Self = Self { x: 0, y: 0, width: 0, height: 0, advance: 0, bits: 1, picture: &[] };

    /// How much of a pixel the letter covers, 0 to [`FULL`].
    pub(crate) fn cover(&self, x: i32, y: i32) -> u8 {
        if !(0..self.width).contains(&x) || !(0..self.height).contains(&y) {
            return 0;
        }
        let at = (y * self.width + x) as usize * self.bits;
        let byte = self.picture.get(at / 8).copied().unwrap_or(0);
        let value = (byte >> (8 - self.bits - at % 8)) & ((1 << self.bits) - 1);
        if self.bits == 1 { value * FULL } else { value }
    }
}
