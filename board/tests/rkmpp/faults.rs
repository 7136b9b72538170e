//! What goes wrong in the hardware, and around it.

use std::path::Path;
use std::time::{Duration, Instant};

use media::{AccessUnitKind, EncodeError, EncoderSettings, Layout, PixelFormat};
use rkmpp_sys::testlib::{self, Live};

use crate::bench::{AT_REST, Bench, SECOND, SETTINGS, open};
use crate::camera::{HEIGHT, WIDTH, nv12};

#[test]
fn late_packets_come_in_order_and_nobody_waits_for_them() {
    let mut bench = Bench::new(SETTINGS);
    bench.encode(true);
    bench.session.faults(|faults| faults.delay = Duration::from_millis(60));
    bench.submit(false);
    assert!(bench.encoder.next(Duration::ZERO).unwrap().is_none());
    assert!(!bench.encoder.has_room().unwrap());
    bench.session.faults(|faults| faults.spurious = 1);
    assert!(bench.encoder.next(SECOND).unwrap().is_none(), "a wait that ended early");
    bench.encoder.set_bitrate(500_000).unwrap();
    assert_eq!(bench.next().captured.micros(), 33_333);
    assert_eq!(bench.encode(false).captured.micros(), 66_666);
    assert!(bench.encoder.next(SECOND).unwrap().is_none(), "nothing is inside");
    assert_eq!(bench.session.value("rc:bps_target"), Some(500_000));
    assert_eq!(bench.session.misuses(), [""; 0]);
}

#[test]
fn a_picture_under_way_ends_before_the_encoder() {
    let mut bench = Bench::new(SETTINGS);
    bench.session.faults(|faults| faults.delay = Duration::from_millis(60));
    bench.submit(true);
    drop(bench.encoder);
    assert_eq!(bench.session.live(), Live::default());
    assert_eq!(bench.camera.returned(), 1);
    assert_eq!(bench.session.misuses(), [""; 0]);
}

#[test]
fn packets_that_nobody_takes_hold_up_the_next_picture_not_the_end() {
    let mut bench = Bench::new(SETTINGS);
    for _ in 0..9 {
        bench.submit(false);
    }
    assert!(!bench.encoder.has_room().unwrap());
    drop(bench.encoder);
    assert_eq!(bench.session.live(), Live::default());
    assert_eq!(bench.session.misuses(), [""; 0]);
}

/// The library recovers by itself in most versions and ends the process in others.
#[test]
fn hardware_that_fails_on_a_picture_is_opened_anew() {
    let mut bench = Bench::new(SETTINGS);
    for (fail, short) in [(1, 0), (0, 1)] {
        bench.encode(true);
        bench.session.faults(|faults| (faults.fail, faults.short) = (fail, short));
        bench.submit(false);
        let error = bench.encoder.next(SECOND).err().unwrap();
        let expected = format!("Rockchip MPP failed: the hardware left {} bytes without a slice", 3 * short);
        assert_eq!(error.to_string(), expected);
        bench.encoder = open(SETTINGS).unwrap();
        assert_eq!(bench.encode(false).kind, AccessUnitKind::Idr);
        assert_eq!(bench.encode(false).kind, AccessUnitKind::Delta);
        assert_eq!(bench.live(), AT_REST);
    }
    assert_eq!(bench.session.misuses(), [""; 0]);
}

#[test]
fn hardware_that_stands_still_holds_nobody() {
    let mut bench = Bench::new(SETTINGS);
    bench.encode(true);
    bench.session.faults(|faults| faults.stuck = true);
    bench.submit(false);
    let start = Instant::now();
    assert!(bench.encoder.next(Duration::from_millis(20)).unwrap().is_none());
    assert!(start.elapsed() >= Duration::from_millis(20));
    assert!(!bench.encoder.has_room().unwrap());
    bench.encoder.set_bitrate(500_000).unwrap();
    let picture = bench.camera.picture(nv12(336, 180), true);
    assert!(matches!(bench.encoder.submit(picture, true), Err(EncodeError::Failed { .. })));
    drop(bench.encoder);
    assert_eq!(bench.session.live().contexts, 1, "left behind");
    assert_eq!(bench.session.live().configs, 0);
    assert_eq!(bench.camera.returned(), 3, "the camera has its buffers back");
    open(SETTINGS).unwrap();
    assert_eq!(bench.session.misuses(), [""; 0]);
}

#[test]
fn silence_is_seen_and_the_next_encoder_starts_afresh() {
    let mut bench = Bench::new(SETTINGS);
    bench.session.faults(|faults| faults.silent = true);
    for _ in 0..3 {
        bench.submit(false);
        assert!(bench.encoder.next(Duration::from_millis(5)).unwrap().is_none());
    }
    bench.session.faults(|faults| faults.silent = false);
    bench.encoder = open(SETTINGS).unwrap();
    assert_eq!(bench.encode(false).kind, AccessUnitKind::Idr);
    assert_eq!(bench.live(), AT_REST);
    assert_eq!(bench.session.misuses(), [""; 0]);
}

#[test]
fn memory_that_can_not_be_imported_is_copied() {
    let mut bench = Bench::new(SETTINGS);
    bench.session.faults(|faults| faults.import = Some(rkmpp_sys::MPP_ERR_MALLOC));
    assert!(bench.submit(true) > 0);
    assert_eq!(bench.next().kind, AccessUnitKind::Idr);
    bench.session.faults(|faults| faults.allocate = Some(rkmpp_sys::MPP_NOK));
    assert!(bench.submit(false) > 0, "the memory is there");
}

#[test]
fn what_can_not_be_set_up_says_why() {
    let session = testlib::session();
    let error = |change: &dyn Fn(&mut testlib::Faults)| {
        session.faults(|faults| *faults = testlib::Faults::default());
        session.faults(change);
        let error = open(SETTINGS).err().unwrap();
        assert!(matches!(error, EncodeError::Open { .. }));
        assert_eq!(session.live(), Live::default());
        error.to_string()
    };
    let cause = if Path::new("/dev/mpp_service").exists() {
        "mpp_init for H.264 gave -1: the library's log (mpp in syslog) says why"
    } else {
        "/dev/mpp_service: No such file or directory (os error 2): use Rockchip's kernel, with its MPP driver"
    };
    assert_eq!(
        error(&|faults| faults.init = Some(rkmpp_sys::MPP_NOK)),
        format!("Rockchip MPP can't be opened: {cause}")
    );
    assert_eq!(
        error(&|faults| faults.configure = Some(rkmpp_sys::MPP_ERR_NULL_PTR)),
        "Rockchip MPP can't be opened: MPP_ENC_SET_CFG gave -3"
    );
    session.faults(|faults| *faults = testlib::Faults::default());
    assert_eq!(
        open(EncoderSettings { bitrate: 300_000_000, ..SETTINGS }).err().unwrap().to_string(),
        "Rockchip MPP can't be opened: MPP_ENC_SET_CFG gave -6: a value out of its range"
    );
}

#[test]
fn another_size_may_be_asked_for() {
    let session = testlib::session();
    session.faults(|faults| faults.largest = Some((1280, 720)));
    for (width, height) in [(0, 180), (328, 0), (1920, 1088), (1080, 1922), (1282, 720), (1280, 722)] {
        let error = open(EncoderSettings { width, height, ..SETTINGS }).err().unwrap();
        assert!(matches!(error, EncodeError::Size { .. }), "{error}");
        assert_eq!(error.to_string(), format!("Rockchip MPP takes no pictures of {width}x{height}"));
        assert_eq!(session.live(), Live::default());
    }
    open(EncoderSettings { width: 1280, height: 720, ..SETTINGS }).unwrap();
    session.faults(|faults| faults.largest = None);
    open(EncoderSettings { width: 1080, height: 1920, ..SETTINGS }).unwrap();
    assert_eq!(session.misuses(), [""; 0]);
}

#[test]
fn what_can_not_be_encoded_says_why() {
    let mut bench = Bench::new(SETTINGS);
    bench.session.faults(|faults| faults.allocate = Some(rkmpp_sys::MPP_NOK));
    assert!(bench.encoder.memory().is_none());
    let picture = bench.camera.picture(nv12(328, 180), false);
    let error = bench.encoder.submit(picture, false).err().unwrap().to_string();
    let expected = "mpp_buffer_get of 110592 bytes gave -1: the library's log (mpp in syslog) says why";
    assert_eq!(error, format!("Rockchip MPP failed: {expected}"));
    let layout = Layout::packed(PixelFormat::I420, WIDTH, HEIGHT);
    let picture = bench.camera.picture(layout, false);
    let error = bench.encoder.submit(picture, false).err().unwrap().to_string();
    assert!(error.ends_with("where NV12 328x180 is due"), "{error}");
    bench.session.faults(|faults| faults.configure = Some(rkmpp_sys::MPP_ERR_VALUE));
    bench.encoder.set_bitrate(400_000).unwrap();
    let picture = bench.camera.picture(nv12(336, 192), true);
    let error = bench.encoder.submit(picture, false).err().unwrap().to_string();
    assert_eq!(error, "Rockchip MPP failed: MPP_ENC_SET_CFG gave -6: a value out of its range");
    assert_eq!(bench.live().buffers, 0);
    assert_eq!(bench.camera.returned(), 3, "the camera has its buffers back");
}
