//! Colours and sizes, by what a panel can show.

use embedded_graphics::pixelcolor::Rgb565;
use embedded_graphics::prelude::*;
use live_pusher::State;

use crate::canvas::Colours;
use crate::font::{self, Font};

/// What all screens of one panel have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) font: &'static Font,
    /// For what is to be seen from afar.
    pub(crate) title: &'static Font,
    /// Side of a picture that fills a screen.
    pub(crate) picture: i32,
    /// Distance between things.
    pub(crate) gap: i32,
    /// Too small for a margin, and for all at once.
    pub(crate) is_small: bool,
    pub(crate) colours: Palette,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Palette {
    pub(crate) background: Rgb565,
    pub(crate) text: Rgb565,
    pub(crate) dim: Rgb565,
    pub(crate) faint: Rgb565,
    pub(crate) accent: Rgb565,
    pub(crate) good: Rgb565,
    pub(crate) warning: Rgb565,
    pub(crate) bad: Rgb565,
}

const fn colour(rgb: u32) -> Rgb565 {
    Rgb565::new((rgb >> 19) as u8 & 31, (rgb >> 10) as u8 & 63, (rgb >> 3) as u8 & 31)
}

const TWO: Palette = Palette {
    background: Rgb565::BLACK,
    text: Rgb565::WHITE,
    dim: Rgb565::WHITE,
    faint: Rgb565::BLACK,
    accent: Rgb565::WHITE,
    good: Rgb565::WHITE,
    warning: Rgb565::WHITE,
    bad: Rgb565::WHITE,
};

/// Each stands out from the background by 4.5 to 1 at least, apart from `faint`, on which text stands.
const MANY: Palette = Palette {
    background: colour(0x0c_10_18),
    text: Rgb565::WHITE,
    dim: colour(0xa0_ac_bc),
    faint: colour(0x28_30_40),
    accent: colour(0x40_b0_ff),
    good: colour(0x40_d8_70),
    warning: colour(0xff_c0_30),
    bad: colour(0xff_58_58),
};

impl Style {
    /// Of a display of that size.
    pub(crate) fn of(Size { width, height }: Size, colours: Colours) -> Self {
        let colours = if colours == Colours::Two { TWO } else { MANY };
        // So that there are thirteen letters of Chinese in a line, and ten lines.
        let (font, title, gap) = match (width / 13).min(height / 12) {
            0..18 => (&font::PIXEL_12, &font::PIXEL_12, 2),
            18..26 => (&font::SANS_18, &font::SANS_26, 6),
            26..40 => (&font::SANS_26, &font::SANS_40, 9),
            _ => (&font::SANS_40, &font::SANS_64, 14),
        };
        let is_small = font.line() < font::SANS_18.line();
        let picture = if is_small { 24 } else { (width.min(height) / 3) as i32 };
        Self { font, title, picture, gap, is_small, colours }
    }

    /// Of a state: red is on air, as the lamp is.
    pub(crate) fn of_state(&self, state: State) -> Rgb565 {
        match state {
            State::Pushing => self.colours.bad,
            State::Connecting | State::Reconnecting | State::Paused | State::Suspended => {
                self.colours.warning
            }
            State::Unbound | State::Idle | State::Previewing => self.colours.text,
        }
    }

    /// Of a network's quality, 0 to 6.
    pub(crate) fn of_quality(&self, quality: u8) -> Rgb565 {
        match quality {
            0 => self.colours.dim,
            1 | 2 => self.colours.good,
            3 | 4 => self.colours.warning,
            _ => self.colours.bad,
        }
    }
}
