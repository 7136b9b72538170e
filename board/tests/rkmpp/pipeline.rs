//! The encoder at its place in the video pipeline.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use media::{
    EncodeError, GeometrySettings, Layout, Packet, PacketSink, PixelFormat, Track, VideoControl,
    VideoCounters, VideoPipeline,
};
use rkmpp_sys::testlib::{self, Live};

use crate::bench::{SETTINGS, open};
use crate::camera::{Camera, HEIGHT, WIDTH, nv12};

/// A send queue: keeps the last packets.
#[derive(Default)]
struct Queue(VecDeque<Packet>);

impl PacketSink for Queue {
    fn configure(&mut self, _track: Track, configuration: &[u8]) {
        assert_eq!(configuration[1], 66, "profile_idc");
    }

    fn push(&mut self, packet: Packet) {
        let [messages, unit] = packet.data.parts();
        assert!(messages.is_empty());
        let (length, slice) = unit.split_at(4);
        assert_eq!(length, (slice.len() as u32).to_be_bytes(), "one slice, its length before it");
        assert_eq!(slice[0] & 0x1f, if packet.sync { 5 } else { 1 });
        self.0.push_back(packet);
        if self.0.len() > 12 {
            self.0.pop_front();
        }
    }

    fn wants_idr(&mut self) -> bool {
        false
    }
}

fn pipeline(mirror: bool) -> (VideoPipeline<Queue>, Arc<VideoControl>, Arc<VideoCounters>) {
    let geometry = GeometrySettings { width: WIDTH, height: HEIGHT, quarter_turns: 0, mirror };
    let control = Arc::new(VideoControl::new(SETTINGS.bitrate, SETTINGS.fps, mirror));
    let counters = Arc::<VideoCounters>::default();
    let (gop, encoder) = (Duration::from_secs(1), Some(open(SETTINGS).unwrap()));
    let shared = (Arc::clone(&control), Arc::clone(&counters));
    (VideoPipeline::new(geometry, encoder, gop, Queue::default(), shared.0, shared.1), control, counters)
}

#[test]
fn pictures_pass_through_without_a_copy_or_are_made_in_the_encoder_s_memory() {
    let made = Layout::packed(PixelFormat::Nv12, WIDTH, HEIGHT).pixel_bytes() as u64;
    for (mirror, copied) in [(false, 0), (true, made)] {
        let session = testlib::session();
        let mut camera = Camera::default();
        let (mut pipeline, control, counters) = pipeline(mirror);
        for picture in 0..90 {
            if picture % 10 == 0 {
                control.bitrate.store(400_000 + 10_000 * picture, Relaxed);
            }
            assert_eq!(pipeline.process(camera.picture(nv12(336, 180), true), 0).unwrap(), 1);
        }
        assert_eq!(counters.encoded.load(Relaxed), 90);
        assert_eq!(counters.copied.load(Relaxed), 90 * copied);
        assert_eq!(session.counts().imports, if mirror { 0 } else { 90 });
        assert_eq!(session.counts().idr_pictures, 3);
        drop(pipeline);
        assert_eq!(session.live(), Live::default());
        assert_eq!(session.misuses(), [""; 0]);
    }
}

#[test]
fn an_encoder_that_falls_silent_is_given_up() {
    let session = testlib::session();
    let mut camera = Camera::default();
    let (mut pipeline, ..) = pipeline(false);
    pipeline.process(camera.picture(nv12(336, 180), true), 0).unwrap();
    session.faults(|faults| faults.silent = true);
    let error = (0..600).find_map(|_| pipeline.process(camera.picture(nv12(336, 180), true), 0).err());
    assert!(matches!(error, Some(EncodeError::Stalled { .. })), "{error:?}");
    drop(pipeline);
    assert_eq!(session.live(), Live::default());
    assert_eq!(session.misuses(), [""; 0]);
}
