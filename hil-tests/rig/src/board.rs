//! What a test needs of a board, whatever it is made of.

use std::fmt;
use std::time::Duration;

use anyhow::Result;

use crate::Console;
use crate::devices::{Lines, Ssd1306};

/// What a board may have, and a test may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Camera,
    Microphone,
    Buttons,
    Lamps,
    Torch,
    Oled,
    BadNetwork,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Camera => "camera",
            Self::Microphone => "microphone",
            Self::Buttons => "buttons",
            Self::Lamps => "lamps",
            Self::Torch => "torch",
            Self::Oled => "OLED",
            Self::BadNetwork => "bad network",
        };
        f.write_str(name)
    }
}

/// How a board shows on its serial line that it has come so far.
#[derive(Clone, Copy, Debug)]
pub struct Markers {
    /// `None` where the kernel is started without one.
    pub boot_loader: Option<&'static str>,
    pub kernel: &'static str,
    pub prompt: &'static str,
    /// For each stage.
    pub limit: Duration,
}

/// A board that can be switched on and off.
pub trait Board: Send {
    fn has(&self, part: Part) -> bool;
    fn markers(&self) -> Markers;
    /// Switches it on; what it says comes over the console.
    fn power_on(&mut self) -> Result<Console>;
    /// Takes the power away, without a word to what runs.
    fn power_off(&mut self);
    /// The address under which this machine's servers are reached from it.
    fn host(&self) -> String;
    /// The other end of its GPIO lines, where the rig holds it.
    fn lines(&self) -> Option<&Lines>;
    /// The picture on its OLED, where the rig can see it.
    fn oled(&self, look: &mut dyn FnMut(&Ssd1306)) -> bool;
}
