use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use media::{
    Buffer, Camera, CaptureError, Frame, Layout, PixelFormat, PlaneLayout, Pooled, Recycle, Timestamp,
    VideoFormat, now,
};
use v4l::v4l_sys as sys;

use super::device::{Device, Mapping, PixFormat};
use super::format::{self, Candidate, Wish};
use crate::{OpenError, V4l2Source};

/// Two with the driver, two waiting, one in the pipeline, one spare.
const BUFFERS: u32 = 6;
/// A camera that delivers nothing for so long is as good as gone.
const PATIENCE: Duration = Duration::from_secs(2);

/// A streaming camera. Its buffers go to the pipeline as frames and back to the driver when those are dropped.
pub(crate) struct V4l2Camera {
    stream: Arc<Stream>,
    name: String,
    format: VideoFormat,
    layout: Layout,
    corrupt: u64,
}

/// What frames on loan keep alive: the node and the buffers that are with the driver.
struct Stream {
    device: Device,
    buffers: Mutex<Buffers>,
}

struct Buffers {
    /// By number; `None` while on loan.
    with_driver: Vec<Option<Box<dyn Buffer>>>,
    streaming: bool,
}

struct Mapped {
    index: u32,
    planes: Vec<Mapping>,
}

impl Buffer for Mapped {
    fn plane(&self, index: usize) -> &[u8] {
        self.planes.get(index).map_or(&[], Mapping::bytes)
    }

    fn plane_mut(&mut self, index: usize) -> &mut [u8] {
        self.planes.get_mut(index).map_or(&mut [], Mapping::bytes_mut)
    }

    fn index(&self) -> u32 {
        self.index
    }
}

impl Stream {
    fn lock(&self) -> MutexGuard<'_, Buffers> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recycle<Box<dyn Buffer>> for Stream {
    fn recycle(&self, buffer: Box<dyn Buffer>) {
        let index = buffer.index();
        let mut buffers = self.lock();
        let streaming = buffers.streaming;
        if let Some(place) = buffers.with_driver.get_mut(index as usize) {
            *place = Some(buffer);
            // Where the device is gone this fails, and the next dequeue tells.
            if streaming && let Err(error) = self.device.queue(index) {
                tracing::debug!(index, %error, "buffer not queued");
            }
        }
    }
}

impl V4l2Camera {
    /// Opens the node, negotiates, and starts to stream.
    pub(crate) fn open(source: &V4l2Source) -> Result<Self, OpenError> {
        let name = source.device.display().to_string();
        let failed = |remedy: &'static str| {
            let name = name.clone();
            move |error: io::Error| OpenError::from_io(name, &error, remedy)
        };
        let device = Device::open(&source.device).map_err(failed("see v4l2-ctl --list-devices"))?;
        let wish = Wish { width: source.width, height: source.height, rate: f64::from(source.rate) };
        let choice = format::best(candidates(&device, wish), wish).ok_or_else(|| {
            let cause = "none of its formats is known";
            OpenError::failed(
                &name,
                cause,
                "use a camera with NV12, NV21, YU12, YUYV or MJPEG (v4l2-ctl --list-formats)",
            )
        })?;
        let pix = device
            .set_format(choice.fourcc, choice.size)
            .map_err(failed("try another size in the board file"))?;
        let layout = layout(&pix).ok_or_else(|| {
            let cause = "the driver changed the format to an unknown one";
            OpenError::failed(&name, cause, "try another size in the board file")
        })?;
        let rate = device.set_rate(choice.rate).unwrap_or(choice.rate);
        let stream = start(device).map_err(failed("free memory for its buffers, or plug it in anew"))?;
        let format = VideoFormat { pixels: layout.format, width: pix.width, height: pix.height, rate };
        Ok(Self { stream, name, format, layout, corrupt: 0 })
    }

    /// A filled buffer, once the device has one.
    fn dequeue(&mut self) -> Result<Option<Frame>, CaptureError> {
        let filled = match self.stream.device.dequeue() {
            Ok(filled) => filled,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => {
                return Err(CaptureError::Lost { device: self.name.clone(), cause: error.to_string() });
            }
        };
        let buffer = self.stream.lock().with_driver.get_mut(filled.index as usize).and_then(Option::take);
        let Some(buffer) = buffer else { return Ok(None) };
        let buffer = Pooled::new(buffer, Arc::clone(&self.stream) as Arc<dyn Recycle<Box<dyn Buffer>>>);
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
fn candidates(device: &Device, wish: Wish) -> Vec<Candidate> {
    let codes = device.formats();
    codes
        .into_iter()
        .filter_map(|fourcc| {
            let (pixels, _) = format::known(fourcc)?;
            let size = format::size(&device.sizes(fourcc), wish);
            let rate = format::rate(&device.rates(fourcc, size), wish);
            Some(Candidate { fourcc, pixels, size, rate })
        })
        .collect()
}

/// Where the driver puts the colour planes; `None` for formats that are not known.
fn layout(pix: &PixFormat) -> Option<Layout> {
    let (pixels, apart) = format::known(pix.fourcc)?;
    let packed = Layout::packed(pixels, pix.width, pix.height);
    let stride = pix.strides.first().copied().unwrap_or(0).max(packed.planes[0].stride);
    let mut layout = Layout::contiguous(pixels, pix.width, pix.height, stride);
    if apart {
        for (memory, stride) in pix.strides.iter().enumerate() {
            layout.planes[memory] =
                PlaneLayout { memory, offset: 0, stride: (*stride).max(layout.row_bytes(memory)) };
        }
    }
    Some(layout)
}

/// Maps the buffers, hands them to the driver and starts it.
fn start(device: Device) -> io::Result<Arc<Stream>> {
    let count = device.request_buffers(BUFFERS)?;
    let mut with_driver = Vec::with_capacity(count as usize);
    for index in 0..count {
        let mapped: Box<dyn Buffer> = Box::new(Mapped { index, planes: device.map(index)? });
        device.queue(index)?;
        with_driver.push(Some(mapped));
    }
    device.start()?;
    Ok(Arc::new(Stream { device, buffers: Mutex::new(Buffers { with_driver, streaming: true }) }))
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
        while let Some(left) = PATIENCE.checked_sub(started.elapsed()) {
            match self.stream.device.wait(left) {
                Ok(false) => break,
                Ok(true) => {
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
        self.stream.lock().streaming = false;
        // A device that is gone has stopped already.
        let _ = self.stream.device.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::super::format::fourcc;
    use super::*;

    #[test]
    fn planes_lie_where_single_and_multiplanar_drivers_put_them() {
        let pix = |code, strides: &[usize]| PixFormat {
            fourcc: fourcc(code),
            width: 640,
            height: 480,
            strides: strides.to_vec(),
        };
        let places = |layout: Layout| layout.planes.map(|plane| (plane.memory, plane.offset, plane.stride));
        let nv12 = layout(&pix(*b"NV12", &[704])).unwrap();
        assert_eq!(places(nv12), [(0, 0, 704), (0, 704 * 480, 704), (0, 0, 0)]);
        let nm12 = layout(&pix(*b"NM12", &[704, 704])).unwrap();
        assert_eq!(places(nm12), [(0, 0, 704), (1, 0, 704), (0, 0, 0)]);
        let ym12 = layout(&pix(*b"YM12", &[640, 320, 320])).unwrap();
        assert_eq!(places(ym12), [(0, 0, 640), (1, 0, 320), (2, 0, 320)]);
        assert!(layout(&pix(*b"RGB3", &[1920])).is_none());
    }

    #[test]
    fn a_jpeg_is_whole_with_both_its_markers() {
        assert!(is_jpeg(&[0xff, 0xd8, 1, 0xff, 0xd9]));
        assert!(is_jpeg(&[0xff, 0xd8, 1, 0xff, 0xd9, 0, 0]));
        for cut in [&[][..], &[0xff, 0xd8, 1], &[0xd8, 1, 0xff, 0xd9], &[0, 0]] {
            assert!(!is_jpeg(cut), "{cut:?}");
        }
    }
}
