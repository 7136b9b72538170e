//! Levels of H.264 (annex A).

use crate::EncoderSettings;

/// Table A-1: level_idc, macroblocks a second and in a picture, 1000 bits a second in Baseline and Main.
const LEVELS: [(u8, u32, u32, u32); 15] = [
    (11, 3_000, 396, 192),
    (12, 6_000, 396, 384),
    (13, 11_880, 396, 768),
    (20, 11_880, 396, 2_000),
    (21, 19_800, 792, 4_000),
    (22, 20_250, 1_620, 4_000),
    (30, 40_500, 1_620, 10_000),
    (31, 108_000, 3_600, 14_000),
    (32, 216_000, 5_120, 20_000),
    (40, 245_760, 8_192, 20_000),
    (41, 245_760, 8_192, 50_000),
    (42, 522_240, 8_704, 50_000),
    (50, 589_824, 22_080, 135_000),
    (51, 983_040, 36_864, 240_000),
    (52, 2_073_600, 36_864, 240_000),
];

/// The level_idc of the lowest level that holds such a stream, or of the highest. `bitrate` in bits a second.
pub(crate) fn level_idc(width: u32, height: u32, fps: u32, bitrate: u32) -> u8 {
    let picture = width.div_ceil(16) * height.div_ceil(16);
    let second = picture.saturating_mul(fps);
    let holds = |(_, seconds, pictures, kilobits): &&(u8, u32, u32, u32)| {
        second <= *seconds && picture <= *pictures && bitrate <= kilobits * 1000
    };
    LEVELS.iter().find(holds).map_or(LEVELS[LEVELS.len() - 1].0, |(level, ..)| *level)
}

impl EncoderSettings {
    /// The level_idc with which the stream begins.
    pub fn level_idc(&self) -> u8 {
        level_idc(self.width, self.height, self.fps, self.bitrate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_is_the_lowest_that_holds_the_stream() {
        assert_eq!(level_idc(360, 640, 15, 1_000_000), 22);
        assert_eq!(level_idc(640, 360, 30, 1_000_000), 30);
        assert_eq!(level_idc(1280, 720, 30, 2_000_000), 31);
        assert_eq!(level_idc(1280, 720, 60, 2_000_000), 32);
        assert_eq!(level_idc(1920, 1080, 30, 4_000_000), 40);
        assert_eq!(level_idc(1920, 1080, 30, 30_000_000), 41);
        assert_eq!(level_idc(1920, 1080, 60, 4_000_000), 42);
        assert_eq!(level_idc(3840, 2160, 30, 20_000_000), 51);
        assert_eq!(level_idc(7680, 4320, 30, 20_000_000), 52);
    }
}
