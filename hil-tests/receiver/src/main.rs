//! Waits for a publisher, shows live what arrives, and reports.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Parser;
use receiver::{Quantiles, Receiver, Report};

#[derive(Parser)]
#[command(about = "An RTMP server that measures what a camera box sends")]
struct Arguments {
    #[arg(long, default_value = "127.0.0.1:1935")]
    listen: String,
    /// Report after so many seconds of stream; without it, when the publisher ends
    #[arg(long)]
    seconds: Option<u64>,
    /// Keep the stream as an FLV file
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Keep the last picture as PNG
    #[arg(long, value_name = "FILE")]
    snapshot: Option<PathBuf>,
    /// Keep the report as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Nothing that has not come by then will come.
const PATIENCE: Duration = Duration::from_secs(15);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

extern "C" fn interrupt(_signal: libc::c_int) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

fn main() -> ExitCode {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the handler only stores to an atomic, which a signal handler may do.
        unsafe { libc::signal(signal, interrupt as extern "C" fn(libc::c_int) as libc::sighandler_t) };
    }
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("receiver: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool> {
    let receiver = Receiver::bind(&arguments.listen, arguments.record.clone())?;
    println!("waiting at {}", receiver.url());
    watch(&receiver, arguments.seconds);
    let report = receiver.finish();
    println!("{}", summary(&report));
    if let Some(path) = &arguments.json {
        std::fs::write(path, serde_json::to_vec_pretty(&report)?)?;
    }
    if let Some(path) = &arguments.snapshot
        && report.frames > 0
    {
        std::fs::write(path, receiver.snapshot().png()?)?;
    }
    Ok(report.complaints().is_empty())
}

/// One line a second, in place on a terminal.
fn watch(receiver: &Receiver, seconds: Option<u64>) {
    let (started, terminal) = (Instant::now(), std::io::stdout().is_terminal());
    let (mut shown, mut progress) = (0, (started, 0));
    while !receiver.has_ended() && !INTERRUPTED.load(Ordering::Relaxed) {
        let report = receiver.report();
        let media = u64::from(report.duration_ms) / 1000;
        if report.duration_ms > progress.1 {
            progress = (Instant::now(), report.duration_ms);
        }
        if progress.0.elapsed() > PATIENCE || seconds.is_some_and(|seconds| media >= seconds) {
            break;
        }
        if receiver.is_live() && started.elapsed().as_secs() > shown {
            shown = started.elapsed().as_secs();
            let end = if terminal { '\r' } else { '\n' };
            print!("{}{end}", live(&report));
            let _ = std::io::stdout().flush();
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    if terminal {
        println!();
    }
}

fn live(report: &Report) -> String {
    let latency = report.latency_ms.unwrap_or_default();
    format!(
        "live {:4} s  {:5} frames  {:4.1} fps  {:5.0} kb/s  {} lost  latency {:3.0} ms (p99 {:3.0})  A/V {}   ",
        report.duration_ms / 1000,
        report.frames,
        report.fps_now,
        report.kbps_now,
        report.missing,
        latency.p50,
        latency.p99,
        report.av_offset_ms.last().map_or("-".into(), |offset| format!("{offset:+.1} ms")),
    )
}

fn summary(report: &Report) -> String {
    let latency = report.latency_ms.map_or("unknown, no mark was read".into(), |latency| {
        let Quantiles { p50, p95, p99, max } = latency;
        format!("p50 {p50:.0} ms, p95 {p95:.0} ms, p99 {p99:.0} ms, longest {max:.0} ms (capture to arrival)")
    });
    let worst = report
        .av_offset_ms
        .iter()
        .fold(0.0, |worst: f64, offset| if offset.abs() > worst.abs() { *offset } else { worst });
    let sound = match report.tone_hz {
        Some(hz) => format!("{} Hz, tone of {hz:.1} Hz", report.sample_rate),
        None if report.audio_packets > 0 => format!("{} Hz", report.sample_rate),
        None => "none".into(),
    };
    let mut lines = vec![
        format!(
            "picture   {}x{}, {:.1} fps, {} IDR pictures",
            report.width,
            report.height,
            report.fps,
            report.idr_ms.len()
        ),
        format!("sound     {sound}"),
        format!(
            "received  {} frames, {} sound packets in {:.1} s, {:.0} kb/s",
            report.frames,
            report.audio_packets,
            f64::from(report.duration_ms) / 1000.0,
            report.kbps
        ),
        format!(
            "lost      {} frames, {} repeated, {} out of order, {} unreadable",
            report.missing, report.duplicates, report.out_of_order, report.unreadable
        ),
        format!("latency   {latency}"),
        format!("A/V       worst offset {worst:+.1} ms over {} clicks", report.av_offset_ms.len()),
    ];
    lines.extend(report.complaints().iter().map(|complaint| format!("FAULT     {complaint}")));
    lines.join("\n")
}
