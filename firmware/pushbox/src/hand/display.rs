//! The displays, in a thread of their own: a bus may be slow, and a screen may be pulled.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use ::panel::{About, Canvas, Colours, History, Interface, Key, Language, Phase, View};
use board::{Board, Pixels, SteadyPanel};
use embedded_graphics::pixelcolor::{Rgb565, Rgb888, RgbColor};
use live_pusher::{Code, DevicePosition, Reasons, State, Store};
use media::DropOldest;

use crate::news::{News, Reporter};

/// From one look at the box to the next; a key or a status is shown at once.
const REFRESH: Duration = Duration::from_millis(500);
/// What is said between two looks.
const SAID: usize = 64;
/// How long the end waits for the last picture.
const FAREWELL: Duration = Duration::from_millis(300);
/// From one look at address and temperature to the next.
const SLOW: Duration = Duration::from_secs(5);
/// To find the box's own address: a documentation address (RFC 5737), to which nothing is sent.
const ANYWHERE: &str = "192.0.2.1:9";

/// What the engine knows of the box.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) state: State,
    pub(crate) reasons: Reasons,
    pub(crate) store: Arc<Store>,
    pub(crate) on_air_since: Option<Instant>,
    /// Of the picture, in kb/s.
    pub(crate) bitrate: u32,
    pub(crate) target: u32,
    pub(crate) history: History,
    pub(crate) quality: u8,
    pub(crate) volume: Option<u8>,
    pub(crate) position: DevicePosition,
    pub(crate) camera_runs: bool,
    pub(crate) torch: bool,
    pub(crate) dropped: u64,
}

impl Scene {
    pub(crate) fn new(store: &Store) -> Self {
        Self {
            state: State::Unbound,
            reasons: Reasons::default(),
            store: Arc::new(store.clone()),
            on_air_since: None,
            bitrate: 0,
            target: 0,
            history: History::default(),
            quality: 0,
            volume: None,
            position: DevicePosition::default(),
            camera_runs: false,
            torch: false,
            dropped: 0,
        }
    }
}

/// A picture of a display, as PNG, and its size.
pub(crate) struct Shot {
    pub(crate) png: Vec<u8>,
    pub(crate) size: (u32, u32),
}

enum Said {
    Key(Key),
    Status(Code),
    Answer(Result<(), i32>),
    /// Of the display of that number, or the first that works.
    Shot(Option<usize>, SyncSender<Shot>),
    End(SyncSender<()>),
}

/// The displays, from outside.
pub(crate) struct Display {
    scene: Mutex<Scene>,
    said: DropOldest<Said>,
    /// Their tables in the board file.
    tables: Vec<&'static str>,
    /// Whether keys mean something else than at home.
    in_menu: AtomicBool,
}

impl Display {
    /// None where the board has no display.
    pub(crate) fn start(
        board: &Board,
        store: &Store,
        language: Language,
        reporter: Reporter,
    ) -> io::Result<Option<Arc<Self>>> {
        let panels = board::panels(board);
        if panels.is_empty() {
            return Ok(None);
        }
        let scene = Mutex::new(Scene::new(store));
        let display = Arc::new(Self {
            scene,
            said: DropOldest::new(SAID),
            tables: panels.iter().map(SteadyPanel::table).collect(),
            in_menu: AtomicBool::new(false),
        });
        let worker = Worker {
            display: Arc::clone(&display),
            panels: panels.into_iter().map(|panel| (panel, None)).collect(),
            interface: Interface::new(language),
            phase: Phase::Starting,
            about: About { version: env!("CARGO_PKG_VERSION").into(), serial: serial(), ..About::default() },
            temperature: None,
            looked: None,
            born: Instant::now(),
            reporter,
        };
        thread::Builder::new().name("display".into()).spawn(move || worker.run())?;
        Ok(Some(display))
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut Scene)) {
        change(&mut self.scene());
    }

    fn scene(&self) -> MutexGuard<'_, Scene> {
        self.scene.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn press(&self, key: Key) {
        self.said.push(Said::Key(key));
    }

    pub(crate) fn tell(&self, code: Code) {
        self.said.push(Said::Status(code));
    }

    /// What became of an action that a person chose on the display.
    pub(crate) fn answer(&self, result: Result<(), i32>) {
        self.said.push(Said::Answer(result));
    }

    pub(crate) fn is_in_menu(&self) -> bool {
        self.in_menu.load(Relaxed)
    }

    /// The number of the display of that table in the board file.
    pub(crate) fn number(&self, table: &str) -> Option<usize> {
        self.tables.iter().position(|known| *known == table)
    }

    /// What the display of that number shows, or the first that works. Waits for its thread; none where it does not work.
    pub(crate) fn shot(&self, number: Option<usize>, limit: Duration) -> Option<Shot> {
        let (sender, shot) = sync_channel(1);
        self.said.push(Said::Shot(number, sender));
        shot.recv_timeout(limit).ok()
    }

    /// The last picture says that the box has stopped.
    pub(crate) fn end(&self) {
        let (sender, ended) = sync_channel(1);
        self.said.push(Said::End(sender));
        // A display that hangs must not keep the program.
        let _ = ended.recv_timeout(FAREWELL);
    }
}

struct Worker {
    display: Arc<Display>,
    panels: Vec<(SteadyPanel, Option<Canvas>)>,
    interface: Interface,
    phase: Phase,
    about: About,
    /// Degrees Celsius.
    temperature: Option<i16>,
    looked: Option<Instant>,
    born: Instant,
    reporter: Reporter,
}

impl Worker {
    fn run(mut self) {
        loop {
            self.look();
            let said = self.display.said.pop(REFRESH);
            let scene = self.display.scene().clone();
            if scene.state != State::Unbound && self.phase == Phase::Starting {
                self.phase = Phase::Running;
            }
            match said {
                None => {}
                Some(Said::Key(key)) => {
                    let view = view(&scene, &self.about, self.born, self.phase, self.temperature);
                    if let Some(action) = self.interface.press(key, false, &view) {
                        self.reporter.tell(News::Screen(action));
                    }
                }
                Some(Said::Status(code)) => self.interface.tell(self.born.elapsed(), code),
                Some(Said::Answer(result)) => self.interface.answered(self.born.elapsed(), result),
                Some(Said::Shot(number, sender)) => {
                    self.draw(&scene);
                    let panels = self.panels.iter().enumerate();
                    let mut panels = panels.filter(|(at, _)| number.is_none_or(|number| number == *at));
                    if let Some(shot) = panels.find_map(|(_, (_, canvas))| shot(canvas.as_ref()?)) {
                        let _ = sender.try_send(shot);
                    }
                }
                Some(Said::End(sender)) => {
                    self.phase = Phase::Stopped;
                    self.draw(&scene);
                    let _ = sender.try_send(());
                    return;
                }
            }
            self.draw(&scene);
        }
    }

    /// At what changes slowly.
    fn look(&mut self) {
        if self.looked.is_none_or(|looked| looked.elapsed() >= SLOW) {
            self.looked = Some(Instant::now());
            self.about.address = address().unwrap_or_default();
            self.temperature = temperature();
        }
    }

    fn draw(&mut self, scene: &Scene) {
        let view = view(scene, &self.about, self.born, self.phase, self.temperature);
        let now = Instant::now();
        for (panel, canvas) in &mut self.panels {
            let Some(opened) = panel.ready(now) else {
                continue;
            };
            let canvas = canvas.get_or_insert_with(|| {
                let colours = if opened.has_colours { Colours::Many } else { Colours::Two };
                Canvas::new(opened.size.width, opened.size.height, colours)
            });
            if opened.is_new {
                canvas.forget();
            }
            self.interface.draw(&view, canvas);
            let picture = Pixels { width: opened.size.width, pixels: canvas.pixels() };
            panel.show(now, &picture, &mut canvas.changes());
        }
        self.display.in_menu.store(self.interface.is_in_menu(), Relaxed);
    }
}

fn view<'a>(
    scene: &'a Scene,
    about: &'a About,
    born: Instant,
    phase: Phase,
    temperature: Option<i16>,
) -> View<'a> {
    View {
        now: born.elapsed(),
        phase,
        state: scene.state,
        reasons: scene.reasons,
        on_air: scene.on_air_since.map(|since| since.elapsed()),
        bitrate: scene.bitrate,
        target: scene.target,
        quality: scene.quality,
        volume: scene.volume,
        position: scene.position,
        camera_runs: scene.camera_runs,
        torch: scene.torch,
        temperature,
        dropped: scene.dropped,
        ..View::new(&scene.store, &scene.history, about)
    }
}

fn shot(canvas: &Canvas) -> Option<Shot> {
    let width = canvas.row(0).len() as u32;
    let height = (canvas.pixels().len() as u32).checked_div(width)?;
    let mut png = Vec::new();
    let mut encoder = png::Encoder::new(&mut png, width, height);
    encoder.set_color(png::ColorType::Rgb);
    let bytes: Vec<u8> = canvas.pixels().iter().flat_map(|pixel| rgb(*pixel)).collect();
    encoder.write_header().ok()?.write_image_data(&bytes).ok()?;
    Some(Shot { png, size: (width, height) })
}

fn rgb(pixel: Rgb565) -> [u8; 3] {
    let pixel = Rgb888::from(pixel);
    [pixel.r(), pixel.g(), pixel.b()]
}

/// What the box is called where it was made.
fn serial() -> String {
    let files = ["/proc/device-tree/serial-number", "/sys/class/dmi/id/product_serial", "/etc/hostname"];
    let text = files.iter().find_map(|file| fs::read_to_string(file).ok());
    text.unwrap_or_default().trim_matches(['\0', '\n', ' ']).to_owned()
}

/// The one that packets to the world would carry.
fn address() -> Option<String> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect(ANYWHERE).ok()?;
    Some(socket.local_addr().ok()?.ip().to_string())
}

/// Of the processor (Documentation/driver-api/thermal/sysfs-api.rst: thousandths of a degree).
fn temperature() -> Option<i16> {
    let text = fs::read_to_string("/sys/class/thermal/thermal_zone0/temp").ok()?;
    i16::try_from(text.trim().parse::<i32>().ok()? / 1000).ok()
}
