//! Events on their way to those who listen (spec 5.4).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use live_pusher::{Profile, Status};
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

use crate::clock;

/// Events that may wait for a listener. When there are more, those of the network's state go first.
const WAITING: usize = 256;
/// A listener that leaves so many waiting hears no more.
const LOST: usize = 1024;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    /// Lower case, as in the specification.
    pub(crate) kind: &'static str,
    /// Milliseconds since 1970, UTC.
    pub(crate) time: u64,
    pub(crate) detail: Value,
}

impl Event {
    pub(crate) fn new(kind: &'static str, detail: Value) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { kind, time: since.as_millis() as u64, detail }
    }

    /// The events of a status: of some codes there are two (2.3).
    pub(crate) fn of_status(status: &Status, profile: Profile) -> Vec<Self> {
        Self::of_status_by(status, profile, clock::is_synchronised())
    }

    /// Its time is UTC where the clock is set by NTP, else that of the clock since the box's start (12.12).
    fn of_status_by(status: &Status, profile: Profile, is_synchronised: bool) -> Vec<Self> {
        let Status { code, params } = status;
        let event = Self::new("statechange", Value::Null);
        let mut detail = json!({"code": code.number(), "message": code.text()});
        if profile.has_extension_keys() {
            (detail["time"], detail["params"]) = (json!(event.time), json!(params));
            if !is_synchronised {
                detail["time"] = json!(media::now().micros() / 1000);
                detail["params"]["unsynced"] = json!(true);
            }
        }
        let mut events = vec![Self { detail, ..event }];
        if code.is_error() {
            let reason = params.get("reason").and_then(Value::as_str).unwrap_or("unknown");
            let message = format!("{}: {reason}", code.text());
            events
                .push(Self::new("error", json!({"errMsg": message, "errCode": profile.error_number(*code)})));
        }
        events
    }

    /// Whether it may be left out where there are too many.
    fn is_dispensable(&self) -> bool {
        !matches!(self.kind, "statechange" | "error")
    }

    /// The parameters of a JSON-RPC notification.
    pub(crate) fn to_json(&self) -> Map<String, Value> {
        let fields =
            [("type", json!(self.kind)), ("timeStamp", json!(self.time)), ("detail", self.detail.clone())];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// All who listen.
#[derive(Default)]
pub(crate) struct Listeners(Vec<Weak<Listener>>);

/// The events that wait for one of them.
#[derive(Default)]
pub(crate) struct Listener {
    /// Of the events that are wanted; all where it is empty.
    kinds: Vec<String>,
    waiting: Mutex<VecDeque<Event>>,
    more: Notify,
}

impl Listeners {
    pub(crate) fn add(&mut self, kinds: Vec<String>) -> Arc<Listener> {
        let listener = Arc::new(Listener { kinds, ..Listener::default() });
        self.0.push(Arc::downgrade(&listener));
        listener
    }

    /// Whether one wants events of that kind.
    pub(crate) fn want(&self, kind: &str) -> bool {
        self.0.iter().filter_map(Weak::upgrade).any(|listener| listener.wants(kind))
    }

    /// Never waits.
    pub(crate) fn tell(&mut self, event: &Event) {
        self.0.retain(|listener| listener.upgrade().is_some_and(|listener| listener.take(event)));
    }
}

impl Listener {
    fn wants(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|wanted| wanted == kind)
    }

    /// False where it is lost.
    fn take(&self, event: &Event) -> bool {
        if !self.wants(event.kind) {
            return true;
        }
        let mut waiting = self.waiting();
        if waiting.len() >= WAITING
            && let Some(oldest) = waiting.iter().position(Event::is_dispensable)
        {
            waiting.remove(oldest);
        }
        waiting.push_back(event.clone());
        let is_lost = waiting.len() > LOST;
        drop(waiting);
        self.more.notify_one();
        !is_lost
    }

    /// The next event; none when too many were left waiting.
    pub(crate) async fn next(&self) -> Option<Event> {
        loop {
            if self.waiting().len() > LOST {
                return None;
            }
            if let Some(event) = self.waiting().pop_front() {
                return Some(event);
            }
            self.more.notified().await;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Event>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use live_pusher::Code;

    use super::*;

    fn status(code: Code, reason: &str) -> Status {
        Status { code, params: Map::from_iter([("reason".to_owned(), json!(reason))]) }
    }

    #[test]
    fn errors_are_told_twice_and_the_status_first() {
        let forbidden = status(Code::CameraForbidden, "no such device");
        let events = Event::of_status(&forbidden, Profile::Default);
        let kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
        assert_eq!(kinds, ["statechange", "error"]);
        assert_eq!(events[1].detail["errMsg"], "camera not permitted: no such device");
        assert_eq!(Event::of_status(&status(Code::Connected, ""), Profile::Default).len(), 1);
        let legacy = Event::of_status(&forbidden, Profile::Legacy);
        assert_eq!((&legacy[0].detail["code"], &legacy[1].detail["errCode"]), (&json!(10001), &json!(1001)));
        let strict = Event::of_status(&forbidden, Profile::WechatStrict);
        assert_eq!(strict[0].detail, json!({"code": 10001, "message": "camera not permitted"}));
    }

    #[test]
    fn the_time_of_a_status_is_utc_only_where_that_is_known() {
        let detail = |is_synchronised| {
            Event::of_status_by(&status(Code::Connected, "x"), Profile::Default, is_synchronised)
                .swap_remove(0)
                .detail
        };
        let (known, unknown) = (detail(true), detail(false));
        assert!(known["time"].as_u64() > Some(1_700_000_000_000), "{known}");
        assert_eq!(known["params"], json!({"reason": "x"}));
        let since_start = media::now().micros() / 1000;
        assert!(unknown["time"].as_i64().is_some_and(|time| (since_start - time) < 10_000), "{unknown}");
        assert_eq!(unknown["params"], json!({"reason": "x", "unsynced": true}));
    }

    #[tokio::test]
    async fn a_slow_listener_loses_the_states_of_the_network_and_no_status() {
        let mut listeners = Listeners::default();
        let listener = listeners.add(Vec::new());
        for number in 0..300 {
            listeners.tell(&Event::new("netstatus", json!(number)));
            listeners.tell(&Event::new("statechange", json!(number)));
        }
        let mut heard = Vec::new();
        while let Ok(Some(event)) =
            tokio::time::timeout(std::time::Duration::from_millis(50), listener.next()).await
        {
            heard.push(event);
        }
        let count = |kind| heard.iter().filter(|event| event.kind == kind).count();
        assert_eq!(count("statechange"), 300);
        assert!(count("netstatus") < 2, "{}", count("netstatus"));
    }

    #[tokio::test]
    async fn who_never_listens_is_given_up_and_costs_no_more() {
        let mut listeners = Listeners::default();
        let listener = listeners.add(Vec::new());
        for number in 0..5000 {
            listeners.tell(&Event::new("statechange", json!(number)));
        }
        assert!(listeners.0.is_empty());
        assert_eq!(listener.next().await, None);
    }
}
