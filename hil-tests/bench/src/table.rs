//! Figures as text, a column a contestant.

use crate::contest::Figures;

type Figure = fn(&Figures) -> Option<f64>;

/// A row a figure; in brackets Pushbox's share of the peer's.
pub(crate) fn table(all: &[Figures]) -> String {
    let rows: [(&str, Figure); 6] = [
        ("CPU s a minute", |figures| Some(figures.cpu_seconds_a_minute)),
        ("peak memory MB", |figures| Some(figures.peak_megabytes)),
        ("first IDR ms", |figures| Some(figures.first_idr_ms)),
        ("latency p50 ms", |figures| figures.latency_p50_ms),
        ("latency p99 ms", |figures| figures.latency_p99_ms),
        ("context switches/s", |figures| Some(figures.context_switches_a_second)),
    ];
    let mut text = format!("{:20}", "");
    for figures in all {
        text += &format!("{:>24}", figures.name);
    }
    text.push('\n');
    for (name, figure) in rows {
        text += &format!("{name:20}");
        let own = all.first().and_then(figure);
        for (i, figures) in all.iter().enumerate() {
            let cell = match (figure(figures), own) {
                (Some(value), Some(own)) if i > 0 => format!("{value:.1} ({:.2})", own / value.max(0.001)),
                (Some(value), _) => format!("{value:.1}"),
                (None, _) => "-".into(),
            };
            text += &format!("{cell:>24}");
        }
        text.push('\n');
    }
    for figures in all {
        text += &format!(
            "{}: {}, {} frames, {} lost\n",
            figures.name, figures.what, figures.frames, figures.missing
        );
    }
    text
}
