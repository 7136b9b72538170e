//! Methods of the context (section 6.4): one after another, in their order.

use std::time::Duration;

use serde_json::{Map, json};

use super::{
    Action, CallId, Code, Failure, Machine, Method, Output, Reason, Reply, SnapshotQuality, State, Time,
    Voice,
};
use crate::DevicePosition;

/// How long a start or a preview may wait for its devices, and a switch of cameras (6.1).
const OPENING: Duration = Duration::from_secs(5);
const SWITCHING: Duration = Duration::from_secs(3);
/// How long the last picture of one camera stands for the other's.
const HOLD: Duration = Duration::from_secs(1);
/// How long the world may take for a call.
const TASK: Duration = Duration::from_secs(2);

/// How long the others may wait for those before them (6.1).
const OTHERS: Duration = Duration::from_secs(1);
/// Calls that may wait.
const WAITING: usize = 32;

/// A call that waits for those before it.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) id: CallId,
    method: Method,
    pub(super) until: Time,
}

fn limit(method: &Method) -> Duration {
    match method {
        Method::Start | Method::StartPreview => OPENING,
        Method::SwitchCamera => SWITCHING,
        Method::Snapshot(_) | Method::SnapshotView(_) => TASK,
        _ => OTHERS,
    }
}

/// A call that the world works on.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) id: CallId,
    pub(super) until: Time,
    is_snapshot: bool,
}

/// A call that waits for its devices.
#[derive(Debug)]
pub(super) enum Pending {
    Start {
        id: CallId,
        since: Time,
        url: String,
    },
    Preview {
        id: CallId,
        since: Time,
    },
    /// `id`: none of a change of the property.
    Switch {
        id: Option<CallId>,
        since: Time,
        back_to: DevicePosition,
    },
}

impl Pending {
    pub(super) fn id(&self) -> Option<CallId> {
        match self {
            Self::Start { id, .. } | Self::Preview { id, .. } => Some(*id),
            Self::Switch { id, .. } => *id,
        }
    }

    pub(super) fn is_switch(&self) -> bool {
        matches!(self, Self::Switch { .. })
    }

    /// Until when a switch of cameras shows the last picture (6.4).
    pub(super) fn holds_picture_until(&self) -> Option<Time> {
        match self {
            Self::Switch { since, .. } => Some(*since + HOLD),
            Self::Start { .. } | Self::Preview { .. } => None,
        }
    }

    pub(super) fn deadline(&self) -> Time {
        match self {
            Self::Start { since, .. } | Self::Preview { since, .. } => *since + OPENING,
            Self::Switch { since, .. } => *since + SWITCHING,
        }
    }
}

impl Machine {
    pub(super) fn call(&mut self, id: CallId, method: Method) {
        if !self.attached {
            self.reply(id, Err(Failure::NoPusher));
        } else if method == Method::Stop {
            self.stop(id);
        } else if self.pending.is_none() {
            self.execute(id, method);
        } else if self.waiting.len() < WAITING {
            let until = self.now + limit(&method);
            self.waiting.push_back(Waiting { id, method, until });
        } else {
            self.reply(id, Err(Failure::Busy));
        }
    }

    fn execute(&mut self, id: CallId, method: Method) {
        let result = match method {
            Method::Start => return self.start(id),
            Method::Stop => return self.stop(id),
            Method::StartPreview => return self.start_preview(id),
            Method::SwitchCamera => return self.switch_camera(id),
            Method::Snapshot(quality) => return self.snapshot(id, quality),
            Method::SnapshotView(quality) => return self.snapshot_view(id, quality),
            Method::SendMessage(text) => return self.send_message(id, text),
            Method::ToggleTorch => return self.toggle_torch(id),
            Method::PlayMusic { url, start, end } => return self.play_music(id, url, start, end),
            Method::StopPreview => {
                self.preview = false;
                Ok(Reply::new())
            }
            Method::Pause => self.pause(),
            Method::Resume => self.resume(),
            Method::ExitPictureInPicture => self.exit_window(),
            Method::Unsupported => Err(Failure::NotSupported),
            Method::StopMusic => Ok(self.stop_music()),
            Method::PauseMusic => self.hold_music(true),
            Method::ResumeMusic => self.hold_music(false),
            Method::SetMusicVolume(volume) => Ok(self.set_volume(Voice::Music, volume)),
            Method::SetMicrophoneVolume(volume) => Ok(self.set_volume(Voice::Microphone, volume)),
            Method::GetMaxZoom => self.max_zoom(),
            Method::SetZoom(zoom) => self.set_zoom(zoom),
        };
        self.reply(id, result);
    }

    fn start(&mut self, id: CallId) {
        let url = self.store.properties().url.clone();
        if let Err(reason) = (self.check_address)(&url) {
            return self.reply(id, Err(Failure::InvalidUrl(reason)));
        }
        (self.last_error, self.restart, self.restarts) = (None, None, 0);
        if self.session.is_some() {
            self.restart_session(url);
            self.reply(id, Ok(Reply::new()));
        } else {
            self.pending = Some(Pending::Start { id, since: self.now, url });
            self.retry_devices();
        }
    }

    /// The rule of section 4.3, at each of its occasions: as a start that nobody asks about.
    pub(super) fn autopush(&mut self) {
        let properties = self.store.properties();
        if !self.attached || !properties.autopush {
            return;
        }
        let url = properties.url.clone();
        if let Some(session) = &self.session {
            // An address that is taken away lets the session go on (4.1).
            if session.url != url && !url.is_empty() {
                self.start_automatically(url);
            }
        } else {
            self.start_automatically(url);
        }
    }

    fn start_automatically(&mut self, url: String) {
        if let Err(reason) = (self.check_address)(&url) {
            self.automatic = false;
            self.emit(Code::AddressInvalid, Map::from_iter([("reason".to_owned(), reason.into())]));
            return;
        }
        self.last_error = None;
        if self.session.is_some() {
            self.restart_session(url);
        } else {
            self.automatic = true;
        }
    }

    fn start_preview(&mut self, id: CallId) {
        if self.session.is_some() || self.preview {
            self.preview = true;
            self.reply(id, Ok(Reply::new()));
        } else {
            self.pending = Some(Pending::Preview { id, since: self.now });
            self.retry_devices();
        }
    }

    /// Always wins: over attempts, timers and devices that are waited for (5.2, rule 3).
    fn stop(&mut self, id: CallId) {
        self.close_window(false);
        self.end();
        self.reply(id, Ok(Reply::new()));
    }

    /// What a stop does.
    pub(super) fn end(&mut self) {
        (self.preview, self.automatic, self.restart) = (false, false, None);
        self.end_session();
        self.stop_music();
        self.set_ratio(1.0);
        for Waiting { id, .. } in std::mem::take(&mut self.waiting) {
            self.reply(id, Err(Failure::InvalidState("stopped")));
        }
        self.abandon(Failure::InvalidState("stopped"));
    }

    fn pause(&mut self) -> Result<Reply, Failure> {
        self.session.as_ref().ok_or(Failure::InvalidState("not pushing"))?;
        self.condition(Reason::Api, true);
        Ok(Reply::new())
    }

    fn resume(&mut self) -> Result<Reply, Failure> {
        self.session.as_ref().ok_or(Failure::InvalidState("not pushing"))?;
        self.condition(Reason::Api, false);
        let mut reply = Reply::new();
        if !self.reasons.is_empty() {
            reply.insert("paused".into(), true.into());
            reply.insert("reasons".into(), self.reasons.names().into());
        }
        Ok(reply)
    }

    fn set_volume(&mut self, voice: Voice, volume: f64) -> Reply {
        self.outputs.push(Output::Volume(voice, volume));
        Reply::new()
    }

    fn snapshot(&mut self, id: CallId, quality: SnapshotQuality) {
        let shows_camera = self.camera.is_running();
        let result = match self.state() {
            State::Pushing | State::Paused if self.has_pictures() => Ok(()),
            State::Previewing | State::Connecting | State::Reconnecting if shows_camera => Ok(()),
            _ => Err(Failure::InvalidState("no picture")),
        };
        self.take_snapshot(id, result, Action::Snapshot(quality));
    }

    /// Whether the view is hidden, the display knows.
    fn snapshot_view(&mut self, id: CallId, quality: SnapshotQuality) {
        let result = if !self.hardware.preview {
            Err(Failure::NotSupported)
        } else if !self.camera.is_running() || !self.reasons.is_empty() {
            Err(Failure::InvalidState("no picture"))
        } else if !self.preview {
            Err(Failure::NotSupported)
        } else {
            Ok(())
        };
        self.take_snapshot(id, result, Action::SnapshotView(quality));
    }

    fn take_snapshot(&mut self, id: CallId, result: Result<(), Failure>, action: Action) {
        match result {
            Err(failure) => self.reply(id, Err(failure)),
            Ok(()) if self.tasks.iter().any(|task| task.is_snapshot) => self.reply(id, Err(Failure::Busy)),
            Ok(()) => self.perform(id, action),
        }
    }

    /// Whether there is a session that has pictures: its camera was on at some time.
    pub fn has_pictures(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.has_pictures)
    }

    pub(super) fn perform(&mut self, id: CallId, action: Action) {
        let is_snapshot = matches!(action, Action::Snapshot(_) | Action::SnapshotView(_));
        let limit = if matches!(action, Action::Torch(_)) { OTHERS } else { TASK };
        self.tasks.push(Task { id, until: self.now + limit, is_snapshot });
        self.outputs.push(Output::Perform { id, action });
    }

    fn send_message(&mut self, id: CallId, text: String) {
        if matches!(self.state(), State::Pushing | State::Paused) && self.has_pictures() {
            self.perform(id, Action::Message(text));
        } else {
            self.reply(id, Err(Failure::InvalidState("not pushing")));
        }
    }

    /// An answer from the world. One that comes too late was answered already.
    pub(super) fn performed(&mut self, id: CallId, result: Result<Reply, Failure>) {
        if let Some(index) = self.tasks.iter().position(|task| task.id == id) {
            self.tasks.remove(index);
            self.torch_performed(id, result.is_ok());
            self.reply(id, result);
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        (self.pending.is_some() || self.automatic) && self.devices_are_ready()
    }

    /// The devices of the waiting call, or of the automatic start, are there.
    pub(super) fn complete(&mut self) {
        let pending = self.pending.take();
        let id = pending.as_ref().and_then(Pending::id);
        let mut reply = Reply::new();
        match pending {
            Some(Pending::Start { url, .. }) => {
                self.begin(url);
                // Another address may have come meanwhile.
                self.autopush();
            }
            Some(Pending::Preview { .. }) => self.preview = true,
            Some(Pending::Switch { .. }) => {
                reply.insert("devicePosition".into(), json!(self.position.name()));
            }
            None => {
                let url = self.store.properties().url.clone();
                self.begin(url);
            }
        }
        if let Some(id) = id {
            self.reply(id, Ok(reply));
        }
        self.next_call();
    }

    fn begin(&mut self, url: String) {
        (self.preview, self.automatic) = (true, false);
        if self.session.is_none() {
            self.begin_session(url);
        }
    }

    /// The waiting call has failed.
    pub(super) fn abandon(&mut self, failure: Failure) {
        let Some(pending) = self.pending.take() else {
            return;
        };
        if let Pending::Switch { back_to, .. } = pending {
            self.use_camera(back_to);
        }
        if let Some(id) = pending.id() {
            self.reply(id, Err(failure));
        }
        self.next_call();
    }

    pub(super) fn next_call(&mut self) {
        while self.pending.is_none() {
            let Some(Waiting { id, method, .. }) = self.waiting.pop_front() else {
                return;
            };
            self.execute(id, method);
        }
    }

    pub(super) fn call_timers(&mut self) {
        let now = self.now;
        if self.pending.as_ref().is_some_and(|pending| pending.deadline() <= now) {
            if !self.pending.as_ref().is_some_and(Pending::is_switch) {
                self.give_up_devices();
            }
            if !self.devices_are_ready() {
                self.abandon(Failure::Timeout);
            }
        }
        while let Some(index) = self.waiting.iter().position(|waiting| waiting.until <= now) {
            if let Some(Waiting { id, .. }) = self.waiting.remove(index) {
                self.reply(id, Err(Failure::Timeout));
            }
        }
        while let Some(id) = self.tasks.iter().find(|task| task.until <= now).map(|task| task.id) {
            self.performed(id, Err(Failure::Timeout));
        }
    }
}
