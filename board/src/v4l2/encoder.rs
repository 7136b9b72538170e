//! A memory-to-memory encoder (kernel: userspace-api/media/v4l/dev-encoder).

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use media::{
    AccessUnit, AccessUnitKind, Buffer, Bytes, EncodeError, EncoderInput, EncoderSettings, Frame, Layout,
    PixelFormat, Pool, Pooled, Timestamp, VideoEncoder,
};
use v4l::v4l_sys as sys;

use super::camera::layout;
use super::device::Device;
use super::format::{fourcc, known};
use super::parameters;
use super::pictures::Pictures;
use super::queue::{Dequeued, Memory, Queue};
use super::stream::Stream;
use crate::{Codec, V4l2EncoderConfig};

/// Buffers for coded pictures. Packets keep them until the network took them; of the last few a copy is made.
const CODED: u32 = 8;
const RESERVE: usize = 3;
/// Copies that may be on loan before memory grows, and the bytes that one has from the start.
const COPIES: usize = 128;
const COPY: usize = 32 << 10;
/// Bytes of parameter sets that may wait for their picture.
const HEADER: usize = 1 << 10;
/// For what is inside to come out where the encoder must stop to be told something.
const DRAIN: Duration = Duration::from_millis(500);

pub(crate) struct V4l2Encoder {
    name: String,
    codec: Codec,
    min_bitrate: u32,
    device: Arc<Device>,
    input: EncoderInput,
    pictures: Pictures,
    coded: Arc<Stream>,
    pool: Arc<Pool<Vec<u8>>>,
    /// Parameter sets that came in a buffer of their own; they belong before the next picture.
    header: Vec<u8>,
    /// The last picture that went in, and the last that came out.
    newest: Timestamp,
    finished: Timestamp,
    /// A picture was lost: the next one must refer to none.
    broken: bool,
    /// Since when nothing more goes in.
    draining: Option<Instant>,
    /// Its bitrate can't be changed any more.
    keeps_bitrate: bool,
}

/// Why it can't be opened.
enum Refusal {
    /// For pictures of this size.
    Size,
    Other(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(cause: io::Error) -> Self {
        Self::Other(cause)
    }
}

/// Both queues with their formats, before there are buffers.
struct Context {
    device: Arc<Device>,
    coded: Queue,
    pictures: Queue,
    layout: Layout,
}

impl V4l2Encoder {
    /// Goes through the initialization of the kernel's document, step by step.
    pub(crate) fn open(config: &V4l2EncoderConfig, settings: EncoderSettings) -> Result<Self, EncodeError> {
        let encoder = config.device.display().to_string();
        let EncoderSettings { width, height, .. } = settings;
        Self::try_open(config, settings).map_err(|refusal| match refusal {
            Refusal::Size => EncodeError::Size { encoder, width, height },
            Refusal::Other(cause) => EncodeError::Open { encoder, cause: cause.to_string() },
        })
    }

    fn try_open(config: &V4l2EncoderConfig, settings: EncoderSettings) -> Result<Self, Refusal> {
        let settings = EncoderSettings { bitrate: settings.bitrate.max(config.min_bitrate), ..settings };
        let context = Context::new(config, &settings)?;
        // Its memory suits the device whatever that needs; an encoder that has one context only goes without.
        let other = Context::new(config, &settings).ok().filter(|other| other.layout == context.layout);
        let Context { device, coded, pictures, layout } = context;
        parameters::configure(&device, &settings);
        let pictures = Pictures::new(pictures, other.map(|other| other.pictures), layout, config.latency)?;
        let coded = Stream::start(coded, CODED)?;
        pictures.start()?;
        let input =
            EncoderInput { layout, any_strides: false, imports: pictures.imports, latency: config.latency };
        Ok(Self {
            name: format!("V4L2 {}", config.device.display()),
            codec: config.codec,
            min_bitrate: config.min_bitrate,
            device,
            input,
            pictures,
            coded,
            pool: Pool::new(COPIES, || Vec::with_capacity(COPY)),
            header: Vec::new(),
            newest: Timestamp::default(),
            finished: Timestamp::default(),
            broken: false,
            draining: None,
            keeps_bitrate: false,
        })
    }

    fn failed(&self, error: &io::Error) -> EncodeError {
        EncodeError::Failed { encoder: self.name.clone(), cause: error.to_string() }
    }

    /// What the driver has finished, if anything.
    fn dequeue(&mut self) -> io::Result<Option<AccessUnit>> {
        let done = match self.coded.queue.dequeue(Memory::Mmap) {
            Ok(done) => done,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            // Behind the last buffer of a drain.
            Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {
                self.finished = self.newest;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let Some(buffer) = self.coded.take(done.index) else { return Ok(None) };
        let is_last = done.flags & sys::V4L2_BUF_FLAG_LAST != 0;
        if is_last && done.used[0] == 0 {
            self.finished = self.newest;
            return Ok(None);
        }
        Ok(self.unit(&done, buffer))
    }

    /// An access unit of a buffer; none where it has parameter sets only.
    fn unit(&mut self, done: &Dequeued, buffer: Pooled<Box<dyn Buffer>>) -> Option<AccessUnit> {
        let captured = Timestamp::from_micros(done.timestamp);
        // Later pictures refer to one that is lost; of one that was left out for want of bits the buffer is empty.
        let is_lost = done.flags & sys::V4L2_BUF_FLAG_ERROR != 0;
        self.broken |= is_lost;
        let bytes = Bytes::of_driver(buffer, done.used[0]).filter(|bytes| !is_lost && !bytes.is_empty());
        let Some(bytes) = bytes else {
            self.finished = captured;
            return Some(AccessUnit { kind: AccessUnitKind::Skipped, captured, bytes: Bytes::default() });
        };
        let kind = match self.codec {
            Codec::H264 => AccessUnitKind::of(&bytes),
            Codec::Fwht if done.flags & sys::V4L2_BUF_FLAG_KEYFRAME != 0 => Some(AccessUnitKind::Idr),
            Codec::Fwht => Some(AccessUnitKind::Delta),
        };
        let Some(kind) = kind else {
            if self.header.len() > HEADER {
                self.header.clear();
            }
            self.header.extend_from_slice(&bytes);
            return None;
        };
        self.finished = captured;
        let must_move = !self.header.is_empty() || self.coded.left() < RESERVE;
        let bytes = if must_move { self.copy(&bytes) } else { bytes };
        Some(AccessUnit { kind, captured, bytes })
    }

    fn copy(&mut self, bytes: &Bytes) -> Bytes {
        let mut copy = self.pool.take();
        copy.clear();
        copy.append(&mut self.header);
        copy.extend_from_slice(bytes);
        copy.into()
    }

    /// Sets a control, where the driver wants it so with the `CAPTURE` queue stopped ("Encoding Parameter Changes").
    fn set(&mut self, control: u32, value: i64) -> io::Result<()> {
        match parameters::set(&self.device, control, value) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                self.coded.stop();
                let result = parameters::set(&self.device, control, value);
                self.coded.restart()?;
                self.finished = self.newest;
                result
            }
            result => result,
        }
    }
}

impl Context {
    fn new(config: &V4l2EncoderConfig, settings: &EncoderSettings) -> Result<Self, Refusal> {
        let device = Arc::new(Device::open_encoder(&config.device)?);
        let (coded, pictures) = (Queue::capture(&device), Queue::output(&device));
        let size = (settings.width, settings.height);
        let code = config.codec.fourcc();
        let unsupported = |what: String| Refusal::Other(io::Error::new(io::ErrorKind::Unsupported, what));
        // An IDR picture has fewer bytes than a raw one by far.
        let bytes = (size.0 * size.1 / 2).max(256 << 10) as usize;
        if coded.set_format(code, size, 0, bytes)?.fourcc != code {
            return Err(unsupported(format!("it does not encode {:?}", config.codec)));
        }
        let (raw, stride) = raw_format(&pictures.formats(), settings.source)
            .ok_or_else(|| unsupported("it takes none of NV12, NV21 and YU12".into()))?;
        let pix = pictures.set_format(raw, size, stride, 0)?;
        let mut layout = layout(&pix)
            .filter(|_| pix.fourcc == raw)
            .ok_or_else(|| unsupported("it takes another format than it offers".into()))?;
        if pix.width < size.0 || pix.height < size.1 {
            return Err(Refusal::Size);
        }
        pictures.set_rate(settings.fps.into());
        // What it rounded up to must not be seen.
        let seen = pictures.crop(size).unwrap_or((pix.width, pix.height));
        if seen != size {
            tracing::warn!("{}x{} would be seen as {}x{}", size.0, size.1, seen.0, seen.1);
            return Err(Refusal::Size);
        }
        (layout.width, layout.height) = size;
        Ok(Self { device, coded, pictures, layout })
    }
}

/// What a driver refuses of a control (kernel: `VIDIOC_S_EXT_CTRLS`).
#[derive(Debug, PartialEq, Eq)]
enum Refused {
    /// This value; it may take others.
    Value,
    /// That it changes at all. To try again would stop the coded pictures each time.
    Change,
}

impl Refused {
    fn of(error: &io::Error) -> Option<Self> {
        match error.raw_os_error()? {
            libc::EINVAL | libc::ERANGE => Some(Self::Value),
            libc::EBUSY | libc::EACCES => Some(Self::Change),
            _ => None,
        }
    }
}

/// The raw format that pictures have already, or else the first that can be made, and the stride that they have.
fn raw_format(offered: &[u32], source: Option<Layout>) -> Option<(u32, usize)> {
    let order = [PixelFormat::Nv12, PixelFormat::I420, PixelFormat::Nv21];
    let find = |pixels: PixelFormat, apart: Option<bool>| {
        let fits = |code: &&u32| {
            known(**code)
                .is_some_and(|(found, is_apart)| found == pixels && apart.is_none_or(|it| it == is_apart))
        };
        offered.iter().find(fits).copied()
    };
    let as_source = source.filter(|layout| order.contains(&layout.format)).and_then(|layout| {
        let apart = layout.planes[1].memory == 1;
        Some((find(layout.format, Some(apart))?, layout.planes[0].stride))
    });
    as_source.or_else(|| Some((order.iter().find_map(|pixels| find(*pixels, None))?, 0)))
}

impl Codec {
    fn fourcc(self) -> u32 {
        match self {
            Self::H264 => fourcc(*b"H264"),
            Self::Fwht => fourcc(*b"FWHT"),
        }
    }
}

impl VideoEncoder for V4l2Encoder {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_hardware(&self) -> bool {
        true
    }

    fn input(&self) -> EncoderInput {
        EncoderInput { imports: self.pictures.imports, ..self.input }
    }

    fn memory(&mut self) -> Option<Pooled<Box<dyn Buffer>>> {
        self.pictures.take_own()
    }

    fn has_room(&mut self) -> Result<bool, EncodeError> {
        self.broken |= self.pictures.reclaim().map_err(|error| self.failed(&error))?;
        Ok(self.pictures.has_room())
    }

    fn submit(&mut self, picture: Frame, idr: bool) -> Result<usize, EncodeError> {
        self.broken |= self.pictures.reclaim().map_err(|error| self.failed(&error))?;
        if (idr || std::mem::take(&mut self.broken))
            && let Err(error) = parameters::force_key_frame(&self.device)
        {
            tracing::debug!(%error, "it makes IDR pictures at its own times only");
        }
        let captured = picture.captured;
        let copied = self.pictures.submit(picture).map_err(|error| self.failed(&error))?;
        self.newest = captured;
        Ok(copied)
    }

    fn next(&mut self, wait: Duration) -> Result<Option<AccessUnit>, EncodeError> {
        let start = Instant::now();
        loop {
            self.broken |= self.pictures.reclaim().map_err(|error| self.failed(&error))?;
            if let Some(unit) = self.dequeue().map_err(|error| self.failed(&error))? {
                return Ok(Some(unit));
            }
            let is_late = self.draining.is_some_and(|since| since.elapsed() > DRAIN);
            let left = wait.saturating_sub(start.elapsed());
            if self.finished >= self.newest || left.is_zero() || is_late {
                return Ok(None);
            }
            match self.device.wait(libc::POLLIN, left) {
                Ok(events) if events & libc::POLLIN == 0 && events != 0 => {
                    // Each buffer of a queue is on loan: poll wakes at once (kernel: v4l2-mem2mem).
                    std::thread::sleep(Duration::from_millis(1).min(left));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(&error)),
            }
        }
    }

    fn drain(&mut self) -> Result<(), EncodeError> {
        // A driver without the command gives what it has all the same.
        if self.device.command(sys::V4L2_ENC_CMD_STOP).is_err() {
            tracing::debug!(encoder = self.name, "no command to drain");
        }
        self.draining = Some(Instant::now());
        Ok(())
    }

    fn set_bitrate(&mut self, bitrate: u32) -> Result<(), EncodeError> {
        let bitrate = bitrate.max(self.min_bitrate);
        let unsupported = |encoder: &str| EncodeError::Unsupported {
            encoder: encoder.into(),
            what: "other bitrate".into(),
        };
        if self.keeps_bitrate {
            return Err(unsupported(&self.name));
        }
        self.set(sys::V4L2_CID_MPEG_VIDEO_BITRATE, bitrate.into()).map_err(|error| {
            let Some(refused) = Refused::of(&error) else {
                return self.failed(&error);
            };
            self.keeps_bitrate = refused == Refused::Change;
            if self.keeps_bitrate {
                tracing::warn!(encoder = self.name, bitrate, %error, "it keeps the bitrate that it has");
            } else {
                tracing::debug!(encoder = self.name, bitrate, %error, "it does not take this bitrate");
            }
            unsupported(&self.name)
        })
    }

    fn set_fps(&mut self, fps: u32) -> Result<(), EncodeError> {
        self.pictures.set_rate(fps);
        Ok(())
    }
}

impl Drop for V4l2Encoder {
    fn drop(&mut self) {
        self.pictures.stop();
        self.coded.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_refused_does_not_stand_for_others() {
        let refused = |code| Refused::of(&io::Error::from_raw_os_error(code));
        assert_eq!([libc::EINVAL, libc::ERANGE].map(refused), [const { Some(Refused::Value) }; 2]);
        assert_eq!([libc::EBUSY, libc::EACCES].map(refused), [const { Some(Refused::Change) }; 2]);
        assert_eq!(refused(libc::EIO), None);
    }

    #[test]
    fn the_cameras_format_is_taken_before_any_that_must_be_made() {
        let offered = [*b"YU12", *b"NV12", *b"NM12"].map(fourcc);
        let nv12 = Layout::contiguous(PixelFormat::Nv12, 640, 480, 704);
        assert_eq!(raw_format(&offered, Some(nv12)), Some((fourcc(*b"NV12"), 704)));
        let mut apart = nv12;
        (apart.planes[1].memory, apart.planes[1].offset) = (1, 0);
        assert_eq!(raw_format(&offered, Some(apart)), Some((fourcc(*b"NM12"), 704)));
        let i420 = Layout::packed(PixelFormat::I420, 640, 480);
        assert_eq!(raw_format(&offered, Some(i420)), Some((fourcc(*b"YU12"), 640)));
        let yuyv = Layout::packed(PixelFormat::Yuyv, 640, 480);
        for source in [None, Some(yuyv)] {
            assert_eq!(raw_format(&offered, source), Some((fourcc(*b"NV12"), 0)));
        }
        assert_eq!(raw_format(&[fourcc(*b"RGB3")], None), None);
    }
}
