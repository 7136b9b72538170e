//! A stream over a link, in steps of a millisecond: encoder, send queue, TCP, and whoever sets the encoder's target.

mod queue;

use std::collections::VecDeque;
use std::time::Duration;

use uplink::rate::{Acknowledged, Sample, SocketState, Waiting};

use self::queue::{Item, Queue};
use crate::encoder::EncoderModel;
use crate::tcp::Tcp;
use crate::{CongestionControl, PathModel, Trace};

/// A sound packet: every so many milliseconds so many bytes, as of AAC with 1024 samples of 48 kHz at 64 kb/s.
const SOUND: (u64, usize) = (21, 170);

/// Bytes from one acknowledgement of the server to the next (RTMP section 5.4.3).
const SERVER_ACKNOWLEDGES: u64 = 100_000;

/// Whoever sets the target.
pub trait RateControl {
    fn name(&self) -> &'static str;

    /// What the send queue does when it fills, and how much the kernel may hold.
    fn sending(&self) -> Sending;

    /// Milliseconds from one sample to the next.
    fn interval(&self) -> u64;

    /// The target in bits a second after a sample.
    fn target(&mut self, now: Duration, sample: &Observation) -> f64;

    /// What congestion control is to be from now on, where not the kernel's own.
    fn control(&self) -> Option<CongestionControl> {
        None
    }
}

/// A sample and what only some look at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Observation {
    pub sample: Sample,
    /// Bytes that the server has, whatever it says.
    pub acknowledged: u64,
    /// Packets in the send queue.
    pub packets: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sending {
    pub drop: Drop,
    /// TCP_NOTSENT_LOWAT; none for a kernel's own choice.
    pub low_water: Option<usize>,
}

/// What a full queue drops.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Drop {
    /// Pictures up to the next IDR picture where more than so many milliseconds wait, and asks for one.
    ToIdr(u64),
    /// The same without asking.
    ToNextIdr(u64),
    /// What comes, where so many packets wait.
    New(usize),
    Nothing,
}

#[derive(Clone, Debug)]
pub struct Scenario {
    pub path: PathModel,
    pub control: CongestionControl,
    pub milliseconds: u64,
    /// Bits a second of the pictures.
    pub max: f64,
    pub start: f64,
    pub seed: u64,
    pub server: Server,
}

/// The end of TCP's path, and what is behind it.
#[derive(Clone, Debug)]
pub struct Server {
    /// The path from a proxy that takes all at once to the server, where there is one.
    pub behind: Option<Trace>,
    pub numbers: Numbers,
}

/// What a server says when it has so many bytes.
pub type Numbers = fn(u64) -> Option<u32>;

impl Default for Server {
    fn default() -> Self {
        Self { behind: None, numbers: |bytes| Some(bytes as u32) }
    }
}

/// What became of a run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Of each second: bits a second that the link would have taken, the target, what came, and the longest delay in
    /// milliseconds.
    pub seconds: Vec<[f64; 4]>,
    /// Delays of the pictures that came, in milliseconds, with the time of their capture.
    pub delays: Vec<(u64, f64)>,
    pub pictures: u64,
    pub dropped: u64,
    /// Bits that came, of those that link and encoder could have carried.
    pub used: f64,
    /// Changes of the target by a tenth or more.
    pub changes: u64,
    /// Milliseconds between two sounds that came, at the most.
    pub sound_gap: u64,
    /// The target in each millisecond.
    pub targets: Vec<f64>,
}

impl Outcome {
    /// The delay in milliseconds that a share of the pictures does not exceed.
    pub fn delay(&self, share: f64) -> f64 {
        let mut sorted: Vec<f64> = self.delays.iter().map(|(_, delay)| *delay).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted
            .get((share * sorted.len().saturating_sub(1) as f64).round() as usize)
            .copied()
            .unwrap_or(f64::NAN)
    }

    /// Milliseconds from `from` until the target is at `rate` for good, half a second at least.
    pub fn back(&self, from: u64, rate: f64) -> Option<u64> {
        let after = self.targets.get(from as usize..)?;
        let reached = after.windows(500).position(|part| part.iter().all(|target| *target >= rate))?;
        Some(reached as u64)
    }
}

/// Runs a stream.
pub fn run(scenario: &Scenario, who: &mut dyn RateControl) -> Outcome {
    let mut stream = Stream::new(scenario, who.sending());
    for now in 0..scenario.milliseconds {
        stream.encode(now);
        stream.write();
        stream.tcp.step();
        stream.receive(now, &scenario.server);
        if now % who.interval() == 0 {
            let observation = stream.observe(now);
            let target = who.target(Duration::from_millis(now), &observation).min(scenario.max);
            stream.set_target(target);
            if let Some(control) = who.control() {
                stream.tcp.set_control(control);
            }
        }
        stream.account(now, f64::from(scenario.path.trace.bytes_at(now + 1)) * 8.0);
    }
    stream.finish(scenario)
}

struct Stream {
    encoder: EncoderModel,
    queue: Queue,
    tcp: Tcp,
    low_water: Option<usize>,
    target: f64,
    /// The target that counted as a change last.
    told: f64,
    /// What is not wholly in the socket: bytes that are left.
    half_written: Option<(usize, Item)>,
    /// What is: the byte behind its last, in order.
    written: VecDeque<(u64, Item)>,
    /// What the server has, what it had when it said so last, and what it said.
    arrived: u64,
    arrived_before: u64,
    number: Option<u32>,
    last_sound: u64,
    came: f64,
    second: [f64; 4],
    outcome: Outcome,
}

impl Stream {
    fn new(scenario: &Scenario, sending: Sending) -> Self {
        Self {
            encoder: EncoderModel::new(scenario.seed, scenario.start),
            queue: Queue::new(sending.drop),
            tcp: Tcp::new(scenario.path.clone(), scenario.control, scenario.seed),
            low_water: sending.low_water,
            target: scenario.start,
            told: scenario.start,
            half_written: None,
            written: VecDeque::new(),
            arrived: 0,
            arrived_before: 0,
            number: None,
            last_sound: 0,
            came: 0.0,
            second: [0.0; 4],
            outcome: Outcome::default(),
        }
    }

    fn encode(&mut self, now: u64) {
        let wants_idr = self.queue.take_idr_wish();
        if let Some((bytes, is_idr)) = self.encoder.picture(now, self.target, wants_idr) {
            self.outcome.pictures += 1;
            self.queue.push(Item { captured: now, bytes, is_video: true, is_idr });
        }
        let (interval, bytes) = SOUND;
        if now.is_multiple_of(interval) {
            self.queue.push(Item { captured: now, bytes, is_video: false, is_idr: false });
        }
    }

    /// From the send queue into the socket.
    fn write(&mut self) {
        loop {
            let room = self.tcp.room(self.low_water);
            let item = match self.half_written.take() {
                Some(half) => Some(half),
                None if room == 0 => None,
                None => self.queue.items.pop_front().map(|item| (item.bytes, item)),
            };
            let Some((left, item)) = item else { return };
            // A socket with low water that is writable takes all that is given to it.
            let taken = if room > 0 && self.low_water.is_some() { left } else { left.min(room) };
            self.tcp.write(taken);
            if taken < left {
                self.half_written = Some((left - taken, item));
                return;
            }
            self.written.push_back((self.tcp.state().accepted, item));
        }
    }

    fn receive(&mut self, now: u64, server: &Server) {
        let taken = server.behind.as_ref().map_or(u64::MAX, |behind| behind.bytes_at(now).into());
        self.arrived += taken.min(self.tcp.received() - self.arrived);
        while let Some((end, item)) = self.written.front().copied()
            && end <= self.arrived
        {
            self.written.pop_front();
            self.came += item.bytes as f64;
            self.second[2] += item.bytes as f64 * 8.0;
            if item.is_video {
                let delay = (now + 1 - item.captured) as f64;
                self.outcome.delays.push((item.captured, delay));
                self.second[3] = self.second[3].max(delay);
            } else {
                self.outcome.sound_gap = self.outcome.sound_gap.max(now - self.last_sound);
                self.last_sound = now;
            }
        }
        if self.arrived >= self.arrived_before + SERVER_ACKNOWLEDGES {
            (self.arrived_before, self.number) = (self.arrived, (server.numbers)(self.arrived));
        }
    }

    fn observe(&self, now: u64) -> Observation {
        let state = self.tcp.state();
        let milliseconds = |value: f64| Duration::from_secs_f64(value.clamp(0.0, 1e6) / 1000.0);
        let socket = SocketState {
            accepted: state.accepted,
            unacknowledged: state.unacknowledged,
            unsent: state.unsent,
            round_trip: milliseconds(state.rtt),
            variation: milliseconds(state.variation),
            min_round_trip: milliseconds(state.min_rtt.min(state.rtt)),
            delivery_rate: state.delivery_rate as u64,
            app_limited: state.app_limited,
            sent: state.sent,
            repeated: state.repeated,
            is_probing: state.is_probing,
        };
        let time = Duration::from_millis(self.queue.span(now));
        let queue = Waiting { time, bytes: self.queue.bytes() as u64 };
        Observation {
            sample: Sample {
                queue,
                socket,
                server: Acknowledged { written: state.accepted, number: self.number },
            },
            acknowledged: self.arrived,
            packets: self.queue.items.len(),
        }
    }

    fn set_target(&mut self, target: f64) {
        self.target = target;
        if (target - self.told).abs() >= 0.1 * self.told {
            self.outcome.changes += 1;
            self.told = target;
        }
    }

    fn account(&mut self, now: u64, capacity: f64) {
        self.outcome.targets.push(self.target);
        self.second[0] += capacity;
        self.second[1] += self.target / 1000.0;
        if now % 1000 == 999 {
            self.outcome.seconds.push(std::mem::take(&mut self.second));
        }
    }

    fn finish(mut self, scenario: &Scenario) -> Outcome {
        let most = scenario.max / 8000.0 + SOUND.1 as f64 / SOUND.0 as f64;
        let narrowest = scenario.server.behind.as_ref().unwrap_or(&scenario.path.trace);
        self.outcome.used = self.came / possible(narrowest, scenario.milliseconds, most).max(1.0);
        self.outcome.dropped = self.queue.dropped();
        self.outcome
    }
}

/// Bytes that the link takes of a stream of at most so many bytes a millisecond, in pieces of 100 ms.
fn possible(trace: &Trace, milliseconds: u64, most: f64) -> f64 {
    let piece = |part: u64| trace.mean(part * 100, part * 100 + 100) / 80.0;
    (0..milliseconds / 100).map(|part| piece(part).min(most * 100.0)).sum()
}
