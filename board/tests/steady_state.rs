//! Camera, geometry and encoder, microphone and timeline: once warm, nothing is allocated per frame.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use board::{Board, CameraSource, MicrophoneSource, SimCamera, SimMicrophone};
use media::{
    AudioBlock, EncoderSettings, GeometrySettings, H264Profile, Packet, PacketSink, PixelFormat, Timeline,
    Track, VideoControl, VideoCounters, VideoPipeline,
};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is handed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Keeps packets for a while, as a send queue does.
struct Holding {
    packets: std::collections::VecDeque<Packet>,
    taken: u64,
}

impl Holding {
    fn new() -> Self {
        Self { packets: std::collections::VecDeque::with_capacity(9), taken: 0 }
    }
}

impl PacketSink for Holding {
    fn configure(&mut self, _track: Track, configuration: &[u8]) {
        assert!(!configuration.is_empty());
    }

    fn push(&mut self, packet: Packet) {
        assert!(!packet.data.is_empty());
        self.taken += 1;
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
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    (0..steps).for_each(|_| step());
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

fn sim() -> Board {
    Board::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("boards/sim.toml")).unwrap()
}

fn pictures(pixels: PixelFormat) -> u64 {
    let mut config = sim().cameras.remove(0);
    config.source = CameraSource::Sim(SimCamera { width: 640, height: 360, rate: 240, pixels });
    let mut camera = board::open_camera(&config).unwrap();
    let (width, height, fps, bitrate) = (320, 180, 240, 2_000_000);
    let settings =
        EncoderSettings { width, height, fps, bitrate, gop: 60, profile: H264Profile::ConstrainedBaseline };
    let encoder = board::open_encoder(pixels, settings).unwrap();
    let geometry = GeometrySettings { width, height, quarter_turns: 0, mirror: true };
    let control = Arc::new(VideoControl::new(bitrate, fps, true));
    let counters = Arc::new(VideoCounters::default());
    let mut pipeline = VideoPipeline::new(geometry, encoder, Holding::new(), control, Arc::clone(&counters));
    let allocations = allocations_of(|| pipeline.process(camera.next().unwrap()).unwrap(), 130, 240);
    let encoded = counters.encoded.load(Ordering::Relaxed);
    assert!(encoded > 200, "{encoded} of 370 pictures were encoded");
    allocations
}

/// Up to the AAC encoder, whose transform takes scratch memory for each frame.
fn sound() -> u64 {
    let mut config = sim().microphone.unwrap();
    config.source = MicrophoneSource::Sim(SimMicrophone { rate: 48_000, ppm: 200.0 });
    let mut microphone = board::open_microphone(&config, 48_000).unwrap();
    let mut timeline = Timeline::new(microphone.format(), 48_000).unwrap();
    let mut block = AudioBlock::default();
    let mut frames = 0;
    let step = || {
        microphone.read(&mut block).unwrap();
        timeline.push(&block, |_, _| frames += 1);
    };
    let allocations = allocations_of(step, 60, 120);
    assert!(frames > 70, "{frames} frames of sound");
    allocations
}

/// One test, as the counter is the process's.
#[test]
fn nothing_is_allocated_per_frame() {
    for pixels in [PixelFormat::Nv12, PixelFormat::Yuyv, PixelFormat::I420] {
        assert_eq!(pictures(pixels), 0, "240 pictures of {pixels}");
    }
    assert_eq!(sound(), 0, "120 periods of sound");
}
