//! The displays, in a thread of their own: a bus may be slow, and a screen may be pulled.

mod shown;
#[cfg(test)]
mod tests;
mod viewfinder;

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use ::panel::{About, Answer, Buttons, History, Interface, Key, Language, Phase, View};
use board::{Board, SteadyPanel};
use live_pusher::{
    Code, DevicePosition, Input, PreviewFit, Reasons, Size, State, Store, Transition, WindowEvent,
};
use media::{DropOldest, Frame, Tap};
use tracing::debug;

use shown::{Shot, Shown};
use viewfinder::Source;
pub(crate) use viewfinder::{PreviewTap, Seen};

use super::Press;
use crate::news::{News, Reporter};
use crate::privacy::Privacy;

/// From one look at the box to the next; a key or a status is shown at once.
const REFRESH: Duration = Duration::from_millis(500);
/// The same while there is a preview, which must not outlast its end for long.
const GLANCE: Duration = Duration::from_millis(200);
/// Who publishes goes before who shows.
const NICENESS: i32 = 10;
/// What is said between two looks.
const SAID: usize = 64;
/// How long the end waits for the last picture.
const FAREWELL: Duration = Duration::from_millis(300);
/// From one look at address and temperature to the next.
const SLOW: Duration = Duration::from_secs(5);
/// To find the box's own address: documentation addresses (RFC 5737, RFC 3849), to which nothing is sent.
const ANYWHERE: [(&str, &str); 2] = [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")];

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
    pub(crate) shows_preview: bool,
    pub(crate) shape: Size,
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
            shows_preview: false,
            shape: Size::of(store.properties()),
            torch: false,
            dropped: 0,
        }
    }
}

enum Said {
    Key(Key, Press),
    Status(Code),
    Answer(Result<Answer, i32>),
    /// Of the display of that number, or the first that works.
    Shot(Option<usize>, SyncSender<Shot>),
    Snapshot(SyncSender<Frame>),
    CloseWindow,
    Buttons(Buttons),
    Phase(Phase),
    /// Whether the power may be cut.
    End(bool, SyncSender<()>),
}

/// The displays, from outside.
pub(crate) struct Display {
    scene: Mutex<Scene>,
    said: Arc<DropOldest<Said>>,
    preview: Option<Arc<PreviewTap>>,
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
        fit: PreviewFit,
        privacy: Privacy,
        reporter: Reporter,
    ) -> io::Result<Option<Arc<Self>>> {
        let panels = board::panels(board);
        if panels.is_empty() {
            return Ok(None);
        }
        let scene = Mutex::new(Scene::new(store));
        let said = Arc::new(DropOldest::new(SAID));
        let preview = board::has_colours(board).then(|| {
            let said = Arc::clone(&said);
            Tap::new(move || said.wake())
        });
        let source = preview.clone().map(Source::new);
        let tables = panels.iter().map(SteadyPanel::table).collect();
        let display = Arc::new(Self { scene, said, preview, tables, in_menu: AtomicBool::new(false) });
        let worker = Worker {
            display: Arc::clone(&display),
            shown: panels.into_iter().map(Shown::new).collect(),
            source,
            is_live: false,
            snapshot: None,
            window: None,
            fit,
            privacy,
            interface: Interface::new(language),
            phase: Phase::Starting,
            about: About {
                version: env!("CARGO_PKG_VERSION").into(),
                serial: serial(),
                baud: board.serial_line.as_ref().map(|line| line.baud),
                ..About::default()
            },
            temperature: None,
            looked: None,
            born: Instant::now(),
            reporter,
        };
        thread::Builder::new().name("display".into()).spawn(move || worker.run())?;
        Ok(Some(display))
    }

    /// Where it gets the camera's pictures from; none where no display has colours.
    pub(crate) fn preview(&self) -> Option<Arc<PreviewTap>> {
        self.preview.clone()
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut Scene)) {
        change(&mut self.scene());
    }

    fn scene(&self) -> MutexGuard<'_, Scene> {
        self.scene.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn press(&self, key: Key, press: Press) {
        self.said.push(Said::Key(key, press));
    }

    pub(crate) fn tell(&self, code: Code) {
        self.said.push(Said::Status(code));
    }

    /// What became of an action that a person chose on the display.
    pub(crate) fn answer(&self, result: Result<Answer, i32>) {
        self.said.push(Said::Answer(result));
    }

    /// What it was told and had no room for: keys, codes, answers.
    pub(crate) fn dropped(&self) -> u64 {
        self.said.dropped()
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

    /// Sends the next picture of the preview, as it is shown; drops the sender where none is shown.
    pub(crate) fn snapshot(&self, sender: SyncSender<Frame>) {
        self.said.push(Said::Snapshot(sender));
    }

    /// The small window is to vanish.
    pub(crate) fn close_window(&self) {
        self.said.push(Said::CloseWindow);
    }

    /// What its screens speak of.
    pub(crate) fn name_buttons(&self, buttons: Buttons) {
        self.said.push(Said::Buttons(buttons));
    }

    /// The box stops, and its power must not be cut yet.
    pub(crate) fn begin_end(&self) {
        self.said.push(Said::Phase(Phase::Stopping));
    }

    /// The last picture says that the box has stopped, where all that is set `is_kept`.
    pub(crate) fn end(&self, is_kept: bool) {
        let (sender, ended) = sync_channel(1);
        self.said.push(Said::End(is_kept, sender));
        // A display that hangs must not keep the program.
        let _ = ended.recv_timeout(FAREWELL);
    }
}

struct Worker {
    display: Arc<Display>,
    shown: Vec<Shown>,
    source: Option<Source>,
    /// Whether the camera's pictures are seen.
    is_live: bool,
    /// Who waits for a picture of the preview.
    snapshot: Option<SyncSender<Frame>>,
    /// Why the small window is there, as the engine was told.
    window: Option<Transition>,
    fit: PreviewFit,
    privacy: Privacy,
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
    fn run(mut self) -> ! {
        // Of this thread alone (nice(2)).
        if let Err(error) = rustix::process::nice(NICENESS) {
            debug!(%error, "the display does not give way to the stream");
        }
        let scene = self.display.scene().clone();
        self.draw(&scene);
        loop {
            self.look();
            let said = self.display.said.pop(if self.is_live { GLANCE } else { REFRESH });
            let scene = self.display.scene().clone();
            if scene.state != State::Unbound && self.phase == Phase::Starting {
                self.phase = Phase::Running;
            }
            match said {
                None => {}
                // What nobody sees must not lie before what buttons do.
                Some(Said::Key(..)) if !self.shown.iter().any(Shown::is_open) => {}
                Some(Said::Key(key, press)) => {
                    let view = view(&scene, &self.about, self.born, self.phase, self.temperature, self.fit);
                    let action = match press {
                        Press::Short => self.interface.press(key, false, &view),
                        Press::Held => self.interface.press(key, true, &view),
                        Press::Repeated => self.interface.repeat(key, &view),
                    };
                    // The next press may come before a slow bus has drawn this one.
                    self.display.in_menu.store(self.interface.is_in_menu(), Relaxed);
                    if let Some(action) = action {
                        self.reporter.tell(News::Screen(action));
                    }
                }
                Some(Said::Status(code)) => self.interface.tell(self.born.elapsed(), code),
                Some(Said::Answer(result)) => self.interface.answered(self.born.elapsed(), result),
                Some(Said::Shot(number, sender)) => {
                    self.draw(&scene);
                    let shown = self.shown.iter().enumerate();
                    let mut shown = shown.filter(|(at, _)| number.is_none_or(|number| number == *at));
                    if let Some(shot) = shown.find_map(|(_, shown)| shown.shot()) {
                        let _ = sender.try_send(shot);
                    }
                }
                Some(Said::Snapshot(sender)) => self.snapshot = Some(sender),
                Some(Said::CloseWindow) => self.interface.close_window(),
                Some(Said::Buttons(buttons)) => self.about.buttons = buttons,
                Some(Said::Phase(phase)) => self.phase = phase,
                Some(Said::End(is_kept, sender)) => {
                    self.phase = if is_kept { Phase::Stopped } else { Phase::Stopping };
                    self.draw(&scene);
                    self.shown.iter_mut().for_each(Shown::keep);
                    let _ = sender.try_send(());
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
        let view = view(scene, &self.about, self.born, self.phase, self.temperature, self.fit);
        let now = Instant::now();
        self.shown.iter_mut().for_each(|shown| shown.open(now));
        if !self.shown.iter().any(Shown::is_open) {
            self.interface.go_home();
        }
        let taken = self.source.as_mut().and_then(Source::take);
        let came = taken.is_some();
        // Whatever the engine does, a closed privacy switch lets nothing be seen.
        let is_seen =
            scene.reasons.is_empty() && scene.store.properties().enable_camera && !self.privacy.is_closed();
        self.is_live = false;
        for shown in &mut self.shown {
            let size = shown.preview_size(&self.interface, &view).filter(|_| is_seen);
            self.is_live |= size.is_some();
            match (size, &taken) {
                (Some(size), Some((frame, seen))) => {
                    let picture = shown.viewfinder.see(frame, seen, &view, size);
                    if let Some((waiting, picture)) =
                        self.snapshot.take_if(|_| picture.is_some()).zip(picture)
                    {
                        // Who does not wait any longer needs none.
                        let _ = waiting.try_send(picture);
                    }
                }
                (Some(_), None) => {}
                (None, _) => shown.viewfinder.close(),
            }
        }
        // The camera has its buffer back before a slow bus is waited for.
        drop(taken);
        for shown in &mut self.shown {
            shown.draw(&mut self.interface, &view, now);
        }
        if let Some(source) = &mut self.source {
            source.go_on(self.is_live, came);
        }
        if !self.is_live {
            self.snapshot = None;
        }
        let is_seen = self.shown.iter().any(Shown::has_preview);
        let window = self.interface.window(&view).filter(|_| is_seen);
        self.tell_window(window);
        self.display.in_menu.store(self.interface.is_in_menu(), Relaxed);
    }

    /// Tells when the small window appears and vanishes.
    fn tell_window(&mut self, window: Option<Transition>) {
        let tell = |event| self.reporter.try_tell(News::Input(Input::Window(event)));
        // One that hangs is told when it looks again: the display goes on, and goes dark when it must.
        if self.window != window && self.window.is_some() {
            let by_hand = self.interface.is_window_closed();
            if !tell(WindowEvent::Left { by_hand }) {
                return;
            }
            self.window = None;
        }
        if let Some(transition) = window
            && self.window.is_none()
            && tell(WindowEvent::Entered(transition))
        {
            self.window = Some(transition);
        }
    }
}

fn view<'a>(
    scene: &'a Scene,
    about: &'a About,
    born: Instant,
    phase: Phase,
    temperature: Option<i16>,
    fit: PreviewFit,
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
        shows_preview: scene.shows_preview,
        shape: scene.shape,
        fit,
        ..View::new(&scene.store, &scene.history, about)
    }
}

/// What the box is called where it was made.
fn serial() -> String {
    let files = ["/proc/device-tree/serial-number", "/sys/class/dmi/id/product_serial", "/etc/hostname"];
    let text = files.iter().find_map(|file| fs::read_to_string(file).ok());
    text.unwrap_or_default().trim_matches(['\0', '\n', ' ']).to_owned()
}

/// The one that packets to the world would carry.
fn address() -> Option<String> {
    ANYWHERE.iter().find_map(|(from, to)| {
        let socket = UdpSocket::bind(from).ok()?;
        socket.connect(to).ok()?;
        Some(socket.local_addr().ok()?.ip().to_string())
    })
}

/// Of the processor (Documentation/driver-api/thermal/sysfs-api.rst: thousandths of a degree).
fn temperature() -> Option<i16> {
    let text = fs::read_to_string("/sys/class/thermal/thermal_zone0/temp").ok()?;
    i16::try_from(text.trim().parse::<i32>().ok()? / 1000).ok()
}
