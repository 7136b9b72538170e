//! All controllers on the same simulated links.

use link::{CongestionControl, Own, RateControl, peers, run};
use uplink::rate::Policy;

use super::scenarios::Scenario;
use super::{MAX, MIN, Row};

/// What Pushbox begins with; peers begin with their most.
const START: f64 = 1.8e6;

fn contest(scenario: &Scenario) -> Vec<Row> {
    let (min, max) = (f64::from(MIN), f64::from(MAX));
    let own = [Policy::Live, Policy::Rtc].map(|policy| Own::new(policy, min, max, START));
    let own = own.into_iter().map(|own| (Box::new(own) as Box<dyn RateControl>, START));
    let peers = peers(min, max).into_iter().map(|peer| (peer, max));
    own.chain(peers).map(|(mut who, start)| row(scenario, who.as_mut(), start)).collect()
}

pub(super) fn run_all(scenarios: &[Scenario]) -> Vec<Row> {
    scenarios.iter().flat_map(contest).collect()
}

fn row(scenario: &Scenario, who: &mut dyn RateControl, start: f64) -> Row {
    let outcome = run(
        &link::Scenario {
            path: scenario.path(),
            control: CongestionControl::Cubic,
            milliseconds: scenario.seconds * 1000,
            max: f64::from(MAX),
            start,
            seed: 1,
            server: link::Server { behind: scenario.behind.clone(), ..link::Server::default() },
        },
        who,
    );
    let back = scenario.recovers.and_then(|from| outcome.back(from, 0.9 * f64::from(MAX)));
    Row {
        scenario: scenario.name.clone(),
        who: who.name().into(),
        delay_p50_ms: outcome.delay(0.5),
        delay_p95_ms: outcome.delay(0.95),
        delay_p99_ms: outcome.delay(0.99),
        used: outcome.used.min(1.0),
        lost: outcome.dropped as f64 / outcome.pictures.max(1) as f64,
        back_s: back.map(|milliseconds| milliseconds as f64 / 1000.0),
        changes_a_minute: outcome.changes as f64 * 60.0 / scenario.seconds as f64,
        sound_gap_ms: outcome.sound_gap as f64,
        seconds: outcome
            .seconds
            .iter()
            .map(|[link, target, came, delay]| [link / 1e6, target / 1e6, came / 1e6, delay / 1000.0])
            .collect(),
    }
}
