use ::panel::{Canvas, Colours};
use embedded_graphics::pixelcolor::{Rgb565, Rgb888, RgbColor};
use media::{Buffer, Layout, PixelFormat, Pool, now};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::*;
use crate::news::channel;

const LIMIT: Duration = Duration::from_secs(30);

/// A box with a simulated display, whose engine is the test.
struct Bench {
    display: Arc<Display>,
    privacy: Privacy,
    news: mpsc::Receiver<News>,
    store: Store,
}

impl Bench {
    fn new() -> Self {
        let board =
            "name = 'bench'\nserial-line.device = '/dev/null'\n[sim-display]\nwidth = 240\nheight = 240";
        let board = toml::from_str(board).unwrap();
        let (store, (reporter, news), privacy) = (Store::default(), channel(), Privacy::default());
        let (language, fit) = (Language::English, PreviewFit::Cover);
        let display =
            Display::start(&board, &store, language, fit, privacy.clone(), reporter).unwrap().unwrap();
        let mut bench = Self { display, privacy, news, store };
        bench.set(json!({"url": "rtmp://host/app/key"}));
        bench.display.update(|scene| (scene.state, scene.shows_preview) = (State::Pushing, true));
        bench
    }

    fn set(&mut self, values: Value) {
        let Value::Object(values) = values else { unreachable!("a table") };
        assert_eq!(self.store.update(&values).refused, []);
        let store = Arc::new(self.store.clone());
        self.display.update(|scene| scene.store = store);
    }

    /// A white picture goes by; tells whether the display had it.
    fn passes(&self) -> bool {
        let layout = Layout::packed(PixelFormat::Nv12, 64, 64);
        let pool = Pool::new(1, move || -> Box<dyn Buffer> {
            let mut bytes = vec![128; layout.size()];
            bytes[..64 * 64].fill(235);
            Box::new(bytes)
        });
        let frame = Frame::new(layout, now(), 0, [layout.size(), 0, 0], pool.take()).unwrap();
        let mut is_wanted = false;
        let seen = || {
            is_wanted = true;
            Seen { position: DevicePosition::Front, quarter_turns: 0, zoom: 10 }
        };
        drop(self.display.preview().unwrap().pass(frame, seen));
        is_wanted
    }

    /// What is to be seen, three bytes a pixel.
    fn pixels(&self) -> Vec<u8> {
        let shot = self.display.shot(None, LIMIT).unwrap();
        let mut reader = png::Decoder::new(io::Cursor::new(shot.png().unwrap())).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        pixels
    }

    /// Whether the display is white in its middle.
    fn is_seen(&self) -> bool {
        self.pixels()[(120 * 240 + 20) * 3..][..200 * 3].iter().all(|part| *part > 200)
    }

    fn hear(&mut self) -> WindowEvent {
        let deadline = Instant::now() + LIMIT;
        loop {
            match self.news.try_recv() {
                Ok(News::Input(Input::Window(event))) => return event,
                _ => assert!(Instant::now() < deadline, "nothing is told of the window"),
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn pictures_are_wanted_while_they_are_seen_and_never_in_private() {
    let bench = Bench::new();
    until("no picture", || {
        bench.passes();
        bench.is_seen()
    });
    bench.display.press(Key::Ok, Press::Short);
    until("a menu before it, and pictures are wanted", || !bench.passes() && !bench.is_seen());
    bench.display.press(Key::Back, Press::Short);
    until("no picture at home again", || {
        bench.passes();
        bench.is_seen()
    });
    // Nobody tells the display.
    bench.privacy.set(true);
    until("a picture in private", || !bench.passes() && !bench.is_seen());
    bench.privacy.set(false);
    bench.display.update(|scene| scene.shows_preview = false);
    until("a picture without a preview", || !bench.passes() && !bench.is_seen());
}

#[test]
fn a_picture_that_is_no_longer_what_the_camera_sees_goes() {
    let bench = Bench::new();
    until("no picture", || {
        bench.passes();
        bench.is_seen()
    });
    until("it stays though no other comes", || !bench.is_seen());
}

#[test]
fn a_display_that_is_not_there_opens_no_menu() {
    let board = toml::from_str("name = 'bench'\n[oled]\nbus = '/dev/no such bus'").unwrap();
    let (reporter, _news) = channel();
    let (language, fit) = (Language::English, PreviewFit::Cover);
    let display = Display::start(&board, &Store::default(), language, fit, Privacy::default(), reporter)
        .unwrap()
        .unwrap();
    display.update(|scene| scene.state = State::Idle);
    // The first may find it starting.
    for _ in 0..2 {
        display.press(Key::Ok, Press::Short);
        assert!(display.shot(None, LIMIT).is_none());
        assert!(!display.is_in_menu(), "a menu that nobody sees");
    }
}

#[test]
fn m7_the_engine_hears_of_the_small_window() {
    let mut bench = Bench::new();
    bench.set(json!({"picture-in-picture-mode": ["push", "pop"]}));
    for (key, transition) in [(Key::Ok, Transition::Push), (Key::Back, Transition::Pop)] {
        bench.display.press(key, Press::Short);
        assert_eq!(bench.hear(), WindowEvent::Entered(transition));
        until("no pictures for the window", || bench.passes());
        bench.display.press(Key::Back, Press::Short);
        assert_eq!(bench.hear(), WindowEvent::Left { by_hand: false });
        bench.display.press(key, Press::Short);
        assert_eq!(bench.hear(), WindowEvent::Entered(transition));
        bench.display.close_window();
        assert_eq!(bench.hear(), WindowEvent::Left { by_hand: true });
        bench.display.press(Key::Back, Press::Short);
        bench.display.press(key, Press::Short);
        assert_eq!(bench.hear(), WindowEvent::Entered(transition));
        bench.display.press(Key::Back, Press::Held);
        assert_eq!(bench.hear(), WindowEvent::Left { by_hand: true }, "held, it closes the window");
        bench.display.press(Key::Back, Press::Held);
    }
    bench.display.press(Key::Ok, Press::Short);
    assert_eq!(bench.hear(), WindowEvent::Entered(Transition::Push));
    bench.set(json!({"picture-in-picture-mode": []}));
    assert_eq!(bench.hear(), WindowEvent::Left { by_hand: false });
}

#[test]
fn m2_a_snapshot_is_of_the_place_that_the_preview_has() {
    let mut bench = Bench::new();
    bench.set(json!({"picture-in-picture-mode": ["push"]}));
    let snapshot = |bench: &Bench| {
        let (sender, picture) = sync_channel(1);
        bench.display.snapshot(sender);
        let deadline = Instant::now() + LIMIT;
        loop {
            bench.passes();
            match picture.recv_timeout(Duration::from_millis(5)) {
                Ok(frame) => return Some((frame.layout.width, frame.layout.height)),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return None,
                Err(_) => assert!(Instant::now() < deadline, "no answer"),
            }
        }
    };
    until("it is starting", || bench.passes());
    assert_eq!(snapshot(&bench), Some((240, 240)));
    bench.display.press(Key::Ok, Press::Short);
    bench.hear();
    assert_eq!(snapshot(&bench), Some((60, 106)));
    bench.display.close_window();
    bench.hear();
    assert_eq!(snapshot(&bench), None, "it is hidden");
}

#[test]
fn a_box_that_is_not_set_up_shows_how_it_is_and_by_which_buttons_it_starts_then() {
    let mut bench = Bench::new();
    let press = |name| Some(::panel::Press::new(name, ::panel::Gesture::Double));
    let buttons = Buttons { start: press("red"), ..Buttons::default() };
    bench.display.name_buttons(buttons.clone());
    bench.display.update(|scene| scene.state = State::Idle);
    for url in [json!(null), json!("rtmp://host/app/key")] {
        bench.set(json!({ "url": url }));
        let about = About {
            version: env!("CARGO_PKG_VERSION").into(),
            serial: serial(),
            address: address().unwrap_or_default(),
            baud: Some(115_200),
            buttons: buttons.clone(),
        };
        let (history, mut canvas) = (History::default(), Canvas::new(240, 240, Colours::Many));
        let view = View { temperature: temperature(), ..View::new(&bench.store, &history, &about) };
        Interface::new(Language::English).draw(&view, &mut canvas);
        let rgb = |pixel: &Rgb565| {
            let pixel = Rgb888::from(*pixel);
            [pixel.r(), pixel.g(), pixel.b()]
        };
        // Above the rows of figures.
        let wanted: Vec<u8> = canvas.pixels()[..140 * 240].iter().flat_map(rgb).collect();
        until("another screen", || bench.pixels().starts_with(&wanted));
    }
}

#[test]
fn what_a_display_that_hangs_has_no_room_for_is_counted() {
    let bench = Bench::new();
    assert_eq!(bench.display.dropped(), 0);
    // It takes one at the most: then it waits for the scene.
    bench.display.update(|_| (0..=SAID + 2).for_each(|_| bench.display.tell(Code::Publishing)));
    let dropped = bench.display.dropped();
    assert!((2..=3).contains(&dropped), "{dropped}");
}
