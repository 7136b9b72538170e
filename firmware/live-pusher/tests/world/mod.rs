//! What stands around a machine in its tests: devices and a network that do as they are told.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc
)]

use std::time::Duration;

use live_pusher::{
    Action, CallId, Code, ConnectionId, Device, DeviceEvent, DevicePosition, Failure, Hardware, Input,
    Machine, Media, Method, NetworkEvent, Options, Output, Reply, State, Store, Time,
};
use serde_json::{Map, Value};

pub const URL: &str = "rtmp://server/app/stream";
pub const OTHER_URL: &str = "rtmp://server/app/other";

/// How devices answer when they are opened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    Granted,
    /// Nothing is heard of them.
    Silent,
    Refused {
        device: Device,
        forbidden: bool,
    },
}

pub struct World {
    pub machine: Machine,
    pub now: Time,
    pub answer: Answer,
    /// All that has come out.
    pub outputs: Vec<Output>,
    pub connection: ConnectionId,
    calls: CallId,
}

pub fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

pub fn hardware() -> Hardware {
    let cameras = vec![DevicePosition::Front, DevicePosition::Back];
    Hardware { cameras, torch: Some(DevicePosition::Back), music: true, preview: true }
}

impl World {
    pub fn new(properties: Value) -> Self {
        Self::with(properties, Options::default(), hardware())
    }

    pub fn with(properties: Value, options: Options, hardware: Hardware) -> Self {
        let mut store = Store::default();
        assert_eq!(store.update(&object(properties)).refused, []);
        Self {
            machine: Machine::new(store, options, hardware, |url| {
                url.starts_with("rtmp://").then_some(()).ok_or("no address")
            }),
            now: Duration::from_secs(1000),
            answer: Answer::Granted,
            outputs: Vec::new(),
            connection: 0,
            calls: 0,
        }
    }

    /// One input and what devices answer to what comes of it. Returns where its outputs begin.
    pub fn give(&mut self, input: Input) -> usize {
        let begin = self.outputs.len();
        let outputs = self.machine.handle(self.now, input);
        self.outputs.extend(outputs.iter().cloned());
        for output in outputs {
            match output {
                Output::Open(device) => self.open(device),
                Output::Connect { connection, .. } => self.connection = connection,
                _ => {}
            }
        }
        begin
    }

    fn open(&mut self, device: Device) {
        match self.answer {
            Answer::Refused { device: refused, forbidden } if refused == device => {
                let reason = "it is not there".to_owned();
                self.device(device, DeviceEvent::Refused { forbidden, reason });
            }
            Answer::Silent => {}
            _ => {
                self.device(device, DeviceEvent::Opened(Map::new()));
                if device == Device::Camera {
                    self.device(device, DeviceEvent::FirstFrame(Map::new()));
                }
            }
        }
    }

    pub fn device(&mut self, device: Device, event: DeviceEvent) {
        self.give(Input::Device { device, event });
    }

    pub fn lose(&mut self, device: Device) -> usize {
        let begin = self.outputs.len();
        self.device(device, DeviceEvent::Lost { reason: "unplugged".into() });
        begin
    }

    pub fn call(&mut self, method: Method) -> CallId {
        self.calls += 1;
        self.give(Input::Call { id: self.calls, method });
        self.calls
    }

    pub fn set(&mut self, properties: Value) -> usize {
        self.give(Input::Update(object(properties)))
    }

    pub fn network(&mut self, event: NetworkEvent) -> usize {
        self.give(Input::Network { connection: self.connection, event })
    }

    pub fn connected(&mut self) {
        self.network(NetworkEvent::Connected(Map::new()));
        self.network(NetworkEvent::Published(Map::new()));
    }

    pub fn fail(&mut self, code: Code) -> usize {
        self.network(NetworkEvent::Failed { code, params: Map::from_iter([("reason".into(), "cut".into())]) })
    }

    /// Time passes; the timers that are due on the way act.
    pub fn pass(&mut self, time: Duration) -> usize {
        let (begin, end) = (self.outputs.len(), self.now + time);
        while let Some(deadline) = self.machine.deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.give(Input::Timer);
            assert!(self.machine.deadline().is_none_or(|next| next > self.now), "a timer stays due");
        }
        self.now = end;
        begin
    }

    pub fn state(&self) -> State {
        self.machine.state()
    }

    /// Codes told since.
    pub fn codes(&self, begin: usize) -> Vec<i32> {
        let code = |output: &Output| match output {
            Output::Status(status) => Some(status.code.number()),
            _ => None,
        };
        self.outputs[begin..].iter().filter_map(code).collect()
    }

    /// The answers to a call.
    pub fn replies(&self, wanted: CallId) -> Vec<Result<Reply, Failure>> {
        let reply = |output: &Output| match output {
            Output::Reply { id, result } if *id == wanted => Some(result.clone()),
            _ => None,
        };
        self.outputs.iter().filter_map(reply).collect()
    }

    /// The answer to a call that is answered at once.
    pub fn ask(&mut self, method: Method) -> Result<Reply, i32> {
        let id = self.call(method);
        let mut replies = self.replies(id);
        assert_eq!(replies.len(), 1);
        replies.remove(0).map_err(Failure::number)
    }

    /// The lamp is to be lit, or put out; whoever drives it tells what became of that.
    pub fn toggle_torch(&mut self, lit: bool, outcome: Result<(), Failure>) -> Result<Reply, i32> {
        let begin = self.outputs.len();
        let id = self.call(Method::ToggleTorch);
        let limit = lit.then_some(Duration::from_secs(300));
        assert!(self.has(begin, &Output::Perform { id, action: Action::Torch(limit) }));
        let result = outcome.map(|()| Reply::from_iter([("torch".to_owned(), lit.into())]));
        self.give(Input::Performed { id, result });
        self.replies(id).remove(0).map_err(Failure::number)
    }

    pub fn media(&self) -> Option<Media> {
        let media = |output: &Output| match output {
            Output::Media(media) => Some(*media),
            _ => None,
        };
        self.outputs.iter().rev().find_map(media).flatten()
    }

    pub fn has(&self, begin: usize, wanted: &Output) -> bool {
        self.outputs[begin..].contains(wanted)
    }

    /// A machine in `state`, with what came out on the way forgotten.
    pub fn at(state: State) -> Self {
        let mut world = Self::new(serde_json::json!({ "url": URL }));
        if state == State::Unbound {
            return world;
        }
        world.give(Input::Attach);
        match state {
            State::Unbound | State::Idle => {}
            State::Previewing => {
                world.call(Method::StartPreview);
            }
            State::Suspended => {
                world.call(Method::Start);
                world.connected();
                world.give(Input::Condition { reason: live_pusher::Reason::Background, holds: true });
                world.pass(Duration::from_secs(181));
            }
            _ => {
                world.call(Method::Start);
            }
        }
        match state {
            State::Pushing => world.connected(),
            State::Paused => {
                world.connected();
                world.call(Method::Pause);
            }
            State::Reconnecting => {
                world.fail(Code::ConnectFailed);
            }
            _ => {}
        }
        assert_eq!(world.state(), state);
        world.pass(Duration::from_secs(2));
        assert_eq!(world.state(), state);
        world.outputs.clear();
        world
    }
}
