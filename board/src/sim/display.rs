use embedded_graphics::geometry::Size;
use embedded_graphics::primitives::Rectangle;

use crate::OpenError;
use crate::panel::{Panel, Pixels, SimDisplayConfig};

/// A display with colours that keeps nothing: what it shows is told by who draws it.
pub(crate) struct SimulatedDisplay(Size);

impl SimulatedDisplay {
    pub(crate) fn new(config: SimDisplayConfig) -> Self {
        Self(Size::new(config.width.get().into(), config.height.get().into()))
    }
}

impl Panel for SimulatedDisplay {
    fn size(&self) -> Size {
        self.0
    }

    fn has_colours(&self) -> bool {
        true
    }

    fn show(&mut self, _: &Pixels<'_>, _: &mut dyn Iterator<Item = Rectangle>) -> Result<(), OpenError> {
        Ok(())
    }
}
