//! A run as a picture: rates above, delay below.

use std::fmt::Write;

use super::Row;

const WIDTH: f64 = 720.0;
const LEFT: f64 = 44.0;
/// Top and height of the two charts.
const RATES: (f64, f64) = (28.0, 150.0);
const DELAYS: (f64, f64) = (204.0, 90.0);

/// What is drawn of each second, in which colour.
const LINES: [(usize, &str, &str); 3] =
    [(0, "#b0b0b0", "link"), (1, "#d07000", "target"), (2, "#0060c0", "came")];

pub(super) fn svg(row: &Row) -> String {
    let most = row.seconds.iter().fold(0.0_f64, |most, second| most.max(second[0].min(8.0)).max(second[2]));
    let delay = row.seconds.iter().fold(0.5_f64, |most, second| most.max(second[3])).min(10.0);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} 320\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<rect width=\"{WIDTH}\" height=\"320\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"16\" font-size=\"13\">{}, {}</text>\n",
        row.scenario, row.who
    );
    axes(&mut text, RATES, most, "Mb/s", row.seconds.len());
    axes(&mut text, DELAYS, delay, "delay, s", row.seconds.len());
    for (index, colour, name) in LINES {
        line(&mut text, row, index, RATES, most, colour);
        let x = WIDTH - 170.0 + 56.0 * index as f64;
        let _ = writeln!(text, "<text x=\"{x}\" y=\"16\" fill=\"{colour}\">{name}</text>");
    }
    line(&mut text, row, 3, DELAYS, delay, "#a00000");
    text + "</svg>\n"
}

fn axes(text: &mut String, (top, height): (f64, f64), most: f64, unit: &str, seconds: usize) {
    let bottom = top + height;
    let _ = writeln!(
        text,
        "<path d=\"M{LEFT} {top}V{bottom}H{WIDTH}\" fill=\"none\" stroke=\"black\"/>\n\
         <text x=\"2\" y=\"{:.0}\">{most:.1}</text>\n<text x=\"2\" y=\"{bottom}\">0</text>\n\
         <text x=\"2\" y=\"{:.0}\">{unit}</text>",
        top + 10.0,
        top + height / 2.0
    );
    for second in (0..=seconds).step_by(10) {
        let x = place(second, seconds);
        let _ = writeln!(text, "<text x=\"{x:.0}\" y=\"{:.0}\">{second}</text>", bottom + 13.0);
    }
}

fn line(text: &mut String, row: &Row, index: usize, (top, height): (f64, f64), most: f64, colour: &str) {
    let points: Vec<String> = row
        .seconds
        .iter()
        .enumerate()
        .map(|(second, values)| {
            let y = top + height * (1.0 - (values[index] / most.max(1e-9)).min(1.0));
            format!("{:.1},{y:.1}", place(second, row.seconds.len()))
        })
        .collect();
    let _ = writeln!(
        text,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>",
        points.join(" ")
    );
}

fn place(second: usize, seconds: usize) -> f64 {
    LEFT + (WIDTH - LEFT - 12.0) * second as f64 / seconds.max(1) as f64
}
