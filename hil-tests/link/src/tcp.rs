//! A TCP connection through a bottleneck, packet by packet, in steps of a millisecond.

use std::collections::{BTreeSet, VecDeque};

use crate::random::Random;
use crate::trace::Trace;
use crate::window::{CongestionControl, Window};

/// Payload of a packet, in bytes.
pub(crate) const MSS: usize = 1448;

/// Bytes that a kernel takes at the most, sent or not: 4 MB of memory (tcp(7), `tcp_wmem`).
const LARGEST: usize = 2_500_000;

/// The path between two ends.
#[derive(Clone, Debug)]
pub struct PathModel {
    pub trace: Trace,
    /// Bytes that wait before the bottleneck; what comes on top is lost.
    pub buffer: usize,
    /// Milliseconds there and back.
    pub rtt: u64,
    /// Share of the packets that get lost on the way.
    pub loss: f64,
}

/// A packet on its way.
#[derive(Clone, Copy, Debug)]
struct Packet {
    /// Of its first byte.
    sequence: u64,
    length: usize,
    /// Of this transmission among all.
    number: u64,
    sent: u64,
    /// What had been delivered when it was sent, and when.
    delivered: (u64, u64),
    app_limited: bool,
    is_acknowledged: bool,
    is_lost: bool,
    is_repeated: bool,
}

/// What TCP_INFO would say.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TcpState {
    pub(crate) accepted: u64,
    pub(crate) unsent: u64,
    /// Sent or not, less what was acknowledged selectively.
    pub(crate) unacknowledged: u64,
    /// Milliseconds.
    pub(crate) rtt: f64,
    pub(crate) variation: f64,
    pub(crate) min_rtt: f64,
    /// Bits a second.
    pub(crate) delivery_rate: f64,
    pub(crate) app_limited: bool,
    /// Packets.
    pub(crate) sent: u64,
    pub(crate) repeated: u64,
    pub(crate) is_probing: bool,
}

pub(crate) struct Tcp {
    path: PathModel,
    random: Random,
    now: u64,
    unsent: usize,
    accepted: u64,
    /// In the order of their bytes.
    flight: VecDeque<Packet>,
    repeats: VecDeque<u64>,
    next: u64,
    transmissions: u64,
    in_flight: usize,
    /// Before the bottleneck: sequence, length, number.
    queue: VecDeque<(u64, usize, u64)>,
    queued: usize,
    credit: f64,
    /// Behind it: when, sequence, length, number.
    arrivals: VecDeque<(u64, u64, usize, u64)>,
    acknowledgements: VecDeque<(u64, u64, u64)>,
    /// The receiver: all before it came, and what came beyond.
    received: u64,
    beyond: BTreeSet<(u64, usize)>,
    delivered: u64,
    delivered_at: u64,
    selectively: usize,
    window: Window,
    state: TcpState,
    last_progress: u64,
    recovering_until: u64,
}

impl Tcp {
    pub(crate) fn new(path: PathModel, control: CongestionControl, seed: u64) -> Self {
        Self {
            path,
            random: Random::new(seed),
            now: 0,
            unsent: 0,
            accepted: 0,
            flight: VecDeque::new(),
            repeats: VecDeque::new(),
            next: 0,
            transmissions: 0,
            in_flight: 0,
            queue: VecDeque::new(),
            queued: 0,
            credit: 0.0,
            arrivals: VecDeque::new(),
            acknowledgements: VecDeque::new(),
            received: 0,
            beyond: BTreeSet::new(),
            delivered: 0,
            delivered_at: 0,
            selectively: 0,
            window: Window::new(control),
            state: TcpState { min_rtt: f64::MAX, ..TcpState::default() },
            last_progress: 0,
            recovering_until: 0,
        }
    }

    /// Bytes that the socket takes; `low_water` is TCP_NOTSENT_LOWAT, none for a buffer that the kernel sizes by itself.
    pub(crate) fn room(&self, low_water: Option<usize>) -> usize {
        match low_water {
            Some(limit) => limit.saturating_sub(self.unsent),
            None => (2 * (self.window.packets as usize) * MSS)
                .clamp(40_000, LARGEST)
                .saturating_sub(self.unsent + self.in_flight * MSS),
        }
    }

    pub(crate) fn write(&mut self, bytes: usize) {
        self.unsent += bytes;
        self.accepted += bytes as u64;
    }

    pub(crate) fn set_control(&mut self, control: CongestionControl) {
        self.window.set_control(control, self.state.rtt);
    }

    /// All bytes before this one have come.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    pub(crate) fn state(&self) -> TcpState {
        TcpState {
            accepted: self.accepted,
            unsent: self.unsent as u64,
            unacknowledged: self.accepted
                - self.flight.front().map_or(self.next, |packet| packet.sequence)
                - self.selectively as u64,
            sent: self.transmissions,
            is_probing: self.window.is_probing(),
            ..self.state
        }
    }

    /// The next millisecond.
    pub(crate) fn step(&mut self) {
        self.now += 1;
        self.forward();
        self.receive();
        while let Some((_, sequence, number)) =
            pop_if(&mut self.acknowledgements, |(due, ..)| *due <= self.now)
        {
            self.acknowledge(sequence, number);
        }
        self.probe_tail();
        self.send();
    }

    fn forward(&mut self) {
        self.credit += f64::from(self.path.trace.bytes_at(self.now));
        while let Some((_, length, _)) = self.queue.front()
            && *length as f64 <= self.credit
        {
            self.credit -= *length as f64;
            self.queued -= *length;
            if let Some((sequence, length, number)) = self.queue.pop_front() {
                self.arrivals.push_back((self.now + self.path.rtt / 2, sequence, length, number));
            }
        }
        if self.queue.is_empty() {
            self.credit = self.credit.min(1500.0);
        }
    }

    fn receive(&mut self) {
        while let Some((due, sequence, length, number)) =
            pop_if(&mut self.arrivals, |(due, ..)| *due <= self.now)
        {
            if sequence >= self.received {
                self.beyond.insert((sequence, length));
            }
            while let Some((sequence, length)) = self.beyond.first().copied()
                && sequence <= self.received
            {
                self.received = self.received.max(sequence + length as u64);
                self.beyond.pop_first();
            }
            self.acknowledgements.push_back((due + self.path.rtt.div_ceil(2), sequence, number));
        }
    }

    fn acknowledge(&mut self, sequence: u64, number: u64) {
        let Some(packet) = self.packet(sequence) else {
            return;
        };
        if packet.is_acknowledged {
            return;
        }
        packet.is_acknowledged = true;
        let was_lost = std::mem::take(&mut packet.is_lost);
        let packet = *packet;
        if !was_lost {
            self.in_flight -= 1;
        }
        self.delivered += packet.length as u64;
        self.delivered_at = self.now;
        self.selectively += packet.length;
        self.last_progress = self.now;
        self.measure(&packet);
        while let Some(first) = pop_if(&mut self.flight, |packet| packet.is_acknowledged) {
            self.selectively -= first.length;
        }
        self.detect_losses(number);
        self.window.grow(self.now, self.state.rtt.max(1.0), self.state.min_rtt, packet.app_limited);
    }

    fn packet(&mut self, sequence: u64) -> Option<&mut Packet> {
        let index = self.flight.partition_point(|packet| packet.sequence < sequence);
        self.flight.get_mut(index).filter(|packet| packet.sequence == sequence)
    }

    fn measure(&mut self, packet: &Packet) {
        let state = &mut self.state;
        if !packet.is_repeated {
            let rtt = (self.now - packet.sent) as f64;
            self.window.measure(self.now, rtt < state.min_rtt, self.in_flight);
            state.min_rtt = state.min_rtt.min(rtt);
            if state.rtt == 0.0 {
                (state.rtt, state.variation) = (rtt, rtt / 2.0);
            } else {
                state.variation += ((rtt - state.rtt).abs() - state.variation) / 4.0;
                state.rtt += (rtt - state.rtt) / 8.0;
            }
        }
        let interval = (self.now - packet.delivered.1) as f64;
        if interval >= state.min_rtt.min(state.rtt) {
            let rate = (self.delivered - packet.delivered.0) as f64 / interval;
            if !packet.app_limited || rate * 8000.0 > state.delivery_rate {
                (state.delivery_rate, state.app_limited) = (rate * 8000.0, packet.app_limited);
                self.window.sample(self.now, rate, state.rtt);
            }
        }
    }

    /// A packet is lost when one that was sent three packets later came (RFC 8985 without its clock).
    fn detect_losses(&mut self, number: u64) {
        let mut lost = 0;
        for packet in &mut self.flight {
            if !packet.is_acknowledged && !packet.is_lost && packet.number + 3 <= number {
                packet.is_lost = true;
                lost += 1;
                self.repeats.push_back(packet.sequence);
            }
        }
        if lost > 0 {
            self.in_flight -= lost;
            self.shrink();
        }
    }

    /// The last packets of all have none behind them that tells their loss.
    fn probe_tail(&mut self) {
        let patience = (2.0 * self.state.rtt).max(200.0) as u64;
        if self.now < self.last_progress + patience || self.in_flight == 0 {
            return;
        }
        let queued: BTreeSet<u64> = self.queue.iter().map(|(_, _, number)| *number).collect();
        let oldest_under_way = self.now.saturating_sub(self.path.rtt + 2);
        let mut lost = 0;
        for packet in &mut self.flight {
            let is_under_way = queued.contains(&packet.number) || packet.sent > oldest_under_way;
            if !packet.is_acknowledged && !packet.is_lost && !is_under_way {
                packet.is_lost = true;
                lost += 1;
                self.repeats.push_back(packet.sequence);
            }
        }
        if lost > 0 {
            self.in_flight -= lost;
            self.last_progress = self.now;
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        if self.now >= self.recovering_until {
            self.recovering_until = self.now + self.state.rtt as u64;
            self.window.shrink();
        }
    }

    fn send(&mut self) {
        let mut budget = self.window.pacing().unwrap_or(f64::MAX);
        // What was left of the last millisecond is given away: at the rates here it is less than a packet.
        if self.random.uniform() < (budget / MSS as f64).fract() {
            budget += MSS as f64;
        }
        while (self.in_flight as f64) < self.window.packets && budget >= MSS as f64 {
            let app_limited = self.unsent < MSS && (self.in_flight as f64) < self.window.packets - 1.0;
            let (sequence, length) = if let Some(sequence) = self.repeats.pop_front() {
                match self.packet(sequence) {
                    Some(packet) if packet.is_lost => (sequence, packet.length),
                    _ => continue,
                }
            } else if self.unsent > 0 {
                let length = self.unsent.min(MSS);
                self.unsent -= length;
                self.next += length as u64;
                (self.next - length as u64, length)
            } else {
                break;
            };
            budget -= MSS as f64;
            self.transmit(sequence, length, app_limited);
        }
    }

    fn transmit(&mut self, sequence: u64, length: usize, app_limited: bool) {
        let (now, number) = (self.now, self.transmissions);
        if self.in_flight == 0 {
            (self.delivered_at, self.last_progress) = (now, now);
        }
        let fresh = Packet {
            sequence,
            length,
            number,
            sent: now,
            delivered: (self.delivered, self.delivered_at),
            app_limited,
            is_acknowledged: false,
            is_lost: false,
            is_repeated: false,
        };
        match self.packet(sequence) {
            Some(packet) => {
                *packet = Packet { is_repeated: true, ..fresh };
                self.state.repeated += 1;
            }
            None => self.flight.push_back(fresh),
        }
        self.transmissions += 1;
        self.in_flight += 1;
        let is_lost = self.random.uniform() < self.path.loss;
        if !is_lost && self.queued + length <= self.path.buffer {
            self.queued += length;
            self.queue.push_back((sequence, length, number));
        }
    }
}

/// Takes the first item where it is as wanted.
fn pop_if<T>(items: &mut VecDeque<T>, is_wanted: impl Fn(&T) -> bool) -> Option<T> {
    if items.front().is_some_and(is_wanted) { items.pop_front() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bits a second that a sender gets through who always has more, and the round trip at the end, a second before BBR looks for
    /// the shortest one again.
    fn bulk(path: PathModel, control: CongestionControl) -> (f64, f64) {
        let mut tcp = Tcp::new(path, control, 1);
        let mut before = 0;
        for now in 0..29_000 {
            let room = tcp.room(None);
            tcp.write(room);
            tcp.step();
            if now == 10_000 {
                before = tcp.received();
            }
        }
        ((tcp.received() - before) as f64 * 8.0 / 19.0, tcp.state().rtt)
    }

    fn path(rate: f64, buffer: usize, loss: f64) -> PathModel {
        PathModel { trace: Trace::steps(&[(1000, rate)]), buffer, rtt: 50, loss }
    }

    #[test]
    fn a_sender_who_always_has_more_fills_the_link_and_what_waits_before_it() {
        for control in [CongestionControl::Cubic, CongestionControl::Bbr] {
            let (rate, rtt) = bulk(path(4e6, 128_000, 0.0), control);
            assert!((3.5e6..=4.01e6).contains(&rate), "{control:?}: {rate}");
            assert!(rtt > 60.0 && rtt < 320.0, "{control:?}: {rtt}");
        }
    }

    #[test]
    fn random_loss_holds_cubic_down_and_not_bbr() {
        let (cubic, _) = bulk(path(8e6, 128_000, 0.03), CongestionControl::Cubic);
        let (bbr, _) = bulk(path(8e6, 128_000, 0.03), CongestionControl::Bbr);
        assert!(cubic < 4e6 && bbr > 6e6, "{cubic} {bbr}");
    }

    #[test]
    fn nothing_is_lost_for_good() {
        let mut tcp = Tcp::new(path(2e6, 20_000, 0.05), CongestionControl::Cubic, 3);
        tcp.write(500_000);
        for _ in 0..20_000 {
            tcp.step();
        }
        assert_eq!((tcp.received(), tcp.state().unacknowledged), (500_000, 0));
    }
}
