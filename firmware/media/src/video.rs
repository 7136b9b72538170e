//! The video pipeline: pictures in, H.264 packets out.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::level::level_idc;
use crate::pace::Pace;
use crate::progress::{Progress, STALL};
use crate::{
    AccessUnit, AccessUnitKind, EncodeError, EncoderInput, Frame, Geometry, GeometryError, GeometrySettings,
    Layout, Messages, Packet, PacketSink, ParameterSets, Payload, PixelFormat, Pool, Timestamp, Track,
    VideoEncoder,
};

/// Packets with messages that may be on loan before memory grows, and the bytes that one has from the start.
const MESSAGES: usize = 32;
const MESSAGE: usize = 2 << 10;

/// Rate of the placeholder, in pictures a second, and the most bits a second that it takes (spec 10.5).
pub const PAUSED_FPS: u32 = 5;
const PAUSED_BITRATE: u32 = 100_000;

/// What may be changed while the pipeline runs; each change acts from the next picture on.
pub struct VideoControl {
    /// Bits a second, and to how many they may rise.
    pub bitrate: AtomicU32,
    pub max_bitrate: AtomicU32,
    /// Pictures a second.
    pub fps: AtomicU32,
    pub mirror: AtomicBool,
    /// Tenths: 10 shows all of the picture, 20 a half of its width.
    pub zoom: AtomicU32,
    /// Makes the next picture an IDR picture; taken back once it is.
    pub idr: AtomicBool,
    /// Messages that go out with the next picture.
    pub messages: Messages,
    /// Who waits for a copy of the next picture.
    pub still: Mutex<Option<SyncSender<Frame>>>,
}

impl VideoControl {
    pub fn new(bitrate: u32, fps: u32, mirror: bool) -> Self {
        Self {
            bitrate: bitrate.into(),
            max_bitrate: bitrate.into(),
            fps: fps.into(),
            mirror: mirror.into(),
            zoom: 10.into(),
            idr: false.into(),
            messages: Messages::default(),
            still: Mutex::default(),
        }
    }

    fn take_still(&self) -> Option<SyncSender<Frame>> {
        self.still.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn wants_still(&self) -> bool {
        self.still.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

/// What became of the pictures that came in.
#[derive(Debug, Default)]
pub struct VideoCounters {
    pub captured: AtomicU64,
    pub encoded: AtomicU64,
    /// Of the packets.
    pub bytes: AtomicU64,
    /// Width and height of the last packet's picture, in the upper and the lower half.
    pub size: AtomicU64,
    /// Microseconds between the last two IDR pictures.
    pub idr_distance: AtomicU64,
    /// Left out by the encoder to keep its bitrate.
    pub skipped: AtomicU64,
    /// Corrupt, the last good one was repeated.
    pub repeated: AtomicU64,
    /// Lost between sensor and pipeline: gaps in the driver's sequence.
    pub lost: AtomicU64,
    /// Bytes of pictures that were written anew on the way from the camera into the encoder: none where its buffers go in
    /// as they are, one picture's where it is turned, scaled or converted.
    pub copied: AtomicU64,
    /// Bytes of a hardware encoder's access units that were copied out of its memory.
    pub copied_coded: AtomicU64,
}

/// How long the thread waits for a picture that is being encoded, and not for the next one.
const PATIENCE: Duration = Duration::from_millis(25);
/// Pictures inside the encoder that are remembered.
const INSIDE: usize = 32;

pub struct VideoPipeline<S> {
    pace: Pace,
    /// Whether what comes in is encoded already.
    passes: bool,
    geometry: Geometry,
    encoder: Option<Box<dyn VideoEncoder>>,
    /// From one IDR picture to the next.
    gop: Duration,
    idr_due: Option<Timestamp>,
    /// What the encoder was told: bits and pictures a second.
    rates: (u32, u32),
    /// Whether the last picture was the placeholder.
    paused: bool,
    /// What went into the encoder and did not come out yet.
    inside: VecDeque<Inside>,
    /// Pictures that stay inside until later ones come.
    latency: usize,
    progress: Progress,
    parameter_sets: ParameterSets,
    pool: Arc<Pool<Vec<u8>>>,
    sink: S,
    control: Arc<VideoControl>,
    counters: Arc<VideoCounters>,
    /// A compressed picture that was good: its successor may be corrupt.
    last_good: Option<Frame>,
    last_sequence: Option<u32>,
    last_idr: Option<Timestamp>,
}

/// A picture inside the encoder.
struct Inside {
    captured: Timestamp,
    /// Whether it was to be an IDR picture.
    idr: bool,
    width: u32,
    height: u32,
}

impl<S: PacketSink> VideoPipeline<S> {
    /// `encoder` takes pictures of the size that `geometry` makes, and is asked for an IDR picture each `gop`; without
    /// one, pictures are only copied for who asks.
    pub fn new(
        geometry: GeometrySettings,
        encoder: Option<Box<dyn VideoEncoder>>,
        gop: Duration,
        sink: S,
        control: Arc<VideoControl>,
        counters: Arc<VideoCounters>,
    ) -> Self {
        let (bitrate, fps) = (control.bitrate.load(Relaxed), control.fps.load(Relaxed));
        let (width, height) = (geometry.width, geometry.height);
        let target = encoder.as_ref().map_or_else(
            || EncoderInput::in_memory(PixelFormat::I420, width, height),
            |encoder| encoder.input(),
        );
        Self {
            pace: Pace::new(fps),
            passes: target.layout.format == PixelFormat::H264,
            geometry: Geometry::new(geometry, target),
            encoder,
            gop,
            idr_due: None,
            rates: (bitrate, fps),
            paused: false,
            inside: VecDeque::with_capacity(INSIDE),
            latency: target.latency,
            progress: Progress::default(),
            parameter_sets: ParameterSets::default(),
            pool: Pool::new(MESSAGES, || Vec::with_capacity(MESSAGE)),
            sink,
            control,
            counters,
            last_good: None,
            last_sequence: None,
            last_idr: None,
        }
    }

    /// Takes a picture through geometry and encoder to the sink, or drops it where the rate is lower than the sensor's.
    /// `quarter_turns` clockwise make it stand upright. Returns how many packets went out, of this picture or of earlier
    /// ones.
    pub fn process(&mut self, frame: Frame, quarter_turns: u8) -> Result<usize, EncodeError> {
        self.count(frame.sequence);
        if self.encoder.is_none() && !self.control.wants_still() {
            return Ok(0);
        }
        self.follow_control()?;
        self.geometry.set_quarter_turns(quarter_turns);
        if frame.layout.format != PixelFormat::H264 && !self.pace.takes(frame.captured) {
            return Ok(0);
        }
        let (sent, has_room) = self.collect_for_room(frame.captured)?;
        if !has_room {
            return Ok(sent);
        }
        let Some(picture) = self.picture(frame)? else {
            return Ok(sent);
        };
        Ok(sent + self.encode(picture)?)
    }

    /// Encodes a picture of the published size as it is, in place of the camera's: the placeholder.
    pub fn place(&mut self, picture: &Frame) -> Result<usize, EncodeError> {
        self.set_paused(true);
        // The camera has all of its buffers back, and nothing of it is seen again.
        self.last_good = None;
        let bitrate = self.control.bitrate.load(Relaxed).min(PAUSED_BITRATE);
        self.set_rates(bitrate, PAUSED_FPS)?;
        let (sent, has_room) = self.collect_for_room(picture.captured)?;
        if !has_room {
            return Ok(sent);
        }
        let memory = self.encoder.as_mut().and_then(|encoder| encoder.memory());
        let picture = self.geometry.convert(picture, memory).map_err(|error| geometry_failed(&error))?;
        self.counters.copied.fetch_add(picture.layout.pixel_bytes() as u64, Relaxed);
        Ok(sent + self.encode(picture)?)
    }

    /// Sends what is inside the encoder, which gets no more pictures. Returns how many packets went out.
    pub fn finish(&mut self) -> Result<usize, EncodeError> {
        if let Some(encoder) = &mut self.encoder {
            encoder.drain()?;
        }
        let mut sent = 0;
        while let Some(unit) = self.next(STALL)? {
            sent += usize::from(self.send(unit));
        }
        Ok(sent)
    }

    /// The picture to be encoded; none where it is corrupt and none was good before.
    fn picture(&mut self, frame: Frame) -> Result<Option<Frame>, EncodeError> {
        if self.geometry.passes(&frame.layout) {
            self.last_good = None;
            return Ok(Some(frame));
        }
        let mut memory = || self.encoder.as_mut().and_then(|encoder| encoder.memory());
        let made = match self.geometry.make(&frame, memory()) {
            Ok(made) => {
                self.last_good = (frame.layout.format == PixelFormat::Mjpeg).then_some(frame);
                made
            }
            Err(GeometryError::Corrupt(cause)) => {
                self.counters.repeated.fetch_add(1, Relaxed);
                tracing::debug!(cause, frame.sequence, "corrupt picture, the last good one is repeated");
                let last = self.last_good.as_ref().map(|last| self.geometry.make(last, memory()));
                let Some(Ok(mut last)) = last else {
                    return Ok(None);
                };
                last.captured = frame.captured;
                last
            }
            Err(error @ GeometryError::Unsupported(_)) => return Err(geometry_failed(&error)),
        };
        self.counters.copied.fetch_add(made.layout.pixel_bytes() as u64, Relaxed);
        Ok(Some(made))
    }

    /// Sends what the encoder has finished, and waits until it has room for another picture. Returns how many packets went
    /// out, and whether it has: otherwise the next picture, of `captured`, is left out.
    fn collect_for_room(&mut self, captured: Timestamp) -> Result<(usize, bool), EncodeError> {
        let mut sent = self.collect(Duration::ZERO, 0)?;
        if !self.has_room()? {
            sent += self.collect(PATIENCE, self.inside.len().saturating_sub(1))?;
        }
        if let Some(waited) = self.stalled() {
            let encoder = self.encoder.as_ref().map_or(String::new(), |encoder| encoder.name().to_owned());
            return Err(EncodeError::Stalled { encoder, waited });
        }
        let has_room = self.has_room()?;
        if !has_room {
            self.counters.skipped.fetch_add(1, Relaxed);
            self.progress.came(captured);
        }
        Ok((sent, has_room))
    }

    /// How long nothing came of the pictures, if that is too long. A source that encodes by itself is not opened anew, and
    /// may leave out all up to its next IDR picture.
    fn stalled(&self) -> Option<Duration> {
        let left_out = || self.progress.left_out().filter(|_| !self.passes);
        self.progress.silent().or_else(left_out)
    }

    fn has_room(&mut self) -> Result<bool, EncodeError> {
        self.encoder.as_mut().map_or(Ok(true), |encoder| encoder.has_room())
    }

    /// Sends what comes out until no more than `left` pictures are inside, and waits up to `wait` for that.
    fn collect(&mut self, wait: Duration, left: usize) -> Result<usize, EncodeError> {
        let (mut sent, start) = (0, Instant::now());
        while !self.inside.is_empty() {
            let wait =
                if self.inside.len() > left { wait.saturating_sub(start.elapsed()) } else { Duration::ZERO };
            let Some(unit) = self.next(wait)? else {
                break;
            };
            sent += usize::from(self.send(unit));
        }
        Ok(sent)
    }

    fn next(&mut self, wait: Duration) -> Result<Option<AccessUnit>, EncodeError> {
        self.encoder.as_mut().map_or(Ok(None), |encoder| encoder.next(wait))
    }

    fn encode(&mut self, picture: Frame) -> Result<usize, EncodeError> {
        if let Some(waiting) = self.control.take_still()
            && let Some(copy) = picture.copy()
        {
            // Who does not wait any longer needs none.
            let _ = waiting.try_send(copy);
        }
        if self.encoder.is_none() {
            return Ok(0);
        }
        let captured = picture.captured;
        let is_due = self.idr_due.is_none_or(|due| captured.since(due) >= 0);
        let idr = self.control.idr.swap(false, Relaxed) | self.sink.wants_idr() | is_due;
        if idr {
            self.idr_due = Some(self.next_idr(captured));
        }
        let Layout { width, height, .. } = picture.layout;
        let copied = self.encoder.as_mut().map_or(Ok(0), |encoder| encoder.submit(picture, idr))?;
        self.counters.copied.fetch_add(copied as u64, Relaxed);
        self.progress.came(captured);
        if self.inside.len() == INSIDE {
            self.inside.pop_front();
        }
        self.inside.push_back(Inside { captured, idr, width, height });
        if self.inside.len() > self.latency {
            self.progress.wait();
        }
        let interval = Duration::from_secs(1) / self.rates.1.max(1);
        self.collect(PATIENCE.min(interval * 3 / 4), self.latency)
    }

    /// Less half a picture for their jitter.
    fn next_idr(&self, last: Timestamp) -> Timestamp {
        last + self.gop - Duration::from_millis(500) / self.rates.1.max(1)
    }

    /// Tells whether a packet went out.
    fn send(&mut self, unit: AccessUnit) -> bool {
        let AccessUnit { kind, captured, mut bytes } = unit;
        let (mut was_idr, mut size) = (false, (0, 0));
        // An encoder may leave pictures out without a word.
        while let Some(inside) = self.inside.front().filter(|inside| inside.captured <= captured) {
            was_idr |= inside.idr;
            size = (inside.width, inside.height);
            self.inside.pop_front();
        }
        self.progress.came_out(self.inside.len() > self.latency);
        let changed = self.parameter_sets.extract(&mut bytes);
        if kind == AccessUnitKind::Skipped || bytes.is_empty() {
            self.counters.skipped.fetch_add(1, Relaxed);
            self.control.idr.fetch_or(was_idr, Relaxed);
            return false;
        }
        self.progress.went_out();
        if !bytes.are_of_driver() && self.encoder.as_ref().is_some_and(|encoder| encoder.is_hardware()) {
            self.counters.copied_coded.fetch_add(bytes.len() as u64, Relaxed);
        }
        if changed && let Some(configuration) = self.parameter_sets.decoder_configuration() {
            self.sink.configure(Track::Video, &configuration);
        }
        let sync = kind == AccessUnitKind::Idr;
        if sync {
            self.idr_due = self.idr_due.max(Some(self.next_idr(captured)));
        }
        let messages = self.control.messages.take(|| self.pool.take());
        let data = Payload { messages, unit: bytes };
        self.account(captured, size, data.len(), sync);
        self.sink.push(Packet { track: Track::Video, sync, time: captured, data });
        true
    }

    fn account(&mut self, captured: Timestamp, (width, height): (u32, u32), bytes: usize, is_idr: bool) {
        let counters = &self.counters;
        counters.encoded.fetch_add(1, Relaxed);
        counters.bytes.fetch_add(bytes as u64, Relaxed);
        counters.size.store(u64::from(width) << 32 | u64::from(height), Relaxed);
        if is_idr && let Some(last) = self.last_idr.replace(captured) {
            counters.idr_distance.store(captured.since(last).max(0) as u64, Relaxed);
        }
    }

    fn count(&mut self, sequence: u32) {
        self.counters.captured.fetch_add(1, Relaxed);
        if let Some(last) = self.last_sequence.replace(sequence) {
            // A sequence that went back belongs to a camera that was opened anew.
            let lost = sequence.saturating_sub(last.saturating_add(1));
            self.counters.lost.fetch_add(lost.into(), Relaxed);
        }
    }

    fn follow_control(&mut self) -> Result<(), EncodeError> {
        self.set_paused(false);
        let (bitrate, fps) = (self.control.bitrate.load(Relaxed), self.control.fps.load(Relaxed));
        self.set_rates(bitrate, fps)?;
        // What a camera encodes by itself tells what it will.
        if !self.passes {
            let GeometrySettings { width, height, .. } = self.geometry.settings();
            let most = bitrate.max(self.control.max_bitrate.load(Relaxed));
            self.parameter_sets.tell(fps, level_idc(width, height, fps, most));
        }
        if fps != self.pace.fps {
            self.pace = Pace::new(fps);
        }
        let mirror = self.control.mirror.load(Relaxed);
        if mirror != self.geometry.settings().mirror {
            self.geometry.set_mirror(mirror);
            self.control.idr.store(true, Relaxed);
        }
        self.geometry.approach_zoom(self.control.zoom.load(Relaxed), fps);
        Ok(())
    }

    /// The first picture after a change is one that a viewer can begin with.
    fn set_paused(&mut self, paused: bool) {
        if std::mem::replace(&mut self.paused, paused) != paused {
            self.control.idr.store(true, Relaxed);
        }
    }

    fn set_rates(&mut self, bitrate: u32, fps: u32) -> Result<(), EncodeError> {
        let (told_bitrate, told_fps) = std::mem::replace(&mut self.rates, (bitrate, fps));
        let Some(encoder) = &mut self.encoder else {
            return Ok(());
        };
        let told = (bitrate == told_bitrate || match_rate(encoder.set_bitrate(bitrate))?)
            & (fps == told_fps || match_rate(encoder.set_fps(fps))?);
        if !told {
            tracing::debug!(encoder = encoder.name(), bitrate, fps, "it keeps its own rates");
        }
        Ok(())
    }
}

/// A source that encodes by itself may have rates of its own.
fn match_rate(result: Result<(), EncodeError>) -> Result<bool, EncodeError> {
    match result {
        Ok(()) => Ok(true),
        Err(EncodeError::Unsupported { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

fn geometry_failed(error: &GeometryError) -> EncodeError {
    EncodeError::Failed { encoder: "geometry".into(), cause: error.to_string() }
}
