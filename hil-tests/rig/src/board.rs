//! What a test needs of a board, whatever it is made of.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::Console;
use crate::devices::{Lines, Ssd1306};

/// What a board may have, and a test may need. A board's file names them in kebab-case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    Camera,
    /// Cameras of the kernel's driver vivid, which draw what a test wants to see.
    TestPicture,
    /// Encoders of kernel modules, which fail when a test wants it: `rig/guest/modules`.
    TestEncoder,
    Microphone,
    /// The kernel's loopback sound card, which plays what a test wants to hear.
    TestTone,
    Buttons,
    PrivacySwitch,
    Lamps,
    Torch,
    Oled,
    Screen,
    /// A second screen, whose memory the rig sees as it is, whether a picture in it is whole or not.
    BareScreen,
    Flash,
    /// A log of all that was written to the flash.
    WriteLog,
    Watchdog,
    BootLoader,
    /// A second serial line, for provisioning.
    SerialLine,
    BadNetwork,
    /// A keyboard whose keys the rig presses.
    Keyboard,
    /// A network cable that the rig can pull.
    Cable,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// How a board shows on its serial line that it has come so far.
#[derive(Clone, Debug)]
pub struct Markers {
    /// `None` where the kernel is started without one.
    pub boot_loader: Option<String>,
    pub kernel: String,
    pub prompt: String,
    /// For each stage.
    pub limit: Duration,
}

/// The flash of a board in the rig's hands: its contents when it was switched on, and what was written since.
#[derive(Clone, Debug)]
pub struct Flash {
    pub before: PathBuf,
    pub log: PathBuf,
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
    /// The address on which they listen for it.
    fn listen(&self) -> &'static str {
        "127.0.0.1"
    }
    /// The other end of its GPIO lines, where the rig holds it.
    fn lines(&self) -> Option<&Lines> {
        None
    }
    /// Shows the picture on its OLED, where the rig can see it.
    fn oled(&self, _look: &mut dyn FnMut(&Ssd1306)) -> bool {
        false
    }
    /// The picture on its screen as PNG, where the rig can see it.
    fn screen(&self) -> Option<Result<Vec<u8>>> {
        None
    }
    /// The same of a second screen, at `/dev/dri/card1` once its driver was loaded: bochs.
    fn bare_screen(&self) -> Option<Result<Vec<u8>>> {
        None
    }
    /// Presses a key of its keyboard, by QEMU's name of it, or lets it go, where the rig can.
    fn drive_key(&self, _key: &str, _down: bool) -> Option<Result<()>> {
        None
    }
    /// Pulls the network cable or plugs it in, where the rig can.
    fn plug_cable(&self, _is_in: bool) -> Option<Result<()>> {
        None
    }
    /// The other end of its second serial line. Only while it is on.
    fn serial_line(&self) -> Option<Result<Console>> {
        None
    }
    fn flash(&self) -> Option<Flash> {
        None
    }
}
