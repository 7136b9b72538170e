//! The real program through an emulated link.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use link::{Emulator, SERVER};
use media::now;
use receiver::{Arrival, Receiver, Report};
use tempfile::TempDir;

use super::scenarios::Scenario;
use super::{MAX, MIN, Row, possible};
use crate::feed::Pipe;

/// Sound, in bits a second.
const SOUND: f64 = 64e3;
/// Media in a packet of the link: without the headers of IP, TCP and RTMP's chunks.
const PAYLOAD: f64 = 1440.0 / 1500.0;
const SIZE: (u32, u32) = (640, 360);

/// Bits a second that the encoder was to make, from a moment on, in microseconds of `CLOCK_MONOTONIC`.
type Target = (i64, f64);

pub(super) fn run(program: &Path, scenarios: &[Scenario]) -> Result<Vec<Row>> {
    let mut contests = Vec::new();
    for scenario in scenarios.iter().filter(|scenario| scenario.is_measured) {
        contests.push((scenario, "Pushbox, live", MIN));
        if scenario.name == "step-deep" {
            contests.push((scenario, "Pushbox, fixed", MAX));
        }
    }
    let mut rows = Vec::new();
    for (scenario, who, min) in contests {
        eprintln!("{}: {who}, {} s", scenario.name, scenario.seconds);
        // A thread of its own can go into a network namespace of its own.
        let row = thread::scope(|scope| scope.spawn(|| contest(program, scenario, who, min)).join());
        let row = row.map_err(|_| anyhow!("the bench failed"))??;
        eprintln!("p95 {:.0} ms, {:.0} % used", row.delay_p95_ms, 100.0 * row.used);
        rows.push(row);
    }
    Ok(rows)
}

fn contest(program: &Path, scenario: &Scenario, who: &str, min: u32) -> Result<Row> {
    // SAFETY: plain system call; it moves this thread alone, and those it starts.
    let moved = unsafe { libc::unshare(libc::CLONE_NEWNET) };
    ensure!(moved == 0, "no right to make a network namespace: use unshare --map-root-user");
    let folder = TempDir::new()?;
    let link = Emulator::start(scenario.path(), 1).context("the link")?;
    let receiver = Receiver::bind(&format!("{SERVER}:0"), None)?;
    let pipe = Pipe { path: folder.path().join("pictures"), size: SIZE, is_noisy: true, rate: 30 };
    let feed = pipe.feed()?;
    let mut child = link.spawn(command(program, min, folder.path(), &receiver.url())?)?;
    let (targets, told) = mpsc::channel();
    let log = child.stderr.take().context("no log")?;
    thread::spawn(move || read_log(log, &targets));
    let started = receiver.wait(Duration::from_secs(20), |report| report.frames > 0);
    link.begin();
    let begin = now().micros();
    if started.is_ok() {
        thread::sleep(Duration::from_secs(scenario.seconds));
    }
    stop(&mut child)?;
    let _ = feed.join();
    started.with_context(|| format!("{who} did not publish"))?;
    let report = receiver.finish();
    let targets: Vec<Target> = told.try_iter().collect();
    Ok(figures(scenario, who, &report, &targets, begin))
}

fn command(program: &Path, min: u32, folder: &Path, url: &str) -> Result<Command> {
    let (board, props) = (folder.join("board.toml"), folder.join("props.toml"));
    let ((width, height), (min, max)) = (SIZE, (min / 1000, MAX / 1000));
    let source = format!(
        "name = 'rate'\n[[camera]]\nposition = 'front'\nsource.file = {{ path = '{}', width = {width}, height = {height}, \
         rate = 30, pixels = 'i420' }}\n[microphone]\nsource.sim = {{ rate = 48000 }}\n",
        folder.join("pictures").display()
    );
    fs::write(&board, source)?;
    let properties = format!(
        "mode = 'FHD'\nvideo-width = {width}\nvideo-height = {height}\norientation = 'horizontal'\nfps = 30\n\
         min-bitrate = {min}\nmax-bitrate = {max}\n"
    );
    fs::write(&props, properties)?;
    let mut command = Command::new(program);
    command.arg("run");
    command.arg("--board").arg(board).arg("--props").arg(props).args(["--url", url]);
    command.env("RUST_LOG", "info,pushbox::rate=debug").env_remove("JOURNAL_STREAM");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    Ok(command)
}

fn stop(child: &mut Child) -> Result<()> {
    // SAFETY: the child is ours and not yet waited for.
    unsafe { libc::kill(libc::pid_t::try_from(child.id())?, libc::SIGINT) };
    child.wait()?;
    Ok(())
}

/// Takes the targets out of the program's log, when they are told.
fn read_log(log: ChildStderr, targets: &mpsc::Sender<Target>) {
    for line in BufReader::new(log).lines().map_while(Result::ok) {
        if std::env::var_os("RATE_LOG").is_some() {
            eprintln!("{line}");
        }
        let kbps =
            line.split_once("rate kbps=").and_then(|(_, rest)| rest.split(' ').next()?.parse::<f64>().ok());
        if let Some(kbps) = kbps
            && targets.send((now().micros(), kbps * 1000.0)).is_err()
        {
            return;
        }
    }
}

fn figures(scenario: &Scenario, who: &str, report: &Report, targets: &[Target], begin: i64) -> Row {
    let milliseconds = scenario.seconds * 1000;
    let end = begin + milliseconds as i64 * 1000;
    let arrivals: Vec<&Arrival> =
        report.arrivals.iter().filter(|arrival| (begin..end).contains(&arrival.at)).collect();
    let mut delays: Vec<f64> = arrivals.iter().filter_map(|arrival| arrival.latency_ms).collect();
    delays.sort_unstable_by(f64::total_cmp);
    let quantile = |share: f64| {
        delays
            .get((share * delays.len().saturating_sub(1) as f64).round() as usize)
            .copied()
            .unwrap_or(f64::NAN)
    };
    let came: usize = arrivals.iter().map(|arrival| arrival.bytes).sum();
    let most = (f64::from(MAX) + SOUND) / PAYLOAD;
    let sounds: Vec<i64> =
        arrivals.iter().filter(|arrival| !arrival.is_picture).map(|arrival| arrival.at).collect();
    let gaps =
        sounds.iter().copied().chain([end]).scan(begin, |last, at| Some(at - std::mem::replace(last, at)));
    Row {
        scenario: scenario.name.clone(),
        who: who.into(),
        delay_p50_ms: quantile(0.5),
        delay_p95_ms: quantile(0.95),
        delay_p99_ms: quantile(0.99),
        used: (came as f64 / (PAYLOAD * possible(&scenario.trace, 0, milliseconds, most)).max(1.0)).min(1.0),
        lost: report.missing as f64 / (report.frames + report.missing).max(1) as f64,
        back_s: scenario.recovers.and_then(|from| back(targets, begin + from as i64 * 1000)),
        changes_a_minute: changes(targets, begin) * 60.0 / scenario.seconds as f64,
        sound_gap_ms: gaps.max().unwrap_or(0) as f64 / 1000.0,
        seconds: (0..scenario.seconds)
            .map(|second| of_second(scenario, &arrivals, targets, begin, second))
            .collect(),
    }
}

/// The target at a moment.
fn target_at(targets: &[Target], at: i64) -> f64 {
    let told = targets.iter().take_while(|(time, _)| *time <= at).last();
    told.or(targets.first()).map_or(f64::from(MAX), |(_, target)| *target)
}

/// Seconds from `from` until the target is at nine tenths of the most for half a second.
fn back(targets: &[Target], from: i64) -> Option<f64> {
    let step = 20_000;
    let holds = |at: i64| target_at(targets, at) >= 0.9 * f64::from(MAX);
    let mut times = (0..3000).map(|index| from + index * step);
    let reached = times.find(|at| (0..25).all(|index| holds(at + index * step)))?;
    Some((reached - from) as f64 / 1e6)
}

/// How often the target was another by a tenth.
fn changes(targets: &[Target], begin: i64) -> f64 {
    let (mut told, mut count) = (target_at(targets, begin), 0.0);
    for (_, target) in targets.iter().filter(|(at, _)| *at >= begin) {
        if (target - told).abs() >= 0.1 * told {
            (told, count) = (*target, count + 1.0);
        }
    }
    count
}

fn of_second(
    scenario: &Scenario,
    arrivals: &[&Arrival],
    targets: &[Target],
    begin: i64,
    second: u64,
) -> [f64; 4] {
    let from = begin + second as i64 * 1_000_000;
    let within: Vec<_> =
        arrivals.iter().filter(|arrival| (from..from + 1_000_000).contains(&arrival.at)).collect();
    let bits: usize = within.iter().map(|arrival| arrival.bytes * 8).sum();
    let delay = within.iter().filter_map(|arrival| arrival.latency_ms).fold(0.0, f64::max);
    let capacity = scenario.trace.mean(second * 1000, second * 1000 + 1000);
    [capacity / 1e6, target_at(targets, from + 500_000) / 1e6, bits as f64 / 1e6, delay / 1000.0]
}
