//! A session (sections 5 and 10.4): connection, retries, suspension.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{Code, ConnectionId, Machine, NetworkEvent, Output, Reason, Reasons, State, Time};

/// After so long without interruption, the retries begin anew.
const STABLE: Duration = Duration::from_secs(10);
/// Before an automatic session is started again: at first, and at the most; doubled each time.
const RESTART: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(300)];

#[derive(Debug)]
pub(super) struct Session {
    pub(super) url: String,
    connection: ConnectionId,
    phase: Phase,
    retries: u32,
    /// Whether the network has changed since the attempt began that is under way.
    has_new_route: bool,
    /// Whether there is a video track: once it had pictures, it has them to its end (4.6).
    pub(super) has_pictures: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The first attempt.
    Connecting,
    /// A later one.
    Retrying,
    /// Before the next.
    Waiting {
        until: Time,
    },
    Live {
        since: Time,
    },
    Suspended,
}

impl Session {
    pub(super) fn state(&self, reasons: Reasons) -> State {
        match self.phase {
            Phase::Connecting => State::Connecting,
            Phase::Retrying | Phase::Waiting { .. } => State::Reconnecting,
            Phase::Live { .. } if reasons.is_empty() => State::Pushing,
            Phase::Live { .. } => State::Paused,
            Phase::Suspended => State::Suspended,
        }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        match self.phase {
            Phase::Waiting { until } => Some(until),
            _ => None,
        }
    }

    pub(super) fn is_suspended(&self) -> bool {
        self.phase == Phase::Suspended
    }

    fn is_connected(&self) -> bool {
        !matches!(self.phase, Phase::Waiting { .. } | Phase::Suspended)
    }
}

impl Machine {
    pub(super) fn begin_session(&mut self, url: String) {
        let has_pictures = self.store.properties().enable_camera;
        self.session = Some(Session {
            url,
            connection: 0,
            phase: Phase::Connecting,
            retries: 0,
            has_new_route: false,
            has_pictures,
        });
        self.connect(Phase::Connecting);
    }

    /// The same session's next connection.
    fn connect(&mut self, phase: Phase) {
        if let Some(session) = &mut self.session {
            self.connections += 1;
            (session.connection, session.phase, session.has_new_route) = (self.connections, phase, false);
            let (connection, url) = (session.connection, session.url.clone());
            self.outputs.push(Output::Connect { connection, url });
        }
    }

    fn disconnect(&mut self) {
        if let Some(session) = self.session.as_ref().filter(|session| session.is_connected()) {
            self.outputs.push(Output::Disconnect { connection: session.connection });
        }
    }

    /// `start` while there is a session: it goes on, but for another address or after a suspension.
    pub(super) fn restart_session(&mut self, url: String) {
        let goes_on = |session: &Session| session.url == url && !session.is_suspended();
        if !self.session.as_ref().is_some_and(goes_on) {
            self.disconnect();
            // What counts for the next session only counts now.
            if self.media.take().is_some() {
                self.outputs.push(Output::Media(None));
            }
            self.begin_session(url);
        }
    }

    /// In order, without a further retry.
    pub(super) fn end_session(&mut self) {
        self.disconnect();
        self.session = None;
        self.reasons.set(Reason::Api, false, self.now);
    }

    pub(super) fn encoder_failed(&mut self, code: Code) {
        if self.session.is_some() {
            self.fail(code, Map::new());
        }
    }

    fn fail(&mut self, code: Code, params: Map<String, Value>) {
        self.emit(code, params);
        self.last_error = Some(code);
        self.end_session();
    }

    pub(super) fn network(&mut self, connection: ConnectionId, event: NetworkEvent) {
        let now = self.now;
        let Some(session) = &mut self.session else {
            return;
        };
        if session.connection != connection || !session.is_connected() {
            return;
        }
        match event {
            NetworkEvent::Connected(params) => self.emit(Code::Connected, params),
            NetworkEvent::Published(params) => {
                (session.phase, session.has_new_route) = (Phase::Live { since: now }, false);
                self.reasons.begin_anew(now);
                self.emit(Code::Publishing, params);
            }
            NetworkEvent::Failed { code, params } => self.lost(code, params),
        }
    }

    fn lost(&mut self, code: Code, params: Map<String, Value>) {
        self.emit(code, params);
        let (now, interval, count) = (self.now, self.options.retry_interval, self.options.retry_count);
        let Some(session) = &mut self.session else {
            return;
        };
        if matches!(session.phase, Phase::Live { since } if now.saturating_sub(since) >= STABLE) {
            (session.retries, self.restarts) = (0, 0);
        }
        session.phase = Phase::Waiting { until: now + interval };
        if session.has_new_route {
            return self.try_anew();
        }
        if session.retries == count {
            self.give_up(code);
        }
    }

    /// All retries have failed.
    fn give_up(&mut self, cause: Code) {
        let attempts = json!(self.options.retry_count + 1);
        let params = [("attempts".to_owned(), attempts), ("reason".to_owned(), json!(cause.number()))];
        self.fail(Code::Disconnected, Map::from_iter(params));
        if self.options.unattended_restart && self.store.properties().autopush {
            let [first, longest] = RESTART;
            self.restart = Some(self.now + (first * (1 << self.restarts.min(5))).min(longest));
            self.restarts += 1;
        }
    }

    fn retry(&mut self) {
        if let Some(session) = &mut self.session {
            session.retries += 1;
            let params = [
                ("retry".to_owned(), json!(session.retries)),
                ("max".to_owned(), json!(self.options.retry_count)),
            ];
            self.emit(Code::Reconnecting, Map::from_iter(params));
            self.connect(Phase::Retrying);
        }
    }

    /// A change of the network is a reason not to wait, now or once the attempt that is under way has failed.
    pub(super) fn route_changed(&mut self) {
        if self.restart.is_some() {
            (self.restart, self.restarts) = (Some(self.now), 0);
        }
        let Some(session) = &mut self.session else {
            return;
        };
        match session.phase {
            Phase::Connecting | Phase::Retrying => session.has_new_route = true,
            Phase::Waiting { .. } => self.try_anew(),
            Phase::Live { .. } | Phase::Suspended => {}
        }
    }

    /// What failed in another network says nothing of this one: all retries are left.
    fn try_anew(&mut self) {
        if let Some(session) = &mut self.session {
            session.retries = 0;
            self.retry();
        }
    }

    pub(super) fn session_timers(&mut self) {
        let now = self.now;
        let is_due = |deadline: Option<Time>| deadline.is_some_and(|deadline| deadline <= now);
        if is_due(self.session.as_ref().and_then(Session::deadline)) {
            self.retry();
        }
        if is_due(self.restart) {
            self.restart = None;
            self.autopush();
        }
        if is_due(self.pause_limit()) {
            self.suspend();
        }
    }

    /// When the pause has lasted too long (10.5). The first attempt is waited for.
    pub(super) fn pause_limit(&self) -> Option<Time> {
        let session = self.session.as_ref()?;
        if matches!(session.phase, Phase::Connecting | Phase::Suspended) {
            return None;
        }
        let limits = [self.options.background_limit, self.options.api_pause_limit];
        let ends = self.reasons.since().into_iter().zip(limits).filter(|(_, limit)| !limit.is_zero());
        ends.filter_map(|(since, limit)| since.map(|since| since + limit)).min()
    }

    fn suspend(&mut self) {
        self.disconnect();
        if let Some(session) = &mut self.session {
            session.phase = Phase::Suspended;
            self.emit(Code::Suspended, Map::new());
        }
    }

    /// No reason is left to be paused.
    pub(super) fn resume_session(&mut self) {
        if let Some(session) = self.session.as_mut().filter(|session| session.is_suspended()) {
            session.retries = 0;
            self.connect(Phase::Connecting);
        }
    }
}
