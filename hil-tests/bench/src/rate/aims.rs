//! What was aimed at, where it is missed, and why.

use super::Row;

/// A link's name, or how some begin; the aim; what was reached instead, where it is missed.
type Aim = (&'static str, &'static str, fn(&Row) -> Option<String>);

const AIMS: [Aim; 5] = [
    ("step-deep", "p95 under 0.35 s", |row| (row.delay_p95_ms >= 350.0).then(|| seconds(row))),
    ("step-deep", "back within 4 s", |row| {
        let is_late = row.back_s.is_none_or(|back| back > 4.0);
        is_late.then(|| row.back_s.map_or("never".into(), |back| format!("{back:.1} s")))
    }),
    ("step-deep", USED[0], |row| (row.used < 0.93).then(|| share(row.used))),
    ("mobile", "p95 under 1 s", |row| (row.delay_p95_ms >= 1000.0).then(|| seconds(row))),
    ("mobile", USED[1], |row| (row.used < 0.9).then(|| share(row.used))),
];
const USED: [&str; 2] = ["93 % of the link used", "90 % of the link used"];

const HEAD: &str = "
## Aims that are missed

p95 under 0.35 s, 93 % of the link used and back within 4 s on step-deep; p95 under 1 s and 90 % used on the mobile links; a shorter
p95 than each of the others everywhere.

| | link | who | aim | got | why |
|---|---|---|---|---|---|
";

pub(super) fn write(simulated: &[Row], measured: &[Row]) -> String {
    let of = |kind: &'static str, rows| misses(kind, rows).into_iter();
    let lines: String = of("simulated", simulated).chain(of("measured", measured)).collect();
    if lines.is_empty() { String::new() } else { HEAD.to_owned() + &lines }
}

fn misses(kind: &str, rows: &[Row]) -> Vec<String> {
    let own = rows.iter().filter(|row| is_own(row) && row.who != "Pushbox, fixed");
    let lines = |row: &Row| {
        let line = |aim: &str, got: &str, why: &str| {
            format!("| {kind} | {} | {} | {aim} | {got} | {why} |\n", row.scenario, row.who)
        };
        let aims = AIMS.iter().filter(|(link, ..)| row.scenario.starts_with(link));
        let mut lines: Vec<String> =
            aims.filter_map(|(_, aim, got)| Some(line(aim, &got(row)?, why(kind, row, aim)))).collect();
        for other in rows.iter().filter(|other| other.scenario == row.scenario && !is_own(other)) {
            if other.delay_p95_ms < row.delay_p95_ms {
                let aim = format!("p95 shorter than {}'s {}", other.who, seconds(other));
                let why = if other.used < row.used {
                    format!("uses {} of the link, {} {}", share(row.used), other.who, share(other.used))
                } else {
                    "not known".into()
                };
                lines.push(line(&aim, &seconds(row), &why));
            }
        }
        lines
    };
    own.flat_map(lines).collect()
}

fn is_own(row: &Row) -> bool {
    row.who.starts_with("Pushbox")
}

fn why(kind: &str, row: &Row, aim: &str) -> &'static str {
    match (row.who.as_str(), kind) {
        ("Pushbox, RTC", _) if USED.contains(&aim) => {
            "lets 0.07 s wait where live lets 0.18 s: a link that swings runs dry more often, and delays are shorter"
        }
        (_, "measured") if USED.contains(&aim) => {
            "the encoder leaves pictures out while it comes down to a lower target, which the model's does not"
        }
        _ => "not known",
    }
}

fn seconds(row: &Row) -> String {
    format!("{:.2} s", row.delay_p95_ms / 1000.0)
}

fn share(used: f64) -> String {
    format!("{:.1} %", 100.0 * used)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(scenario: &str, who: &str, delay_p95_ms: f64, used: f64, back_s: Option<f64>) -> Row {
        Row {
            scenario: scenario.into(),
            who: who.into(),
            delay_p50_ms: 50.0,
            delay_p95_ms,
            delay_p99_ms: 2.0 * delay_p95_ms,
            used,
            lost: 0.0,
            back_s,
            changes_a_minute: 10.0,
            sound_gap_ms: 100.0,
            seconds: Vec::new(),
        }
    }

    #[test]
    fn what_is_missed_is_told_with_how_far_and_why() {
        let rows = [
            row("step-deep", "Pushbox, live", 360.0, 0.92, None),
            row("step-deep", "Moblin", 320.0, 0.81, Some(1.0)),
            row("mobile-deep", "Pushbox, RTC", 380.0, 0.83, None),
            row("mobile-deep", "belacoder", 560.0, 0.57, None),
        ];
        let measured = [row("step-deep", "Pushbox, fixed", 10_000.0, 1.0, Some(0.0))];
        let text = write(&rows, &measured);
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("| simulated")).collect();
        let begins = [
            "| simulated | step-deep | Pushbox, live | p95 under 0.35 s | 0.36 s | not known |",
            "| simulated | step-deep | Pushbox, live | back within 4 s | never | not known |",
            "| simulated | step-deep | Pushbox, live | 93 % of the link used | 92.0 % | not known |",
            "| simulated | step-deep | Pushbox, live | p95 shorter than Moblin's 0.32 s | 0.36 s | uses 92.0 % of the link, Moblin 81.0 % |",
            "| simulated | mobile-deep | Pushbox, RTC | 90 % of the link used | 83.0 % | lets 0.07 s wait",
        ];
        assert_eq!(lines.len(), begins.len(), "{text}");
        for (line, begin) in lines.iter().zip(begins) {
            assert!(line.starts_with(begin), "{line}");
        }
        assert!(!text.contains("| measured"), "{text}");
    }

    #[test]
    fn where_all_is_reached_there_is_no_table() {
        let rows = [
            row("step-deep", "Pushbox, live", 250.0, 0.98, Some(1.0)),
            row("step-deep", "Moblin", 1100.0, 0.81, Some(11.0)),
            row("mobile-deep", "Pushbox, live", 580.0, 0.91, None),
        ];
        assert_eq!(write(&rows, &rows), "");
    }
}
