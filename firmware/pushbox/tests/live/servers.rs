//! The simulated board published to real servers; what they record is decoded and looked at picture by picture.

use std::time::{Duration, Instant};

use crate::support::{SOON, Server, decode, dropped_pictures, publish};

/// Properties, and what must arrive.
struct Case {
    properties: &'static str,
    size: (u32, u32),
    fps: u32,
    kbps: u32,
    rate: u32,
    silent: bool,
}

const CASES: [Case; 4] = [
    Case { properties: "", size: (360, 640), fps: 15, kbps: 500, rate: 48_000, silent: false },
    Case {
        properties: "mode = 'FHD'\norientation = 'horizontal'\nfps = 30\nmax-bitrate = 3000\nmirror = true",
        size: (1280, 720),
        fps: 30,
        kbps: 1800,
        rate: 48_000,
        silent: false,
    },
    Case {
        properties: "mode = 'QVGA'\naspect = '3:4'\nfps = 10\naudio-quality = 'low'",
        size: (240, 320),
        fps: 10,
        kbps: 300,
        rate: 16_000,
        silent: false,
    },
    Case {
        properties: "mode = 'SD'\norientation = 'horizontal'\naspect = '3:4'\nenable-mic = false\ndevice-position = 'back'",
        size: (480, 360),
        fps: 15,
        kbps: 800,
        rate: 48_000,
        silent: true,
    },
];

/// A busy machine may cost one picture in so many, as long as the box tells.
const BUSY: u64 = 8;

fn check(mut server: Server, case: &Case) {
    let folder = tempfile::TempDir::new().unwrap();
    let mut pushbox = publish(&server.url(), case.properties, folder.path());
    let log = || std::fs::read_to_string(folder.path().join("pushbox.log")).unwrap();
    let deadline = Instant::now() + SOON;
    while !log().contains("code=1002") {
        assert!(Instant::now() < deadline, "{}", log());
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_secs(5));
    let (status, took) = pushbox.terminate();
    let log = log();
    assert!(status.success(), "{status}: {log}");
    assert!(took < Duration::from_millis(500), "it took {took:?} to end");
    let recording = server.recording();

    let report = receiver::analyse(&recording).unwrap();
    assert_eq!(report.faults, [""; 0], "{log}");
    assert_eq!((report.width, report.height), case.size);
    assert!((4_000..7_000).contains(&report.duration_ms), "{} ms", report.duration_ms);
    assert_eq!((report.out_of_order, report.unreadable), (0, 0), "{log}");
    // The camera delivers 30 pictures a second.
    let (told, step) = (dropped_pictures(&log), 30 / case.fps);
    assert!(report.missing <= told, "{} pictures lost, {told} told: {log}", report.missing);
    let missed = told.div_ceil(u64::from(step));
    assert!(missed * BUSY <= report.frames, "{missed} of {}: {log}", report.frames);
    let whole = report.fps * (report.frames + missed) as f64 / report.frames as f64;
    let fps = f64::from(case.fps);
    assert!(report.fps < fps + 0.5 && whole > fps - 0.5, "{} fps: {log}", report.fps);
    assert_eq!(report.mirrored, Some(case.properties.contains("mirror")));
    assert_eq!(report.sample_rate, case.rate);
    if case.silent {
        assert_eq!((report.tone_hz, report.av_offset_ms.len()), (None, 0));
    } else {
        let tone = report.tone_hz.unwrap();
        assert!((tone - f64::from(media::mark::TONE_HZ)).abs() < 2.0, "a tone of {tone} Hz");
        assert!(report.av_offset_ms.len() >= 3, "{:?}", report.av_offset_ms);
        assert!(report.av_offset_ms.iter().all(|offset| offset.abs() < 20.0), "{:?} ms", report.av_offset_ms);
    }
    let numbers = decode(&recording, case.size.0, case.size.1);
    assert_eq!(numbers.len() as u64, report.frames);
    let gaps = numbers.windows(2).filter(|pair| pair[1] != pair[0] + step).count() as u64;
    assert!(gaps <= told, "{numbers:?}");
}

#[test]
fn nginx_portrait_at_the_defaults() {
    check(Server::nginx(), &CASES[0]);
}

#[test]
fn nginx_landscape_720p30_mirrored() {
    check(Server::nginx(), &CASES[1]);
}

#[test]
fn nginx_small_with_sound_of_16_khz() {
    check(Server::nginx(), &CASES[2]);
}

#[test]
fn nginx_back_camera_without_a_microphone() {
    check(Server::nginx(), &CASES[3]);
}

#[test]
fn ffmpeg_portrait_at_the_defaults() {
    check(Server::ffmpeg(), &CASES[0]);
}

#[test]
fn ffmpeg_landscape_720p30_mirrored() {
    check(Server::ffmpeg(), &CASES[1]);
}

#[test]
fn ffmpeg_small_with_sound_of_16_khz() {
    check(Server::ffmpeg(), &CASES[2]);
}

#[test]
fn ffmpeg_back_camera_without_a_microphone() {
    check(Server::ffmpeg(), &CASES[3]);
}

#[test]
fn n7_ffmpeg_over_http() {
    check(Server::ffmpeg_http(), &CASES[0]);
}

#[test]
fn metadata_tells_what_is_published() {
    for case in &CASES {
        let folder = tempfile::TempDir::new().unwrap();
        let receiver = receiver::Receiver::bind("127.0.0.1:0", None).unwrap();
        let mut pushbox = publish(&receiver.url(), case.properties, folder.path());
        let report = receiver.wait(SOON, |report| report.frames > 10).unwrap();
        let metadata =
            |name: &str| report.metadata.iter().find(|(key, _)| key == name).map(|(_, value)| *value as u32);
        let expected = [
            ("width", case.size.0),
            ("height", case.size.1),
            ("framerate", case.fps),
            ("videodatarate", case.kbps),
            ("videocodecid", 7),
            ("audiosamplerate", case.rate),
            ("audiocodecid", 10),
        ];
        for (name, value) in expected {
            assert_eq!(metadata(name), Some(value), "{name}");
        }
        assert!(pushbox.terminate().0.success());
        assert_eq!(receiver.wait_for_end(SOON).unwrap().faults, [""; 0]);
    }
}

#[test]
fn n3_a_server_that_restarts_is_published_to_again() {
    let folder = tempfile::TempDir::new().unwrap();
    let first = receiver::Receiver::bind("127.0.0.1:0", None).unwrap();
    let url = first.url();
    let mut pushbox = publish(&url, "", folder.path());
    first.wait(SOON, |report| report.frames > 15).unwrap();
    let address = url.trim_start_matches("rtmp://").split('/').next().unwrap().to_owned();
    first.disconnect();
    drop(first);
    let second = receiver::Receiver::bind(&address, None).unwrap();
    let report = second.wait(SOON, |report| report.frames > 15).unwrap();
    assert_eq!(report.faults, [""; 0]);
    assert!(pushbox.terminate().0.success());
    second.wait_for_end(SOON).unwrap();
}
