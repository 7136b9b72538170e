//! Rate control on bad links: simulated beside its peers, and the real program through an emulated link.

mod aims;
mod page;
mod plot;
mod real;
mod scenarios;
mod simulated;

use std::fs;
use std::path::Path;

use anyhow::Result;
use link::Trace;
use serde::Serialize;

/// What the encoder may take, in bits a second.
const MIN: u32 = 200_000;
const MAX: u32 = 4_000_000;

/// One contestant on one link.
#[derive(Clone, Debug, Serialize)]
struct Row {
    scenario: String,
    who: String,
    delay_p50_ms: f64,
    delay_p95_ms: f64,
    delay_p99_ms: f64,
    /// Bits that came, of those that link and encoder could have carried.
    used: f64,
    /// Share of the pictures.
    lost: f64,
    /// From the link's recovery until nine tenths of the most that it could carry.
    back_s: Option<f64>,
    changes_a_minute: f64,
    sound_gap_ms: f64,
    /// Of each second: Mb/s that the link would have taken, that the encoder was to make, that came; the longest delay in
    /// seconds.
    #[serde(skip)]
    seconds: Vec<[f64; 4]>,
}

/// Writes `rate.md` and its plots into `out`. `real` is the program; `only` part of the links' names; `trace` a file of mahimahi's to try as well.
pub(crate) fn compare(
    out: &Path,
    real: Option<&Path>,
    only: Option<&str>,
    trace: Option<&Path>,
) -> Result<()> {
    let mut scenarios = scenarios::all();
    if let Some(path) = trace {
        scenarios.push(scenarios::of_file(path)?);
    }
    scenarios.retain(|scenario| only.is_none_or(|name| scenario.name.contains(name)));
    let plots = out.join("rate");
    fs::create_dir_all(&plots)?;
    for scenario in scenarios.iter().filter(|scenario| scenario.is_generated) {
        fs::write(plots.join(format!("{}.trace", scenario.name)), scenario.trace.to_text())?;
    }
    let simulated = simulated::run_all(&scenarios);
    let measured = match real {
        Some(program) => real::run(program, &scenarios)?,
        None => Vec::new(),
    };
    for (kind, rows) in [("simulated", &simulated), ("measured", &measured)] {
        for row in rows.iter().filter(|row| row.who.starts_with("Pushbox")) {
            let name = format!("{kind}-{}-{}.svg", row.scenario, page::slug(&row.who));
            fs::write(plots.join(name), plot::svg(row))?;
        }
    }
    let text = page::write(&scenarios, &simulated, &measured);
    println!("{text}");
    fs::write(out.join("rate.md"), text)?;
    fs::write(out.join("rate.json"), serde_json::to_vec_pretty(&(&simulated, &measured))?)?;
    Ok(())
}

/// Bytes that a link takes of a stream of at most so many bits a second, from one millisecond to another.
fn possible(trace: &Trace, from: u64, to: u64, most: f64) -> f64 {
    let pieces = (from..to).step_by(100);
    pieces.map(|start| trace.mean(start, (start + 100).min(to)).min(most) / 80.0).sum()
}
