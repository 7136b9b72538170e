use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use media::{CAPTURE_WAIT, Camera, CaptureError, Frame, Layout, PixelFormat, Timestamp, VideoFormat, now};
use v4l::v4l_sys as sys;

use super::device::Device;
use super::format::{self, Candidate, Wish};
use super::queue::{Memory, Queue};
use super::stream::Stream;
use crate::{OpenError, V4l2Source};

/// Two with the driver, two waiting, three in an encoder that keeps none, one spare.
const BUFFERS: u32 = 8;

/// A streaming camera. Its buffers go to the pipeline as frames and back to the driver when those are dropped.
pub(crate) struct V4l2Camera {
    stream: Arc<Stream>,
    name: String,
    format: VideoFormat,
    layout: Layout,
    corrupt: u64,
}

impl V4l2Camera {
    /// Opens the node, negotiates, and starts to stream. The encoder keeps `kept` pictures; `input` tells how it would have one
    /// that lies so.
    pub(crate) fn open(
        source: &V4l2Source,
        kept: usize,
        input: impl Fn(Layout) -> Option<Layout>,
    ) -> Result<Self, OpenError> {
        let name = source.device.display().to_string();
        let failed = |remedy: &'static str| {
            let name = name.clone();
            move |error: io::Error| OpenError::from_io(name, &error, remedy)
        };
        let device = Device::open_camera(&source.device).map_err(failed("see v4l2-ctl --list-devices"))?;
        let queue = Queue::capture(&Arc::new(device));
        let wish = Wish { width: source.width, height: source.height, rate: f64::from(source.rate) };
        let (choice, strides) = format::best(candidates(&queue, wish), wish, input).ok_or_else(|| {
            let cause = "none of its formats is known";
            OpenError::failed(
                &name,
                cause,
                "use a camera with NV12, NV21, YU12, YUYV or MJPEG (v4l2-ctl --list-formats)",
            )
        })?;
        let pix = queue
            .set_format(choice.fourcc, choice.size, strides, 0)
            .map_err(failed("try another size in the board file"))?;
        let layout = format::layout(&pix).ok_or_else(|| {
            let cause = "the driver changed the format to an unknown one";
            OpenError::failed(&name, cause, "try another size in the board file")
        })?;
        let rate = queue.set_rate(choice.rate).unwrap_or(choice.rate);
        let stream = Stream::start(queue, BUFFERS + kept as u32)
            .map_err(failed("free memory for its buffers, or plug it in anew"))?;
        let format = VideoFormat { pixels: layout.format, width: pix.width, height: pix.height, rate };
        Ok(Self { stream, name, format, layout, corrupt: 0 })
    }

    /// A filled buffer, once the device has one.
    fn dequeue(&mut self) -> Result<Option<Frame>, CaptureError> {
        let filled = match self.stream.queue.dequeue(Memory::Mmap) {
            Ok(filled) => filled,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => {
                return Err(CaptureError::Lost { device: self.name.clone(), cause: error.to_string() });
            }
        };
        let Some(buffer) = self.stream.take(filled.index) else { return Ok(None) };
        // Other clocks are of no use: the time at which the picture got here is nearer.
        let monotonic =
            filled.flags & sys::V4L2_BUF_FLAG_TIMESTAMP_MASK == sys::V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
        let captured = if monotonic { Timestamp::from_micros(filled.timestamp) } else { now() };
        let frame = Frame::new(self.layout, captured, filled.sequence, filled.used, buffer);
        let whole = frame.filter(|frame| {
            filled.flags & sys::V4L2_BUF_FLAG_ERROR == 0
                && (frame.layout.format != PixelFormat::Mjpeg || is_jpeg(frame.compressed()))
        });
        self.corrupt += u64::from(whole.is_none());
        Ok(whole)
    }
}

/// What the device can do, one candidate a format.
fn candidates(queue: &Queue, wish: Wish) -> Vec<Candidate> {
    let codes = queue.formats();
    codes
        .into_iter()
        .filter_map(|fourcc| {
            let (pixels, _) = format::known(fourcc)?;
            let size = format::size(&queue.device.sizes(fourcc), wish);
            let rate = format::rate(&queue.device.rates(fourcc, size), wish);
            Some(Candidate { fourcc, pixels, size, rate })
        })
        .collect()
}

/// Begins with SOI and ends with EOI, which may have padding behind it (ITU-T T.81 section B.1.1.3).
fn is_jpeg(bytes: &[u8]) -> bool {
    let padding = bytes.iter().rev().take_while(|byte| **byte == 0).count();
    bytes.starts_with(&[0xff, 0xd8]) && bytes[..bytes.len() - padding].ends_with(&[0xff, 0xd9])
}

impl Camera for V4l2Camera {
    fn format(&self) -> VideoFormat {
        self.format
    }

    fn next(&mut self) -> Result<Frame, CaptureError> {
        let started = Instant::now();
        while let Some(left) = CAPTURE_WAIT.checked_sub(started.elapsed()) {
            match self.stream.queue.device.wait(libc::POLLIN, left) {
                Ok(0) => break,
                Ok(_) => {
                    if let Some(frame) = self.dequeue()? {
                        return Ok(frame);
                    }
                    // poll also wakes at once while every buffer is on loan (V4L2, function poll()).
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(CaptureError::Device { device: self.name.clone(), call: "poll", source });
                }
            }
        }
        Err(CaptureError::Timeout { device: self.name.clone(), waited: started.elapsed() })
    }

    fn corrupt(&self) -> u64 {
        self.corrupt
    }
}

impl Drop for V4l2Camera {
    fn drop(&mut self) {
        self.stream.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jpeg_is_whole_with_both_its_markers() {
        assert!(is_jpeg(&[0xff, 0xd8, 1, 0xff, 0xd9]));
        assert!(is_jpeg(&[0xff, 0xd8, 1, 0xff, 0xd9, 0, 0]));
        for cut in [&[][..], &[0xff, 0xd8, 1], &[0xd8, 1, 0xff, 0xd9], &[0, 0]] {
            assert!(!is_jpeg(cut), "{cut:?}");
        }
    }
}
