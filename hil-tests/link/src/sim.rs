//! A stream over a link, in steps of a millisecond: encoder, send queue, TCP, and whoever sets the encoder's target.

use std::collections::VecDeque;
use std::time::Duration;

use uplink::rate::{Sample, SocketState, Waiting};

use crate::encoder::EncoderModel;
use crate::tcp::Tcp;
use crate::{CongestionControl, PathModel};

/// A sound packet: every so many milliseconds so many bytes, as of AAC with 1024 samples of 48 kHz at 64 kb/s.
const SOUND: (u64, usize) = (21, 170);

/// Whoever sets the target.
pub trait RateControl {
    fn name(&self) -> &'static str;

    /// What the send queue does when it fills, and how much the kernel may hold.
    fn sending(&self) -> Sending;

    /// Milliseconds from one sample to the next.
    fn interval(&self) -> u64;

    /// The target in bits a second after a sample.
    fn target(&mut self, now: Duration, sample: &Observation) -> f64;
}

/// A sample and what only some look at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Observation {
    pub sample: Sample,
    /// Packets in the send queue.
    pub packets: usize,
    /// Video bits a second of the encoder in the last second.
    pub encoded: f64,
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
        sorted.get((share * sorted.len().saturating_sub(1) as f64).round() as usize).copied().unwrap_or(f64::NAN)
    }

    /// Milliseconds from `from` until the target is at `rate` for good, half a second at least.
    pub fn back(&self, from: u64, rate: f64) -> Option<u64> {
        let after = self.targets.get(from as usize..)?;
        let reached = after.windows(500).position(|part| part.iter().all(|target| *target >= rate))?;
        Some(reached as u64)
    }
}

/// Something in the send queue.
#[derive(Clone, Copy)]
struct Item {
    captured: u64,
    bytes: usize,
    is_video: bool,
    is_idr: bool,
}

struct Queue {
    items: VecDeque<Item>,
    drop: Drop,
    await_idr: bool,
    wants_idr: bool,
    dropped: u64,
}

impl Queue {
    fn push(&mut self, item: Item) {
        if let Drop::New(limit) = self.drop
            && self.items.len() >= limit
        {
            self.dropped += u64::from(item.is_video);
            return;
        }
        if item.is_video && self.await_idr && !item.is_idr {
            self.dropped += 1;
            return;
        }
        self.await_idr &= !item.is_video;
        self.items.push_back(item);
        let (Drop::ToIdr(limit) | Drop::ToNextIdr(limit)) = self.drop else { return };
        if self.span(item.captured) > limit {
            let last_idr = self.items.iter().rposition(|item| item.is_idr).filter(|index| *index > 0);
            let end = last_idr.unwrap_or(self.items.len());
            let before = self.items.len();
            let mut index = 0;
            self.items.retain(|item| {
                index += 1;
                index > end || !item.is_video
            });
            self.dropped += (before - self.items.len()) as u64;
            self.await_idr = last_idr.is_none();
            self.wants_idr |= self.await_idr && matches!(self.drop, Drop::ToIdr(_));
        }
        while self.items.front().is_some_and(|item| self.newest() > item.captured + limit) {
            self.items.pop_front();
        }
    }

    fn newest(&self) -> u64 {
        self.items.back().map_or(0, |item| item.captured)
    }

    fn span(&self, now: u64) -> u64 {
        self.items.iter().find(|item| item.is_video).map_or(0, |item| now - item.captured)
    }
}

/// Runs a stream.
pub fn run(scenario: &Scenario, who: &mut dyn RateControl) -> Outcome {
    let Scenario { path, control, milliseconds, max, start, seed } = scenario.clone();
    let trace = path.trace.clone();
    let Sending { drop, low_water } = who.sending();
    let mut tcp = Tcp::new(path, control, seed);
    let mut encoder = EncoderModel::new(seed, start);
    let mut queue =
        Queue { items: VecDeque::new(), drop, await_idr: false, wants_idr: false, dropped: 0 };
    // Those in the socket: the byte behind their last, in order.
    let mut written: VecDeque<(u64, Item)> = VecDeque::new();
    let mut half_written: Option<(usize, Item)> = None;
    let (mut target, mut told, mut last_sound) = (start, start, 0);
    let mut outcome = Outcome::default();
    let mut possible = 0.0;
    let mut came = 0.0;
    let mut second = [0.0; 4];
    let mut encoded: VecDeque<(u64, usize)> = VecDeque::new();
    let bytes_of_sound = SOUND.1 as f64 / SOUND.0 as f64;
    let (mut server_acknowledged, mut acknowledgement_due) = (0, 0);
    for now in 0..milliseconds {
        let wants_idr = std::mem::take(&mut queue.wants_idr);
        if let Some((bytes, is_idr)) = encoder.picture(now, target, wants_idr) {
            outcome.pictures += 1;
            encoded.push_back((now, bytes));
            queue.push(Item { captured: now, bytes, is_video: true, is_idr });
        }
        while encoded.front().is_some_and(|(time, _)| now >= time + 1000) {
            encoded.pop_front();
        }
        if now % SOUND.0 == 0 {
            queue.push(Item { captured: now, bytes: SOUND.1, is_video: false, is_idr: false });
        }
        loop {
            let (mut left, item) = match half_written.take() {
                Some(half) => half,
                None if tcp.room(low_water) == 0 => break,
                None => match queue.items.pop_front() {
                    Some(item) => (item.bytes, item),
                    None => break,
                },
            };
            // A socket with low water that is writable takes all that is given to it.
            let taken = if low_water.is_some() && tcp.room(low_water) > 0 {
                left
            } else {
                left.min(tcp.room(low_water))
            };
            tcp.write(taken);
            left -= taken;
            if left > 0 {
                half_written = Some((left, item));
                break;
            }
            written.push_back((tcp.state().accepted, item));
        }
        tcp.step();
        while let Some((end, item)) = written.front().copied()
            && end <= tcp.received()
        {
            written.pop_front();
            came += item.bytes as f64;
            second[2] += item.bytes as f64 * 8.0;
            if item.is_video {
                let delay = (now + 1 - item.captured) as f64;
                outcome.delays.push((item.captured, delay));
                second[3] = second[3].max(delay);
            } else {
                outcome.sound_gap = outcome.sound_gap.max(now - last_sound);
                last_sound = now;
            }
        }
        if now >= acknowledgement_due {
            (server_acknowledged, acknowledgement_due) = (tcp.received(), now + 100);
        }
        if now % who.interval() == 0 {
            let state = tcp.state();
            let milliseconds = |value: f64| Duration::from_secs_f64(value.clamp(0.0, 1e6) / 1000.0);
            let socket = SocketState {
                accepted: state.accepted,
                unacknowledged: state.unacknowledged,
                unsent: state.unsent,
                round_trip: milliseconds(state.rtt),
                variation: milliseconds(state.variation),
                min_round_trip: milliseconds(if state.rtt == 0.0 { 0.0 } else { state.min_rtt }),
                delivery_rate: state.delivery_rate as u64,
                app_limited: state.app_limited,
            };
            let waiting = Waiting {
                time: Duration::from_millis(queue.span(now)),
                bytes: queue.items.iter().map(|item| item.bytes as u64).sum(),
            };
            let observation = Observation {
                sample: Sample { queue: waiting, socket, acknowledged: Some(server_acknowledged) },
                packets: queue.items.len(),
                encoded: encoded.iter().map(|(_, bytes)| *bytes as f64 * 8.0).sum(),
            };
            target = who.target(Duration::from_millis(now), &observation).min(max);
            if (target - told).abs() >= 0.1 * told {
                outcome.changes += 1;
                told = target;
            }
        }
        outcome.targets.push(target);
        let capacity = f64::from(trace.bytes_at(now + 1)) * 8000.0;
        possible += capacity;
        second[0] += capacity / 1000.0;
        second[1] += target / 1000.0;
        if now % 1000 == 999 {
            outcome.seconds.push(second);
            second = [0.0; 4];
        }
    }
    let most = (max / 8000.0 + bytes_of_sound) * milliseconds as f64;
    let possible = possible_bytes(&trace, milliseconds, max / 8000.0 + bytes_of_sound).min(most).min(possible);
    outcome.used = came / possible.max(1.0);
    outcome.dropped = queue.dropped;
    outcome
}

/// Bytes that the link takes of a stream that never exceeds so many a millisecond, in pieces of 100 ms.
fn possible_bytes(trace: &crate::Trace, milliseconds: u64, most: f64) -> f64 {
    (0..milliseconds / 100)
        .map(|part| (trace.mean(part * 100, part * 100 + 100) / 80.0).min(most * 100.0))
        .sum()
}
