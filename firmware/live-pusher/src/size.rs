use std::fmt;

use crate::{Aspect, Mode, Orientation, Properties};

/// The published picture, in pixels; both sides are even.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub width: u32,
    pub height: u32,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl Size {
    /// The size that `properties` ask for (sections 4.2, 4.8, 4.11 and 4.28).
    pub fn of(properties: &Properties) -> Self {
        let (short, long) = match (properties.video_width, properties.video_height) {
            (Some(width), Some(height)) => (width.min(height), width.max(height)),
            (Some(width), None) => (width, properties.aspect.long_side(width)),
            (None, Some(height)) => (properties.aspect.short_side(height), height),
            (None, None) => largest_inside(properties.mode.portrait_box(), properties.aspect),
        };
        let even = |side: u32| side & !1;
        let (short, long) = (even(short), even(long));
        match properties.orientation {
            Orientation::Vertical => Self { width: short, height: long },
            Orientation::Horizontal => Self { width: long, height: short },
        }
    }
}

fn largest_inside((width, height): (u32, u32), aspect: Aspect) -> (u32, u32) {
    let fitting = aspect.long_side(width);
    if fitting <= height { (width, fitting) } else { (aspect.short_side(height), height) }
}

impl Aspect {
    fn shape(self) -> (u32, u32) {
        match self {
            Self::ThreeToFour => (3, 4),
            Self::NineToSixteen => (9, 16),
        }
    }

    fn long_side(self, short: u32) -> u32 {
        let (width, height) = self.shape();
        short * height / width
    }

    fn short_side(self, long: u32) -> u32 {
        let (width, height) = self.shape();
        long * width / height
    }
}

impl Mode {
    /// Width and height that the upright picture must fit in.
    fn portrait_box(self) -> (u32, u32) {
        match self {
            Self::Qvga => (240, 320),
            Self::Hvga => (320, 480),
            Self::Sd | Self::Rtc => (360, 640),
            Self::Hd => (540, 960),
            Self::Fhd => (720, 1280),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(mode: Mode, aspect: Aspect, orientation: Orientation) -> (u32, u32) {
        let Size { width, height } =
            Size::of(&Properties { mode, orientation, aspect, ..Properties::default() });
        (width, height)
    }

    /// Section 4.2, the table of frame sizes.
    #[test]
    fn every_mode_and_aspect_gives_the_size_of_the_table() {
        let table = [
            (Mode::Qvga, (180, 320), (240, 320)),
            (Mode::Hvga, (270, 480), (320, 426)),
            (Mode::Sd, (360, 640), (360, 480)),
            (Mode::Hd, (540, 960), (540, 720)),
            (Mode::Fhd, (720, 1280), (720, 960)),
            (Mode::Rtc, (360, 640), (360, 480)),
        ];
        for (mode, nine_to_sixteen, three_to_four) in table {
            for (aspect, portrait) in
                [(Aspect::NineToSixteen, nine_to_sixteen), (Aspect::ThreeToFour, three_to_four)]
            {
                let landscape = (portrait.1, portrait.0);
                assert_eq!(size(mode, aspect, Orientation::Vertical), portrait, "{mode:?} {aspect:?}");
                assert_eq!(size(mode, aspect, Orientation::Horizontal), landscape, "{mode:?} {aspect:?}");
            }
        }
    }

    #[test]
    fn explicit_sides_override_mode_and_both_override_aspect() {
        let size = |width, height, orientation| {
            let properties =
                Properties { video_width: width, video_height: height, orientation, ..Properties::default() };
            let Size { width, height } = Size::of(&properties);
            (width, height)
        };
        assert_eq!(size(Some(1280), Some(720), Orientation::Vertical), (720, 1280));
        assert_eq!(size(Some(721), Some(721), Orientation::Horizontal), (720, 720));
        assert_eq!(size(Some(540), None, Orientation::Vertical), (540, 960));
        assert_eq!(size(None, Some(960), Orientation::Horizontal), (960, 540));
    }
}
