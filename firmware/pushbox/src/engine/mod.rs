//! The engine: carries out what the machine decides, and gives it the world's news.

mod devices;
mod end;
mod pipelines;
mod requests;
mod tells;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime};

use ::uplink::AddressError;
use anyhow::{Context, Result, anyhow};
use board::{Board, CameraConfig, Position};
use live_pusher::{
    CallId, Code, Device, DeviceEvent, DevicePosition, Failure, Hardware, Input, Machine, Media, Mode,
    Options, Output, Profile, Reason, Refusal, Reply, Voice,
};
use serde_json::{Map, Value};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant as Moment, MissedTickBehavior, interval, sleep_until};

use crate::audio::AudioStage;
use crate::clock;
use crate::config::Config;
use crate::device::Run;
use crate::events::Listeners;
use crate::hand::{self, Display, Lamps, Torch};
use crate::meter::Meter;
use crate::news::{News, Reporter, channel};
use crate::privacy::Privacy;
use crate::rate::RateControl;
use crate::settings::{Memory, Settings};
use crate::sink::{Description, Queue};
use crate::uplink::Connection;
use crate::video::VideoStage;
use crate::waiting_image::Loader;
pub(crate) use requests::Handle;
use requests::{JOBS, Job};

/// From one volume event to the next (5.4).
const VOLUMES: Duration = Duration::from_millis(300);

pub(crate) struct Engine {
    machine: Machine,
    born: Instant,
    board: Board,
    settings: Option<Settings>,
    memory: Memory,
    profile: Profile,
    pub(crate) queue: Arc<Queue>,
    description: Arc<Description>,
    pub(crate) video: Arc<VideoStage>,
    pub(crate) audio: Arc<AudioStage>,
    rate: Arc<RateControl>,
    camera: Option<Run>,
    microphone: Option<Run>,
    torch: Option<Torch>,
    privacy: Privacy,
    lamps: Arc<Lamps>,
    display: Option<Arc<Display>>,
    /// Pictures a second that the camera delivers.
    sensor_fps: u32,
    connection: Option<Connection>,
    connecting: Arc<::uplink::Options>,
    /// How often each status was told.
    told: BTreeMap<i32, u64>,
    /// Times that encoding began.
    sessions: u32,
    /// Pictures, before the session.
    dropped_before: u64,
    media: Option<Media>,
    /// When network status is due: from the first 1002 of a session to its end or suspension.
    measures: Option<Moment>,
    meter: Meter,
    loader: Arc<Mutex<Loader>>,
    /// Waiting images that were set, the load of the last one, and whether that is there.
    images: u32,
    loading: Option<JoinHandle<()>>,
    has_image: bool,
    /// The one whose failure was told last.
    failed_image: Option<u32>,
    calls: HashMap<CallId, oneshot::Sender<Result<Reply, Failure>>>,
    last_call: CallId,
    /// Of the update that is carried out.
    refused: Vec<Refusal>,
    listeners: Listeners,
    reporter: Reporter,
    news: Option<mpsc::Receiver<News>>,
    jobs: Option<mpsc::Receiver<Job>>,
    /// Inputs that wait, and whether one is carried out.
    inputs: VecDeque<Input>,
    is_busy: bool,
    /// Whether the program ends with its session, and whether that was.
    once: bool,
    is_over: bool,
}

impl Engine {
    /// `once`: the program ends when its session does.
    pub(crate) fn new(config: Config) -> Result<(Self, Handle)> {
        let Config { board, store, options, bindings, settings, once } = config;
        let memory = settings.as_ref().map_or_else(Memory::default, |settings| settings.memory);
        let (reporter, news) = channel();
        let (sender, jobs) = mpsc::channel(JOBS);
        let properties = store.properties().clone();
        let queue = Arc::new(Queue::new(send_limit(properties.mode)));
        let description = Arc::new(Description::new(Arc::clone(&queue)));
        let passes = board.cameras.iter().any(CameraConfig::encodes);
        let privacy = Privacy::default();
        let (language, fit) = (memory.language, options.preview_fit);
        let display = Display::start(&board, &store, language, fit, privacy.clone(), reporter.clone())?;
        let video = VideoStage::new(
            &properties,
            board.encoders(),
            passes,
            display.as_ref().and_then(|display| display.preview()),
            Arc::clone(&description),
            reporter.clone(),
            privacy.clone(),
        );
        let audio = AudioStage::new(Arc::clone(&description), reporter.clone(), privacy.clone());
        let rate =
            RateControl::new(&properties, options.adapt_resolution, Arc::clone(&video), reporter.clone());
        let rate = Arc::new(rate);
        let meter = Meter::new(Arc::clone(&queue), Arc::clone(&video), Arc::clone(&audio), Arc::clone(&rate));
        hand::start(&board, &bindings, display.clone(), privacy.clone(), reporter.clone())?;
        let lamps = Lamps::start(&board.lamps)?;
        let torch = board
            .torch
            .as_ref()
            .and_then(|config| Torch::start(&config.source, privacy.clone(), reporter.clone()));
        let hardware = Hardware {
            cameras: board.cameras.iter().map(|camera| position(camera.position)).collect(),
            torch: torch.as_ref().and(board.torch_camera()).map(position),
            preview: board::has_colours(&board) && !passes,
            ..Hardware::default()
        };
        let check_address = |url: &str| ::uplink::Address::parse(url).map(drop).map_err(AddressError::text);
        audio.set_volume(memory.microphone_volume);
        let profile = options.profile;
        let connecting = Arc::new(connecting(&options, memory.clock));
        let mut machine = Machine::new(store, options, hardware, check_address);
        if let Some(camera) = settings.as_ref().and_then(Settings::last_camera) {
            machine.begin_with(camera);
        }
        let engine = Self {
            machine,
            born: Instant::now(),
            board,
            settings,
            memory,
            profile,
            queue,
            description,
            video,
            audio,
            rate,
            camera: None,
            microphone: None,
            torch,
            privacy,
            lamps,
            display,
            sensor_fps: u32::MAX,
            connection: None,
            connecting,
            told: BTreeMap::new(),
            sessions: 0,
            dropped_before: 0,
            media: None,
            measures: None,
            meter,
            loader: Arc::default(),
            images: 0,
            loading: None,
            has_image: false,
            failed_image: None,
            calls: HashMap::new(),
            last_call: 0,
            refused: Vec::new(),
            listeners: Listeners::default(),
            reporter,
            news: Some(news),
            jobs: Some(jobs),
            inputs: VecDeque::new(),
            is_busy: false,
            once,
            is_over: false,
        };
        Ok((engine, Handle(sender)))
    }

    /// Runs until `shutdown` is ready or something fails for good.
    pub(crate) async fn run(&mut self, shutdown: impl Future<Output = ()>) -> Result<()> {
        let (mut news, mut jobs) = self.news.take().zip(self.jobs.take()).context("it ran already")?;
        tokio::pin!(shutdown);
        let result = async {
            let mut privacy = self.privacy.subscribe();
            let holds = *privacy.borrow_and_update();
            self.handle(Input::Condition { reason: Reason::Privacy, holds })?;
            self.handle(Input::Attach)?;
            self.load_waiting_image();
            let mut minutes = interval(Duration::from_secs(60));
            minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut volumes = interval(VOLUMES);
            volumes.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while !self.is_over {
                let deadline = self.machine.deadline().map(|time| Moment::from_std(self.born + time));
                tokio::select! {
                    () = &mut shutdown => return Ok(()),
                    Ok(()) = privacy.changed() => {
                        let closed = *privacy.borrow_and_update();
                        self.heed_privacy(closed)?;
                    }
                    Some(news) = news.recv() => self.hear(news)?,
                    Some(job) = jobs.recv() => job(self),
                    () = until(deadline) => self.handle(Input::Timer)?,
                    () = until(self.measures) => self.measure(),
                    _ = minutes.tick() => self.note_time(),
                    _ = volumes.tick(), if self.display.is_some() || self.listeners.want("audiovolumenotify") => {
                        self.tell_volume();
                    }
                }
            }
            self.machine.last_error().map_or(Ok(()), |code| Err(anyhow!("{} ({code})", code.text())))
        }
        .await;
        // Threads that still have something to say must not wait for an ear.
        drop(news);
        self.end().await;
        result
    }

    fn hear(&mut self, news: News) -> Result<()> {
        match news {
            News::Device { device, run, event } => {
                if self.run_of(device).is_none_or(|present| present.number() != run) {
                    return Ok(());
                }
                if let (Device::Camera, DeviceEvent::Opened(params)) = (device, &event) {
                    let fps = params.get("fps").and_then(Value::as_f64).unwrap_or(f64::MAX);
                    self.sensor_fps = fps.round().max(1.0) as u32;
                    self.apply();
                }
                self.handle(Input::Device { device, event })
            }
            News::Input(input) => self.handle(input),
            News::Narrow if self.meter.is_narrow() => {
                self.handle(Input::Notice { code: Code::UplinkTooNarrow, params: Map::new() })
            }
            News::Narrow => Ok(()),
            News::Screen(action) => {
                self.act_on_screen(action);
                Ok(())
            }
            News::Button { action, press } => {
                self.act_on(action, press);
                Ok(())
            }
            News::WaitingImage { number, result } => self.hear_waiting_image(number, result),
            News::Failed(error) => Err(error),
        }
    }

    fn heed_privacy(&mut self, closed: bool) -> Result<()> {
        let reason = Reason::Privacy;
        if !closed && !self.machine.reasons().contains(reason) {
            // It was closed for a moment only, in which the devices closed by themselves.
            self.handle(Input::Condition { reason, holds: true })?;
        }
        self.handle(Input::Condition { reason, holds: closed })
    }

    /// What comes of an input while another is carried out waits for its turn.
    fn handle(&mut self, input: Input) -> Result<()> {
        self.inputs.push_back(input);
        if std::mem::replace(&mut self.is_busy, true) {
            return Ok(());
        }
        let mut result = Ok(());
        while let Some(input) = self.inputs.pop_front().filter(|_| result.is_ok()) {
            let had_session = self.machine.state().has_session();
            let outputs = self.machine.handle(self.born.elapsed(), input);
            result = outputs.into_iter().try_for_each(|output| self.act(output));
            self.lamps.show(self.machine.state());
            self.show();
            self.is_over |= self.once && had_session && !self.machine.state().has_session();
        }
        self.is_busy = false;
        if self.machine.position() != self.memory.camera {
            self.memory.camera = self.machine.position();
            self.keep();
        }
        result
    }

    /// What must survive goes to the flash.
    fn keep(&self) {
        if let Some(settings) = &self.settings {
            settings.keep(self.machine.store(), &self.memory);
        }
    }

    /// The time of day, where it is known to be right, for a start without it.
    fn note_time(&mut self) {
        let kept = self.memory.clock;
        if let Some(clock) = clock::worth_keeping(kept, SystemTime::now(), clock::is_synchronised()) {
            self.memory.clock = clock;
            self.keep();
        }
    }

    fn act(&mut self, output: Output) -> Result<()> {
        match output {
            Output::Status(status) => self.tell_status(&status),
            Output::Reply { id, result } => {
                // Who does not wait any longer needs none.
                let _ = self.calls.remove(&id).map(|answer| answer.send(result));
            }
            Output::Perform { id, action } => self.perform(id, action),
            Output::Open(device) => return self.open(device),
            Output::Close(device) => self.run_of(device).into_iter().for_each(Run::close),
            Output::Connect { connection, url } => {
                let (queue, rate) = (Arc::clone(&self.queue), Arc::clone(&self.rate));
                let (options, before) = (Arc::clone(&self.connecting), self.connection.take());
                let reporter = self.reporter.clone();
                self.connection =
                    Some(Connection::start(connection, url, options, queue, rate, reporter, before));
            }
            Output::Disconnect { .. } => {
                if let Some(connection) = &mut self.connection {
                    connection.close();
                }
            }
            Output::Media(media) => self.set_media(media),
            Output::Zoom(zoom) => self.video.control.zoom.store((zoom * 10.0).round() as u32, Relaxed),
            Output::Volume(voice, volume) => {
                match voice {
                    Voice::Microphone => {
                        self.audio.set_volume(volume);
                        self.memory.microphone_volume = volume;
                    }
                    // None is played yet; it is kept for the first.
                    Voice::Music => self.memory.music_volume = volume,
                }
                self.keep();
            }
            Output::Updated { changed, refused } => self.updated(&changed, refused),
            Output::TorchOut => self.torch.iter().for_each(Torch::put_out),
            Output::Window(is_open) => self.tell_window(is_open),
            Output::CloseWindow => {
                if let Some(display) = &self.display {
                    display.close_window();
                }
            }
            // The machine was told that there is no such thing.
            Output::Music(_) => {}
        }
        Ok(())
    }
}

async fn until(moment: Option<Moment>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// How connections are made; `clock`: the last time that was known to be right.
fn connecting(options: &Options, clock: u64) -> ::uplink::Options {
    ::uplink::Options {
        resolve: options.resolve_limit,
        connect: options.connect_limit,
        handshake: options.handshake_limit,
        write_stall: options.write_stall,
        ca_file: options.ca_file.clone(),
        clock_floor: clock::floor(clock),
    }
}

/// How much media may wait for the network (spec 10.9).
fn send_limit(mode: Mode) -> Duration {
    Duration::from_secs(if mode == Mode::Rtc { 1 } else { 3 })
}

pub(crate) fn position(position: Position) -> DevicePosition {
    match position {
        Position::Front => DevicePosition::Front,
        Position::Back => DevicePosition::Back,
    }
}
