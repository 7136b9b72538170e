//! The links.

use std::path::Path;

use anyhow::{Context, Result};
use link::{PathModel, Trace};

use super::MAX;

pub(super) struct Scenario {
    pub(super) name: String,
    pub(super) what: String,
    pub(super) trace: Trace,
    pub(super) seconds: u64,
    pub(super) buffer: usize,
    pub(super) rtt: u64,
    pub(super) loss: f64,
    /// When the link gets better, in milliseconds.
    pub(super) recovers: Option<u64>,
    /// The path from a proxy that takes all at once to the server.
    pub(super) behind: Option<Trace>,
    /// Whether its trace is written beside the page.
    pub(super) is_generated: bool,
    /// Whether the real program is sent over it too.
    pub(super) is_measured: bool,
}

const SHALLOW: usize = 128_000;
const DEEP: usize = 2_000_000;

impl Scenario {
    fn new(name: &str, what: &str, trace: Trace) -> Self {
        Self {
            name: name.into(),
            what: what.into(),
            seconds: trace.length().as_secs(),
            trace,
            buffer: DEEP,
            rtt: 50,
            loss: 0.0,
            recovers: None,
            behind: None,
            is_generated: false,
            is_measured: true,
        }
    }

    pub(super) fn path(&self) -> PathModel {
        let Self { trace, buffer, rtt, loss, .. } = self;
        PathModel { trace: trace.clone(), buffer: *buffer, rtt: *rtt, loss: *loss }
    }
}

pub(super) fn all() -> Vec<Scenario> {
    let step = || Trace::steps(&[(30_000, 6e6), (30_000, 1.2e6), (30_000, 6e6)]);
    let steady = || Trace::steps(&[(40_000, 6e6)]);
    let mobile = Trace::mobile(1, 120, 3e6, 0.6);
    let lossy = |percent: u32| Scenario {
        loss: f64::from(percent) / 100.0,
        ..Scenario::new(
            &format!("loss-{percent}"),
            &format!("6 Mb/s, {percent} % of the packets lost"),
            steady(),
        )
    };
    vec![
        Scenario {
            buffer: SHALLOW,
            recovers: Some(60_000),
            ..Scenario::new("step-shallow", "6, then 1.2, then 6 Mb/s, 30 s each; 128 kB before it", step())
        },
        Scenario {
            recovers: Some(60_000),
            ..Scenario::new("step-deep", "the same with 2 MB before it", step())
        },
        Scenario::new(
            "ramp",
            "from 6 down to 1 Mb/s in 30 s, and up again; 2 MB",
            Trace::ramp(30_000, 6e6, 1e6).then(&Trace::ramp(30_000, 1e6, 6e6)),
        ),
        Scenario {
            recovers: Some(25_000),
            ..Scenario::new(
                "outage",
                "6 Mb/s without the five seconds from the 20th on; 2 MB",
                Trace::steps(&[(20_000, 6e6), (5000, 0.0), (25_000, 6e6)]),
            )
        },
        Scenario {
            rtt: 300,
            recovers: Some(60_000),
            ..Scenario::new("step-far", "the steps over a round trip of 300 ms; 2 MB", step())
        },
        Scenario {
            behind: Some(step()),
            recovers: Some(60_000),
            is_measured: false,
            ..Scenario::new(
                "step-proxy",
                "the steps behind a proxy that takes all at once, over 50 Mb/s",
                Trace::steps(&[(90_000, 50e6)]),
            )
        },
        lossy(1),
        lossy(5),
        Scenario {
            buffer: SHALLOW,
            ..Scenario::new(
                "mobile-shallow",
                "a phone in a car, 3 Mb/s in the median; 128 kB",
                mobile.clone(),
            )
        },
        Scenario { is_generated: true, ..Scenario::new("mobile-deep", "the same with 2 MB", mobile) },
    ]
}

/// A trace of mahimahi's, five minutes of it at the most.
pub(super) fn of_file(path: &Path) -> Result<Scenario> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let trace = Trace::parse(&text).with_context(|| format!("{} is no trace", path.display()))?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mean = trace.mean(0, trace.length().as_millis() as u64).min(f64::from(MAX) * 10.0) / 1e6;
    let scenario = Scenario::new(&name, &format!("from a file, {mean:.1} Mb/s on the average; 2 MB"), trace);
    Ok(Scenario { seconds: scenario.seconds.min(300), ..scenario })
}
