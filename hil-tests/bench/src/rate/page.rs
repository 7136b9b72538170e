//! The page with tables and plots.

use super::scenarios::Scenario;
use super::{Row, aims};

const HEAD: &str = "# Rate control on bad links

Made by `scripts/bench rate`; the plots and the made-up mobile trace, in mahimahi's format, lie in `rate`. Pictures may have from
0.2 to 4 Mb/s. **delay**: from capture to the last byte at the server. **used**: bytes that came, of those that link and encoder
could have carried. **back**: from the link's recovery until nine tenths of 4 Mb/s. **changes**: of the target by a tenth or more,
a minute. **gap**: the longest time between two sounds that came.
";

const SIMULATED: &str = "
## Simulated

The same encoder model (30 pictures a second, IDR pictures of six times the mean every 3 s, noise of 20 %, 150 ms to follow its
target), the same TCP model and the same link for all (`hil-tests/link`); the others' controllers as their sources and documents
describe them. What is buffered below the application beside the link's own queue is what the TCP model takes: for Pushbox 16 kB
that are not sent yet, for the others what the kernel would take by itself. Congestion control is Cubic; Pushbox turns to BBR
where packets get lost on a path that is not full.
";

const MEASURED: &str = "
## Measured

The real program with its encoder, through this machine's TCP and an emulated link between two network namespaces, to the receiver,
which reads delay and loss from the marks in the pictures: 640x360, 30 pictures a second with grain, which takes whatever bits it
may have. \"Fixed\" is Pushbox with both bounds at 4 Mb/s. Lost pictures are those whose number did not come, because the encoder
left them out to keep its rate, the send queue dropped them, or the machine had no time for them.
";

pub(super) fn write(scenarios: &[Scenario], simulated: &[Row], measured: &[Row]) -> String {
    let mut text = HEAD.to_owned() + &aims::write(simulated, measured);
    for (about, kind, rows) in [(SIMULATED, "simulated", simulated), (MEASURED, "measured", measured)] {
        if rows.is_empty() {
            continue;
        }
        text += about;
        for scenario in scenarios {
            section(&mut text, scenario, kind, rows);
        }
    }
    text
}

fn section(text: &mut String, scenario: &Scenario, kind: &str, rows: &[Row]) {
    let rows: Vec<&Row> = rows.iter().filter(|row| row.scenario == scenario.name).collect();
    if rows.is_empty() {
        return;
    }
    *text += &format!("\n### {}\n\n{}.\n\n", scenario.name, capital(&scenario.what));
    *text += "| | delay p50 / p95 / p99, s | used | pictures lost | back, s | changes | gap, s |\n";
    *text += "|---|---|---|---|---|---|---|\n";
    for row in &rows {
        let seconds = |milliseconds: f64| format!("{:.2}", milliseconds / 1000.0);
        let back = match row.back_s {
            Some(back) => format!("{back:.1}"),
            None if scenario.recovers.is_some() => "never".into(),
            None => "-".into(),
        };
        *text += &format!(
            "| {} | {} / {} / {} | {:.0} % | {:.1} % | {back} | {:.0} | {} |\n",
            row.who,
            seconds(row.delay_p50_ms),
            seconds(row.delay_p95_ms),
            seconds(row.delay_p99_ms),
            100.0 * row.used,
            100.0 * row.lost,
            row.changes_a_minute,
            seconds(row.sound_gap_ms),
        );
    }
    if let Some(own) = rows.iter().find(|row| row.who.starts_with("Pushbox")) {
        *text +=
            &format!("\n![]({})\n", format_args!("rate/{kind}-{}-{}.svg", scenario.name, slug(&own.who)));
    }
}

/// A contestant's name as part of a file's.
pub(super) fn slug(name: &str) -> String {
    name.to_lowercase().replace([' ', ','], "-").replace("--", "-")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
