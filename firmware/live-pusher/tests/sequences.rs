//! S2 and S5: whatever comes in whatever order, each call is answered once, nothing of an old session is told, devices and
//! connections are given back, and codes keep their order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use std::collections::HashMap;
use std::time::Duration;

use live_pusher::{
    Action, CallId, Code, ConnectionId, DegradedStart, Device, DeviceEvent, Input, Machine, Media, Method,
    NetworkEvent, Options, Output, Reason, State, Store, Time, Transition, WindowEvent,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// One step of a sequence: what happens, chosen by numbers.
#[derive(Clone, Copy, Debug)]
struct Step {
    kind: u8,
    choice: u8,
    /// Milliseconds that pass before it.
    wait: u16,
}

/// Looks at all that goes in and comes out.
#[derive(Default)]
struct Witness {
    unanswered: HashMap<CallId, Method>,
    /// Whether camera and microphone were asked for, and whether they have answered.
    open: [bool; 2],
    delivers: [bool; 2],
    connected: Option<ConnectionId>,
    /// Of the present connection: whether 1001 was told.
    told_connected: bool,
    /// Whether 1003 was told and 1007 not yet.
    camera_starts: bool,
    now: Time,
    /// When 1003 was told last: within a second it is not told again (5.4).
    opened: Option<Time>,
    media: Option<Media>,
    torch: bool,
}

struct Fuzz {
    machine: Machine,
    now: Time,
    calls: CallId,
    witness: Witness,
}

fn index(device: Device) -> usize {
    match device {
        Device::Camera => 0,
        Device::Microphone => 1,
    }
}

impl Fuzz {
    fn new(options: Options) -> Self {
        let mut store = Store::default();
        store.update(&world::object(json!({ "url": world::URL })));
        let machine = Machine::new(store, options, world::hardware(), |url| {
            url.starts_with("rtmp://").then_some(()).ok_or("no address")
        });
        Self { machine, now: Duration::from_secs(1), calls: 0, witness: Witness::default() }
    }

    fn step(&mut self, step: Step) {
        let until = self.now + Duration::from_millis(step.wait.into());
        while let Some(due) = self.machine.deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.give(Input::Timer);
            assert!(self.machine.deadline().is_none_or(|next| next > self.now), "a timer stays due");
        }
        self.now = until;
        if let Some(input) = self.input(step) {
            self.give(input);
        }
    }

    fn input(&mut self, Step { kind, choice, .. }: Step) -> Option<Input> {
        let pick = |from: &[Value]| from[usize::from(choice) % from.len()].clone();
        let device = if choice & 1 == 0 { Device::Camera } else { Device::Microphone };
        Some(match kind {
            0 => Input::Attach,
            1 if choice < 16 => Input::Detach,
            1..=7 => {
                self.calls += 1;
                let method = method(choice)?;
                self.witness.unanswered.insert(self.calls, method.clone());
                Input::Call { id: self.calls, method }
            }
            8 => Input::Update(world::object(pick(&[
                json!({"url": world::URL}),
                json!({"url": world::OTHER_URL}),
                json!({"url": "nowhere"}),
                json!({"autopush": true}),
                json!({"autopush": false}),
                json!({"enable-camera": false}),
                json!({"enable-camera": true}),
                json!({"enable-mic": choice & 32 == 0}),
                json!({"muted": choice & 64 == 0}),
                json!({"device-position": "back"}),
                json!({"device-position": "front"}),
                json!({"device-position": 7, "fps": "no"}),
            ]))),
            9 => {
                let reasons = [Reason::Background, Reason::Privacy, Reason::Interrupt];
                Input::Condition { reason: reasons[usize::from(choice >> 1) % 3], holds: choice & 1 == 0 }
            }
            10 => Input::MicrophoneTaken(choice & 1 == 0),
            11..=14 => Input::Device { device, event: device_event(choice >> 1) },
            15..=18 => {
                // Of the present connection, or of an old one.
                let connection = self.witness.connected.unwrap_or(1).saturating_sub((choice & 1).into());
                Input::Network { connection, event: network_event(choice >> 1) }
            }
            19 => Input::RouteChanged,
            20 => Input::EncoderFailed(Code::VideoEncoderFailed),
            21 => Input::Notice { code: Code::UplinkTooNarrow, params: Map::new() },
            22 => {
                let id = *self.witness.unanswered.keys().next()?;
                Input::Performed { id, result: Ok(Map::new()) }
            }
            23 => Input::Window(window_event(choice)),
            24 => Input::TorchOut,
            _ => Input::Timer,
        })
    }

    fn give(&mut self, input: Input) {
        let (unbound, stops) = (
            self.machine.state() == State::Unbound && input != Input::Attach,
            matches!(input, Input::Call { method: Method::Stop, .. }),
        );
        self.witness.now = self.now;
        self.witness.hear(&input);
        let outputs = self.machine.handle(self.now, input);
        for output in outputs {
            if unbound {
                assert!(
                    matches!(output, Output::Reply { .. } | Output::Updated { .. }),
                    "after its end: {output:?}"
                );
            }
            self.witness.see(output);
        }
        if stops && self.machine.state() != State::Unbound {
            assert_eq!(self.witness.connected, None, "a stop leaves the connection");
        }
        self.agree();
    }

    /// What must hold after each step.
    fn agree(&self) {
        let (witness, state) = (&self.witness, self.machine.state());
        if matches!(state, State::Unbound | State::Idle | State::Suspended) {
            assert_eq!(witness.media, None, "media in {state:?}");
            assert_eq!(witness.connected, None, "a connection in {state:?}");
        }
        if state == State::Unbound {
            assert_eq!(witness.open, [false; 2], "devices stay open");
            assert!(witness.unanswered.is_empty(), "never answered: {:?}", witness.unanswered);
        }
        let reasons = self.machine.reasons();
        assert!(reasons.is_empty() || !witness.open[0], "the camera is open with {:?}", reasons.names());
        assert!(!reasons.contains(Reason::Privacy) || !witness.open[1], "the microphone hears in private");
        assert!(!witness.torch || witness.open[0], "the lamp is lit without its camera");
        if state == State::Paused {
            assert_eq!(witness.media, Some(Media { live: false, audible: false }));
        }
    }
}

fn method(choice: u8) -> Option<Method> {
    let names: Vec<&str> = Method::names().collect();
    // The common ones more often.
    let name =
        if choice < 128 { names[usize::from(choice) % 6] } else { names[usize::from(choice) % names.len()] };
    let arguments = json!({"volume": "0.5", "url": "music.mp3", "msg": "hello", "zoom": 2, "quality": "raw"});
    Method::parse(name, &world::object(arguments)).unwrap().ok()
}

fn device_event(choice: u8) -> DeviceEvent {
    match choice % 8 {
        0..=2 => DeviceEvent::Opened(Map::new()),
        3..=5 => DeviceEvent::FirstFrame(Map::new()),
        6 => DeviceEvent::Refused { forbidden: choice & 8 == 0, reason: "busy".into() },
        _ => DeviceEvent::Lost { reason: "unplugged".into() },
    }
}

fn window_event(choice: u8) -> WindowEvent {
    match choice % 4 {
        0 => WindowEvent::Entered(Transition::Push),
        1 => WindowEvent::Entered(Transition::Pop),
        other => WindowEvent::Left { by_hand: other == 2 },
    }
}

fn network_event(choice: u8) -> NetworkEvent {
    match choice % 4 {
        0 | 1 => NetworkEvent::Connected(Map::new()),
        2 => NetworkEvent::Published(Map::new()),
        _ => NetworkEvent::Failed {
            code: Code::ServerRefused,
            params: Map::from_iter([("reason".into(), "cut".into())]),
        },
    }
}

impl Witness {
    fn hear(&mut self, input: &Input) {
        match input {
            Input::TorchOut => self.torch = false,
            // These end what they tell of.
            Input::Network { connection, event: NetworkEvent::Failed { .. } }
                if self.connected == Some(*connection) =>
            {
                self.connected = None;
            }
            Input::Device { device, event } => {
                let (open, delivers) = (&mut self.open[index(*device)], &mut self.delivers[index(*device)]);
                match event {
                    DeviceEvent::Opened(_) => {
                        *delivers = *open;
                        let is_repeated = self
                            .opened
                            .is_some_and(|told| self.now.saturating_sub(told) < Duration::from_secs(1));
                        self.camera_starts |= *device == Device::Camera && is_repeated;
                    }
                    DeviceEvent::Lost { .. } => (*open, *delivers) = (false, false),
                    DeviceEvent::Refused { .. } => *open &= *delivers,
                    DeviceEvent::FirstFrame(_) | DeviceEvent::Silent => {}
                }
            }
            _ => {}
        }
    }

    fn see(&mut self, output: Output) {
        match output {
            Output::Reply { id, .. } => {
                assert!(self.unanswered.remove(&id).is_some(), "call {id} is answered twice");
            }
            Output::Open(device) => self.open[index(device)] = true,
            Output::Close(device) => {
                (self.open[index(device)], self.delivers[index(device)]) = (false, false);
                self.camera_starts &= device != Device::Camera;
            }
            Output::Connect { connection, .. } => {
                assert_eq!(self.connected.replace(connection), None, "two connections at once");
                self.told_connected = false;
            }
            Output::Disconnect { connection } => {
                assert_eq!(self.connected.take(), Some(connection), "it was not connected");
            }
            Output::Media(media) => self.media = media,
            Output::Perform { action: Action::Torch(limit), .. } => self.torch = limit.is_some(),
            Output::TorchOut => self.torch = false,
            Output::Status(status) => self.told(status.code),
            _ => {}
        }
    }

    fn told(&mut self, code: Code) {
        match code {
            Code::Connected => self.told_connected = true,
            Code::Publishing => assert!(self.connected.is_some(), "1002 of no connection"),
            Code::CameraOpened => (self.camera_starts, self.opened) = (true, Some(self.now)),
            Code::FirstFrame => assert!(std::mem::take(&mut self.camera_starts), "1007 before 1003"),
            Code::CameraFailed | Code::CameraForbidden => self.camera_starts = false,
            _ => {}
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0_u8..26, any::<u8>(), prop_oneof![4 => 0_u16..300, 1 => 0_u16..20_000])
        .prop_map(|(kind, choice, wait)| Step { kind, choice, wait });
    prop::collection::vec(step, 400)
}

fn play(options: Options, steps: Vec<Step>) {
    let mut fuzz = Fuzz::new(options);
    fuzz.give(Input::Attach);
    for step in steps {
        fuzz.step(step);
    }
    // Nothing stays unanswered for longer than the longest limit.
    fuzz.step(Step { kind: 255, choice: 0, wait: 60_000 });
    let waiting: Vec<_> = fuzz.witness.unanswered.values().collect();
    assert!(waiting.is_empty(), "never answered: {waiting:?}");
    fuzz.give(Input::Detach);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn s2_random_sequences_leave_no_call_unanswered_and_no_device_open(steps in steps()) {
        play(Options::default(), steps);
    }

    #[test]
    fn s2_so_they_do_with_other_options(steps in steps()) {
        let options = Options {
            degraded_start: DegradedStart::Placeholder,
            unattended_restart: true,
            resume_after_interrupt: false,
            api_pause_limit: Duration::from_secs(30),
            ..Options::default()
        };
        play(options, steps);
    }
}
