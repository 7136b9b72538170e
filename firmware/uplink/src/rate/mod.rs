//! Rate control of the uplink, without I/O: time and samples in, the encoder's target out (spec 10.9).

mod controller;
mod losses;
mod path;
mod server;
mod size;

use std::time::Duration;

pub use controller::{Bounds, Controller, Decision, Policy};
pub use losses::Losses;
pub use size::SizeSteps;

/// Since any fixed moment, by a clock that never steps.
pub type Time = Duration;

/// What a connection shows at one moment. All counters begin with the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    pub queue: Waiting,
    pub socket: SocketState,
    pub server: Acknowledged,
}

/// What the server says to have of what was written (RTMP section 5.4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Acknowledged {
    /// Bytes of RTMP that the socket took.
    pub written: u64,
    /// The last number that the server told, as it told it: there are as many ways to count as servers.
    pub number: Option<u32>,
}

/// What waits in the send queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// From the oldest to the newest packet.
    pub time: Duration,
    pub bytes: u64,
}

/// What the kernel says of a TCP connection: `TCP_INFO` and `SIOCOUTQ` of tcp(7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketState {
    /// Bytes that the kernel took.
    pub accepted: u64,
    /// Of them those that the other end has not acknowledged, selectively neither.
    pub unacknowledged: u64,
    /// Of those the ones that were not sent yet.
    pub unsent: u64,
    /// Smoothed, its mean deviation, and the smallest of the last minutes.
    pub round_trip: Duration,
    pub variation: Duration,
    pub min_round_trip: Duration,
    /// Bits a second that the last round trip delivered, and whether the sender had less to send than would go through.
    pub delivery_rate: u64,
    pub app_limited: bool,
    /// Packets with data that were sent, and of them those that were sent again.
    pub sent: u64,
    pub repeated: u64,
    /// Congestion control lets next to nothing go, to see the round trip of an empty path (BBR, each ten seconds).
    pub is_probing: bool,
}

impl SocketState {
    /// Bytes at the other end.
    pub fn delivered(&self) -> u64 {
        self.accepted.saturating_sub(self.unacknowledged)
    }

    /// Bits a second that the last round trip delivered, where there was enough to send.
    pub(crate) fn full_rate(&self) -> Option<f64> {
        (!self.app_limited && self.delivery_rate > 0).then_some(self.delivery_rate as f64)
    }
}
