//! Who sets the target: Pushbox, and others as their documents and sources describe them.

use std::collections::VecDeque;
use std::time::Duration;

use uplink::rate::{Bounds, Controller, Losses, Policy};

use crate::CongestionControl;
use crate::sim::{Drop, Observation, RateControl, Sending};

/// Pushbox's controller.
pub struct Own {
    name: &'static str,
    controller: Controller,
    limit: u64,
    /// Until the next sample.
    pause: Duration,
    losses: Losses,
    control: Option<CongestionControl>,
}

impl Own {
    pub fn new(policy: Policy, min: f64, max: f64, start: f64) -> Self {
        let bounds = Bounds { min: min as u32, max: max as u32 };
        let (name, limit) = match policy {
            Policy::Live => ("Pushbox, live", 3000),
            Policy::Rtc => ("Pushbox, RTC", 1000),
        };
        let mut controller = Controller::new(policy, bounds, start as u32);
        controller.set_beside(65_000);
        Self {
            name,
            controller,
            limit,
            pause: Duration::from_millis(20),
            losses: Losses::default(),
            control: None,
        }
    }
}

impl RateControl for Own {
    fn name(&self) -> &'static str {
        self.name
    }

    fn sending(&self) -> Sending {
        Sending { drop: Drop::ToIdr(self.limit), low_water: Some(16 << 10) }
    }

    fn interval(&self) -> u64 {
        self.pause.as_millis() as u64
    }

    fn target(&mut self, now: Duration, observation: &Observation) -> f64 {
        let decision = self.controller.sample(now, &observation.sample);
        self.pause = decision.next;
        if self.losses.observe(now, &observation.sample) {
            self.control = Some(CongestionControl::Bbr);
        }
        f64::from(decision.bitrate)
    }

    fn control(&self) -> Option<CongestionControl> {
        self.control
    }
}

/// All the others, for a stream within these bounds in bits a second.
pub fn peers(min: f64, max: f64) -> Vec<Box<dyn RateControl>> {
    vec![
        Box::new(Fixed { rate: max }),
        Box::new(ObsDropping { rate: max }),
        Box::new(ObsDynamic { min, max, target: max, sent: VecDeque::new(), lowered: None, last_cut: 0 }),
        Box::new(RootEncoder { max, target: max, before: 0 }),
        Box::new(Belacoder { min, max, target: max, buffer: 0.0, round_trip: 0.0, down: 0, up: 0 }),
        Box::new(Moblin { min, max, target: max, before: (0, 0), real: 0.0 }),
        Box::new(HaishinKit { max, target: max, queued: Vec::new(), before: 0, sufficient: 0 }),
    ]
}

/// No control at all: what FFmpeg and most boxes do.
struct Fixed {
    rate: f64,
}

impl RateControl for Fixed {
    fn name(&self) -> &'static str {
        "none"
    }

    fn sending(&self) -> Sending {
        Sending { drop: Drop::Nothing, low_water: None }
    }

    fn interval(&self) -> u64 {
        1000
    }

    fn target(&mut self, _: Duration, _: &Observation) -> f64 {
        self.rate
    }
}

/// OBS Studio without dynamic bitrate: drops up to the next key frame where 0.9 s wait.
struct ObsDropping {
    rate: f64,
}

impl RateControl for ObsDropping {
    fn name(&self) -> &'static str {
        "OBS, dropping"
    }

    fn sending(&self) -> Sending {
        Sending { drop: Drop::ToNextIdr(900), low_water: None }
    }

    fn interval(&self) -> u64 {
        1000
    }

    fn target(&mut self, _: Duration, _: &Observation) -> f64 {
        self.rate
    }
}

/// OBS Studio with dynamic bitrate: where five packets wait over 200 ms, what went through in the last second; a tenth
/// more every four seconds.
struct ObsDynamic {
    min: f64,
    max: f64,
    target: f64,
    /// Milliseconds and bytes that the socket had taken.
    sent: VecDeque<(u64, u64)>,
    lowered: Option<u64>,
    last_cut: u64,
}

impl RateControl for ObsDynamic {
    fn name(&self) -> &'static str {
        "OBS, dynamic"
    }

    fn sending(&self) -> Sending {
        Sending { drop: Drop::Nothing, low_water: None }
    }

    fn interval(&self) -> u64 {
        33
    }

    fn target(&mut self, now: Duration, observation: &Observation) -> f64 {
        let (now, sample) = (now.as_millis() as u64, &observation.sample);
        self.sent.push_back((now, sample.socket.accepted));
        while self.sent.front().is_some_and(|(time, _)| now > time + 1000) {
            self.sent.pop_front();
        }
        if observation.packets >= 5 && sample.queue.time.as_millis() >= 200 {
            if now >= self.last_cut + 1000 {
                let (since, before) = self.sent.front().copied().unwrap_or_default();
                let went = (sample.socket.accepted - before) as f64 * 8000.0 / (now - since).max(1) as f64;
                self.target = self.target.min(went - 64_000.0).max(self.min.max(50_000.0));
                self.last_cut = now;
            }
            self.lowered = Some(now);
        } else if let Some(lowered) = self.lowered
            && now >= lowered + 4000
        {
            self.target = (self.target + 0.1 * self.max).min(self.max);
            self.lowered = (self.target < self.max).then_some(now);
        }
        self.target
    }
}

/// RootEncoder for Android: once a second four fifths where a fifth of its queue of 400 packets is full, else six
/// fifths of what went through.
struct RootEncoder {
    max: f64,
    target: f64,
    before: u64,
}

impl RateControl for RootEncoder {
    fn name(&self) -> &'static str {
        "RootEncoder"
    }

    fn sending(&self) -> Sending {
        Sending { drop: Drop::New(400), low_water: None }
    }

    fn interval(&self) -> u64 {
        1000
    }

    fn target(&mut self, _: Duration, observation: &Observation) -> f64 {
        let accepted = observation.sample.socket.accepted;
        let went = (accepted - std::mem::replace(&mut self.before, accepted)) as f64 * 8.0;
        self.target = if observation.packets >= 80 { 0.8 * self.target.min(went) } else { 1.2 * went };
        self.target = self.target.clamp(50_000.0, self.max);
        self.target
    }
}

/// belacoder of BELABOX, for SRT; here with TCP's send buffer and round trip, and a latency of two seconds.
struct Belacoder {
    min: f64,
    max: f64,
    target: f64,
    buffer: f64,
    round_trip: f64,
    /// When the next step may come, in milliseconds.
    down: u64,
    up: u64,
}

const SRT_LATENCY: f64 = 2000.0;

impl RateControl for Belacoder {
    fn name(&self) -> &'static str {
        "belacoder"
    }

    fn sending(&self) -> Sending {
        Sending { drop: Drop::ToIdr(2000), low_water: None }
    }

    fn interval(&self) -> u64 {
        20
    }

    fn target(&mut self, now: Duration, observation: &Observation) -> f64 {
        let (now, sample) = (now.as_millis() as u64, &observation.sample);
        let buffer = (sample.queue.bytes + sample.socket.unacknowledged) as f64 / 1316.0;
        let round_trip = sample.socket.round_trip.as_secs_f64() * 1000.0;
        if self.round_trip == 0.0 {
            (self.buffer, self.round_trip) = (buffer.max(1.0), round_trip);
        }
        let (usual, calm) = (self.buffer, self.round_trip);
        self.buffer = 0.99 * self.buffer + 0.01 * buffer;
        self.round_trip = if round_trip < self.round_trip {
            round_trip
        } else {
            0.998 * self.round_trip + 0.002 * round_trip
        };
        if round_trip >= SRT_LATENCY / 3.0 || buffer > 4.0 * usual.max(50.0) {
            self.target = self.min;
            self.down = now + 250;
        } else if buffer > 2.0 * usual.max(30.0) || round_trip > calm + SRT_LATENCY / 5.0 {
            if now >= self.down {
                self.target -= 100_000.0 + self.target / 10.0;
                self.down = now + 250;
            }
        } else if now >= self.up && now >= self.down && round_trip < calm * 1.2 + 20.0 {
            self.target += 30_000.0 + self.target / 30.0;
            self.up = now + 500;
        }
        self.target = self.target.clamp(self.min, self.max);
        self.target
    }
}

/// Moblin for iOS, by RTMP acknowledgements: a tenth less where more than 100 packets are under way or the round trip is
/// above 250 ms; never far above what really goes out.
struct Moblin {
    min: f64,
    max: f64,
    target: f64,
    /// Milliseconds and bytes.
    before: (u64, u64),
    real: f64,
}

impl RateControl for Moblin {
    fn name(&self) -> &'static str {
        "Moblin"
    }

    fn sending(&self) -> Sending {
        Sending { drop: Drop::Nothing, low_water: None }
    }

    fn interval(&self) -> u64 {
        200
    }

    fn target(&mut self, now: Duration, observation: &Observation) -> f64 {
        let (now, sample) = (now.as_millis() as u64, &observation.sample);
        let acknowledged = observation.acknowledged;
        let under_way = (sample.socket.accepted + sample.queue.bytes).saturating_sub(acknowledged);
        let rate = (acknowledged - self.before.1) as f64 * 8000.0 / (now - self.before.0).max(1) as f64;
        self.before = (now, acknowledged);
        self.real = 0.8 * self.real + 0.2 * rate;
        let round_trip = if rate > 0.0 { under_way as f64 * 8.0 / self.real.max(1e4) } else { 1.0 };
        if under_way as f64 / 1316.0 > 100.0 || round_trip > 0.25 {
            self.target -= (0.1 * self.target).max(250_000.0);
        } else {
            self.target += 0.02 * self.target + 20_000.0;
        }
        let most = (1.7 * self.real).max(self.real + 1e6);
        self.target = self.target.min(most).clamp(self.min, self.max);
        self.target
    }
}

/// HaishinKit for iOS: where what waits grew for three seconds, what went through in the last one; a tenth of the most
/// after 15 calm seconds.
struct HaishinKit {
    max: f64,
    target: f64,
    queued: Vec<u64>,
    before: u64,
    sufficient: u32,
}

impl RateControl for HaishinKit {
    fn name(&self) -> &'static str {
        "HaishinKit"
    }

    fn sending(&self) -> Sending {
        Sending { drop: Drop::Nothing, low_water: None }
    }

    fn interval(&self) -> u64 {
        1000
    }

    fn target(&mut self, _: Duration, observation: &Observation) -> f64 {
        let sample = &observation.sample;
        let accepted = sample.socket.accepted;
        let went = (accepted - std::mem::replace(&mut self.before, accepted)) as f64 * 8.0;
        self.queued.push(sample.queue.bytes);
        let grows = self.queued.len() >= 3 && self.queued.windows(2).all(|pair| pair[0] < pair[1]);
        if self.queued.len() >= 3 {
            self.queued.clear();
        }
        if grows {
            self.sufficient = 0;
            self.target = (went - 64_000.0).clamp(0.15 * self.max, self.max);
        } else {
            self.sufficient += 1;
            if self.sufficient >= 15 {
                self.sufficient = 0;
                self.target = (self.target + 0.1 * self.max).min(self.max);
            }
        }
        self.target
    }
}
