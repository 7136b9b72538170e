//! The torch: a GPIO line, an LED of the kernel's LED class (Documentation/leds/leds-class.rst), or a V4L2 flash
//! (userspace-api/media/v4l/ext-ctrls-flash).

use std::fs;
use std::path::{Path, PathBuf};

use crate::lines::Line;
use crate::v4l2::Flash;
use crate::{OpenError, TorchSource};

/// A torch, off until it is lit. Dropped, it is put out.
pub struct Torch(Light);

enum Light {
    Line(Line),
    Led { folder: PathBuf, brightest: String },
    Flash(Flash),
}

impl Torch {
    pub fn open(source: &TorchSource) -> Result<Self, OpenError> {
        let mut torch = Self(match source {
            TorchSource::Line(line) => Light::Line(Line::output(line)?),
            TorchSource::Led(name) => {
                let folder = Path::new("/sys/class/leds").join(name);
                let brightest = fs::read_to_string(folder.join("max_brightness")).map_err(|error| {
                    OpenError::from_io(format!("LED {name}"), &error, "see /sys/class/leds for its name")
                })?;
                Light::Led { folder, brightest }
            }
            TorchSource::Flash(device) => Light::Flash(Flash::open(device)?),
        });
        torch.light(false)?;
        Ok(torch)
    }

    pub fn light(&mut self, lit: bool) -> Result<(), OpenError> {
        match &self.0 {
            Light::Line(line) => line.set(lit),
            Light::Led { folder, brightest } => {
                let value = if lit { brightest.trim() } else { "0" };
                fs::write(folder.join("brightness"), value).map_err(|error| {
                    OpenError::from_io(folder.display().to_string(), &error, "let its group write to it")
                })
            }
            Light::Flash(flash) => flash.light(lit),
        }
    }
}

impl Drop for Torch {
    fn drop(&mut self) {
        // One that is gone gives no light.
        let _ = self.light(false);
    }
}
