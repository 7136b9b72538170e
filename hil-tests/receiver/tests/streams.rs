//! Streams made by FFmpeg, whole and damaged, and what the receiver says of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::f64::consts::TAU;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use media::Timestamp;
use media::mark::{self, Mark};
use receiver::{Measure, Receiver, Report, Tag, analyse, read_flv};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(20);
const WIDTH: u32 = 320;
const HEIGHT: u32 = 240;
const FPS: u32 = 25;
const FRAMES: u32 = 100;

/// A child that does not outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ffmpeg(arguments: &str) -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-loglevel", "error"]);
    command.args(arguments.split_whitespace());
    command
}

/// Marked pictures, and sound with clicks that is `late` by so many seconds: four seconds as FLV, each picture an IDR
/// picture.
fn recording(folder: &Path, late: f64) -> PathBuf {
    let (pictures, sound) = (folder.join("pictures.yuv"), folder.join("sound.f32"));
    let size = (WIDTH * HEIGHT) as usize;
    let mut raw = Vec::new();
    for frame in 0..FRAMES {
        let captured = Timestamp::from_micros(7_000_000 + i64::from(frame) * 40_000);
        let start = raw.len();
        raw.resize(start + size * 3 / 2, 128);
        let luma = &mut raw[start..start + size];
        mark::draw(Mark { frame, captured }, luma, WIDTH as usize, WIDTH, HEIGHT);
    }
    fs::write(&pictures, raw).unwrap();
    let sample = |n: u32| {
        let since = (f64::from(n) / 48_000.0 - late).rem_euclid(1.0);
        let window = if since < 0.01 { 0.5 - 0.5 * (TAU * since * 100.0).cos() } else { 0.0 };
        (0.8 * window * (TAU * 3000.0 * since).sin()) as f32
    };
    let samples: Vec<u8> = (0..48_000 * FRAMES / FPS).flat_map(|n| sample(n).to_le_bytes()).collect();
    fs::write(&sound, samples).unwrap();
    let made = folder.join("made.flv");
    let mut command = ffmpeg("-f rawvideo -pix_fmt yuv420p -video_size 320x240 -framerate 25 -i");
    command.arg(&pictures).args(["-f", "f32le", "-ar", "48000", "-ac", "1", "-i"]).arg(&sound);
    command.args("-c:v libx264 -preset ultrafast -tune zerolatency -g 1 -c:a aac".split(' ')).arg(&made);
    assert!(command.status().unwrap().success());
    made
}

/// The report on tags that came live.
fn measured(tags: &[Tag]) -> Report {
    let mut measure = Measure::new().unwrap();
    for tag in tags {
        measure.take(tag, Some(Timestamp::from_micros(12_000_000)));
    }
    measure.report()
}

#[test]
fn a_whole_recording_is_without_fault() {
    let folder = TempDir::new().unwrap();
    let report = analyse(&recording(folder.path(), 0.0)).unwrap();
    assert_eq!(report.complaints(), [""; 0]);
    assert_eq!((report.width, report.height), (WIDTH, HEIGHT));
    assert_eq!((report.frames, report.unreadable, report.missing), (100, 0, 0));
    assert_eq!(report.idr_ms.len(), 100);
    assert!((report.fps - 25.0).abs() < 0.2, "{} fps", report.fps);
    assert!((report.fps_now - 25.0).abs() < 1.1, "{} fps", report.fps_now);
    assert!(report.latency_ms.is_none());
}

#[test]
fn sound_that_is_late_or_early_shows_to_the_millisecond() {
    for late in [0.0, 0.08, -0.035] {
        let folder = TempDir::new().unwrap();
        let offsets = analyse(&recording(folder.path(), late)).unwrap().av_offset_ms;
        assert!(offsets.len() >= 3, "{offsets:?}");
        assert!(offsets.iter().all(|offset| (offset - late * 1000.0).abs() < 1.0), "{late} s: {offsets:?}");
    }
}

#[test]
fn lost_repeated_and_swapped_pictures_are_counted() {
    let folder = TempDir::new().unwrap();
    let tags = read_flv(&recording(folder.path(), 0.0)).unwrap();
    let pictures: Vec<usize> =
        (0..tags.len()).filter(|i| tags[*i].kind == 9 && tags[*i].body[1] == 1).collect();

    let mut lossy = tags.clone();
    lossy.drain(pictures[50]..pictures[53]);
    assert_eq!(measured(&lossy).missing, 3);

    let mut repeated = tags.clone();
    repeated.insert(pictures[50], tags[pictures[50]].clone());
    let report = measured(&repeated);
    assert_eq!((report.duplicates, report.out_of_order, report.missing), (1, 0, 0));

    let mut swapped = tags.clone();
    swapped.swap(pictures[50], pictures[51]);
    let report = measured(&swapped);
    assert_eq!(report.out_of_order, 1);
    assert_eq!(report.faults.len(), 1, "{:?}", report.faults);
    assert!(report.faults[0].starts_with("time runs backwards"), "{:?}", report.faults);
}

#[test]
fn what_a_publisher_may_not_do_is_told() {
    let folder = TempDir::new().unwrap();
    let tags = read_flv(&recording(folder.path(), 0.0)).unwrap();
    let header = |kind: u8| tags.iter().position(|tag| tag.kind == kind && tag.body[1] == 0).unwrap();
    let without = |kind: u8| {
        let mut tags = tags.clone();
        tags.remove(if kind == 18 { 0 } else { header(kind) });
        measured(&tags).faults
    };
    let again = |kind: u8| {
        let mut tags = tags.clone();
        tags.push(tags[header(kind)].clone());
        measured(&tags).faults
    };
    let corrupt = |change: fn(&mut Tag), at: usize| {
        let mut tags = tags.clone();
        change(&mut tags[at]);
        measured(&tags).faults
    };
    let picture = tags.iter().position(|tag| tag.kind == 9 && tag.body[1] == 1).unwrap();

    assert_eq!(measured(&tags).faults, [""; 0]);
    assert_eq!(without(18), ["media before the metadata"]);
    assert_eq!(without(9)[0], "a picture before the AVC header");
    assert_eq!(without(8)[0], "sound before the AAC header");
    assert_eq!(again(9), ["the AVC header came again without a change"]);
    assert_eq!(again(8), ["the AAC header came again without a change"]);
    assert_eq!(corrupt(|tag| tag.body[0] = 0x27, picture)[0], "the first picture is no IDR picture");
    assert_eq!(corrupt(|tag| tag.body[5] = 9, picture)[0], "NAL lengths that don't add up");
    let lie = |tag: &mut Tag| {
        let at = tag.body.windows(5).position(|bytes| bytes == b"width").unwrap() + 6;
        tag.body[at..at + 8].copy_from_slice(&640_f64.to_be_bytes());
    };
    assert_eq!(corrupt(lie, 0), ["metadata says width 640, the stream has 320"]);
}

#[test]
fn ffmpeg_publishes_and_the_recording_plays() {
    let folder = TempDir::new().unwrap();
    let kept = folder.path().join("kept.flv");
    let receiver = Receiver::bind("127.0.0.1:0", Some(kept.clone())).unwrap();
    let mut command =
        ffmpeg("-f lavfi -i testsrc=size=480x272:rate=25 -f lavfi -i sine=frequency=500:sample_rate=44100");
    command
        .args("-t 2 -pix_fmt yuv420p -c:v libx264 -preset ultrafast -bf 0 -g 25 -c:a aac -f flv".split(' '));
    assert!(command.arg(receiver.url()).status().unwrap().success());
    let report = receiver.wait_for_end(SOON).unwrap();
    assert_eq!(report.complaints(), [""; 0]);
    assert_eq!((report.frames, report.width, report.height), (50, 480, 272));
    assert_eq!(report.unreadable, 50, "FFmpeg's pictures have no mark");
    assert_eq!((report.idr_ms.len(), report.sample_rate), (2, 44_100));
    assert!(report.first_idr.is_some());

    let mut probe = Command::new("ffprobe");
    probe.args(
        "-v error -count_packets -show_entries stream=codec_name,nb_read_packets -of csv=p=0".split(' '),
    );
    let output = probe.arg(&kept).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let streams = String::from_utf8(output.stdout).unwrap();
    assert_eq!(streams, format!("h264,50\naac,{}\n", report.audio_packets));
    assert_eq!(analyse(&kept).unwrap().frames, 50);
}

/// The binary, waiting for a publisher at the address that it tells.
fn started(arguments: &[&str]) -> (Running, BufReader<std::process::ChildStdout>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_receiver"));
    command.args(["--listen", "127.0.0.1:0"]).args(arguments);
    let mut running = Running(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut output = BufReader::new(running.0.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("waiting at ").unwrap().to_owned();
    (running, output, url)
}

fn told(mut output: impl Read) -> String {
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn the_command_reports_and_keeps_what_it_is_asked_to() {
    let folder = TempDir::new().unwrap();
    let made = recording(folder.path(), 0.0);
    let [kept, picture, figures] =
        ["kept.flv", "last.png", "report.json"].map(|name| folder.path().join(name));
    let [kept_name, picture_name, figures_name] =
        [&kept, &picture, &figures].map(|path| path.to_str().unwrap());
    let (mut running, output, url) =
        started(&["--record", kept_name, "--snapshot", picture_name, "--json", figures_name]);
    let mut publisher = ffmpeg("-re -i");
    assert!(publisher.arg(&made).args(["-c", "copy", "-f", "flv", &url]).status().unwrap().success());
    let text = told(output);
    assert!(running.0.wait().unwrap().success(), "{text}");
    assert!(text.contains("\nlive ") || text.starts_with("live "), "{text}");
    assert!(text.contains("picture   320x240, 25.0 fps, 100 IDR pictures"), "{text}");
    assert!(text.contains("received  100 frames"), "{text}");
    assert!(!text.contains("FAULT"), "{text}");

    assert_eq!(analyse(&kept).unwrap().frames, 100);
    let png = png::Decoder::new(BufReader::new(fs::File::open(&picture).unwrap())).read_info().unwrap();
    assert_eq!((png.info().width, png.info().height), (WIDTH, HEIGHT));
    let figures: serde_json::Value = serde_json::from_slice(&fs::read(&figures).unwrap()).unwrap();
    assert_eq!((figures["frames"].as_u64(), figures["missing"].as_u64()), (Some(100), Some(0)));
}

#[test]
fn the_command_fails_and_says_why_when_the_publisher_vanishes() {
    let folder = TempDir::new().unwrap();
    let made = recording(folder.path(), 0.0);
    let (mut running, mut output, url) = started(&[]);
    let mut publisher = ffmpeg("-re -stream_loop -1 -i");
    let mut publisher =
        Running(publisher.arg(&made).args(["-c", "copy", "-f", "flv", &url]).spawn().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert!(line.starts_with("live"), "{line}");
    publisher.0.kill().unwrap();
    let text = told(output);
    assert_eq!(running.0.wait().unwrap().code(), Some(1));
    assert!(text.contains("FAULT     it went without unpublishing"), "{text}");
}

#[test]
fn the_command_ends_in_order_on_a_signal() {
    let (mut running, output, _) = started(&[]);
    let pid = running.0.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(running.0.wait().unwrap().code(), Some(1));
    assert!(told(output).contains("FAULT     no picture came"));
}
