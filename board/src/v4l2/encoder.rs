//! A memory-to-memory encoder (kernel: userspace-api/media/v4l/dev-encoder).

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use media::{
    AccessUnit, AccessUnitKind, Buffer, Bytes, EncodeError, EncoderInput, EncoderSettings, Frame, Pool,
    Pooled, Timestamp, VideoEncoder,
};
use v4l::v4l_sys as sys;

use super::bitrate::{Bitrate, Change, Refused};
use super::context::{Context, Refusal};
use super::device::Device;
use super::parameters;
use super::pictures::Pictures;
use super::queue::{Dequeued, Memory};
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
    pub(super) config: V4l2EncoderConfig,
    pub(super) settings: EncoderSettings,
    device: Arc<Device>,
    input: EncoderInput,
    pictures: Pictures,
    coded: Arc<Stream>,
    /// There is no other context of the device: none could be opened anew while packets keep buffers of this one.
    is_only: bool,
    pool: Arc<Pool<Vec<u8>>>,
    /// Parameter sets that came in a buffer of their own; they belong before the next picture.
    header: Vec<u8>,
    /// The last picture that went in, and the last that came out.
    newest: Timestamp,
    finished: Timestamp,
    /// Came out while it was stopped.
    pub(super) early: VecDeque<AccessUnit>,
    /// A picture was lost: the next one must refer to none.
    broken: bool,
    /// Those that come out refer to it until then.
    refers_to_lost: bool,
    /// Whether it makes an IDR picture when it is asked for one.
    makes_idr: bool,
    /// Since when nothing more goes in.
    draining: Option<Instant>,
    bitrate: Bitrate,
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
        let other = Context::new(config, &settings);
        let is_only = other.as_ref().is_err_and(Refusal::is_busy);
        let other = other.ok().filter(|other| other.layout == context.layout);
        let Context { device, coded, pictures, layout } = context;
        parameters::configure(&device, &settings);
        let makes_idr = parameters::has_force_key_frame(&device);
        let change = if parameters::has_bitrate(&device) { Change::WhileRunning } else { Change::Never };
        let pictures = Pictures::new(pictures, other.map(|other| other.pictures), layout, config.latency)?;
        let coded = Stream::start(coded, CODED)?;
        pictures.start()?;
        let input =
            EncoderInput { layout, any_strides: false, imports: pictures.imports, latency: config.latency };
        Ok(Self {
            name: format!("V4L2 {}", config.device.display()),
            config: config.clone(),
            settings,
            device,
            input,
            pictures,
            coded,
            is_only,
            pool: Pool::new(COPIES, || Vec::with_capacity(COPY)),
            header: Vec::new(),
            newest: Timestamp::default(),
            finished: Timestamp::default(),
            early: VecDeque::with_capacity(CODED as usize),
            broken: false,
            refers_to_lost: false,
            makes_idr,
            draining: None,
            bitrate: Bitrate::new(change),
        })
    }

    pub(super) fn has_bitrate(&self) -> bool {
        self.bitrate.change != Change::Never
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
        let skipped = || AccessUnit { kind: AccessUnitKind::Skipped, captured, bytes: Bytes::default() };
        // Later pictures refer to one that is lost; of one that was left out for want of bits the buffer is empty.
        let is_lost = done.flags & sys::V4L2_BUF_FLAG_ERROR != 0;
        self.broken |= is_lost;
        self.refers_to_lost |= is_lost;
        let bytes = Bytes::of_driver(buffer, done.offset..done.used[0]);
        let Some(bytes) = bytes.filter(|bytes| !is_lost && !bytes.is_empty()) else {
            self.finished = captured;
            return Some(skipped());
        };
        let kind = match self.config.codec {
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
        self.refers_to_lost &= kind != AccessUnitKind::Idr;
        if self.refers_to_lost {
            return Some(skipped());
        }
        let must_move = self.is_only || !self.header.is_empty() || self.coded.left() < RESERVE;
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

    /// What is inside, or comes out within `wait`.
    fn take(&mut self, wait: Duration) -> Result<Option<AccessUnit>, EncodeError> {
        let start = Instant::now();
        loop {
            self.broken |= self.pictures.reclaim().map_err(|error| self.failed(&error))?;
            if let Some(unit) = self.dequeue().map_err(|error| self.failed(&error))? {
                return Ok(Some(unit));
            }
            let mut left = wait.saturating_sub(start.elapsed());
            if let Some(since) = self.draining {
                left = left.min(DRAIN.saturating_sub(since.elapsed()));
            }
            if self.finished >= self.newest || left.is_zero() {
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

    /// Takes out what is inside, for [`V4l2Encoder::next`] to give it later.
    pub(super) fn empty(&mut self) -> Result<(), EncodeError> {
        self.drain()?;
        while let Some(unit) = self.take(DRAIN)? {
            self.early.push_back(unit);
        }
        self.draining = None;
        Ok(())
    }

    /// Does something with the `CAPTURE` queue stopped, behind which it begins anew with an IDR picture ("Drain", "Encoding
    /// Parameter Changes", "Reset").
    fn stopped<T>(&mut self, tell: impl FnOnce(&Device) -> T) -> Result<T, EncodeError> {
        self.empty()?;
        self.coded.stop();
        let told = tell(&self.device);
        self.coded.restart().map_err(|error| self.failed(&error))?;
        self.finished = self.newest;
        Ok(told)
    }

    /// Tells it the bitrate that it is to have, if it is time for that.
    fn follow_bitrate(&mut self) -> Result<(), EncodeError> {
        let Some(bitrate) = self.bitrate.due(Instant::now()) else {
            return Ok(());
        };
        let settings = self.settings;
        let tell = |device: &Device| parameters::set_bitrate(device, &settings, bitrate);
        let mut told = tell(&self.device);
        if told.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::EBUSY)) {
            self.bitrate.change = Change::Stopped;
            told = self.stopped(tell)?;
            self.bitrate.interrupted(Instant::now());
        }
        told.map_err(|error| {
            let Some(refused) = Refused::of(&error) else {
                return self.failed(&error);
            };
            if refused == Refused::Change {
                self.bitrate.change = Change::Never;
                tracing::warn!(encoder = self.name, bitrate, %error, "it keeps the bitrate that it has");
            } else {
                tracing::debug!(encoder = self.name, bitrate, %error, "it does not take this bitrate");
            }
            self.other_bitrate()
        })
    }

    fn other_bitrate(&self) -> EncodeError {
        EncodeError::Unsupported { encoder: self.name.clone(), what: "other bitrate".into() }
    }

    fn ask_for_idr(&mut self) -> Result<(), EncodeError> {
        if !self.makes_idr && self.newest != Timestamp::default() {
            return self.stopped(|_| ());
        }
        if let Err(error) = parameters::force_key_frame(&self.device) {
            tracing::debug!(%error, "it makes IDR pictures at its own times only");
        }
        Ok(())
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
        match self.follow_bitrate() {
            // It was told when it was due, and stays as it is.
            Err(EncodeError::Unsupported { .. }) | Ok(()) => {}
            Err(error) => return Err(error),
        }
        if idr || std::mem::take(&mut self.broken) {
            self.ask_for_idr()?;
        }
        let captured = picture.captured;
        let copied = self.pictures.submit(picture).map_err(|error| self.failed(&error))?;
        self.newest = captured;
        Ok(copied)
    }

    fn next(&mut self, wait: Duration) -> Result<Option<AccessUnit>, EncodeError> {
        self.early.pop_front().map_or_else(|| self.take(wait), |unit| Ok(Some(unit)))
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
        if !self.has_bitrate() {
            return Err(self.other_bitrate());
        }
        self.bitrate.want(bitrate.max(self.config.min_bitrate));
        self.follow_bitrate()
    }

    fn set_fps(&mut self, fps: u32) -> Result<(), EncodeError> {
        self.pictures.set_rate(fps);
        self.settings = self.settings.with_fps(fps);
        parameters::set_gop(&self.device, &self.settings);
        Ok(())
    }
}

impl Drop for V4l2Encoder {
    fn drop(&mut self) {
        // Stopping may take as long as the driver does.
        self.coded.keep();
        self.pictures.stop();
        self.coded.end();
    }
}
