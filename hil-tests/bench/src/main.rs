//! Pushbox beside FFmpeg and GStreamer: the same pictures in, the same server, one run.

mod contest;
mod feed;
mod peers;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use contest::{Figures, run};
use tempfile::TempDir;

#[derive(Parser)]
struct Arguments {
    /// Of each contestant in each table
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    #[arg(long)]
    pushbox: PathBuf,
    /// Where the figures go, as JSON and as text
    #[arg(long)]
    out: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = TempDir::new()?;
    fs::create_dir_all(&arguments.out)?;
    let encoded = peers::encoding(&arguments.pushbox, folder.path())?;
    let raw = encoded
        .into_iter()
        .map(|contestant| run(contestant, arguments.seconds, Some(folder.path())))
        .collect::<Result<Vec<_>>>()?;
    let file = record(folder.path(), arguments.seconds + 10)?;
    let passed = peers::passing(&arguments.pushbox, folder.path(), &file)?;
    let passed = passed
        .into_iter()
        .map(|contestant| run(contestant, arguments.seconds, None))
        .collect::<Result<Vec<_>>>()?;

    let text = format!(
        "720p30, raw I420 in real time through a pipe, encoded at {} kb/s, RTMP out, {} s each\n\n{}\n\
         H.264 access units from a file, RTMP out, {} s each\n\n{}",
        peers::KBPS,
        arguments.seconds,
        table(&raw),
        arguments.seconds,
        table(&passed)
    );
    println!("{text}");
    fs::write(arguments.out.join("peers.txt"), &text)?;
    fs::write(arguments.out.join("peers.json"), serde_json::to_vec_pretty(&[&raw, &passed])?)?;
    Ok(())
}

/// Access units for the second table, with nothing left to encode.
fn record(folder: &Path, seconds: u64) -> Result<PathBuf> {
    let file = folder.join("pictures.flv");
    let source = format!("testsrc2=size=1280x720:rate=30:duration={seconds}");
    let rate = format!("{}k", peers::KBPS);
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", &source])
        .args(["-f", "lavfi", "-i", "anullsrc=r=48000:cl=mono", "-shortest"])
        .args(["-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "64k"])
        .args([
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-profile:v",
            "baseline",
            "-g",
            "90",
            "-b:v",
            &rate,
        ])
        .args(["-maxrate", &rate, "-bufsize", &rate])
        .arg(&file)
        .status()
        .context("ffmpeg")?;
    ensure!(status.success(), "ffmpeg could not make the pictures");
    Ok(file)
}

type Figure = fn(&Figures) -> Option<f64>;

/// A row a figure; in brackets Pushbox's share of the peer's.
fn table(all: &[Figures]) -> String {
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
