//! An I2C bus (VIRTIO 1.2, clause 5.17) with devices on it.

use std::sync::{Arc, Mutex};

use super::daemon::{Device, Request};

/// Flag of a request that reads.
const READ: u32 = 1 << 1;
const OK: u8 = 0;
const FAILED: u8 = 1;

/// A device on the bus.
pub trait I2cDevice: Send {
    /// Seven bits.
    fn address(&self) -> u16;
    fn write(&mut self, bytes: &[u8]);
    fn read(&mut self, bytes: &mut [u8]);
}

/// The bus; each device stays readable for the host.
pub struct Bus {
    devices: Vec<Arc<Mutex<dyn I2cDevice>>>,
}

impl Bus {
    pub fn new(devices: Vec<Arc<Mutex<dyn I2cDevice>>>) -> Self {
        Self { devices }
    }

    /// One message; `None` when no device answers to the address.
    fn transfer(&self, address: u16, written: &[u8], read: &mut [u8]) -> Option<()> {
        let device = self.devices.iter().find(|device| super::daemon::lock(device).address() == address)?;
        let mut device = super::daemon::lock(device);
        if read.is_empty() {
            device.write(written);
        } else {
            device.read(read);
        }
        Some(())
    }
}

impl Device for Bus {
    const NAME: &'static str = "i2c";
    const QUEUES: usize = 1;
    /// VIRTIO_I2C_F_ZERO_LENGTH_REQUEST.
    const FEATURES: u64 = 1;

    fn configuration(&self) -> Vec<u8> {
        Vec::new()
    }

    fn take(&mut self, _queue: usize, written: &[u8], request: Request) -> Option<(Request, Vec<u8>)> {
        let [a0, a1, _, _, f0, f1, f2, f3, data @ ..] = written else {
            return Some((request, vec![FAILED]));
        };
        let (address, flags) =
            (u16::from_le_bytes([*a0, *a1]) >> 1, u32::from_le_bytes([*f0, *f1, *f2, *f3]));
        let room = if flags & READ != 0 { request.room.saturating_sub(1) } else { 0 };
        let mut answer = vec![0; room + 1];
        let done = self.transfer(address, data, &mut answer[..room]);
        answer[room] = if done.is_some() { OK } else { FAILED };
        Some((request, answer))
    }
}
