use std::fs;
use std::future::ready;
use std::thread;

use ::media::{Buffer, Frame, Layout, PixelFormat, Pool};
use ::panel::History;
use live_pusher::{Method, NetworkEvent, State, Transition, WindowEvent};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::timeout;

use super::*;
use crate::camera::Captured;
use crate::hand::{Action, Press, Scene};

const LIMIT: Duration = Duration::from_secs(60);
const DISPLAY: &str = "name = 'bench'\n[sim-display]\nwidth = 240\nheight = 240\n";

fn engine(board: &str, settings: Option<Settings>) -> Engine {
    let board = toml::from_str(board).unwrap();
    let (store, options, bindings) = (live_pusher::Store::default(), Options::default(), BTreeMap::new());
    Engine::new(Config { board, store, options, bindings, settings, once: false }).unwrap().0
}

fn shot(display: &Display) -> Vec<u8> {
    display.shot(None, LIMIT).unwrap().png().unwrap()
}

/// What the display knows.
fn scene(engine: &Engine) -> Scene {
    let mut known = None;
    engine.display().unwrap().update(|scene| known = Some(scene.clone()));
    known.unwrap()
}

/// An engine that publishes without devices as far as the test tells it to.
fn connecting() -> Engine {
    let mut engine = engine(DISPLAY, None);
    let Value::Object(values) =
        json!({"url": "rtmp://127.0.0.1:1/app/key", "enable-camera": false, "enable-mic": false})
    else {
        unreachable!("a table")
    };
    engine.give(Input::Attach);
    engine.set(values);
    drop(engine.call(Method::Start));
    assert_eq!(engine.machine().state(), State::Connecting);
    engine
}

fn network(engine: &mut Engine, events: Vec<NetworkEvent>) {
    for event in events {
        engine.give(Input::Network { connection: 1, event });
    }
}

fn published() -> Vec<NetworkEvent> {
    vec![NetworkEvent::Connected(Map::new()), NetworkEvent::Published(Map::new())]
}

fn lost() -> Vec<NetworkEvent> {
    vec![NetworkEvent::Failed { code: Code::ConnectFailed, params: Map::new() }]
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[tokio::test]
async fn power_may_be_cut_only_where_what_was_set_is_on_the_flash() {
    let pictures = [false, true].map(|is_kept| {
        let display = engine(DISPLAY, None).display.unwrap();
        display.end(is_kept);
        shot(&display)
    });
    assert!(pictures[0] != pictures[1]);
    for is_kept in [false, true] {
        let folder = TempDir::new().unwrap();
        let flash = folder.path().join("settings");
        let settings = Settings::open(&flash).unwrap().0;
        if !is_kept {
            fs::write(&flash, "no folder").unwrap();
        }
        let mut engine = engine(DISPLAY, Some(settings));
        let display = Arc::clone(engine.display().unwrap());
        engine.set(Map::from_iter([("mode".to_owned(), json!("FHD"))]));
        engine.run(ready(())).await.unwrap();
        until("it tells something else", || shot(&display) == pictures[usize::from(is_kept)]);
        let (_, kept) = Settings::open(&flash).unwrap();
        assert_eq!(kept.store.properties().mode == Mode::Fhd, is_kept);
    }
}

#[tokio::test]
async fn the_time_on_air_begins_with_the_first_viewers_and_goes_on_without_them() {
    let mut engine = connecting();
    network(&mut engine, lost());
    assert_eq!(engine.machine().state(), State::Reconnecting);
    assert_eq!(scene(&engine).on_air_since, None, "nobody could see anything yet");

    let mut engine = connecting();
    network(&mut engine, published());
    let since = scene(&engine).on_air_since;
    assert!(since.is_some());
    network(&mut engine, lost());
    assert_eq!((engine.machine().state(), scene(&engine).on_air_since), (State::Reconnecting, since));
}

#[tokio::test]
async fn figures_follow_a_steady_session_and_go_with_it() {
    let mut engine = connecting();
    network(&mut engine, published());
    engine.video.control.bitrate.store(777_000, Relaxed);
    while engine.video.frames.dropped() < 3 {
        let layout = Layout::packed(PixelFormat::Nv12, 2, 2);
        let pool = Pool::new(1, move || -> Box<dyn Buffer> { Box::new(vec![0; layout.size()]) });
        let frame = Frame::new(layout, media::now(), 0, [layout.size(), 0, 0], pool.take()).unwrap();
        engine.video.frames.push(Captured { frame, quarter_turns: 0, position: DevicePosition::Front });
    }
    assert_eq!((scene(&engine).target == 777, scene(&engine).dropped), (false, 0));
    engine.measure();
    assert_eq!((scene(&engine).target, scene(&engine).dropped), (777, 3));

    let change = |scene: &mut Scene| {
        (scene.bitrate, scene.quality, scene.volume) = (1850, 1, Some(40));
        scene.history.push(1850);
    };
    engine.display().unwrap().update(change);
    drop(engine.call(Method::Stop));
    let Scene { bitrate, target, quality, volume, on_air_since, history, .. } = scene(&engine);
    assert_eq!((bitrate, target, quality, volume, on_air_since), (0, 0, 0, None, None));
    assert_eq!(format!("{history:?}"), format!("{:?}", History::default()));
    drop(engine.call(Method::Start));
    assert_eq!(scene(&engine).dropped, 0, "another session");
}

#[tokio::test]
async fn m7_clients_hear_of_the_small_window_by_its_events() {
    let mut engine = engine(DISPLAY, None);
    let listener = engine.listen(Vec::new());
    engine.give(Input::Attach);
    engine.give(Input::Window(WindowEvent::Entered(Transition::Push)));
    engine.give(Input::Window(WindowEvent::Left { by_hand: false }));
    for kind in ["enterpictureinpicture", "leavepictureinpicture"] {
        let event = timeout(LIMIT, listener.next()).await.unwrap().unwrap();
        assert_eq!((event.kind, event.detail), (kind, json!({})));
    }
}

#[tokio::test]
async fn what_a_button_does_unseen_is_told_on_the_display() {
    let mut engine = connecting();
    let display = Arc::clone(engine.display().unwrap());
    // The lower left corner, where an answer is green.
    let is_answered = || {
        let png = shot(&display);
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        let corner = &pixels[239 * 240 * 3..][..3];
        corner[1] > 180 && corner[0] < 120
    };
    assert!(!is_answered());
    engine.act_on(Action::ZoomIn, Press::Short);
    let deadline = Instant::now() + LIMIT;
    while !is_answered() {
        assert!(Instant::now() < deadline, "the zoom is not told");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
