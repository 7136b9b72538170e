//! The video pipeline: pictures in, H.264 packets out.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    EncodeError, Encoded, Frame, Geometry, GeometryError, GeometrySettings, Messages, Packet, PacketSink,
    ParameterSets, PixelFormat, Pool, Timestamp, Track, VideoEncoder,
};

/// Packets that may be on loan to a send queue before memory grows.
const PACKETS: usize = 128;
/// Memory that a packet has from the start, in bytes; the pool keeps what a packet grew to.
const PACKET: usize = 32 << 10;

/// Rate of the placeholder, in pictures a second, and the most bits a second that it takes (spec 10.5).
pub const PAUSED_FPS: u32 = 5;
const PAUSED_BITRATE: u32 = 100_000;

/// What may be changed while the pipeline runs; each change acts from the next picture on.
pub struct VideoControl {
    /// Bits a second.
    pub bitrate: AtomicU32,
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
}

pub struct VideoPipeline<S> {
    pace: Pace,
    geometry: Geometry,
    encoder: Option<Box<dyn VideoEncoder>>,
    /// What the encoder was told: bits and pictures a second.
    rates: (u32, u32),
    /// Whether the last picture was the placeholder.
    paused: bool,
    parameter_sets: ParameterSets,
    pool: Arc<Pool<Vec<u8>>>,
    sink: S,
    control: Arc<VideoControl>,
    counters: Arc<VideoCounters>,
    last_good: Option<Frame>,
    last_sequence: Option<u32>,
    last_idr: Option<Timestamp>,
}

impl<S: PacketSink> VideoPipeline<S> {
    /// `encoder` takes pictures of the size that `geometry` makes; without one, pictures are only copied for who asks.
    pub fn new(
        geometry: GeometrySettings,
        encoder: Option<Box<dyn VideoEncoder>>,
        sink: S,
        control: Arc<VideoControl>,
        counters: Arc<VideoCounters>,
    ) -> Self {
        let (bitrate, fps) = (control.bitrate.load(Relaxed), control.fps.load(Relaxed));
        Self {
            pace: Pace::new(fps),
            geometry: Geometry::new(geometry),
            encoder,
            rates: (bitrate, fps),
            paused: false,
            parameter_sets: ParameterSets::default(),
            pool: Pool::new(PACKETS, || Vec::with_capacity(PACKET)),
            sink,
            control,
            counters,
            last_good: None,
            last_sequence: None,
            last_idr: None,
        }
    }

    /// Takes a picture through geometry and encoder to the sink, or drops it where the rate is lower than the sensor's.
    /// `quarter_turns` clockwise make it stand upright. Tells whether a packet went out.
    pub fn process(&mut self, frame: Frame, quarter_turns: u8) -> Result<bool, EncodeError> {
        self.count(frame.sequence);
        if self.encoder.is_none() && !self.control.wants_still() {
            return Ok(false);
        }
        self.follow_control()?;
        self.geometry.set_quarter_turns(quarter_turns);
        if frame.layout.format != PixelFormat::H264 && !self.pace.takes(frame.captured) {
            return Ok(false);
        }
        let repeatable = frame.layout.format == PixelFormat::Mjpeg;
        let (captured, sequence) = (frame.captured, frame.sequence);
        let picture = match self.geometry.process(frame) {
            Ok(picture) => picture,
            Err(GeometryError::Corrupt(cause)) => {
                self.counters.repeated.fetch_add(1, Relaxed);
                tracing::debug!(cause, sequence, "corrupt picture, the last good one is repeated");
                let Some(mut last) = self.last_good.take() else {
                    return Ok(false);
                };
                last.captured = captured;
                last
            }
            Err(error @ GeometryError::Unsupported(_)) => {
                return Err(EncodeError::Picture { encoder: "geometry", cause: error.to_string() });
            }
        };
        let encoded = self.encode(&picture)?;
        self.last_good = repeatable.then_some(picture);
        Ok(encoded)
    }

    /// Encodes a picture of the published size as it is, in place of the camera's: the placeholder.
    pub fn place(&mut self, picture: &Frame) -> Result<bool, EncodeError> {
        self.set_paused(true);
        let bitrate = self.control.bitrate.load(Relaxed).min(PAUSED_BITRATE);
        self.set_rates(bitrate, PAUSED_FPS)?;
        self.encode(picture)
    }

    fn encode(&mut self, picture: &Frame) -> Result<bool, EncodeError> {
        if let Some(waiting) = self.control.take_still()
            && let Some(copy) = picture.copy()
        {
            // Who does not wait any longer needs none.
            let _ = waiting.try_send(copy);
        }
        let Some(encoder) = &mut self.encoder else {
            return Ok(false);
        };
        let idr = self.control.idr.swap(false, Relaxed) | self.sink.wants_idr();
        let mut data = self.pool.take();
        data.clear();
        let encoded = encoder.encode(picture, idr, &mut data)?;
        if encoded == Encoded::Skipped {
            self.counters.skipped.fetch_add(1, Relaxed);
            self.control.idr.fetch_or(idr, Relaxed);
            return Ok(false);
        }
        if self.parameter_sets.extract(&mut data)
            && let Some(configuration) = self.parameter_sets.decoder_configuration()
        {
            self.sink.configure(Track::Video, &configuration);
        }
        self.control.messages.put_before(&mut data);
        let sync = encoded == Encoded::Idr;
        self.account(picture, data.len(), sync);
        self.sink.push(Packet { track: Track::Video, sync, time: picture.captured, data });
        Ok(true)
    }

    fn account(&mut self, picture: &Frame, bytes: usize, is_idr: bool) {
        let counters = &self.counters;
        counters.encoded.fetch_add(1, Relaxed);
        counters.bytes.fetch_add(bytes as u64, Relaxed);
        counters
            .size
            .store(u64::from(picture.layout.width) << 32 | u64::from(picture.layout.height), Relaxed);
        if is_idr && let Some(last) = self.last_idr.replace(picture.captured) {
            counters.idr_distance.store(picture.captured.since(last).max(0) as u64, Relaxed);
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
        if let Some(encoder) = &mut self.encoder {
            if bitrate != told_bitrate {
                encoder.set_bitrate(bitrate)?;
            }
            if fps != told_fps {
                encoder.set_fps(fps)?;
            }
        }
        Ok(())
    }
}

/// Takes pictures evenly from a sensor that runs at the same rate or faster.
struct Pace {
    fps: u32,
    due: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl Pace {
    fn new(fps: u32) -> Self {
        Self { fps, due: None, last: None }
    }

    fn takes(&mut self, captured: Timestamp) -> bool {
        let interval = 1_000_000 / i64::from(self.fps.max(1));
        let late = self.due.map_or(0, |due| captured.since(due));
        let sensor_interval = self.last.replace(captured).map_or(interval, |last| captured.since(last));
        // Early by less than half of what the next one would be late. A sensor at the same rate may jitter.
        let early = (sensor_interval / 2).clamp(0, interval / 4);
        if late < -early && late > -2 * interval {
            return false;
        }
        let keeps_beat = late.abs() <= interval;
        let from = if keeps_beat { self.due.unwrap_or(captured) } else { captured };
        self.due = Some(Timestamp::from_micros(from.micros() + interval));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(fps: u32, times: impl Iterator<Item = i64>) -> Vec<i64> {
        let mut pace = Pace::new(fps);
        times.filter(|time| pace.takes(Timestamp::from_micros(*time))).collect()
    }

    #[test]
    fn pictures_are_left_out_evenly() {
        let sensor = |rate: i64| (0..rate * 4).map(move |n| 7_000_000 + n * 1_000_000 / rate);
        for (rate, fps) in [(30, 30), (30, 15), (30, 10), (60, 24), (30, 20), (30, 1)] {
            let times = taken(fps, sensor(rate));
            let wanted = 4 * fps as usize;
            assert!(times.len().abs_diff(wanted) <= 1, "{rate} -> {fps}: {}", times.len());
            for pair in times.windows(2) {
                let jitter = (pair[1] - pair[0]) - 1_000_000 / i64::from(fps);
                assert!(jitter.abs() <= 1_000_000 / rate + 1, "{rate} -> {fps}: interval off by {jitter} us");
            }
        }
    }

    #[test]
    fn jitter_loses_no_picture_of_a_sensor_at_the_same_rate() {
        let times = (0..300).map(|n| n * 33_333 + if n % 2 == 0 { 4_000 } else { -4_000 });
        assert_eq!(taken(30, times).len(), 300);
    }

    #[test]
    fn a_hole_in_the_pictures_is_not_made_up_for() {
        let times = (0..30).chain(90..120).map(|n| n * 33_333);
        assert_eq!(taken(15, times).len(), 30);
    }
}
