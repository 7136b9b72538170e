//! What the software encoder puts out, seen by its bitstream.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use board::{CameraConfig, CameraSource, MountRotation, Position, SimCamera};
use media::{Camera, Encoded, EncoderSettings, H264Profile, PixelFormat, VideoEncoder, nal_units};

const RATE: u32 = 60;
const SETTINGS: EncoderSettings = EncoderSettings {
    width: 320,
    height: 180,
    fps: RATE,
    bitrate: 1_000_000,
    gop: 60,
    profile: H264Profile::ConstrainedBaseline,
};

struct Bench {
    camera: Box<dyn Camera>,
    encoder: Box<dyn VideoEncoder>,
}

/// One access unit and what the encoder said of it.
struct Unit {
    encoded: Encoded,
    bytes: Vec<u8>,
}

impl Unit {
    fn kinds(&self) -> Vec<u8> {
        nal_units(&self.bytes).map(|nal| nal[0] & 0x1f).collect()
    }
}

impl Bench {
    fn new(settings: EncoderSettings) -> Self {
        let sim = SimCamera { width: 320, height: 180, rate: RATE, pixels: PixelFormat::I420 };
        let config = CameraConfig {
            position: Position::Front,
            source: CameraSource::Sim(sim),
            mount_rotation: MountRotation::default(),
        };
        Self {
            camera: board::open_camera(&config).unwrap(),
            encoder: board::open_encoder(PixelFormat::I420, settings).unwrap(),
        }
    }

    fn encode(&mut self, idr: bool) -> Unit {
        let mut bytes = Vec::new();
        let picture = self.camera.next().unwrap();
        let encoded = self.encoder.encode(&picture, idr, &mut bytes).unwrap();
        Unit { encoded, bytes }
    }

    /// Bits a second over so many pictures.
    fn rate(&mut self, pictures: u32) -> f64 {
        let bytes: usize = (0..pictures).map(|_| self.encode(false).bytes.len()).sum();
        bytes as f64 * 8.0 * f64::from(RATE) / f64::from(pictures)
    }
}

#[test]
fn idr_pictures_come_at_their_distance_and_on_demand_with_parameter_sets() {
    let mut bench = Bench::new(SETTINGS);
    let mut at = Vec::new();
    for number in 0..160 {
        let unit = bench.encode(number == 75);
        if unit.encoded == Encoded::Idr {
            at.push(number);
            assert_eq!(unit.kinds(), [7, 8, 5], "SPS, PPS and the picture");
        } else if unit.encoded == Encoded::Delta {
            assert_eq!(unit.kinds(), [1]);
        }
    }
    assert_eq!(at, [0, 60, 75, 135]);
}

#[test]
fn the_profile_is_the_one_asked_for() {
    for (profile, idc) in [(H264Profile::ConstrainedBaseline, 66), (H264Profile::Main, 77)] {
        let unit = Bench::new(EncoderSettings { profile, ..SETTINGS }).encode(true);
        let sps = nal_units(&unit.bytes).next().unwrap().to_vec();
        assert_eq!(sps[1], idc);
        if profile == H264Profile::ConstrainedBaseline {
            assert_ne!(sps[2] & 0x40, 0, "constraint_set1_flag");
        }
    }
}

#[test]
fn the_bitrate_follows_while_running_without_an_idr_picture() {
    let mut bench = Bench::new(EncoderSettings { gop: 10_000, ..SETTINGS });
    bench.rate(60);
    for target in [300_000, 600_000, 400_000] {
        bench.encoder.set_bitrate(target).unwrap();
        bench.rate(60);
        let measured = bench.rate(120);
        let share = measured / f64::from(target);
        assert!((0.9..1.1).contains(&share), "{measured:.0} bit/s where {target} are due");
    }
    assert_eq!(bench.encode(false).encoded, Encoded::Delta);
}

#[test]
fn the_idr_distance_holds_in_seconds_when_the_rate_changes() {
    let mut bench = Bench::new(SETTINGS);
    bench.encoder.set_fps(RATE / 2).unwrap();
    let mut idr = Vec::new();
    for picture in 0..70 {
        if bench.encode(false).encoded == Encoded::Idr {
            idr.push(picture);
        }
        // The camera keeps its rate: every other picture is left out.
        bench.camera.next().unwrap();
    }
    assert_eq!(idr, [0, 30, 60]);
}

#[test]
fn a_picture_of_another_size_is_refused() {
    let mut bench = Bench::new(EncoderSettings { width: 640, height: 360, ..SETTINGS });
    let picture = bench.camera.next().unwrap();
    assert!(bench.encoder.encode(&picture, false, &mut Vec::new()).is_err());
    assert!(board::open_encoder(PixelFormat::I420, EncoderSettings { width: 0, ..SETTINGS }).is_err());
}
