//! What the software encoder puts out, seen by its bitstream.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use board::{
    CameraConfig, CameraSource, EncoderConfig, MountRotation, Position, SimCamera, SoftwareEncoderConfig,
};
use media::{
    AccessUnit, AccessUnitKind, Camera, EncoderSettings, H264Profile, PixelFormat, VideoEncoder, nal_units,
};

const RATE: u32 = 60;
const SETTINGS: EncoderSettings = EncoderSettings {
    width: 320,
    height: 180,
    fps: RATE,
    bitrate: 1_000_000,
    gop: 60,
    profile: H264Profile::ConstrainedBaseline,
    source: None,
};

struct Bench {
    camera: Box<dyn Camera>,
    encoder: Box<dyn VideoEncoder>,
}

fn software() -> EncoderConfig {
    EncoderConfig::Software(SoftwareEncoderConfig::default())
}

fn kinds(unit: &AccessUnit) -> Vec<u8> {
    nal_units(&unit.bytes).map(|nal| nal[0] & 0x1f).collect()
}

impl Bench {
    fn new(settings: EncoderSettings) -> Self {
        Self::with_camera((320, 180), settings)
    }

    fn with_camera((width, height): (u32, u32), settings: EncoderSettings) -> Self {
        let sim = SimCamera { width, height, rate: RATE, pixels: PixelFormat::I420 };
        let config = CameraConfig {
            position: Position::Front,
            source: CameraSource::Sim(sim),
            mount_rotation: MountRotation::default(),
        };
        Self {
            camera: board::open_camera(&config).unwrap(),
            encoder: board::open_encoder(&software(), settings).unwrap(),
        }
    }

    fn encode(&mut self, idr: bool) -> AccessUnit {
        let picture = self.camera.next().unwrap();
        let captured = picture.captured;
        assert_eq!(self.encoder.submit(picture, idr).unwrap(), 0, "bytes copied");
        let unit = self.encoder.next(Duration::ZERO).unwrap().unwrap();
        assert_eq!(unit.captured, captured);
        unit
    }

    /// Bits a second over so many pictures.
    fn rate(&mut self, pictures: u32) -> f64 {
        let bytes: usize = (0..pictures).map(|_| self.encode(false).bytes.len()).sum();
        bytes as f64 * 8.0 * f64::from(RATE) / f64::from(pictures)
    }
}

#[test]
fn idr_pictures_come_on_demand_with_parameter_sets() {
    let mut bench = Bench::new(SETTINGS);
    let mut at = Vec::new();
    for number in 0..90 {
        let unit = bench.encode(number == 75);
        match unit.kind {
            AccessUnitKind::Idr => {
                at.push(number);
                assert_eq!(kinds(&unit), [7, 8, 5], "SPS, PPS and the picture");
            }
            AccessUnitKind::Delta => assert_eq!(kinds(&unit), [1]),
            AccessUnitKind::Skipped => assert!(unit.bytes.is_empty()),
        }
    }
    assert_eq!(at, [0, 75]);
}

#[test]
fn a_stream_is_what_was_asked_for() {
    for profile in [H264Profile::ConstrainedBaseline, H264Profile::Main] {
        for (width, height, bitrate) in [(320, 180, 300_000), (362, 640, 1_000_000), (1280, 720, 3_000_000)] {
            let settings = EncoderSettings { width, height, profile, bitrate, gop: 20, ..SETTINGS };
            let mut bench = Bench::with_camera((width, height), settings);
            let units: Vec<AccessUnit> = (0..40).map(|number| bench.encode(number == 20)).collect();
            let coded = units.iter().filter(|unit| unit.kind != AccessUnitKind::Skipped);
            let complaints = receiver::complaints(&settings, coded.map(|unit| &*unit.bytes)).unwrap();
            assert_eq!(complaints, [""; 0], "{settings:?}");
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
    assert_eq!(bench.encode(false).kind, AccessUnitKind::Delta);
}

#[test]
fn a_picture_of_another_size_is_refused() {
    let mut bench = Bench::new(EncoderSettings { width: 640, height: 360, ..SETTINGS });
    let picture = bench.camera.next().unwrap();
    assert!(bench.encoder.submit(picture, false).is_err());
    assert!(board::open_encoder(&software(), EncoderSettings { width: 0, ..SETTINGS }).is_err());
}

#[cfg(not(feature = "rkmpp"))]
#[test]
fn an_encoder_that_the_program_was_built_without_says_so() {
    let rockchip = EncoderConfig::RockchipMpp(board::RockchipMppConfig::default());
    let error = board::open_encoder(&rockchip, SETTINGS).err().unwrap();
    let expected = "Rockchip MPP can't be opened: this program was built without it (feature rkmpp)";
    assert_eq!(error.to_string(), expected);
}
