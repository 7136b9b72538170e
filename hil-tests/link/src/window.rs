//! How many packets a sender has under way.

use std::collections::VecDeque;

use crate::tcp::MSS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CongestionControl {
    /// RFC 9438, without its friendly region.
    Cubic,
    /// Version 1, as Linux has it: twice what path and delivery rate hold, paced; every ten seconds next to nothing, to see
    /// the round trip of an empty path.
    Bbr,
}

/// Of BBR: how long a smallest round trip counts, how long at the least it looks for a new one, and with how many packets
/// under way (linux: net/ipv4/tcp_bbr.c).
const ROUND_TRIP_MEMORY: u64 = 10_000;
const PROBING: u64 = 200;
const PROBING_PACKETS: f64 = 4.0;

/// In packets; times are in milliseconds.
pub(crate) struct Window {
    control: CongestionControl,
    pub(crate) packets: f64,
    threshold: f64,
    before_loss: f64,
    epoch: Option<u64>,
    /// Bytes a millisecond, with their times.
    rates: VecDeque<(u64, f64)>,
    /// The best rate of the start, and when it grew last.
    startup: Option<(f64, u64)>,
    /// Bytes a millisecond.
    pacing: f64,
    /// When the round trip was a new smallest one last.
    smallest_at: u64,
    /// Whether it is looked for, and since when few enough packets are under way to see it.
    is_probing: bool,
    probing_since: Option<u64>,
}

impl Window {
    pub(crate) fn new(control: CongestionControl) -> Self {
        Self {
            control,
            packets: 10.0,
            threshold: f64::MAX,
            before_loss: 0.0,
            epoch: None,
            rates: VecDeque::new(),
            startup: Some((0.0, 0)),
            pacing: 10.0 * MSS as f64,
            smallest_at: 0,
            is_probing: false,
            probing_since: None,
        }
    }

    /// From now on; `rtt` is the present round trip in milliseconds.
    pub(crate) fn set_control(&mut self, control: CongestionControl, rtt: f64) {
        if control != self.control {
            self.pacing = self.packets * MSS as f64 / rtt.max(1.0);
            (self.control, self.startup) = (control, Some((0.0, 0)));
        }
    }

    /// Bytes that may go out in a millisecond, where that is limited.
    pub(crate) fn pacing(&self) -> Option<f64> {
        (self.control == CongestionControl::Bbr).then_some(self.pacing)
    }

    /// Whether it holds back to see the round trip of an empty path.
    pub(crate) fn is_probing(&self) -> bool {
        self.is_probing
    }

    /// A round trip was measured; `in_flight` packets are under way.
    pub(crate) fn measure(&mut self, now: u64, is_smallest: bool, in_flight: usize) {
        if self.control != CongestionControl::Bbr {
            return;
        }
        if is_smallest {
            self.smallest_at = now;
        } else if !self.is_probing && now > self.smallest_at + ROUND_TRIP_MEMORY {
            (self.is_probing, self.probing_since) = (true, None);
        }
        if self.is_probing && in_flight as f64 <= PROBING_PACKETS {
            let since = *self.probing_since.get_or_insert(now);
            if now >= since + PROBING {
                (self.is_probing, self.smallest_at) = (false, now);
            }
        }
    }

    pub(crate) fn sample(&mut self, now: u64, rate: f64, rtt: f64) {
        self.rates.push_back((now, rate));
        let oldest = now.saturating_sub(10 * rtt.max(10.0) as u64);
        while self.rates.front().is_some_and(|(time, _)| *time < oldest) {
            self.rates.pop_front();
        }
    }

    /// After a loss.
    pub(crate) fn shrink(&mut self) {
        if self.control == CongestionControl::Cubic {
            self.before_loss = self.packets;
            self.packets = (self.packets * 0.7).max(2.0);
            (self.threshold, self.epoch) = (self.packets, None);
        }
    }

    /// After a packet arrived.
    pub(crate) fn grow(&mut self, now: u64, rtt: f64, min_rtt: f64, app_limited: bool) {
        match self.control {
            CongestionControl::Cubic => self.grow_cubic(now, rtt, app_limited),
            CongestionControl::Bbr => self.grow_bbr(now, rtt, min_rtt, app_limited),
        }
    }

    fn grow_cubic(&mut self, now: u64, rtt: f64, app_limited: bool) {
        // One that is not used does not grow (RFC 9438 section 5.8).
        if app_limited {
            return;
        }
        if self.packets < self.threshold {
            self.packets += 1.0;
            return;
        }
        let since = (now - *self.epoch.get_or_insert(now)) as f64;
        let k = (self.before_loss * 0.3 / 0.4).max(0.0).cbrt();
        let target = 0.4 * ((since + rtt) / 1000.0 - k).powi(3) + self.before_loss.max(self.packets);
        self.packets += ((target - self.packets) / self.packets).clamp(0.01, 0.5);
    }

    fn grow_bbr(&mut self, now: u64, rtt: f64, min_rtt: f64, app_limited: bool) {
        let rate = self.rates.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
        let mut gain: f64 = match (now / min_rtt.max(1.0) as u64) % 8 {
            0 => 1.25,
            1 => 0.75,
            _ => 1.0,
        };
        if let Some((best, grew)) = &mut self.startup {
            gain = 2.89;
            if rate > *best * 1.25 {
                (*best, *grew) = (rate, now);
            } else if !app_limited && now > *grew + 3 * rtt as u64 {
                self.startup = None;
            }
        }
        self.packets = (gain.max(2.0) * rate * min_rtt.min(1e4) / MSS as f64 + 3.0).max(10.0);
        if self.is_probing {
            (gain, self.packets) = (1.0, PROBING_PACKETS);
        }
        self.pacing = (gain * rate).max(MSS as f64 * 0.1);
    }
}
