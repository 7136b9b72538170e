use std::fmt;

use serde_json::{Map, Value, json};

use crate::{Aspect, Mode, Orientation, Properties};

/// The published picture, in pixels; both sides are even.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
            (None, None) => return Self::of_mode(properties),
        };
        Self::oriented(short, long, properties.orientation)
    }

    /// The size of their mode, whatever sides they name: what is used where the encoder refuses those (4.28).
    pub fn of_mode(properties: &Properties) -> Self {
        let (short, long) = largest_inside(properties.mode.portrait_box(), properties.aspect);
        Self::oriented(short, long, properties.orientation)
    }

    /// Three quarters of each side, even; none where the short side would be below 160 (10.9).
    #[must_use]
    pub fn smaller(self) -> Option<Self> {
        let side = |side: u32| (side * 3 / 4) & !1;
        let size = Self { width: side(self.width), height: side(self.height) };
        (size.width.min(size.height) >= 160).then_some(size)
    }

    /// As in the parameters of status events.
    pub fn params(self) -> Map<String, Value> {
        Map::from_iter([("width".to_owned(), json!(self.width)), ("height".to_owned(), json!(self.height))])
    }

    fn oriented(short: u32, long: u32, orientation: Orientation) -> Self {
        let even = |side: u32| side & !1;
        let (short, long) = (even(short), even(long));
        match orientation {
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
