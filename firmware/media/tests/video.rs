//! The video pipeline with an encoder that shows what it was given.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use media::{
    AccessUnit, AccessUnitKind, Buffer, EncodeError, EncoderInput, Frame, GeometrySettings, Layout, Packet,
    PacketSink, PixelFormat, Pool, Timestamp, Track, VideoControl, VideoCounters, VideoEncoder,
    VideoPipeline,
};

/// Puts out a NAL unit with the shade of the picture's first pixel, and notes what it is told. It has room for two pictures,
/// and may keep one inside until the next comes.
#[derive(Default)]
struct Shade {
    told: Arc<Mutex<Vec<String>>>,
    latency: usize,
    inside: VecDeque<AccessUnit>,
    /// Whether nothing comes out any more.
    stalls: Arc<AtomicBool>,
    /// Whether each picture is left out, with the word that it is.
    leaves_out: Arc<AtomicBool>,
}

impl VideoEncoder for Shade {
    fn name(&self) -> &'static str {
        "shade"
    }

    fn is_hardware(&self) -> bool {
        false
    }

    fn input(&self) -> EncoderInput {
        EncoderInput { latency: self.latency, ..EncoderInput::in_memory(PixelFormat::I420, 96, 96) }
    }

    fn has_room(&mut self) -> Result<bool, EncodeError> {
        Ok(self.inside.len() < 2)
    }

    fn submit(&mut self, picture: Frame, idr: bool) -> Result<usize, EncodeError> {
        let mut bytes = Pool::new(1, Vec::new).take();
        let is_left_out = self.leaves_out.load(Relaxed);
        if !is_left_out {
            bytes.extend_from_slice(&[0, 0, 0, 1, 0x41, picture.plane(0).data[0]]);
        }
        let kind = match (is_left_out, idr) {
            (true, _) => AccessUnitKind::Skipped,
            (_, true) => AccessUnitKind::Idr,
            _ => AccessUnitKind::Delta,
        };
        self.inside.push_back(AccessUnit { kind, captured: picture.captured, bytes: bytes.into() });
        Ok(0)
    }

    fn next(&mut self, _wait: Duration) -> Result<Option<AccessUnit>, EncodeError> {
        let is_out = self.inside.len() > self.latency && !self.stalls.load(Relaxed);
        Ok(is_out.then(|| self.inside.pop_front()).flatten())
    }

    fn drain(&mut self) -> Result<(), EncodeError> {
        self.latency = 0;
        Ok(())
    }

    fn set_bitrate(&mut self, bitrate: u32) -> Result<(), EncodeError> {
        self.told.lock().unwrap().push(format!("{bitrate} bit/s"));
        Ok(())
    }

    fn set_fps(&mut self, fps: u32) -> Result<(), EncodeError> {
        self.told.lock().unwrap().push(format!("{fps} fps"));
        Ok(())
    }
}

/// Time in milliseconds, IDR or not, and shade of each packet.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<(i64, bool, u8)>>>);

impl PacketSink for Seen {
    fn configure(&mut self, _track: Track, _configuration: &[u8]) {}

    fn push(&mut self, packet: Packet) {
        let shade = packet.data.parts()[1].last().copied().unwrap();
        self.0.lock().unwrap().push((packet.time.micros() / 1000, packet.sync, shade));
    }

    fn wants_idr(&mut self) -> bool {
        false
    }
}

struct Bench {
    pipeline: VideoPipeline<Seen>,
    seen: Seen,
    control: Arc<VideoControl>,
    counters: Arc<VideoCounters>,
    rates: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    fn new() -> Self {
        Self::with(Shade::default(), true)
    }

    fn without_encoder() -> Self {
        Self::with(Shade::default(), false)
    }

    fn with(shade: Shade, encodes: bool) -> Self {
        let rates = Arc::clone(&shade.told);
        let encoder = encodes.then(|| Box::new(shade) as Box<dyn VideoEncoder>);
        let (seen, counters) = (Seen::default(), Arc::<VideoCounters>::default());
        let control = Arc::new(VideoControl::new(1_000_000, 30, false));
        let geometry = GeometrySettings { width: 96, height: 96, quarter_turns: 0, mirror: false };
        let (sink, gop) = (seen.clone(), Duration::from_secs(1));
        let pipeline =
            VideoPipeline::new(geometry, encoder, gop, sink, Arc::clone(&control), Arc::clone(&counters));
        Self { pipeline, seen, control, counters, rates }
    }

    fn process(&mut self, sequence: u32, jpeg: Vec<u8>) {
        self.try_process(sequence, jpeg).unwrap();
    }

    fn try_process(&mut self, sequence: u32, jpeg: Vec<u8>) -> Result<usize, EncodeError> {
        let layout = Layout::packed(PixelFormat::Mjpeg, 192, 96);
        let used = [jpeg.len(), 0, 0];
        let pool = Pool::new(1, move || -> Box<dyn Buffer> { Box::new(jpeg.clone()) });
        let captured = Timestamp::from_micros(i64::from(sequence) * 33_333);
        let frame = Frame::new(layout, captured, sequence, used, pool.take()).unwrap();
        self.pipeline.process(frame, 0)
    }
}

fn jpeg(shade: u8) -> Vec<u8> {
    let pixels = vec![shade; 192 * 96 * 3];
    let format = turbojpeg::PixelFormat::RGB;
    let image = turbojpeg::Image { pixels: &pixels[..], width: 192, pitch: 576, height: 96, format };
    turbojpeg::compress(image, 90, turbojpeg::Subsamp::Sub2x2).unwrap().to_vec()
}

/// A picture of the published size.
fn picture(shade: u8) -> Frame {
    let layout = Layout::packed(PixelFormat::I420, 96, 96);
    let pool = Pool::new(1, move || -> Box<dyn Buffer> { Box::new(vec![shade; layout.size()]) });
    Frame::new(layout, Timestamp::default(), 0, [layout.size(), 0, 0], pool.take()).unwrap()
}

#[test]
fn a_corrupt_picture_is_replaced_by_the_last_good_one_at_its_own_time() {
    let mut bench = Bench::new();
    let good = jpeg(80);
    bench.process(0, good.clone());
    bench.process(1, good[..good.len() / 2].to_vec());
    bench.process(2, vec![0; 10]);
    bench.process(3, jpeg(200));
    let seen = bench.seen.0.lock().unwrap().clone();
    let shades: Vec<u8> = seen.iter().map(|(.., shade)| *shade).collect();
    assert_eq!(shades, [85, 85, 85, 188]);
    assert_eq!(seen.iter().map(|(time, ..)| *time).collect::<Vec<_>>(), [0, 33, 66, 99]);
    assert_eq!(bench.counters.repeated.load(Relaxed), 2);
}

#[test]
fn a_corrupt_picture_before_any_good_one_is_left_out() {
    let mut bench = Bench::new();
    bench.process(0, vec![1, 2, 3]);
    assert!(bench.seen.0.lock().unwrap().is_empty());
}

#[test]
fn gaps_of_the_sensor_are_counted_and_idr_pictures_come_on_demand() {
    let mut bench = Bench::new();
    for sequence in [0, 1, 4, 5] {
        bench.control.idr.store(sequence == 4, Relaxed);
        bench.process(sequence, jpeg(100));
    }
    assert_eq!(bench.counters.lost.load(Relaxed), 2);
    let idr: Vec<bool> = bench.seen.0.lock().unwrap().iter().map(|(_, sync, _)| *sync).collect();
    assert_eq!(idr, [true, false, true, false], "the first one begins the stream");
}

#[test]
fn the_placeholder_goes_out_in_place_of_the_camera_and_both_begin_with_an_idr_picture() {
    let mut bench = Bench::new();
    let mut still = picture(77);
    bench.process(0, jpeg(80));
    for time in [100, 300] {
        still.captured = Timestamp::from_micros(time * 1000);
        assert_eq!(bench.pipeline.place(&still).unwrap(), 1);
    }
    bench.process(12, jpeg(80));
    bench.process(13, jpeg(80));
    let expected = [(0, true, 85), (100, true, 77), (300, false, 77), (399, true, 85), (433, false, 85)];
    assert_eq!(*bench.seen.0.lock().unwrap(), expected);
    let rates = bench.rates.lock().unwrap().clone();
    assert_eq!(rates, ["100000 bit/s", "5 fps", "1000000 bit/s", "30 fps"]);
}

#[test]
fn nothing_from_before_a_pause_is_seen_after_it() {
    let mut bench = Bench::new();
    let mut still = picture(77);
    bench.process(0, jpeg(80));
    still.captured = Timestamp::from_micros(100_000);
    bench.pipeline.place(&still).unwrap();
    bench.process(12, vec![0; 10]);
    let shades: Vec<u8> = bench.seen.0.lock().unwrap().iter().map(|(.., shade)| *shade).collect();
    assert_eq!(shades, [85, 77]);
}

#[test]
fn who_asks_gets_a_copy_of_the_next_picture_without_an_encoder_too() {
    let mut bench = Bench::new();
    let (asks, waits) = std::sync::mpsc::sync_channel(1);
    *bench.control.still.lock().unwrap() = Some(asks.clone());
    bench.process(0, jpeg(80));
    let copy = waits.try_recv().unwrap();
    assert_eq!((copy.layout.width, copy.plane(0).data[0]), (96, 85));
    bench.process(1, jpeg(80));
    assert!(waits.try_recv().is_err(), "one is asked for, one is given");
    let mut preview = Bench::without_encoder();
    preview.process(0, jpeg(80));
    *preview.control.still.lock().unwrap() = Some(asks);
    preview.process(1, jpeg(200));
    assert_eq!(waits.try_recv().unwrap().plane(0).data[0], 188);
    assert!(preview.seen.0.lock().unwrap().is_empty());
}

#[test]
fn a_message_goes_out_before_its_picture() {
    let mut bench = Bench::new();
    bench.control.messages.push("hi").unwrap();
    bench.process(0, jpeg(80));
    bench.process(1, jpeg(80));
    assert_eq!(bench.seen.0.lock().unwrap().len(), 2);
    let bytes = bench.counters.bytes.load(Relaxed);
    // Two pictures of 6 bytes, and 4 + 6 bytes of the message.
    assert_eq!(bytes, 22);
}

#[test]
fn idr_pictures_come_at_their_distance_in_seconds_whatever_the_rate() {
    let mut bench = Bench::new();
    let shade = jpeg(80);
    for sequence in 0..120 {
        if sequence == 60 {
            bench.control.fps.store(15, Relaxed);
        }
        bench.process(sequence, shade.clone());
    }
    let seen = bench.seen.0.lock().unwrap().clone();
    let idr: Vec<i64> = seen.iter().filter(|(_, sync, _)| *sync).map(|(time, ..)| *time).collect();
    assert_eq!(idr.len(), 4, "{idr:?}");
    assert!(idr.windows(2).all(|pair| (pair[1] - pair[0] - 1000).abs() < 70), "{idr:?}");
}

#[test]
fn what_stays_inside_an_encoder_comes_out_with_the_next_picture_or_at_the_end() {
    let mut bench = Bench::with(Shade { latency: 1, ..Shade::default() }, true);
    let times =
        |bench: &Bench| bench.seen.0.lock().unwrap().iter().map(|(time, ..)| *time).collect::<Vec<_>>();
    for (sequence, out) in [(0, vec![]), (1, vec![0]), (2, vec![0, 33])] {
        bench.process(sequence, jpeg(80));
        assert_eq!(times(&bench), out);
    }
    assert_eq!(bench.pipeline.finish().unwrap(), 1);
    assert_eq!(times(&bench), [0, 33, 66]);
}

#[test]
fn an_encoder_that_puts_out_nothing_for_two_seconds_fails() {
    let shade = Shade::default();
    shade.stalls.store(true, Relaxed);
    let mut bench = Bench::with(shade, true);
    let start = Instant::now();
    let error = (0..).find_map(|sequence| {
        std::thread::sleep(Duration::from_millis(20));
        bench.try_process(sequence, jpeg(80)).err()
    });
    assert!(matches!(error, Some(EncodeError::Stalled { .. })), "{error:?}");
    assert!(start.elapsed() >= Duration::from_secs(2));
    assert!(bench.counters.skipped.load(Relaxed) > 10, "it has room for two pictures");
}

#[test]
fn an_encoder_that_leaves_out_each_picture_fails() {
    let shade = Shade::default();
    let leaves_out = Arc::clone(&shade.leaves_out);
    let mut bench = Bench::with(shade, true);
    let good = jpeg(80);
    bench.process(0, good.clone());
    // Rate control may do so for three seconds, and a source may pause.
    leaves_out.store(true, Relaxed);
    (1..90).for_each(|sequence| bench.process(sequence, good.clone()));
    (1000..1090).for_each(|sequence| bench.process(sequence, good.clone()));
    leaves_out.store(false, Relaxed);
    bench.process(1090, good.clone());
    leaves_out.store(true, Relaxed);
    let failed =
        (1091..1400).find_map(|sequence| Some((sequence, bench.try_process(sequence, good.clone()).err()?)));
    let (sequence, error) = failed.unwrap();
    assert!(matches!(error, EncodeError::Stalled { .. }), "{error:?}");
    assert!((1091 + 60..1091 + 180).contains(&sequence), "after {} pictures", sequence - 1091);
    assert_eq!(bench.seen.0.lock().unwrap().len(), 2);
}

#[test]
fn bytes_of_pictures_are_counted_where_they_are_written_anew() {
    let mut bench = Bench::new();
    bench.pipeline.process(picture(1), 0).unwrap();
    assert_eq!(bench.counters.copied.load(Relaxed), 0);
    bench.process(1, jpeg(80));
    assert_eq!(bench.counters.copied.load(Relaxed), 96 * 96 * 3 / 2);
}
