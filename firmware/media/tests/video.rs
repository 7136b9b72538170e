//! The video pipeline with an encoder that shows what it was given.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use media::{
    Buffer, EncodeError, Encoded, Frame, GeometrySettings, Layout, Packet, PacketSink, PixelFormat, Pool,
    Timestamp, Track, VideoControl, VideoCounters, VideoEncoder, VideoPipeline,
};

/// Puts out a NAL unit with the shade of the picture's first pixel.
struct Shade;

impl VideoEncoder for Shade {
    fn name(&self) -> &'static str {
        "shade"
    }

    fn encode(&mut self, picture: &Frame, idr: bool, out: &mut Vec<u8>) -> Result<Encoded, EncodeError> {
        out.extend_from_slice(&[0, 0, 0, 1, 0x41, picture.plane(0).data[0]]);
        Ok(if idr { Encoded::Idr } else { Encoded::Delta })
    }

    fn set_bitrate(&mut self, _bitrate: u32) -> Result<(), EncodeError> {
        Ok(())
    }

    fn set_fps(&mut self, _fps: u32) -> Result<(), EncodeError> {
        Ok(())
    }
}

/// Time in milliseconds, IDR or not, and shade of each packet.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<(i64, bool, u8)>>>);

impl PacketSink for Seen {
    fn configure(&mut self, _track: Track, _configuration: &[u8]) {}

    fn push(&mut self, packet: Packet) {
        let shade = packet.data.last().copied().unwrap();
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
}

impl Bench {
    fn new() -> Self {
        let (seen, counters) = (Seen::default(), Arc::<VideoCounters>::default());
        let control = Arc::new(VideoControl::new(1_000_000, 30, false));
        let geometry = GeometrySettings { width: 96, height: 96, quarter_turns: 0, mirror: false };
        let pipeline = VideoPipeline::new(
            geometry,
            Box::new(Shade),
            seen.clone(),
            Arc::clone(&control),
            Arc::clone(&counters),
        );
        Self { pipeline, seen, control, counters }
    }

    fn process(&mut self, sequence: u32, jpeg: Vec<u8>) {
        let layout = Layout::packed(PixelFormat::Mjpeg, 192, 96);
        let used = [jpeg.len(), 0, 0];
        let pool = Pool::new(1, move || -> Box<dyn Buffer> { Box::new(jpeg.clone()) });
        let captured = Timestamp::from_micros(i64::from(sequence) * 33_333);
        let frame = Frame::new(layout, captured, sequence, used, pool.take()).unwrap();
        self.pipeline.process(frame).unwrap();
    }
}

fn jpeg(shade: u8) -> Vec<u8> {
    let pixels = vec![shade; 192 * 96 * 3];
    let format = turbojpeg::PixelFormat::RGB;
    let image = turbojpeg::Image { pixels: &pixels[..], width: 192, pitch: 576, height: 96, format };
    turbojpeg::compress(image, 90, turbojpeg::Subsamp::Sub2x2).unwrap().to_vec()
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
    assert_eq!(idr, [false, false, true, false]);
}
