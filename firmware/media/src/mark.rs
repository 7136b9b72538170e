//! The test picture's mark and the test sound: what a receiver needs to measure loss, order, latency and A/V offset.
//!
//! **Mark.** A square of [`CELLS`] x [`CELLS`] black or white cells in the picture's centre, with half the
//! picture's short side as its side, so that it survives any centre crop between 9:16 and 16:9, any scaling,
//! rotation and mirroring, and lossy coding. Row by row from the top left, without the corner cells, it carries
//! 96 bits, most significant first: frame number (32), capture time on `CLOCK_MONOTONIC` in microseconds (48),
//! CRC-16/IBM-3740 over those ten bytes (16). The corners are white, white, white, black (top left, top right,
//! bottom left, bottom right).
//!
//! **Sound.** A tone of [`TONE_HZ`] and, at each full second of the same clock, a click: [`CLICK`] of
//! [`CLICK_HZ`] under a Hann window that starts at the full second. A picture captured within [`FLASH`] after a
//! full second is a flash: the ground around the mark is white.

use std::ops::Range;
use std::time::Duration;

use crc::{CRC_16_IBM_3740, Crc};

use crate::{Plane, Timestamp};

/// Cells on each side of the mark.
pub const CELLS: usize = 10;
pub const TONE_HZ: f32 = 440.0;
/// Peak of the tone, full scale 1.
pub const TONE_LEVEL: f32 = 0.1;
pub const CLICK_HZ: f32 = 3000.0;
pub const CLICK: Duration = Duration::from_millis(10);
/// Peak of the click, full scale 1.
pub const CLICK_LEVEL: f32 = 0.8;
pub const FLASH: Duration = Duration::from_millis(100);

const CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_IBM_3740);
const BYTES: usize = 12;
const BLACK: u8 = 16;
const WHITE: u8 = 235;

/// What the mark says of its picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Number of the picture since the camera was opened.
    pub frame: u32,
    pub captured: Timestamp,
}

impl Mark {
    fn to_bytes(self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[..4].copy_from_slice(&self.frame.to_be_bytes());
        bytes[4..10].copy_from_slice(&self.captured.micros().to_be_bytes()[2..]);
        let crc = CRC.checksum(&bytes[..10]);
        bytes[10..].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: [u8; BYTES]) -> Option<Self> {
        let [f0, f1, f2, f3, t @ .., c0, c1] = bytes;
        let [t0, t1, t2, t3, t4, t5] = t;
        (CRC.checksum(&bytes[..10]) == u16::from_be_bytes([c0, c1])).then(|| Self {
            frame: u32::from_be_bytes([f0, f1, f2, f3]),
            captured: Timestamp::from_micros(i64::from_be_bytes([0, 0, t0, t1, t2, t3, t4, t5])),
        })
    }
}

/// Whether a picture captured at this time is a flash.
pub fn is_flash(captured: Timestamp) -> bool {
    captured.micros().rem_euclid(1_000_000) < FLASH.as_micros() as i64
}

/// The cell at `row`, `column`: the bit's number, or for a corner whether it is white.
fn cell(row: usize, column: usize) -> Result<usize, bool> {
    let last = CELLS - 1;
    match (row, column) {
        (0, 0) => Err(true),
        (0, c) if c == last => Err(true),
        (r, 0) if r == last => Err(true),
        (r, c) if r == last && c == last => Err(false),
        (0, c) => Ok(c - 1),
        (r, c) if r == last => Ok(r * CELLS + c - 3),
        (r, c) => Ok(r * CELLS + c - 2),
    }
}

fn bit(bytes: &[u8; BYTES], number: usize) -> bool {
    bytes[number / 8] >> (7 - number % 8) & 1 == 1
}

/// Columns and rows of a picture that the mark and its ground take.
pub fn area(width: u32, height: u32) -> (Range<usize>, Range<usize>) {
    let side = width.min(height) as usize / 2;
    let ground = side / CELLS / 2;
    let range = |length: u32| {
        let start = (length as usize - side) / 2;
        start - ground..start + side + ground
    };
    (range(width), range(height))
}

/// Draws the mark and its ground (half a cell wide) into the luma plane of a `width` x `height` picture.
pub fn draw(mark: Mark, luma: &mut [u8], stride: usize, width: u32, height: u32) {
    let bytes = mark.to_bytes();
    let (columns, rows) = area(width, height);
    let side = width.min(height) as usize / 2;
    let ground = (columns.len() - side) / 2;
    let top = rows.start + ground;
    let shade = |white| if white { WHITE } else { BLACK };
    let ground_shade = if is_flash(mark.captured) { WHITE } else { 128 };
    for y in rows {
        let row = &mut luma[y * stride + columns.start..][..columns.len()];
        if y < top || y >= top + side {
            row.fill(ground_shade);
            continue;
        }
        row[..ground].fill(ground_shade);
        row[ground + side..].fill(ground_shade);
        let line = (y - top) * CELLS / side;
        for column in 0..CELLS {
            let white = cell(line, column).map_or_else(|corner| corner, |number| bit(&bytes, number));
            let (from, to) = ((column * side).div_ceil(CELLS), ((column + 1) * side).div_ceil(CELLS));
            row[ground + from..ground + to].fill(shade(white));
        }
    }
}

/// How the picture was turned on its way: `mirrored` left to right first, then `quarter_turns` clockwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orientation {
    pub mirrored: bool,
    pub quarter_turns: u8,
}

/// Finds and reads marks in pictures that were cropped, scaled, turned, mirrored and coded on the way.
#[derive(Debug, Default)]
pub struct Reader {
    found: Option<(u32, Orientation)>,
}

impl Reader {
    /// Reads the mark of one picture; where the mark was found before is looked at first.
    pub fn read(&mut self, luma: Plane<'_>, width: u32, height: u32) -> Option<Mark> {
        // Pictures may have become smaller since it was found.
        let at = |side, orientation| {
            if side > width.min(height) { None } else { read_at(luma, (width, height), side, orientation) }
        };
        if let Some(mark) = self.found.and_then(|(side, orientation)| at(side, orientation)) {
            return Some(mark);
        }
        let orientations = [false, true]
            .into_iter()
            .flat_map(|mirrored| (0..4).map(move |quarter_turns| Orientation { mirrored, quarter_turns }));
        let short = width.min(height);
        for orientation in orientations {
            // The mark's side is half of the uncropped picture's short side, scaled: at most half of this one's
            // short side where the crop kept the source's short side, more where it cut it.
            for side in (short / 4..=short).rev() {
                if let Some(mark) = at(side, orientation) {
                    self.found = Some((side, orientation));
                    return Some(mark);
                }
            }
        }
        None
    }

    /// How the pictures were turned, once a mark has been read.
    pub fn orientation(&self) -> Option<Orientation> {
        self.found.map(|(_, orientation)| orientation)
    }
}

fn read_at(
    luma: Plane<'_>,
    (width, height): (u32, u32),
    side: u32,
    orientation: Orientation,
) -> Option<Mark> {
    let average = |row: usize, column: usize| {
        let (row, column) = turned(row, column, orientation);
        let centre = |cell: usize, length: u32| {
            (f64::from(length - side) / 2.0 + (cell as f64 + 0.5) * f64::from(side) / CELLS as f64) as usize
        };
        let (x, y) = (centre(column, width), centre(row, height));
        let sum: u32 = (y.saturating_sub(1)..=y + 1)
            .flat_map(|y| (x.saturating_sub(1)..=x + 1).map(move |x| (x, y)))
            .map(|(x, y)| u32::from(luma.data.get(y * luma.stride + x).copied().unwrap_or(0)))
            .sum();
        sum / 9
    };
    let last = CELLS - 1;
    let (white, black) = (average(0, 0).min(average(0, last)).min(average(last, 0)), average(last, last));
    if white < black + 40 {
        return None;
    }
    let threshold = u32::midpoint(white, black);
    let mut bytes = [0_u8; BYTES];
    for row in 0..CELLS {
        for column in 0..CELLS {
            if let Ok(number) = cell(row, column)
                && average(row, column) > threshold
            {
                bytes[number / 8] |= 1 << (7 - number % 8);
            }
        }
    }
    Mark::from_bytes(bytes)
}

/// Where a cell of the upright mark is found in the turned picture.
fn turned(row: usize, column: usize, orientation: Orientation) -> (usize, usize) {
    let last = CELLS - 1;
    let start = (row, if orientation.mirrored { last - column } else { column });
    (0..orientation.quarter_turns % 4).fold(start, |(row, column), _| (column, last - row))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn picture(mark: Mark, width: u32, height: u32) -> Vec<u8> {
        let mut luma = vec![90; (width * height) as usize];
        draw(mark, &mut luma, width as usize, width, height);
        luma
    }

    proptest! {
        #[test]
        fn a_drawn_mark_is_read_back(frame: u32, micros in 0_i64..1 << 47, width in 96_u32..1920, height in 96_u32..1920) {
            let mark = Mark { frame, captured: Timestamp::from_micros(micros) };
            let luma = picture(mark, width, height);
            let plane = Plane { data: &luma, stride: width as usize };
            prop_assert_eq!(Reader::default().read(plane, width, height), Some(mark));
        }
    }

    #[test]
    fn a_turned_and_mirrored_mark_is_read_and_its_orientation_told() {
        let mark = Mark { frame: 4711, captured: Timestamp::from_micros(123_456_789_012) };
        let (width, height) = (160_u32, 120_u32);
        let luma = picture(mark, width, height);
        // A quarter turn clockwise of the mirrored picture.
        let turned: Vec<u8> = (0..width)
            .flat_map(|y| (0..height).map(move |x| (x, y)))
            .map(|(x, y)| luma[((height - 1 - x) * width + (width - 1 - y)) as usize])
            .collect();
        let mut reader = Reader::default();
        let plane = Plane { data: &turned, stride: height as usize };
        assert_eq!(reader.read(plane, height, width), Some(mark));
        assert_eq!(reader.orientation(), Some(Orientation { mirrored: true, quarter_turns: 1 }));
    }

    #[test]
    fn a_mark_is_read_when_pictures_become_smaller() {
        let mut reader = Reader::default();
        for (frame, (width, height)) in [(1, (720, 1280)), (2, (160, 200))] {
            let mark = Mark { frame, captured: Timestamp::from_micros(1) };
            let luma = picture(mark, width, height);
            let plane = Plane { data: &luma, stride: width as usize };
            assert_eq!(reader.read(plane, width, height), Some(mark));
        }
    }

    #[test]
    fn a_picture_without_a_mark_has_none() {
        let luma: Vec<u8> = (0..160 * 120_u32).map(|i| (i * 7 % 256) as u8).collect();
        assert_eq!(Reader::default().read(Plane { data: &luma, stride: 160 }, 160, 120), None);
    }
}
