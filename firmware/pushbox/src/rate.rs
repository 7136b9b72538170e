//! Rate control, carried out: what the connection shows goes in, the encoder's target and the picture's size come out
//! (spec 10.9).

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ::uplink::rate::{Bounds, Controller, Policy, Sample, SizeSteps, SocketState};
use live_pusher::{AdaptResolution, Code, Input, Mode, Properties};
use serde_json::{Map, json};
use tracing::debug;

use crate::news::{News, Reporter};
use crate::video::VideoStage;

/// From one announcement of the bitrate to the next (7.1, code 1006), and the share by which it must have changed.
const ANNOUNCEMENTS: Duration = Duration::from_secs(2);
const ANNOUNCED: f64 = 0.1;

pub(crate) struct RateControl {
    video: Arc<VideoStage>,
    reporter: Reporter,
    born: Instant,
    state: Mutex<State>,
}

struct State {
    controller: Controller,
    option: AdaptResolution,
    /// Whether the picture may get smaller.
    adapts: bool,
    size: SizeSteps,
    announced: Announced,
    link: Link,
}

/// The bitrate that was told last, in bits a second.
struct Announced {
    bitrate: u32,
    at: Option<Instant>,
    /// What changed it: the uplink, or else a property.
    is_property: bool,
}

/// What the connections showed.
#[derive(Clone, Copy)]
pub(crate) struct Link {
    /// Bytes that servers acknowledged, of all connections, and of the present one.
    pub(crate) delivered: u64,
    of_connection: u64,
    pub(crate) round_trip: Duration,
    /// Sum and number of the round trip's mean deviations since they were asked for.
    deviations: (Duration, u32),
    /// When a byte was acknowledged last, or none was owed.
    pub(crate) moved: Instant,
}

impl Link {
    fn new(now: Instant) -> Self {
        let none = Duration::ZERO;
        Self { delivered: 0, of_connection: 0, round_trip: none, deviations: (none, 0), moved: now }
    }

    fn take(&mut self, now: Instant, sample: &Sample) {
        let socket: &SocketState = &sample.socket;
        let delivered = socket.delivered();
        let is_idle = socket.unacknowledged == 0 && sample.queue.bytes == 0;
        if delivered > self.of_connection || is_idle {
            self.moved = now;
        }
        self.delivered += delivered.saturating_sub(self.of_connection);
        self.of_connection = delivered;
        self.round_trip = socket.round_trip;
        self.deviations = (self.deviations.0 + socket.variation, self.deviations.1 + 1);
    }

    /// Mean of the round trip's mean deviations, in milliseconds.
    pub(crate) fn jitter(&self) -> f64 {
        self.deviations.0.as_secs_f64() * 1000.0 / f64::from(self.deviations.1.max(1))
    }
}

fn policy(mode: Mode) -> Policy {
    if mode == Mode::Rtc { Policy::Rtc } else { Policy::Live }
}

fn bounds(properties: &Properties) -> Bounds {
    let (min, max) = properties.bitrates();
    Bounds { min: min.bits(), max: max.bits() }
}

impl RateControl {
    pub(crate) fn new(
        properties: &Properties,
        option: AdaptResolution,
        video: Arc<VideoStage>,
        reporter: Reporter,
    ) -> Self {
        let (policy, start) = (policy(properties.mode), properties.start_bitrate().bits());
        let state = State {
            controller: Controller::new(policy, bounds(properties), start),
            option,
            adapts: option.holds_in(properties.mode),
            size: SizeSteps::default(),
            announced: Announced { bitrate: start, at: None, is_property: false },
            link: Link::new(Instant::now()),
        };
        Self { video, reporter, born: Instant::now(), state: Mutex::new(state) }
    }

    /// A session begins.
    pub(crate) fn begin(&self, properties: &Properties) {
        let start = properties.start_bitrate().bits();
        let mut state = self.state();
        state.controller.start(start);
        state.size = SizeSteps::default();
        self.video.change(|order| (order.steps, order.most_steps) = (0, None));
        let bitrate = state.controller.bitrate();
        self.video.control.bitrate.store(bitrate, Relaxed);
        state.announced = Announced { bitrate, at: None, is_property: false };
    }

    /// Brings bounds and policy in line with the properties; the user's bounds act at once. A camera that encodes by itself
    /// (`passes`) has the rate that it has.
    pub(crate) fn follow(&self, properties: &Properties, passes: bool) {
        let mut state = self.state();
        state.adapts = state.option.holds_in(properties.mode);
        let controller = &mut state.controller;
        controller.set_policy(policy(properties.mode));
        let fixed = controller.bitrate();
        controller.set_bounds(if passes { Bounds { min: fixed, max: fixed } } else { bounds(properties) });
        controller.set_beside(properties.audio_quality.bitrate().bits());
        let bitrate = controller.bitrate();
        if !state.adapts && state.size.steps() > 0 {
            state.size = SizeSteps::default();
            self.video.change(|order| order.steps = 0);
        }
        if self.video.control.bitrate.swap(bitrate, Relaxed) != bitrate {
            state.announced.is_property = true;
        }
        self.announce(&mut state.announced, bitrate);
    }

    /// A connection publishes.
    pub(crate) fn connect(&self) {
        let mut state = self.state();
        state.controller.connect();
        (state.link.of_connection, state.link.moved) = (0, Instant::now());
    }

    /// Takes what a connection shows; when it should show the next.
    pub(crate) fn sample(&self, sample: &Sample) -> Duration {
        let now = Instant::now();
        let mut state = self.state();
        state.link.take(now, sample);
        let decision = state.controller.sample(self.born.elapsed(), sample);
        let bitrate = decision.bitrate;
        if decision.is_narrow {
            self.reporter.try_tell(News::Narrow);
        }
        if self.video.control.bitrate.swap(bitrate, Relaxed) != bitrate {
            debug!(kbps = bitrate / 1000, is_narrow = decision.is_narrow, "rate");
            state.announced.is_property = false;
        }
        self.announce(&mut state.announced, bitrate);
        self.adapt_size(&mut state, bitrate);
        decision.next
    }

    /// What the connections showed; the mean of the deviations begins anew.
    pub(crate) fn take_link(&self) -> Link {
        let link = &mut self.state().link;
        let taken = *link;
        link.deviations = (Duration::ZERO, 0);
        taken
    }

    /// 1006
    fn announce(&self, announced: &mut Announced, bitrate: u32) {
        let before = f64::from(announced.bitrate);
        let is_due = announced.at.is_none_or(|at| at.elapsed() >= ANNOUNCEMENTS);
        if !is_due || (f64::from(bitrate) - before).abs() < ANNOUNCED * before {
            return;
        }
        let cause = if announced.is_property { "property" } else { "adapt" };
        let params = [("kbps".to_owned(), json!(bitrate / 1000)), ("cause".to_owned(), json!(cause))];
        (announced.bitrate, announced.at) = (bitrate, Some(Instant::now()));
        let notice = Input::Notice { code: Code::BitrateChanged, params: Map::from_iter(params) };
        self.reporter.try_tell(News::Input(notice));
    }

    /// The picture gets smaller where its rate does not suffice (10.9).
    fn adapt_size(&self, state: &mut State, bitrate: u32) {
        if !state.adapts {
            return;
        }
        let most = self.video.most_steps();
        state.size.limit(most);
        let size = self.video.size();
        let pixels = f64::from(size.width) * f64::from(size.height);
        let fps = f64::from(self.video.control.fps.load(Relaxed).max(1));
        let bits_per_pixel = f64::from(bitrate) / (pixels * fps).max(1.0);
        let is_smallest = state.size.steps() >= most || size.smaller().is_none();
        if state.size.evaluate(self.born.elapsed(), bits_per_pixel, is_smallest) {
            let steps = state.size.steps();
            self.video.change(|order| (order.steps, order.is_adapted) = (steps, true));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
