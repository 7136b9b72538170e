//! Camera, geometry and encoder, microphone and timeline: once warm, nothing is allocated per frame.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use board::{
    Board, CameraSource, EncoderConfig, MicrophoneSource, SimCamera, SimMicrophone, SoftwareEncoderConfig,
    X264Config,
};
use media::{
    AudioBlock, AudioControl, AudioPipeline, AudioSettings, EncoderSettings, Geometry, GeometrySettings,
    H264Profile, Packet, PacketSink, PixelFormat, Tap, Timestamp, Track, VideoControl, VideoCounters,
    VideoPipeline, rgb,
};

/// Keeps packets for a while, as a send queue does.
struct Holding {
    packets: VecDeque<Packet>,
    taken: Arc<AtomicU64>,
}

impl Holding {
    fn new(taken: &Arc<AtomicU64>) -> Self {
        Self { packets: VecDeque::with_capacity(9), taken: Arc::clone(taken) }
    }
}

impl PacketSink for Holding {
    fn configure(&mut self, _track: Track, configuration: &[u8]) {
        assert!(!configuration.is_empty());
    }

    fn push(&mut self, packet: Packet) {
        assert!(!packet.data.is_empty());
        self.taken.fetch_add(1, Ordering::Relaxed);
        self.packets.push_back(packet);
        if self.packets.len() > 8 {
            self.packets.pop_front();
        }
    }

    fn wants_idr(&mut self) -> bool {
        false
    }
}

fn allocations_of(mut step: impl FnMut(), warm_up: u32, steps: u32) -> u64 {
    (0..warm_up).for_each(|_| step());
    allocations::during(|| (0..steps).for_each(|_| step())).0
}

fn sim() -> Board {
    Board::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("boards/sim.toml")).unwrap()
}

fn pictures(encoder: &EncoderConfig, pixels: PixelFormat) -> u64 {
    let mut config = sim().cameras.remove(0);
    config.source = CameraSource::Sim(SimCamera { width: 640, height: 360, rate: 240, pixels });
    let mut camera = board::open_camera(&config, None).unwrap();
    let (width, height, fps, bitrate) = (320, 180, 240, 2_000_000);
    let profile = H264Profile::ConstrainedBaseline;
    let vbv = Duration::from_secs(1);
    let settings = EncoderSettings { width, height, fps, bitrate, vbv, gop: 60, profile, source: None };
    let encoder = board::open_encoder(encoder, settings).unwrap();
    let geometry = GeometrySettings { width, height, quarter_turns: 0, mirror: true };
    let control = Arc::new(VideoControl::new(bitrate, fps, true));
    let taken = Arc::default();
    let counters = Arc::new(VideoCounters::default());
    let (gop, sink) = (Duration::from_millis(250), Holding::new(&taken));
    let mut pipeline = VideoPipeline::new(geometry, Some(encoder), gop, sink, control, counters);
    let step = || {
        pipeline.process(camera.next().unwrap(), 0).unwrap();
    };
    let allocations = allocations_of(step, 130, 240);
    let packets = taken.load(Ordering::Relaxed);
    assert!(packets > 200, "{packets} packets of 370 pictures");
    allocations
}

/// A display has each picture.
fn shown(pixels: PixelFormat) -> u64 {
    let mut config = sim().cameras.remove(0);
    config.source = CameraSource::Sim(SimCamera { width: 640, height: 360, rate: 240, pixels });
    let mut camera = board::open_camera(&config, None).unwrap();
    let settings = GeometrySettings { width: 240, height: 240, quarter_turns: 0, mirror: true };
    let (tap, mut geometry) = (Tap::new(|| ()), Geometry::within((360, 640), settings));
    let mut bytes = Vec::new();
    let step = || {
        tap.request(Timestamp::default());
        drop(tap.pass(camera.next().unwrap(), || ()));
        let (frame, ()) = tap.take().unwrap();
        rgb(&geometry.make(&frame, None).unwrap(), &mut bytes).unwrap();
    };
    allocations_of(step, 20, 120)
}

/// Allocations and packets of 120 periods of sound.
fn sound(muted: bool) -> (u64, u64) {
    let mut config = sim().microphone.unwrap();
    config.source = MicrophoneSource::Sim(SimMicrophone { rate: 48_000, ppm: 200.0 });
    let mut microphone = board::open_microphone(&config, 48_000).unwrap();
    let settings = AudioSettings { rate: 48_000, bitrate: 64_000 };
    let control = Arc::new(AudioControl { muted: muted.into(), ..AudioControl::default() });
    let taken = Arc::default();
    let mut pipeline =
        AudioPipeline::new(microphone.format(), settings, Holding::new(&taken), control).unwrap();
    let mut block = AudioBlock::default();
    let mut step = || {
        microphone.read(&mut block).unwrap();
        pipeline.process(&block).unwrap();
    };
    let allocations = allocations_of(&mut step, 60, 120);
    let packets = taken.load(Ordering::Relaxed);
    assert!(packets > 70, "{packets} packets of sound");
    (allocations, packets)
}

/// One test, as the counter is the process's.
#[test]
fn nothing_is_allocated_per_frame() {
    let software = EncoderConfig::Software(SoftwareEncoderConfig::default());
    for pixels in [PixelFormat::Nv12, PixelFormat::Yuyv, PixelFormat::I420] {
        assert_eq!(pictures(&software, pixels), 0, "240 pictures of {pixels}");
        assert_eq!(shown(pixels), 0, "120 pictures of {pixels} for a display");
    }
    if cfg!(feature = "gpl") {
        let x264 = EncoderConfig::X264(X264Config::default());
        assert_eq!(pictures(&x264, PixelFormat::Nv12), 0, "240 pictures by x264");
    }
    assert_eq!(sound(true).0, 0, "120 periods of muted sound");
    // The transform of the AAC encoder takes two vectors of scratch memory, and frees them: once in a long frame, eight
    // times in a frame of short blocks.
    let (allocations, packets) = sound(false);
    assert!(allocations <= 16 * packets, "{allocations} allocations in {packets} packets of sound");
    println!("{allocations} allocations in {packets} packets of sound");
}
