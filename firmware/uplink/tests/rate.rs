//! Rate control on simulated links: what section 10.9 of the specification wants seen, and what users complain of.

use std::time::Duration;

use link::{CongestionControl, Numbers, Outcome, Own, PathModel, Scenario, Server, Trace, run};
use proptest::prelude::*;
use uplink::rate::{Bounds, Controller, Policy, Sample, SocketState, Waiting};

const POLICIES: [Policy; 2] = [Policy::Live, Policy::Rtc];
const SHALLOW: usize = 128_000;
const DEEP: usize = 2_000_000;
const SOUND: f64 = 65e3;

struct Case {
    policy: Policy,
    trace: Trace,
    seconds: u64,
    rtt: u64,
    buffer: usize,
    loss: f64,
    start: f64,
    max: f64,
    seed: u64,
    server: Server,
}

impl Case {
    fn new(policy: Policy, trace: Trace, seconds: u64) -> Self {
        let (rtt, buffer, loss, seed, server) = (50, DEEP, 0.0, 1, Server::default());
        Self { policy, trace, seconds, rtt, buffer, loss, start: 1.8e6, max: 4e6, seed, server }
    }

    fn run(self) -> Outcome {
        let path = PathModel { trace: self.trace, buffer: self.buffer, rtt: self.rtt, loss: self.loss };
        let mut own = Own::new(self.policy, 200e3, self.max, self.start);
        let scenario = Scenario {
            path,
            control: CongestionControl::Cubic,
            milliseconds: self.seconds * 1000,
            max: self.max,
            start: self.start,
            seed: self.seed,
            server: self.server,
        };
        run(&scenario, &mut own)
    }
}

fn steady(rate: f64) -> Trace {
    Trace::steps(&[(1000, rate)])
}

#[test]
fn a_step_down_and_up_costs_little_delay_and_little_of_the_link() {
    for buffer in [SHALLOW, DEEP] {
        for policy in POLICIES {
            let outcome = Case { buffer, ..Case::new(policy, steps(), 90) }.run();
            assert!(outcome.delay(0.95) < 350.0, "{policy:?}, {buffer}: {}", outcome.delay(0.95));
            assert!(outcome.used > 0.93, "{policy:?}, {buffer}: {}", outcome.used);
            let back = outcome.back(60_000, 0.9 * 4e6);
            assert!(back.is_some_and(|back| back < 4000), "{policy:?}, {buffer}: {back:?}");
            assert_eq!(outcome.dropped, 0, "{policy:?}, {buffer}");
        }
    }
}

#[test]
fn a_step_on_a_long_way_is_noticed_within_a_round_trip() {
    for policy in POLICIES {
        let outcome = Case { rtt: 300, ..Case::new(policy, steps(), 90) }.run();
        assert!(outcome.delay(0.95) < 400.0, "{policy:?}: {}", outcome.delay(0.95));
        assert!(outcome.delay(0.99) < 1900.0, "{policy:?}: {}", outcome.delay(0.99));
        assert!(outcome.used > 0.9, "{policy:?}: {}", outcome.used);
        assert_eq!(outcome.dropped, 0, "{policy:?}");
    }
}

#[test]
fn a_mobile_link_is_used_without_long_delays() {
    for seed in 1..4 {
        let trace = Trace::mobile(seed, 180, 3e6, 0.6);
        let outcome = Case { seed, ..Case::new(Policy::Live, trace, 180) }.run();
        assert!(outcome.delay(0.95) < 1000.0, "{seed}: {}", outcome.delay(0.95));
        assert!(outcome.used > 0.9, "{seed}: {}", outcome.used);
        assert_eq!(outcome.dropped, 0, "{seed}");
    }
}

#[test]
fn n4_a_link_of_three_fifths_of_the_target_is_kept_to_in_time_and_left_when_it_widens() {
    for (policy, down, up) in [(Policy::Live, 10_000, 60_000), (Policy::Rtc, 3000, 20_000)] {
        for rtt in [10, 50, 150] {
            let trace = Trace::steps(&[(20_000, 5e6), (30_000, 0.6e6), (70_000, 5e6)]);
            let outcome = Case { rtt, start: 1e6, max: 1e6, seed: 2, ..Case::new(policy, trace, 120) }.run();
            let narrow = &outcome.targets[20_000 + down..50_000];
            let highest = narrow.iter().fold(0.0_f64, |most, target| most.max(*target));
            assert!(highest <= 0.6e6, "{policy:?}, {rtt} ms: {highest}");
            let mean = narrow.iter().sum::<f64>() / narrow.len() as f64;
            assert!((0.75 * 0.6e6..=0.95 * 0.6e6).contains(&mean), "{policy:?}, {rtt} ms: {mean}");
            let back = outcome.back(50_000, 0.9e6);
            assert!(back.is_some_and(|back| back < up), "{policy:?}, {rtt} ms: {back:?}");
            assert_eq!(outcome.dropped, 0, "{policy:?}, {rtt} ms");
        }
    }
}

#[test]
fn an_outage_takes_the_target_to_its_least_and_gives_it_back() {
    for policy in POLICIES {
        let trace = Trace::steps(&[(20_000, 6e6), (5000, 0.0), (35_000, 6e6)]);
        let outcome = Case { start: 4e6, ..Case::new(policy, trace, 60) }.run();
        assert!(outcome.targets[20_700..25_000].iter().all(|target| *target < 250e3));
        let back = outcome.back(25_000, 0.9 * 4e6);
        assert!(back.is_some_and(|back| back < 3000), "{policy:?}: {back:?}");
    }
}

#[test]
fn losses_on_a_path_that_is_not_full_do_not_hold_the_stream_back() {
    for loss in [0.01, 0.03, 0.05] {
        for policy in POLICIES {
            let outcome = Case { loss, ..Case::new(policy, steady(6e6), 40) }.run();
            assert!(outcome.used > 0.75, "{policy:?}, {loss}: {}", outcome.used);
            assert!(outcome.delay(0.95) < 600.0, "{policy:?}, {loss}: {}", outcome.delay(0.95));
            assert_eq!(outcome.dropped, 0, "{policy:?}, {loss}");
        }
    }
}

fn steps() -> Trace {
    Trace::steps(&[(30_000, 6e6), (30_000, 1.2e6), (30_000, 6e6)])
}

#[test]
fn a_narrow_path_behind_a_proxy_that_takes_all_is_followed_by_what_the_server_acknowledges() {
    for policy in POLICIES {
        let server = Server { behind: Some(steps()), ..Server::default() };
        let outcome = Case { server, ..Case::new(policy, steady(50e6), 90) }.run();
        assert!(outcome.delay(0.95) < 1200.0, "{policy:?}: {}", outcome.delay(0.95));
        assert!(outcome.used > 0.85, "{policy:?}: {}", outcome.used);
        let back = outcome.back(60_000, 0.9 * 4e6);
        assert!(back.is_some_and(|back| back < 8000), "{policy:?}: {back:?}");
    }
}

#[test]
fn what_drains_slowly_behind_a_proxy_is_no_mistake_of_the_server() {
    for policy in POLICIES {
        // The first is hardly more than the least bitrate and sound: what waits goes away within minutes.
        for (rate, most) in [(0.3e6, 10_000.0), (0.5e6, 3000.0), (0.6e6, 3000.0)] {
            let behind = Trace::steps(&[(30_000, 6e6), (60_000, rate)]);
            let server = Server { behind: Some(behind), ..Server::default() };
            let outcome = Case { server, start: 4e6, ..Case::new(policy, steady(50e6), 90) }.run();
            let narrow = &outcome.targets[35_000..];
            let highest = narrow.iter().fold(0.0_f64, |most, target| most.max(*target));
            assert!(highest < 2.0 * rate, "{policy:?}, {rate}: {highest}");
            let late = outcome.delays.iter().filter(|(captured, _)| *captured > 60_000);
            let longest = late.fold(0.0_f64, |most, (_, delay)| most.max(*delay));
            assert!(longest < most, "{policy:?}, {rate}: {longest}");
        }
    }
}

#[test]
fn a_path_behind_a_proxy_that_stops_is_noticed_by_the_silence_of_the_server() {
    for policy in POLICIES {
        let behind = Trace::steps(&[(30_000, 6e6), (5000, 0.0), (55_000, 6e6)]);
        let server = Server { behind: Some(behind), ..Server::default() };
        let outcome = Case { server, start: 4e6, ..Case::new(policy, steady(50e6), 90) }.run();
        assert!(outcome.targets[32_000..35_000].iter().all(|target| *target < 250e3), "{policy:?}");
        let back = outcome.back(35_000, 0.9 * 4e6);
        assert!(back.is_some_and(|back| back < 3000), "{policy:?}: {back:?}");
    }
}

#[test]
fn servers_that_count_in_their_own_way_or_not_at_all_do_no_harm() {
    let numbers: [(&str, Numbers); 8] = [
        ("none", |_| None),
        ("modulo 2^31", |bytes| Some(((bytes + (1 << 31) - 9_000_000) % (1 << 31)) as u32)),
        ("from anew at 0xf0000000", |bytes| Some(((bytes + 0xf000_0000 - 9_000_000) % 0xf000_0000) as u32)),
        ("modulo 2^32", |bytes| Some((bytes + (1 << 32) - 9_000_000) as u32)),
        ("since the last", |_| Some(100_000)),
        ("at random", |bytes| Some((bytes.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32)),
        ("in steps of 2.5 MB", |bytes| Some((bytes - bytes % 2_500_000) as u32)),
        ("the half of them", |bytes| Some((bytes / 2) as u32)),
    ];
    for (name, numbers) in numbers {
        let server = Server { numbers, ..Server::default() };
        let outcome = Case { server, ..Case::new(Policy::Live, steps(), 90) }.run();
        assert!(outcome.delay(0.95) < 350.0, "{name}: {}", outcome.delay(0.95));
        // One that says what can't be told from a narrow path is believed for a while, and again after a minute.
        let least = if name == "the half of them" { 0.7 } else { 0.93 };
        assert!(outcome.used > least, "{name}: {}", outcome.used);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the constant link, the target comes near it and stays there.
    #[test]
    fn a_constant_link_is_used_without_swinging(
        rate in 0.5_f64..8.0, rtt in 5_u64..120, is_deep: bool, is_live: bool, seed in 0_u64..1000,
    ) {
        let (buffer, policy) = (if is_deep { DEEP } else { SHALLOW }, POLICIES[usize::from(!is_live)]);
        let case = Case::new(policy, steady(rate * 1e6), 60);
        let outcome = Case { rtt, buffer, start: 0.8e6, max: 10e6, seed, ..case }.run();
        let late = &outcome.targets[20_000..];
        let mean = late.iter().sum::<f64>() / late.len() as f64;
        prop_assert!(mean + SOUND > 0.85 * rate * 1e6 && mean + SOUND < rate * 1e6, "mean {mean}");
        let far = late.iter().filter(|target| (*target / mean - 1.0).abs() > 0.15).count();
        prop_assert!(far * 10 < late.len(), "far from its mean in {far} ms");
        prop_assert_eq!(outcome.dropped, 0);
    }

    /// Whatever samples say, the target is within the bounds, also within those that were set just now.
    #[test]
    fn the_target_is_within_the_bounds(steps in prop::collection::vec(
        (0_u64..400, any::<[u32; 7]>(), prop::option::of((50_u32..20_000, 50_u32..20_000))), 1..200,
    )) {
        let mut bounds = Bounds { min: 200_000, max: 1_000_000 };
        let mut controller = Controller::new(Policy::Live, bounds, 5_000_000);
        let mut now = Duration::ZERO;
        for (milliseconds, values, new_bounds) in steps {
            now += Duration::from_millis(milliseconds);
            let [accepted, unacknowledged, unsent, bytes, rtt, min, rate] = values;
            let microseconds = |value: u32| Duration::from_micros(u64::from(value));
            let socket = SocketState {
                accepted: accepted.into(),
                unacknowledged: unacknowledged.into(),
                unsent: unsent.into(),
                round_trip: microseconds(rtt),
                variation: microseconds(rtt / 4),
                min_round_trip: microseconds(min),
                delivery_rate: rate.into(),
                ..SocketState::default()
            };
            let queue = Waiting { time: microseconds(bytes), bytes: bytes.into() };
            let decision = controller.sample(now, &Sample { queue, socket, ..Sample::default() });
            prop_assert!((bounds.min..=bounds.max).contains(&decision.bitrate));
            if let Some((one, other)) = new_bounds {
                bounds = Bounds { min: one.min(other) * 1000, max: one.max(other) * 1000 };
                controller.set_bounds(bounds);
                let bitrate = controller.bitrate();
                prop_assert!((bounds.min..=bounds.max).contains(&bitrate), "{bitrate} beyond {bounds:?}");
            }
        }
    }
}
