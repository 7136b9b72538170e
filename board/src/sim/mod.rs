//! Devices that need no hardware, paced in real time: for the demo and for fast tests.

mod camera;
mod display;
mod microphone;
mod picture;

pub(crate) use camera::SimulatedCamera;
pub(crate) use display::SimulatedDisplay;
pub(crate) use microphone::SimulatedMicrophone;

use media::{Timestamp, now};

/// Sleeps until `time`.
pub(crate) fn sleep_until(time: Timestamp) {
    let left = time.since(now());
    if left > 0 {
        std::thread::sleep(std::time::Duration::from_micros(left.unsigned_abs()));
    }
}
