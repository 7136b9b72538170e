//! What goes wrong in the hardware, and around it.

use std::time::{Duration, Instant};

use board::{EncoderConfig, VaapiConfig};
use media::{AccessUnitKind, EncodeError, EncoderSettings};
use vaapi_sys::testdriver::{self, Faults, Live};
use vaapi_sys::{
    VA_STATUS_ERROR_ALLOCATION_FAILED, VA_STATUS_ERROR_INVALID_PARAMETER, VA_STATUS_ERROR_OPERATION_FAILED,
    VA_STATUS_ERROR_RESOLUTION_NOT_SUPPORTED, VAStatus,
};

use crate::camera::nv12;
use crate::conformance::SETTINGS;
use crate::{AT_REST, Bench, PATIENCE, SECOND, open};

#[test]
fn a_picture_that_fails_is_left_out_with_those_that_refer_to_it() {
    let mut bench = Bench::new(SETTINGS);
    bench.encode(true);
    bench.session.faults(|faults| faults.fail = 1);
    bench.submit(false);
    bench.submit(false);
    for _ in 0..2 {
        let unit = bench.next();
        assert_eq!(unit.kind, AccessUnitKind::Skipped);
        assert!(unit.bytes.is_empty());
    }
    assert_eq!(bench.encode(false).kind, AccessUnitKind::Idr);
    assert_eq!(bench.encode(false).kind, AccessUnitKind::Delta);
    assert_eq!(bench.session.live(), AT_REST);
    bench.end();
}

#[test]
fn hardware_that_goes_on_failing_is_an_error() {
    let mut bench = Bench::new(SETTINGS);
    bench.session.faults(|faults| faults.fail = 5);
    (0..4).for_each(|_| drop(bench.encode(false)));
    bench.submit(false);
    let error = bench.encoder.next(PATIENCE).err().unwrap().to_string();
    assert!(error.starts_with("VA-API /dev/null failed: no slice in 5 pictures, "), "{error}");
    bench.end();
}

#[test]
fn a_device_that_is_lost_is_an_error_wherever_it_happens() {
    let lost = Some(VA_STATUS_ERROR_OPERATION_FAILED as VAStatus);
    let mut bench = Bench::new(SETTINGS);
    bench.encode(true);
    bench.submit(false);
    bench.session.faults(|faults| faults.lost = lost);
    let error = bench.encoder.next(PATIENCE).err().unwrap().to_string();
    assert_eq!(error, "VA-API /dev/null failed: vaSyncBuffer gave 0x1, operation failed");
    let picture = bench.camera.picture(nv12(336, 180), true);
    assert!(matches!(bench.encoder.submit(picture, false), Err(EncodeError::Failed { .. })));
    assert!(open(SETTINGS).is_err(), "nor can it be opened anew");
    bench.session.faults(|faults| faults.lost = None);
    bench.encoder = open(SETTINGS).unwrap();
    assert_eq!(bench.encode(false).kind, AccessUnitKind::Idr, "it is back");
    bench.end();
}

#[test]
fn hardware_that_stands_still_holds_nobody() {
    stands_still(false);
    stands_still(true);
}

fn stands_still(no_sync_buffer: bool) {
    let session = testdriver::session();
    session.faults(|faults| faults.no_sync_buffer = no_sync_buffer);
    let mut bench = Bench::with(session, SETTINGS);
    bench.encode(true);
    bench.session.faults(|faults| faults.stuck = true);
    bench.submit(false);
    let start = Instant::now();
    assert!(bench.encoder.next(Duration::from_millis(20)).unwrap().is_none());
    assert!(start.elapsed() >= Duration::from_millis(20));
    bench.encoder.set_bitrate(500_000).unwrap();
    bench.submit(false);
    assert!(!bench.encoder.has_room().unwrap());
    assert!(bench.encoder.next(Duration::ZERO).unwrap().is_none());
    let start = Instant::now();
    drop(bench.encoder);
    assert!(start.elapsed() >= SECOND, "it has its time to give the pictures back");
    assert_eq!(bench.camera.returned(), 3, "the camera has its buffers back");
    assert_eq!(bench.session.live(), Live::default());
    assert_eq!(bench.session.misuses(), [""; 0]);
}

#[test]
fn a_driver_that_tells_of_no_surface_is_waited_for() {
    let session = testdriver::session();
    session.faults(|faults| (faults.no_sync_buffer, faults.tells_no_status) = (true, true));
    let mut bench = Bench::with(session, SETTINGS);
    for idr in [true, false, false] {
        bench.submit(idr);
        assert!(bench.encoder.next(Duration::ZERO).unwrap().is_none());
        bench.next();
    }
    bench.end();
}

#[test]
fn memory_that_can_not_be_imported_is_copied_from_then_on() {
    let mut bench = Bench::new(SETTINGS);
    bench.session.faults(|faults| faults.import = Some(VA_STATUS_ERROR_INVALID_PARAMETER as VAStatus));
    for _ in 0..5 {
        assert!(bench.submit(false) > 0);
        bench.next();
    }
    assert!(!bench.encoder.input().imports);
    bench.session.faults(|faults| faults.import = None);
    assert!(bench.submit(false) > 0);
    assert_eq!(bench.session.counts().imports, 0, "it is not tried again");
    bench.next();
    bench.end();
}

#[test]
fn surfaces_that_are_not_to_be_had_say_so() {
    let mut bench = Bench::new(SETTINGS);
    let first = bench.encoder.memory().unwrap();
    bench.session.faults(|faults| faults.allocate = Some(VA_STATUS_ERROR_ALLOCATION_FAILED as VAStatus));
    assert!(bench.encoder.memory().is_none());
    let picture = bench.camera.picture(nv12(336, 180), false);
    let error = bench.encoder.submit(picture, false).err().unwrap().to_string();
    assert_eq!(error, "VA-API /dev/null failed: vaCreateSurfaces gave 0x2, resource allocation failed");
    drop(first);
    assert_eq!(bench.encode(false).kind, AccessUnitKind::Idr, "it goes on");
    bench.end();
}

#[test]
fn another_size_may_be_asked_for() {
    let session = testdriver::session();
    let config = EncoderConfig::Vaapi(VaapiConfig { device: "/dev/null".into() });
    for (width, height) in [(7680, 4320), (0, 240)] {
        let error =
            board::open_encoder(&config, EncoderSettings { width, height, ..SETTINGS }).err().unwrap();
        assert!(matches!(error, EncodeError::Size { .. }), "{error}");
    }
    let refusal = Some(VA_STATUS_ERROR_RESOLUTION_NOT_SUPPORTED as VAStatus);
    let faults = [
        Faults { configure: refusal, ..Faults::default() },
        Faults { context: refusal, ..Faults::default() },
        Faults { allocate: refusal, ..Faults::default() },
    ];
    for fault in faults {
        session.faults(|faults| *faults = fault);
        let error = open(SETTINGS).err().unwrap();
        assert!(matches!(error, EncodeError::Size { .. }), "{error}");
        assert_eq!(session.live(), Live::default());
    }
    assert_eq!(session.misuses(), [""; 0]);
}

#[test]
fn what_can_not_be_set_up_says_why() {
    let session = testdriver::session();
    let error = |device: &str, settings, change: &dyn Fn(&mut Faults)| {
        session.faults(|faults| *faults = Faults::default());
        session.faults(change);
        let config = EncoderConfig::Vaapi(VaapiConfig { device: device.into() });
        let error = board::open_encoder(&config, settings).err().unwrap();
        assert!(matches!(error, EncodeError::Open { .. }));
        assert_eq!(session.live(), Live::default());
        error.to_string().replace(&format!("VA-API {device} can't be opened: "), "")
    };
    let none: &dyn Fn(&mut Faults) = &|_| {};
    assert_eq!(
        error("/dev/dri/none", SETTINGS, none),
        "No such file or directory (os error 2): check its name in the board file"
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    assert_eq!(
        error(&file.path().display().to_string(), SETTINGS, none),
        "it is no node of a graphics device"
    );
    assert_eq!(
        error("/dev/null", SETTINGS, &|faults| faults.initialize =
            Some(VA_STATUS_ERROR_OPERATION_FAILED as VAStatus)),
        "vaInitialize gave 0x1, operation failed: its VA-API driver is not installed, or does not work (vainfo)"
    );
    assert_eq!(
        error("/dev/null", SETTINGS, &|faults| faults.decodes = true),
        "it does not encode H.264 ConstrainedBaseline"
    );
    assert_eq!(
        error("/dev/null", SETTINGS, &|faults| faults.allocate =
            Some(VA_STATUS_ERROR_ALLOCATION_FAILED as VAStatus)),
        "vaCreateSurfaces gave 0x2, resource allocation failed"
    );
    assert_eq!(session.misuses(), [""; 0]);
}
