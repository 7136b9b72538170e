//! An SSD1306 on an I2C bus.

use linux_embedded_hal::I2cdev;
use ssd1306::mode::{BufferedGraphicsMode, DisplayConfig};
use ssd1306::prelude::{DisplayRotation, DisplaySize128x64, I2CInterface};
use ssd1306::{I2CDisplayInterface, Ssd1306};

use super::draw_test_picture;
use crate::{OledConfig, OpenError};

pub(crate) struct OledPanel {
    display: Ssd1306<I2CInterface<I2cdev>, DisplaySize128x64, BufferedGraphicsMode<DisplaySize128x64>>,
    name: String,
}

const REMEDY: &str = "check its wiring and its address (i2cdetect)";

impl OledPanel {
    pub(crate) fn open(config: &OledConfig) -> Result<Self, OpenError> {
        let name = config.to_string();
        let bus =
            I2cdev::new(&config.bus).map_err(|error| OpenError::from_io(&name, &error.into(), REMEDY))?;
        let interface = I2CDisplayInterface::new_custom_address(bus, config.address);
        let mut display = Ssd1306::new(interface, DisplaySize128x64, DisplayRotation::Rotate0)
            .into_buffered_graphics_mode();
        display.init().map_err(|_| OpenError::failed(&name, "it does not answer", REMEDY))?;
        Ok(Self { display, name })
    }

    /// Draws the test picture, which stays.
    pub(crate) fn test(&mut self) -> Result<(), OpenError> {
        let drawn = draw_test_picture(&mut self.display).and_then(|()| self.display.flush());
        drawn.map_err(|_| OpenError::failed(&self.name, "it stopped answering", REMEDY))
    }
}
