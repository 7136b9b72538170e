//! Encoders behind VA-API, on libva with a driver that counts what it is handed and fails on command.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../camera/mod.rs"]
mod camera;
#[path = "../conformance/mod.rs"]
mod conformance;
mod faults;

use std::time::Duration;

use board::{EncoderConfig, VaapiConfig};
use media::{AccessUnit, AccessUnitKind, EncodeError, EncoderSettings, Layout, PixelFormat, VideoEncoder};
use vaapi_sys::testdriver::{self, Headers, Live, Rates, Session};

use camera::{Camera, HEIGHT, WIDTH, draw, nv12, open_files};
use conformance::SETTINGS;

const SECOND: Duration = Duration::from_secs(1);
/// Long enough for any machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// What an encoder at rest has: three surfaces of decoded pictures, one for copies, two coded buffers.
const AT_REST: Live = Live { displays: 1, configs: 1, contexts: 1, surfaces: 4, buffers: 2, images: 0 };

/// Any character device: the display of the test driver asks for no more.
fn config() -> EncoderConfig {
    EncoderConfig::Vaapi(VaapiConfig { device: "/dev/null".into() })
}

fn open(settings: EncoderSettings) -> Result<Box<dyn VideoEncoder>, EncodeError> {
    board::open_encoder(&config(), settings)
}

struct Bench {
    encoder: Box<dyn VideoEncoder>,
    camera: Camera,
    session: Session,
}

impl Bench {
    fn new(settings: EncoderSettings) -> Self {
        Self::with(testdriver::session(), settings)
    }

    fn with(session: Session, settings: EncoderSettings) -> Self {
        Self { encoder: open(settings).unwrap(), camera: Camera::default(), session }
    }

    fn submit(&mut self, idr: bool) -> usize {
        let picture = self.camera.picture(nv12(WIDTH as usize + 8, HEIGHT as usize), true);
        self.encoder.submit(picture, idr).unwrap()
    }

    fn next(&mut self) -> AccessUnit {
        self.encoder.next(PATIENCE).unwrap().unwrap()
    }

    fn encode(&mut self, idr: bool) -> AccessUnit {
        self.submit(idr);
        self.next()
    }

    /// Ends the encoder. Nothing is left behind, and nothing was done wrong.
    fn end(self) {
        drop(self.encoder);
        assert_eq!(self.session.live(), Live::default());
        assert_eq!(self.session.misuses(), [""; 0]);
    }
}

/// A check of every encoder, with each kind of driver.
fn conforms(check: fn(&EncoderConfig)) {
    for headers in [Headers::Taken, Headers::Made, Headers::Missing] {
        for varies in [false, true] {
            let session = testdriver::session();
            session.faults(|faults| {
                (faults.headers, faults.varies, faults.no_sync_buffer) = (headers, varies, varies);
            });
            check(&config());
            assert_eq!(session.live(), Live::default());
            assert_eq!(session.misuses(), [""; 0], "{headers:?}");
        }
    }
}

#[test]
fn idr_pictures_come_on_demand_with_parameter_sets() {
    conforms(conformance::idr_pictures_come_on_demand_with_parameter_sets);
}

#[test]
fn a_stream_is_what_was_asked_for() {
    conforms(conformance::a_stream_is_what_was_asked_for);
    for headers in [Headers::Taken, Headers::Missing] {
        let session = testdriver::session();
        session.faults(|faults| faults.headers = headers);
        let coding = conformance::coding(&config());
        assert_eq!((coding.fps, coding.level), (Some(conformance::RATE.into()), 20), "{headers:?}");
    }
}

#[test]
fn what_comes_out_is_what_went_in() {
    conforms(conformance::what_comes_out_is_what_went_in);
}

#[test]
fn the_bitrate_follows_while_running_without_an_idr_picture() {
    let _session = testdriver::session();
    conformance::the_bitrate_follows_while_running_without_an_idr_picture(&config());
}

#[test]
fn a_picture_of_another_size_is_refused() {
    conforms(conformance::a_picture_of_another_size_is_refused);
}

#[test]
fn pictures_of_the_camera_go_in_without_a_copy_and_come_back() {
    let mut bench = Bench::new(SETTINGS);
    assert!(bench.encoder.input().imports);
    for number in 0..300 {
        assert_eq!(bench.submit(number == 25), 0, "bytes copied");
        let unit = bench.next();
        assert_eq!(unit.captured.micros(), i64::from(number) * 33_333);
        assert_eq!(bench.camera.returned(), number + 1, "its buffer is the camera's again");
        let is_idr = number == 0 || number == 25;
        assert_eq!(unit.kind, if is_idr { AccessUnitKind::Idr } else { AccessUnitKind::Delta });
    }
    assert_eq!(bench.session.live(), AT_REST);
    let counts = bench.session.counts();
    assert_eq!((counts.pictures, counts.idr_pictures, counts.imports, counts.surfaces), (300, 2, 300, 4));
    bench.end();
}

/// Whether its memory is the camera's, the encoder's or any, and however its rows lie: a picture is coded as the same.
#[test]
fn what_the_hardware_can_not_read_is_copied_once() {
    let pixels = (WIDTH * HEIGHT * 3 / 2) as usize;
    let of_camera = |layout, is_dma_buf, size| {
        let mut bench = Bench::new(SETTINGS);
        let stream: Vec<u8> = (0..10)
            .flat_map(|number| {
                let picture = bench.camera.picture(layout, is_dma_buf);
                assert_eq!(bench.encoder.submit(picture, number == 0).unwrap(), size, "{layout:?}");
                bench.next().bytes.to_vec()
            })
            .collect();
        assert_eq!(bench.session.counts().imports, if size == 0 { 10 } else { 0 });
        assert_eq!(bench.session.counts().surfaces, 4);
        bench.end();
        stream
    };
    let read_in_place = of_camera(nv12(336, 180), true, 0);
    assert_eq!(of_camera(nv12(352, 256), true, 0), read_in_place);
    assert_eq!(of_camera(nv12(336, 180), false, pixels), read_in_place, "no DMA-BUF");
}

#[test]
fn pictures_made_in_the_encoder_s_memory_are_not_copied() {
    let mut bench = Bench::new(SETTINGS);
    let layout = bench.encoder.input().layout;
    assert_eq!(
        (layout.format, layout.planes[0].stride),
        (PixelFormat::Nv12, 384),
        "as the driver lays it out"
    );
    for number in 0..20 {
        let mut memory = bench.encoder.memory().unwrap();
        draw(memory.plane_mut(0), &layout, number);
        let picture = bench.camera.frame(layout, memory);
        assert_eq!(bench.encoder.submit(picture, false).unwrap(), 0, "bytes copied");
        bench.next();
    }
    let counts = bench.session.counts();
    assert_eq!((counts.pictures, counts.imports), (20, 0));
    let all: Vec<_> = std::iter::from_fn(|| bench.encoder.memory()).collect();
    assert_eq!(all.len(), 4, "no more than that");
    drop(all);
    assert!(bench.encoder.memory().is_some(), "it can be had again");
    bench.end();
}

#[test]
fn two_pictures_are_under_way_and_come_out_in_their_order() {
    let mut bench = Bench::new(SETTINGS);
    bench.session.faults(|faults| faults.delay = Duration::from_secs(3));
    bench.submit(true);
    assert!(bench.encoder.has_room().unwrap());
    bench.session.faults(|faults| faults.delay = Duration::ZERO);
    bench.submit(false);
    assert!(!bench.encoder.has_room().unwrap());
    assert!(bench.encoder.next(Duration::ZERO).unwrap().is_none(), "nobody waits");
    assert_eq!(bench.camera.returned(), 0, "the hardware reads them");
    assert_eq!(bench.next().captured.micros(), 0);
    assert!(bench.encoder.has_room().unwrap());
    assert_eq!(bench.camera.returned(), 1);
    bench.submit(false);
    assert_eq!([bench.next(), bench.next()].map(|unit| unit.captured.micros()), [33_333, 66_666]);
    assert!(bench.encoder.next(SECOND).unwrap().is_none(), "nothing is inside");
    bench.end();
}

#[test]
fn rates_are_told_with_an_idr_picture_and_where_they_change() {
    for (varies, bits_per_second, target_percentage) in [(false, 400_000, 100), (true, 500_000, 80)] {
        let session = testdriver::session();
        session.faults(|faults| faults.varies = varies);
        let vbv = Duration::from_millis(500);
        let mut bench = Bench::with(session, EncoderSettings { vbv, ..SETTINGS });
        (0..10).for_each(|_| drop(bench.encode(false)));
        assert_eq!(bench.session.counts().rates, 1);
        bench.encoder.set_bitrate(400_000).unwrap();
        bench.encoder.set_fps(15).unwrap();
        for _ in 0..10 {
            assert_eq!(bench.encode(false).kind, AccessUnitKind::Delta);
        }
        let buffer_size = bits_per_second / 2;
        assert_eq!(bench.session.rates(), Rates { bits_per_second, target_percentage, buffer_size, fps: 15 });
        assert_eq!(bench.session.counts().rates, 2);
        bench.end();
    }
}

#[test]
fn hundreds_of_encoders_leave_nothing_behind() {
    let mut session = testdriver::session();
    drop(open(SETTINGS).unwrap());
    let files = open_files();
    for _ in 0..200 {
        let mut bench = Bench::with(session, SETTINGS);
        bench.submit(false);
        drop(bench.encoder);
        session = bench.session;
        assert_eq!((session.live(), open_files()), (Live::default(), files));
    }
    assert_eq!(session.misuses(), [""; 0]);
}

#[test]
fn pictures_outlive_the_encoder_that_their_memory_is_of() {
    let mut bench = Bench::new(SETTINGS);
    let layout: Layout = bench.encoder.input().layout;
    let mut memory = bench.encoder.memory().unwrap();
    drop(bench.encoder);
    assert_eq!(bench.session.live().displays, 1, "which the memory is part of");
    draw(memory.plane_mut(0), &layout, 1);
    drop(memory);
    assert_eq!(bench.session.live(), Live::default());
    assert_eq!(bench.session.misuses(), [""; 0]);
}
