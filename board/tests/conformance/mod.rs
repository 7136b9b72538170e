//! What every encoder of H.264 must do, seen by its bitstream.
#![allow(dead_code)] // not each test uses all of it

use std::io::{Seek, Write};
use std::process::Command;
use std::time::Duration;

use board::EncoderConfig;
use media::{AccessUnit, AccessUnitKind, EncoderSettings, H264Profile, Layout, ParameterSets, VideoEncoder};
use receiver::{Coding, Decoder, Rate, read_configuration};

use crate::camera::{Camera, HEIGHT, WIDTH, kinds};

pub(crate) const RATE: u32 = 30;
pub(crate) const SETTINGS: EncoderSettings = EncoderSettings {
    width: WIDTH,
    height: HEIGHT,
    fps: RATE,
    bitrate: 1_000_000,
    vbv: Duration::from_secs(1),
    gop: 10_000,
    profile: H264Profile::ConstrainedBaseline,
    source: None,
};
/// Long enough for any machine.
const PATIENCE: Duration = Duration::from_secs(30);

struct Bench {
    camera: Camera,
    encoder: Box<dyn VideoEncoder>,
}

impl Bench {
    fn new(config: &EncoderConfig, settings: EncoderSettings) -> Self {
        Self { camera: Camera::default(), encoder: board::open_encoder(config, settings).unwrap() }
    }

    /// Encodes the next picture, which is its luma too.
    fn encode_seen(&mut self, idr: bool) -> (AccessUnit, Vec<u8>) {
        let Layout { format, width, height, .. } = self.encoder.input().layout;
        let picture = self.camera.picture(Layout::packed(format, width, height), false);
        let (captured, luma) = (picture.captured, picture.plane(0).data.to_vec());
        self.encoder.submit(picture, idr).unwrap();
        let unit = self.encoder.next(PATIENCE).unwrap().unwrap();
        assert_eq!(unit.captured, captured);
        (unit, luma)
    }

    fn encode(&mut self, idr: bool) -> AccessUnit {
        self.encode_seen(idr).0
    }

    /// Bits a second over ten seconds of `fps` pictures each.
    fn rate(&mut self, fps: u32) -> f64 {
        let bytes: usize = (0..10 * fps).map(|_| self.encode(false).bytes.len()).sum();
        bytes as f64 * 8.0 / 10.0
    }
}

/// Spec section 10.3: IDR pictures when they are asked for only, with parameter sets before them; one slice a picture.
pub(crate) fn idr_pictures_come_on_demand_with_parameter_sets(config: &EncoderConfig) {
    let mut bench = Bench::new(config, SETTINGS);
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
    assert_eq!(at, [0, 75], "{config}");
}

/// The list that every stream is held to, in sizes that are multiples of nothing too: seven seconds with IDR pictures as far
/// apart as in a session, in a VBV of a second and of half a second.
pub(crate) fn a_stream_is_what_was_asked_for(config: &EncoderConfig) {
    for profile in [H264Profile::ConstrainedBaseline, H264Profile::Main] {
        for (width, height, bitrate, vbv) in [(320, 180, 300_000, 1000), (362, 640, 1_000_000, 500)] {
            let (gop, vbv) = (3 * RATE, Duration::from_millis(vbv));
            let settings = EncoderSettings { width, height, profile, bitrate, vbv, gop, ..SETTINGS };
            let mut bench = Bench::new(config, settings);
            let units: Vec<AccessUnit> =
                (0..7 * RATE).map(|number| bench.encode(number % gop == 0)).collect();
            expect_conformance(config, &settings, &units);
        }
    }
}

/// By our own list and by FFmpeg's decoder.
fn expect_conformance(config: &EncoderConfig, settings: &EncoderSettings, units: &[AccessUnit]) {
    let coded = units.iter().filter(|unit| unit.kind != AccessUnitKind::Skipped);
    let coded = coded.map(|unit| (unit.captured, &*unit.bytes));
    let complaints = receiver::complaints(settings, Rate::Held, coded).unwrap();
    assert_eq!(complaints, [""; 0], "{config} {settings:?}");
    let mut stream = tempfile::tempfile().unwrap();
    for unit in units {
        stream.write_all(&unit.bytes).unwrap();
    }
    stream.rewind().unwrap();
    let ffmpeg = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "warning", "-xerror", "-err_detect", "aggressive"])
        .args(["-f", "h264", "-i", "-", "-f", "null", "-"])
        .stdin(stream)
        .output()
        .expect("this test needs the command ffmpeg");
    let said = String::from_utf8_lossy(&ffmpeg.stderr);
    assert!(ffmpeg.status.success() && said.is_empty(), "{config} {settings:?}: {}, {said}", ffmpeg.status);
}

/// What the parameter sets of a stream say.
pub(crate) fn coding(config: &EncoderConfig) -> Coding {
    let mut unit = Bench::new(config, SETTINGS).encode(true);
    let mut sets = ParameterSets::default();
    sets.extract(&mut unit.bytes);
    read_configuration(&sets.decoder_configuration().unwrap()).unwrap()
}

/// A decoder shows the pictures that went in, one by one and in their size.
pub(crate) fn what_comes_out_is_what_went_in(config: &EncoderConfig) {
    for profile in [H264Profile::ConstrainedBaseline, H264Profile::Main] {
        let mut bench = Bench::new(config, EncoderSettings { profile, bitrate: 2_000_000, ..SETTINGS });
        let mut decoder = Decoder::new().unwrap();
        for number in 0..60 {
            let (unit, luma) = bench.encode_seen(number == 40);
            if unit.kind == AccessUnitKind::Skipped {
                continue;
            }
            let picture = decoder.decode(&unit.bytes).unwrap().unwrap();
            assert_eq!((picture.width, picture.height), (WIDTH, HEIGHT), "{config}");
            let rows = picture.planes[0].data.chunks(picture.planes[0].stride);
            let square = |(a, b): (&u8, &u8)| u64::from(a.abs_diff(*b)).pow(2);
            let error: u64 = rows
                .zip(luma.chunks(WIDTH as usize))
                .map(|(seen, drawn)| seen.iter().zip(drawn).map(square).sum::<u64>())
                .sum();
            let psnr = 10.0 * (255.0 * 255.0 * f64::from(WIDTH * HEIGHT) / error.max(1) as f64).log10();
            assert!(psnr > 28.0, "{config} {profile:?}: {psnr:.1} dB in picture {number}");
        }
    }
}

/// Spec section 10.3: over ten seconds the target is met to a tenth.
pub(crate) fn the_bitrate_follows_while_running_without_an_idr_picture(config: &EncoderConfig) {
    let mut bench = Bench::new(config, SETTINGS);
    for target in [600_000, 1_200_000, 800_000] {
        bench.encoder.set_bitrate(target).unwrap();
        (0..2 * RATE).for_each(|_| drop(bench.encode(false)));
        let measured = bench.rate(RATE);
        let share = measured / f64::from(target);
        assert!((0.9..1.1).contains(&share), "{config}: {measured:.0} bit/s where {target} are due");
    }
    assert_eq!(bench.encode(false).kind, AccessUnitKind::Delta);
}

pub(crate) fn a_picture_of_another_size_is_refused(config: &EncoderConfig) {
    let mut bench = Bench::new(config, EncoderSettings { width: 640, height: 360, ..SETTINGS });
    let format = bench.encoder.input().layout.format;
    let picture = bench.camera.picture(Layout::packed(format, WIDTH, HEIGHT), false);
    assert!(bench.encoder.submit(picture, false).is_err(), "{config}");
    assert!(board::open_encoder(config, EncoderSettings { width: 0, ..SETTINGS }).is_err(), "{config}");
}
