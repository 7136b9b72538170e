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
