//! Rockchip's encoder on a library of the same interface that counts what it is handed and fails on command.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bench;
#[path = "../camera/mod.rs"]
mod camera;
#[path = "../conformance/mod.rs"]
mod conformance;
mod faults;
mod pipeline;

use board::EncoderConfig;
use media::{AccessUnit, AccessUnitKind, EncoderSettings, H264Profile, Layout, PixelFormat};
use rkmpp_sys::testlib::{self, Live};

use bench::{AT_REST, Bench, SETTINGS, config};
use camera::{HEIGHT, WIDTH, draw, kinds, nv12, open_files};

#[test]
fn pictures_of_the_camera_go_in_without_a_copy_and_come_back() {
    let mut bench = Bench::new(SETTINGS);
    for number in 0..40 {
        assert_eq!(bench.submit(number == 25), 0, "bytes copied");
        let unit = bench.next();
        assert_eq!(unit.captured.micros(), i64::from(number) * 33_333);
        assert_eq!(bench.camera.returned(), number + 1, "its buffer is the camera's again");
        if number == 0 || number == 25 {
            assert_eq!(unit.kind, AccessUnitKind::Idr);
            assert_eq!(kinds(&unit), [7, 8, 5], "SPS, PPS and the picture");
        } else {
            assert_eq!(unit.kind, AccessUnitKind::Delta);
            assert_eq!(kinds(&unit), [1]);
        }
    }
    assert_eq!(bench.live(), AT_REST);
    let counts = bench.session.counts();
    assert_eq!((counts.imports, counts.allocations), (40, 0));
    let Bench { encoder, session, .. } = bench;
    drop(encoder);
    assert_eq!(session.live(), Live::default());
    assert_eq!(session.misuses(), [""; 0]);
}

/// A check of every encoder.
fn conforms(check: fn(&EncoderConfig)) {
    let session = testlib::session();
    check(&config());
    assert_eq!(session.live(), Live::default());
    assert_eq!(session.misuses(), [""; 0]);
}

#[test]
fn idr_pictures_come_on_demand_with_parameter_sets() {
    conforms(conformance::idr_pictures_come_on_demand_with_parameter_sets);
}

#[test]
fn a_stream_is_what_was_asked_for() {
    conforms(conformance::a_stream_is_what_was_asked_for);
}

#[test]
fn what_comes_out_is_what_went_in() {
    conforms(conformance::what_comes_out_is_what_went_in);
}

#[test]
fn the_bitrate_follows_while_running_without_an_idr_picture() {
    conforms(conformance::the_bitrate_follows_while_running_without_an_idr_picture);
}

#[test]
fn a_picture_of_another_size_is_refused() {
    conforms(conformance::a_picture_of_another_size_is_refused);
}

#[test]
fn the_hardware_is_set_up_as_asked() {
    let bench = Bench::new(EncoderSettings { profile: H264Profile::Main, ..SETTINGS });
    for (name, value) in [
        ("prep:width", 328),
        ("prep:height", 180),
        ("prep:hor_stride", 336),
        ("prep:ver_stride", 192),
        ("prep:format", 0),
        ("rc:mode", 1),
        ("rc:bps_target", 1_000_000),
        ("rc:bps_max", 1_062_500),
        ("rc:bps_min", 937_500),
        ("rc:stats_time", 1),
        ("rc:fps_in_num", 30),
        ("rc:fps_out_num", 30),
        ("rc:gop", 600),
        ("h264:profile", 77),
        ("h264:level", 20),
        ("h264:cabac_en", 1),
        ("h264:cabac_idc", 0),
    ] {
        assert_eq!(bench.session.value(name), Some(value), "{name}");
    }
}

/// Whether its memory is the camera's, the encoder's or any, and however its rows lie: a picture is coded as the same.
#[test]
fn what_the_hardware_can_not_read_is_copied_once() {
    let size = (WIDTH * HEIGHT * 3 / 2) as usize;
    let of_camera = |layout, is_dma_buf, size| {
        let mut bench = Bench::new(SETTINGS);
        let stream: Vec<u8> = (0..10)
            .flat_map(|number| {
                let picture = bench.camera.picture(layout, is_dma_buf);
                let copied = bench.encoder.submit(picture, number == 0).unwrap();
                assert_eq!(copied, size, "{layout:?}");
                bench.next().bytes.to_vec()
            })
            .collect();
        assert_eq!(bench.session.counts().imports, if size == 0 { 10 } else { 0 });
        assert!(bench.session.counts().allocations <= 3);
        assert_eq!(bench.session.misuses(), [""; 0]);
        stream
    };
    let read_in_place = of_camera(nv12(336, 180), true, 0);
    assert_eq!(of_camera(nv12(352, 256), true, 0), read_in_place);
    assert_eq!(of_camera(nv12(328, 180), true, size), read_in_place, "rows of no multiple of 16 bytes");
    assert_eq!(of_camera(nv12(336, 180), false, size), read_in_place, "no DMA-BUF");
}

#[test]
fn pictures_made_in_the_encoder_s_memory_are_not_copied() {
    let mut bench = Bench::new(SETTINGS);
    let layout = bench.encoder.input().layout;
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
    assert_eq!(bench.session.counts().allocations, 3, "no more than that");
    drop(all);
    let Bench { encoder, session, .. } = bench;
    drop(encoder);
    assert_eq!(session.live(), Live::default());
    assert_eq!(session.misuses(), [""; 0]);
}

#[test]
fn the_encoder_s_memory_lies_as_the_camera_s_where_that_will_do() {
    let laid_out =
        |source| Bench::new(EncoderSettings { source: Some(source), ..SETTINGS }).encoder.input().layout;
    assert_eq!(laid_out(nv12(336, 180)), nv12(336, 180));
    assert_eq!(laid_out(nv12(328, 180)), nv12(336, 192), "rows of no multiple of 16 bytes");
    assert_eq!(laid_out(Layout::packed(PixelFormat::I420, WIDTH, HEIGHT)), nv12(336, 192));
    let mut bench = Bench::new(EncoderSettings { source: Some(nv12(336, 180)), ..SETTINGS });
    bench.encode(false);
    let mut memory = bench.encoder.memory().unwrap();
    draw(memory.plane_mut(0), &nv12(336, 180), 1);
    let picture = bench.camera.frame(nv12(336, 180), memory);
    bench.encoder.submit(picture, false).unwrap();
    assert_eq!(bench.next().kind, AccessUnitKind::Delta);
    assert_eq!(bench.session.counts().configurations, 2);
}

#[test]
fn hundreds_of_bitrates_leave_nothing_behind() {
    let mut bench = Bench::new(EncoderSettings { gop: 10_000, ..SETTINGS });
    bench.encode(true);
    let (live, files) = (bench.live(), open_files());
    assert_eq!(live, AT_REST);
    for change in 0..300 {
        bench.encoder.set_bitrate(300_000 + change % 7 * 400_000).unwrap();
        for _ in 0..10 {
            assert_eq!(bench.encode(false).kind, AccessUnitKind::Delta);
        }
        if change % 50 == 0 {
            assert_eq!((bench.live(), open_files()), (live, files), "after {change} changes");
        }
    }
    assert_eq!((bench.live(), open_files()), (live, files));
    let counts = bench.session.counts();
    assert_eq!((counts.pictures, counts.idr_pictures, counts.allocations), (3001, 1, 0));
    assert_eq!(counts.configurations, 303, "two at the start, one for the strides, one for each change");
    assert_eq!(bench.session.misuses(), [""; 0]);
}

#[test]
fn a_board_s_least_bitrate_is_kept() {
    let mut bench = Bench::new(EncoderSettings { bitrate: 100_000, ..SETTINGS });
    assert_eq!(bench.session.value("rc:bps_target"), Some(200_000));
    bench.encoder.set_bitrate(50_000).unwrap();
    bench.encode(false);
    assert_eq!(bench.session.value("rc:bps_target"), Some(200_000));
}

#[test]
fn the_idr_distance_stays_the_same_in_seconds() {
    let mut bench = Bench::new(EncoderSettings { gop: 60, ..SETTINGS });
    bench.encoder.set_fps(10).unwrap();
    bench.encode(false);
    assert_eq!(bench.session.value("rc:fps_in_num"), Some(10));
    assert_eq!(bench.session.value("rc:gop"), Some(20));
}

#[test]
fn packets_outlive_the_encoder_and_are_bounded_in_the_hardware_s_memory() {
    let mut bench = Bench::new(SETTINGS);
    let held: Vec<AccessUnit> = (0..60).map(|_| bench.encode(false)).collect();
    let contents: Vec<Vec<u8>> = held.iter().map(|unit| unit.bytes.to_vec()).collect();
    assert_eq!(bench.live().packets, 8, "the others are copies");
    drop(bench.encoder);
    assert_eq!(bench.session.live().contexts, 1, "which the packets are part of");
    assert!(held.iter().zip(&contents).all(|(unit, content)| *unit.bytes == **content));
    drop(held);
    assert_eq!(bench.session.live(), Live::default());
    assert_eq!(bench.session.misuses(), [""; 0]);
}
