//! The state machine (section 5): inputs and time go in, commands, events and replies come out. What the devices and the
//! connection are to do follows from the state, so that no transition can forget one of them.

mod call;
mod camera;
mod device;
mod io;
mod method;
mod music;
mod reasons;
mod session;
mod window;

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::{Code, DevicePosition, Failure, Options, Profile, Property, Store, Transition};
use call::{Pending, Task, Waiting};
pub use camera::MAX_ZOOM;
use camera::Torch;
use device::Port;
pub use io::*;
pub use method::{Method, Quality as SnapshotQuality};
use music::Music;
pub use reasons::{Reason, Reasons};
use session::Session;

/// The same code with the same parameters is told once in this time (5.4).
const REPEAT: Duration = Duration::from_secs(1);

/// One pusher with its context.
pub struct Machine {
    options: Options,
    hardware: Hardware,
    check_address: fn(&str) -> Result<(), &'static str>,
    now: Time,
    store: Store,
    attached: bool,
    /// Whether the preview is on: with no session, whether devices are open.
    preview: bool,
    /// Whether an automatic start waits for its devices.
    automatic: bool,
    reasons: Reasons,
    /// Whether another user has the microphone alone (12.7).
    microphone_taken: bool,
    /// The call that waits for its devices, and those behind it.
    pending: Option<Pending>,
    waiting: VecDeque<Waiting>,
    tasks: Vec<Task>,
    camera: Port,
    microphone: Port,
    /// The camera in use, and the one to begin with in place of the property's.
    position: DevicePosition,
    remembered: Option<DevicePosition>,
    torch: Torch,
    zoom: f64,
    /// Why the preview is in the small window.
    window: Option<Transition>,
    music: Music,
    session: Option<Session>,
    connections: ConnectionId,
    /// When an automatic session that failed for good is started again, and how often that was done (4.3).
    restart: Option<Time>,
    restarts: u32,
    media: Option<Media>,
    last_error: Option<Code>,
    told: Vec<(Time, Status)>,
    outputs: Vec<Output>,
}

impl Machine {
    /// `check_address` tells why a text is no address that can be published to.
    pub fn new(
        store: Store,
        options: Options,
        hardware: Hardware,
        check_address: fn(&str) -> Result<(), &'static str>,
    ) -> Self {
        Self {
            options,
            hardware,
            check_address,
            now: Time::ZERO,
            store,
            attached: false,
            preview: false,
            automatic: false,
            reasons: Reasons::default(),
            microphone_taken: false,
            pending: None,
            waiting: VecDeque::new(),
            tasks: Vec::new(),
            camera: Port::default(),
            microphone: Port::default(),
            position: DevicePosition::default(),
            remembered: None,
            torch: Torch::default(),
            zoom: 1.0,
            window: None,
            music: Music::default(),
            session: None,
            connections: 0,
            restart: None,
            restarts: 0,
            media: None,
            last_error: None,
            told: Vec::new(),
            outputs: Vec::new(),
        }
    }

    /// Begins with a camera that was in use before, whatever the property says.
    pub fn begin_with(&mut self, camera: DevicePosition) {
        self.remembered = Some(camera);
    }

    pub fn state(&self) -> State {
        match &self.session {
            _ if !self.attached => State::Unbound,
            Some(session) => session.state(self.reasons),
            None if self.preview => State::Previewing,
            None => State::Idle,
        }
    }

    pub fn reasons(&self) -> Reasons {
        self.reasons
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    pub fn hardware(&self) -> &Hardware {
        &self.hardware
    }

    /// The camera that is or would be opened.
    pub fn position(&self) -> DevicePosition {
        self.position
    }

    /// Whether the camera delivers pictures, and the microphone sound.
    pub fn runs(&self, device: Device) -> bool {
        match device {
            Device::Camera => self.camera.is_running(),
            Device::Microphone => self.microphone.is_running(),
        }
    }

    /// Whether the camera's picture is to be seen at the box: `stopPreview` hides it while a session goes on (6.4).
    pub fn shows_preview(&self) -> bool {
        self.attached && self.preview
    }

    /// Whether the lamp of a camera is lit (12.9).
    pub fn has_torch_lit(&self) -> bool {
        self.torch == Torch::Lit
    }

    /// What ended the last session, until the next start.
    pub fn last_error(&self) -> Option<Code> {
        self.last_error
    }

    /// Takes one input at a time that never goes back; returns what is to be done, in order.
    pub fn handle(&mut self, now: Time, input: Input) -> Vec<Output> {
        self.now = self.now.max(now);
        match input {
            Input::Attach => self.attach(),
            Input::Detach => self.detach(),
            Input::Call { id, method } => self.call(id, method),
            Input::Performed { id, result } => self.performed(id, result),
            Input::Update(values) => self.update(&values),
            Input::Condition { reason, holds } => self.condition(reason, holds),
            Input::MicrophoneTaken(taken) => self.take_microphone(taken),
            Input::Device { device, event } => self.device(device, event),
            Input::Network { connection, event } => self.network(connection, event),
            Input::RouteChanged => self.route_changed(),
            Input::Notice { code, params } => self.notice(code, params),
            Input::EncoderFailed(code) => self.encoder_failed(code),
            Input::Music(event) => self.music_event(event),
            Input::Window(event) => self.window(event),
            Input::TorchOut => self.torch_went_out(),
            Input::Timer => {}
        }
        self.timers();
        self.settle();
        std::mem::take(&mut self.outputs)
    }

    /// When [`Input::Timer`] is due.
    pub fn deadline(&self) -> Option<Time> {
        let deadlines = [
            self.tasks.iter().map(|task| task.until).min(),
            self.music.deadline(),
            self.pending.as_ref().map(Pending::deadline),
            self.waiting.iter().map(|waiting| waiting.until).min(),
            self.pending.as_ref().and_then(Pending::holds_picture_until).filter(|until| self.now < *until),
            self.session.as_ref().and_then(Session::deadline),
            self.pause_limit(),
            self.restart,
            self.camera.deadline(),
            self.microphone.deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    fn attach(&mut self) {
        if !self.attached {
            self.attached = true;
            self.store.attach();
            let wanted = self.remembered.take().unwrap_or(self.store.properties().device_position);
            self.position = self.hardware.nearest(wanted);
            self.autopush();
        }
    }

    fn detach(&mut self) {
        let pending = self.pending.take().and_then(|pending| pending.id());
        let waiting = std::mem::take(&mut self.waiting);
        let tasks = std::mem::take(&mut self.tasks);
        let ids = waiting.into_iter().map(|waiting| waiting.id).chain(tasks.into_iter().map(|task| task.id));
        for id in pending.into_iter().chain(ids) {
            self.reply(id, Err(Failure::NoPusher));
        }
        self.end_session();
        self.stop_music();
        (self.attached, self.preview, self.automatic, self.microphone_taken) = (false, false, false, false);
        (self.restart, self.window) = (None, None);
        self.reasons = Reasons::default();
    }

    fn update(&mut self, values: &Map<String, Value>) {
        let outcome = self.store.update(values);
        let changed = outcome.changed;
        let has = |name| changed.contains(&name);
        let is_active = self.session.is_some() || self.preview;
        for (name, code) in [("enable-mic", Code::MicrophoneSwitched), ("muted", Code::MutedSwitched)] {
            if is_active && has(name) {
                self.emit(code, Map::new());
            }
        }
        // Also the value that it had, after a switch (4.18).
        let is_device_position =
            |name: &String| Property::find(name).is_some_and(|it| it.name == "device-position");
        if values.keys().any(is_device_position) {
            self.turn_to(self.store.properties().device_position);
        }
        self.settle_window();
        if has("autopush") && !self.store.properties().autopush {
            (self.automatic, self.restart) = (false, None);
        }
        if has("url") || has("autopush") {
            self.autopush();
        }
        if !changed.is_empty() || !outcome.refused.is_empty() {
            self.outputs.push(Output::Updated { changed, refused: outcome.refused });
        }
    }

    /// What the pipelines found out.
    fn notice(&mut self, code: Code, params: Map<String, Value>) {
        if self.session.is_some() || (self.attached && code.is_error()) {
            self.emit(code, params);
        }
    }

    /// Devices are opened and closed, waiting calls are answered, viewers get what the state says.
    fn settle(&mut self) {
        self.settle_devices();
        while self.is_ready() {
            self.complete();
            self.settle_devices();
        }
        self.settle_torch();
        self.settle_music();
        self.settle_media();
    }

    /// A switch of cameras shows the last picture, if there was one, for a moment.
    fn holds_picture(&self) -> bool {
        let until = self.pending.as_ref().and_then(Pending::holds_picture_until);
        self.media.is_some_and(|media| media.live) && until.is_some_and(|until| self.now < until)
    }

    /// Paused it is silent, but for a legacy page that wants to be heard in the background (4.19).
    fn lets_sound_through(&self) -> bool {
        let stays = self.options.profile == Profile::Legacy && !self.store.properties().background_mute;
        self.reasons.is_empty() || stays && self.reasons.are_only(Reason::Background)
    }

    fn settle_media(&mut self) {
        if let Some(session) = &mut self.session {
            session.has_pictures |= self.camera.is_running();
        }
        let is_shown = self.session.as_ref().is_some_and(|session| !session.is_suspended());
        let media = is_shown.then(|| Media {
            live: self.reasons.is_empty() && (self.camera.is_running() || self.holds_picture()),
            audible: self.lets_sound_through()
                && self.microphone.is_running()
                && !self.store.properties().muted,
        });
        if media != self.media {
            self.media = media;
            self.outputs.push(Output::Media(media));
        }
    }

    fn reply(&mut self, id: CallId, result: Result<Reply, Failure>) {
        self.outputs.push(Output::Reply { id, result });
    }

    fn emit(&mut self, code: Code, params: Map<String, Value>) {
        if code.is_extended() && !self.options.profile.has_extended_codes() {
            return;
        }
        let (now, status) = (self.now, Status { code, params });
        self.told.retain(|(time, _)| now.saturating_sub(*time) < REPEAT);
        // Of each change there is one, and of each connection.
        let once = !matches!(
            code,
            Code::MicrophoneSwitched | Code::MutedSwitched | Code::Connected | Code::Publishing
        );
        if once && self.told.iter().any(|(_, told)| *told == status) {
            return;
        }
        self.told.push((now, status.clone()));
        self.outputs.push(Output::Status(status));
    }

    fn timers(&mut self) {
        self.call_timers();
        self.music_timer();
        self.device_timers();
        self.session_timers();
    }
}
