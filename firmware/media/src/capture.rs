use std::fmt;
use std::time::{Duration, Instant};

use crate::{Frame, PixelFormat, Timestamp};

/// What a camera delivers, as negotiated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VideoFormat {
    pub pixels: PixelFormat,
    pub width: u32,
    pub height: u32,
    /// Pictures a second.
    pub rate: f64,
}

impl fmt::Display for VideoFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}x{} {:.2} fps", self.pixels, self.width, self.height, self.rate)
    }
}

/// What a microphone delivers, as negotiated. Samples are interleaved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioFormat {
    /// Hz by the device's own clock.
    pub rate: u32,
    pub channels: u16,
}

impl fmt::Display for AudioFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz, {} channel{}", self.rate, self.channels, if self.channels == 1 { "" } else { "s" })
    }
}

#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// Nothing came within the time; the device may still deliver.
    #[error("{device} delivered nothing for {} ms", waited.as_millis())]
    Timeout { device: String, waited: Duration },
    /// The device is gone: unplugged, or unbound from its driver.
    #[error("{device} is gone ({cause})")]
    Lost { device: String, cause: String },
    /// It was a file, and all of it was read.
    #[error("{device} has ended")]
    Ended { device: String },
    /// A call to the device failed.
    #[error("{device}: {call} failed: {source}")]
    Device { device: String, call: &'static str, source: std::io::Error },
}

/// No device is waited for longer without a look at whether it is still wanted.
pub const CAPTURE_WAIT: Duration = Duration::from_millis(100);

/// Asks a device again while nothing comes, up to `patience`, and for no longer than it `is_wanted`.
pub fn patiently<T>(
    patience: Duration,
    is_wanted: impl Fn() -> bool,
    mut next: impl FnMut() -> Result<T, CaptureError>,
) -> Result<T, CaptureError> {
    let started = Instant::now();
    loop {
        match next() {
            Err(CaptureError::Timeout { device, .. }) => {
                let waited = started.elapsed();
                if waited >= patience || !is_wanted() {
                    return Err(CaptureError::Timeout { device, waited });
                }
            }
            result => return result,
        }
    }
}

/// A running camera. Dropping it ends the stream and closes the device; frames on loan stay valid.
pub trait Camera: Send {
    fn format(&self) -> VideoFormat;

    /// Waits for the next whole picture, [`CAPTURE_WAIT`] at the most; [`patiently`] asks again. Corrupt and short pictures
    /// are counted and passed over.
    fn next(&mut self) -> Result<Frame, CaptureError>;

    /// Pictures that the driver marked as corrupt or that were shorter than their format.
    fn corrupt(&self) -> u64;
}

/// Samples of one period on their way from the microphone.
#[derive(Clone, Debug, Default)]
pub struct AudioBlock {
    /// Interleaved samples, full scale ±1.
    pub samples: Vec<f32>,
    /// When the first sample was taken.
    pub captured: Timestamp,
    /// Whether samples were lost before this block (an overrun).
    pub overrun: bool,
}

/// A running microphone.
pub trait Microphone: Send {
    fn format(&self) -> AudioFormat;

    /// Waits for the next period, [`CAPTURE_WAIT`] at the most, and puts it into `block`, whose memory is reused.
    /// An overrun is recovered inside and marked on the next block; its timestamp tells how long the gap is.
    fn read(&mut self, block: &mut AudioBlock) -> Result<(), CaptureError>;
}
