//! Keys that the kernel gives as input events (kernel: Documentation/input/event-codes.rst).

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use evdevil::Evdev;
use evdevil::event::{EventKind, EventType, InputEvent, KeyState, Syn};
use media::Timestamp;

use crate::inputs::Contact;
use crate::{KeyConfig, OpenError};

const REMEDY: &str = "plug it in anew";
/// Events that are read together.
const BATCH: usize = 16;
const DEVICES: &str = "/sys/class/input";

/// One key of one device.
pub(crate) struct Key {
    config: KeyConfig,
    device: Evdev,
    /// The link to its driver, where it has one.
    driver: Option<PathBuf>,
}

impl Key {
    pub(crate) fn open(config: &KeyConfig) -> Result<Self, OpenError> {
        let failed = |error: io::Error| OpenError::from_io(config.to_string(), &error, REMEDY);
        let mut is_there = false;
        for node in nodes(&config.device) {
            let device = Evdev::open(Path::new("/dev/input").join(&node)).map_err(failed)?;
            is_there = true;
            if device.supported_keys().map_err(failed)?.contains(config.key) {
                device.set_nonblocking(true).map_err(failed)?;
                device.set_clockid(libc::CLOCK_MONOTONIC).map_err(failed)?;
                // Nobody wakes for other keys. Kernels before 4.4 send them all the same.
                let _ =
                    device.set_event_mask([EventType::KEY]).and_then(|()| device.set_key_mask([config.key]));
                let driver = Some(Path::new(DEVICES).join(node).join("device/device/driver"));
                return Ok(Self {
                    config: config.clone(),
                    device,
                    driver: driver.filter(|link| link.exists()),
                });
            }
        }
        let cause = if is_there { "the device has no such key" } else { "no such device" };
        let remedy = "check both names in the board file (/proc/bus/input/devices, evtest)";
        Err(OpenError::refused(config.to_string(), cause, remedy))
    }

    /// Whether the device has no driver any longer. Keys that are held then are let go by the kernel, some time before it tells
    /// that the device is gone (kernel: `__device_release_driver`, `input_unregister_device`).
    fn is_unplugged(&self) -> bool {
        self.driver.as_ref().is_some_and(|link| !link.exists())
    }

    fn failed(&self, error: &io::Error) -> OpenError {
        OpenError::from_io(self.config.to_string(), error, REMEDY)
    }
}

impl Contact for Key {
    fn descriptor(&self) -> RawFd {
        self.device.as_raw_fd()
    }

    fn is_active(&self) -> Result<bool, OpenError> {
        let state = self.device.key_state().map_err(|error| self.failed(&error))?;
        Ok(state.contains(self.config.key))
    }

    fn read(&mut self, tell: &mut dyn FnMut(bool, Timestamp)) -> Result<(), OpenError> {
        let mut events = [InputEvent::zeroed(); BATCH];
        let count = match self.device.read_events(&mut events) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => 0,
            count => count.map_err(|error| self.failed(&error))?,
        };
        for event in events.iter().take(count) {
            let pressed = match event.kind() {
                EventKind::Key(event) if event.key() == self.config.key => match event.state() {
                    KeyState::PRESSED => true,
                    KeyState::RELEASED if self.is_unplugged() => continue,
                    KeyState::RELEASED => false,
                    _ => continue,
                },
                // Events were lost.
                EventKind::Syn(event) if event.syn() == Syn::DROPPED => self.is_active()?,
                _ => continue,
            };
            tell(pressed, timestamp(event.time()));
        }
        Ok(())
    }
}

/// Of the clock that the device was told to use.
fn timestamp(time: SystemTime) -> Timestamp {
    let time = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(time.as_micros() as i64)
}

/// Nodes of the devices of that name.
fn nodes(name: &str) -> Vec<String> {
    let entries = fs::read_dir(DEVICES).into_iter().flatten().filter_map(Result::ok);
    let nodes = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let has_name = |node: &String| {
        let file = Path::new(DEVICES).join(node).join("device/name");
        node.starts_with("event") && fs::read_to_string(file).is_ok_and(|found| found.trim_end() == name)
    };
    let mut nodes: Vec<String> = nodes.filter(has_name).collect();
    nodes.sort();
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_there_is_told_with_a_remedy() {
        let config = KeyConfig { key: evdevil::event::Key::KEY_CAMERA, device: "no such keypad".into() };
        let error = Key::open(&config).err().unwrap().to_string();
        assert!(
            error.starts_with("key KEY_CAMERA of no such keypad may not be used: no such device"),
            "{error}"
        );
    }
}
