//! What a person waits for, and what a box at rest costs, on the virtual board: `scripts/rig measure`.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rig::devices::Lines;
use rig::{Bench, Stage, VirtualBoard, die_with_parent};

const PRESSES: usize = 20;
const CLOSINGS: usize = 10;
const REST: Duration = Duration::from_secs(30);
/// Of one edge on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);
/// What comes of a press later than this does not come of it.
const LOST: Duration = Duration::from_secs(5);
/// Between two presses.
const PAUSE: Duration = Duration::from_millis(400);
/// The board has a screen besides, which a small box has not.
const ONLY_OLED: &str = "sed -i '/^.screen.$/,/^$/d' /etc/pushbox/board.toml";

fn main() -> Result<()> {
    die_with_parent();
    let image = std::env::args().nth(1).context("give the folder that scripts/rig build makes")?;
    let mut bench = Bench::new(Box::new(VirtualBoard::new(Path::new(&image), false)?), None)?;
    bench.reach(Stage::System, "")?;
    let lines = bench.board.lines().cloned().context("no lines")?;

    println!("| on the virtual board, ms | median | longest |\n|---|---|---|");
    bench.run("mirror button-torch torch &")?;
    bench.until("gpioinfo torch | grep -q output")?;
    let mirror = presses(&lines, false)?;
    row("a button's line to the torch's, by a program that does nothing else", &mirror);
    bench.run("killall mirror")?;
    bench.until("! pidof mirror")?;

    bench.run(ONLY_OLED)?;
    bench.start_without_address()?;
    let with = at_rest()?;
    bench.run("killall -STOP pushbox")?;
    let without = at_rest()?;
    bench.run("killall -CONT pushbox")?;
    bench.run("pushbox ctl set device-position=back && pushbox ctl startPreview")?;
    // Until the camera runs there is nothing to be lit.
    bench.until("pushbox ctl toggleTorch")?;
    let pushbox = presses(&lines, true)?;
    row("the same by pushbox, in preview (10 of them debounce)", &pushbox);
    let closings = closings(&lines)?;
    row("closing the privacy switch to \"camera in use\" out, in preview", &closings);
    println!("\nA press takes {:.1} times as long as it must.", median(&pushbox) / median(&mirror));

    println!(
        "To emulate the board at rest takes {with:.2} % of a core, {without:.2} % while pushbox is stopped."
    );
    Ok(())
}

/// How long the torch takes to change at each press of its button, which lights it once or, where it `toggles`, until the next.
fn presses(lines: &Lines, toggles: bool) -> Result<Vec<Duration>> {
    let mut took = Vec::new();
    for _ in 0..PRESSES {
        std::thread::sleep(PAUSE);
        let lit = toggles && lines.states().iter().any(|line| line.name == "torch" && line.high);
        let begin = Instant::now();
        lines.drive("button-torch", false)?;
        match lines.wait_for("torch", !lit, LOST) {
            Ok(()) => took.push(begin.elapsed()),
            Err(error) => println!("A press was lost: {error}."),
        }
        std::thread::sleep(PAUSE);
        lines.drive("button-torch", true)?;
        if !toggles {
            lines.wait_for("torch", false, LIMIT)?;
        }
    }
    Ok(took)
}

fn closings(lines: &Lines) -> Result<Vec<Duration>> {
    let mut took = Vec::new();
    for _ in 0..CLOSINGS {
        lines.wait_for("lamp-camera", true, LIMIT)?;
        std::thread::sleep(PAUSE);
        let begin = Instant::now();
        lines.drive("privacy", false)?;
        lines.wait_for("lamp-camera", false, LIMIT)?;
        took.push(begin.elapsed());
        lines.drive("privacy", true)?;
    }
    Ok(took)
}

/// Percent of a core of this machine that the emulator needs, all threads of the guest together. Unlike the guest's own figures
/// this is not the time for which others had the core.
fn at_rest() -> Result<f64> {
    let before = emulator()?;
    std::thread::sleep(REST);
    Ok(100.0 * emulator()?.saturating_sub(before).as_secs_f64() / REST.as_secs_f64())
}

/// The time for which our only child ran (kernel: Documentation/scheduler/sched-stats.rst).
fn emulator() -> Result<Duration> {
    let child = fs::read_to_string("/proc/thread-self/children").context("the emulator")?;
    let mut total = Duration::ZERO;
    for thread in fs::read_dir(format!("/proc/{}/task", child.trim()))? {
        let text = fs::read_to_string(thread?.path().join("schedstat"))?;
        total += Duration::from_nanos(text.split(' ').next().unwrap_or_default().parse()?);
    }
    Ok(total)
}

fn row(what: &str, took: &[Duration]) {
    let longest = took.iter().max().map_or(0.0, |longest| 1e3 * longest.as_secs_f64());
    println!("| {what} | {:.1} | {longest:.1} |", median(took));
}

/// Milliseconds.
fn median(took: &[Duration]) -> f64 {
    let mut sorted = took.to_vec();
    sorted.sort();
    sorted.get(sorted.len() / 2).map_or(0.0, |median| 1e3 * median.as_secs_f64())
}
