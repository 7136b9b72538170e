//! Displays that a person reads at the box.

mod config;
mod oled;
mod plugs;
mod screen;
mod steady;
mod test;
mod tft;

use std::ops::Range;
use std::path::Path;

use embedded_graphics::pixelcolor::Rgb565;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

pub use config::{OledConfig, OledController, ScreenConfig, SimDisplayConfig, TftConfig, TftController};
pub(crate) use oled::OledPanel;
use plugs::Plugs;
pub(crate) use screen::ScreenPanel;
pub use steady::{Opened, SteadyPanel};
pub(crate) use test::test;
pub(crate) use tft::open as open_tft;

use crate::sim::SimulatedDisplay;
use crate::{Board, OpenError};

/// A display of a fixed size.
pub trait Panel: Send {
    /// Pixels.
    fn size(&self) -> Size;

    /// Whether it has more than lit and dark. Where it has not, what is not black is lit.
    fn has_colours(&self) -> bool;

    /// Sends parts of a picture of the panel's size; what lies beside the panel is left out. May wait for the bus.
    fn show(
        &mut self,
        picture: &Pixels<'_>,
        areas: &mut dyn Iterator<Item = Rectangle>,
    ) -> Result<(), OpenError>;

    /// What it shows is the program's last picture, and is to stay when that has ended. Most panels know no other way.
    fn keep(&mut self) {}
}

/// A picture in memory.
#[derive(Clone, Copy, Debug)]
pub struct Pixels<'a> {
    /// Of a row.
    pub width: u32,
    /// Row by row, from the top.
    pub pixels: &'a [Rgb565],
}

impl<'a> Pixels<'a> {
    /// Some columns of a row; empty where the picture has them not all.
    fn row(&self, y: i32, columns: Range<i32>) -> &'a [Rgb565] {
        let at = |x: i32| y as usize * self.width as usize + x as usize;
        self.pixels.get(at(columns.start)..at(columns.end)).unwrap_or_default()
    }
}

/// All displays of a board, none of which is open yet.
pub fn panels(board: &Board) -> Vec<SteadyPanel> {
    let oled = board.oled.clone().map(|config| {
        SteadyPanel::new("oled", config.to_string(), move || {
            OledPanel::open(&config).map(|panel| Box::new(panel) as Box<dyn Panel>)
        })
    });
    let tft = board
        .tft
        .clone()
        .map(|config| SteadyPanel::new("tft", config.to_string(), move || open_tft(&config)));
    let screen = board.screen.clone().map(|config| {
        let mut plugs = Plugs::new(Path::new("/sys/class/drm"), &config.device);
        SteadyPanel::new("screen", config.to_string(), move || {
            ScreenPanel::open(&config).map(|panel| Box::new(panel) as Box<dyn Panel>)
        })
        .with_news(move |now| plugs.changed(now))
    });
    let sim = board.sim_display.map(|config| {
        SteadyPanel::new("sim-display", config.to_string(), move || {
            Ok(Box::new(SimulatedDisplay::new(config)) as Box<dyn Panel>)
        })
    });
    oled.into_iter().chain(tft).chain(screen).chain(sim).collect()
}

/// Whether a display of the board, once it is open, has colours.
pub fn has_colours(board: &Board) -> bool {
    board.tft.is_some() || board.screen.is_some() || board.sim_display.is_some()
}
