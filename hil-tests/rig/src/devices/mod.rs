//! The hardware of the virtual board, on this machine: virtio devices that QEMU reaches over vhost-user sockets.

mod daemon;
mod gpio;
mod i2c;
mod ssd1306;

pub(crate) use daemon::{lock, serve};
pub use gpio::{LineState, Lines};
pub use i2c::{Bus, I2cDevice};
pub use ssd1306::Ssd1306;
