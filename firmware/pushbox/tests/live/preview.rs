//! The camera's picture on the box's display.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use media::mark::{Mark, Reader};
use media::{Plane, still};
use receiver::Receiver;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::control::{Boxed, Client};
use crate::support::{SOON, board};

const WIDTH: u32 = 320;
const HEIGHT: u32 = 240;

/// The simulated board with a display.
fn box_with_display() -> Boxed {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("board.toml");
    let display = format!("\n[sim-display]\nwidth = {WIDTH}\nheight = {HEIGHT}\n");
    fs::write(&file, fs::read_to_string(board("sim.toml")).unwrap() + &display).unwrap();
    let boxed = Boxed::on(&file);
    // It has read the file once it listens.
    boxed.connect();
    boxed
}

/// The mark in a picture, and whether that is mirrored.
fn read(luma: &[u8], width: u32, height: u32) -> Option<(Mark, bool)> {
    let mut reader = Reader::default();
    let mark = reader.read(Plane { data: luma, stride: width as usize }, width, height)?;
    Some((mark, reader.orientation()?.mirrored))
}

/// What the display shows.
fn shown(client: &mut Client) -> Option<(Mark, bool)> {
    let taken = client.result("panel", json!({}));
    let file = fs::File::open(taken["tempImagePath"].as_str().unwrap()).unwrap();
    let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    // Black and white are so in green too.
    let green: Vec<u8> = pixels.as_chunks::<3>().0.iter().map(|pixel| pixel[1]).collect();
    read(&green, WIDTH, HEIGHT)
}

/// Whether a snapshot is mirrored, and its size.
fn snapshot(client: &mut Client, source: &str) -> (bool, (u32, u32)) {
    let taken = client.result("snapshot", json!({"sourceType": source, "quality": "compressed"}));
    let side = |name: &str| taken[name].as_u64().unwrap() as u32;
    let (width, height) = (side("width"), side("height"));
    let file = fs::read(Path::new(taken["tempImagePath"].as_str().unwrap())).unwrap();
    let picture = still::decode(&file, width, height).unwrap();
    (read(picture.plane(0).data, width, height).expect("a mark").1, (width, height))
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_display_shows_what_the_camera_sees_while_it_does() {
    let boxed = box_with_display();
    let mut client = boxed.connect();
    client.result("props.set", json!({"orientation": "horizontal", "url": "rtmp://127.0.0.1:1/a/b"}));
    assert_eq!(client.result("capabilities", json!({}))["pictureInPicture"], true);
    assert_eq!(shown(&mut client), None);
    client.result("startPreview", json!({}));
    until("no picture", || shown(&mut client).is_some());
    let (first, _) = shown(&mut client).unwrap();
    until("it stands still", || shown(&mut client).is_some_and(|(mark, _)| mark.frame > first.frame + 10));
    client.result("props.set", json!({"enable-camera": false}));
    until("a picture without a camera", || shown(&mut client).is_none());
    client.result("props.set", json!({"enable-camera": true}));
    until("no picture again", || shown(&mut client).is_some());
    client.result("appHide", json!({}));
    until("a picture in the background", || shown(&mut client).is_none());
    client.result("appShow", json!({}));
    until("no picture in the end", || shown(&mut client).is_some());
    client.result("stopPreview", json!({}));
    until("a picture after its end", || shown(&mut client).is_none());
}

#[test]
fn p10_m2_each_mirror_acts_where_it_should_and_a_view_is_as_it_is_shown() {
    let boxed = box_with_display();
    let mut client = boxed.connect();
    // The display's shape: what stands over the picture leaves the mark free.
    client.result(
        "props.set",
        json!({"orientation": "horizontal", "aspect": "3:4", "url": "rtmp://127.0.0.1:1/a/b"}),
    );
    assert_eq!(client.error("snapshot", json!({"sourceType": "view"})), -3);
    client.result("startPreview", json!({}));
    for camera in ["front", "back"] {
        for (local, mirrored) in [("auto", camera == "front"), ("enable", true), ("disable", false)] {
            for remote in [false, true] {
                client.result("props.set", json!({"local-mirror": local, "remote-mirror": remote}));
                let case = format!("{camera} {local} {remote}");
                until(&case, || shown(&mut client).is_some_and(|it| it.1 == mirrored));
                assert_eq!(snapshot(&mut client, "view"), (mirrored, (WIDTH, HEIGHT)), "{case}");
                assert_eq!(snapshot(&mut client, "stream"), (remote, (480, 360)), "{case}");
            }
        }
        if camera == "front" {
            client.result("switchCamera", json!({}));
        }
    }
}

#[test]
fn m2_a_paused_or_hidden_view_gives_no_snapshot_and_the_stream_its_placeholder() {
    let (boxed, server) = (box_with_display(), Receiver::bind("127.0.0.1:0", None).unwrap());
    let mut client = boxed.connect();
    client.result("props.set", json!({"orientation": "horizontal", "url": server.url()}));
    client.result("start", json!({}));
    server.wait(SOON, |report| report.frames > 5).unwrap();
    assert_eq!(snapshot(&mut client, "view").1, (WIDTH, HEIGHT));
    client.result("stopPreview", json!({}));
    assert_eq!(client.error("snapshot", json!({"sourceType": "view"})), -4);
    until("a hidden preview", || shown(&mut client).is_none());
    client.result("startPreview", json!({}));
    until("no preview", || shown(&mut client).is_some());
    client.result("pause", json!({}));
    assert_eq!(client.error("snapshot", json!({"sourceType": "view"})), -3);
    let placeholder = client.result("snapshot", json!({}));
    assert_eq!((&placeholder["width"], &placeholder["height"]), (&Value::from(640), &Value::from(360)));
    client.result("resume", json!({}));
    until("no preview after the pause", || shown(&mut client).is_some());
    assert_eq!(server.report().faults, [""; 0]);
}
