//! Pushbox beside FFmpeg and GStreamer: the same pictures in, the same server, one run.

mod arm;
mod contest;
mod feed;
mod hardware;
mod peers;
mod rate;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Parser;
use contest::run;
use peers::{Program, Programs};
use serde::Serialize;
use table::table;
use tempfile::TempDir;

#[derive(Parser)]
struct Arguments {
    /// Of each contestant in each table
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    #[arg(long)]
    pushbox: Option<PathBuf>,
    /// Rate control on bad links: simulated, and with --pushbox through an emulated link, which needs the right to make
    /// network namespaces
    #[arg(long)]
    rate: bool,
    /// Only the links with this in their name
    #[arg(long, value_name = "NAME")]
    link: Option<String>,
    /// Another link for it: a file of mahimahi's
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Counts instructions of ARM binaries, with the emulator in this folder
    #[arg(long, value_name = "FOLDER")]
    arm: Option<PathBuf>,
    /// Counts instructions on the virtual board in this folder, where a hardware encoder makes the stream
    #[arg(long, value_name = "FOLDER", requires = "peers")]
    board: Option<PathBuf>,
    /// Its disk with the peers' programs
    #[arg(long, value_name = "FILE")]
    peers: Option<PathBuf>,
    /// Where the figures go, as JSON and as text
    #[arg(long)]
    out: PathBuf,
}

fn main() -> Result<()> {
    let Arguments { seconds, pushbox, rate, link, trace, arm, board, peers, out } = Arguments::parse();
    if rate {
        return rate::compare(&out, pushbox.as_deref(), link.as_deref(), trace.as_deref());
    }
    if let (Some(board), Some(peers)) = (board, peers) {
        let (costs, outcome) = hardware::measure(&board, &peers, seconds)?;
        keep(&out, "encoder", &hardware::text(&costs, seconds), &costs)?;
        return outcome;
    }
    let pushbox = pushbox.context("--pushbox says which program is measured")?;
    match arm {
        Some(emulator) => {
            let costs = arm::measure(&emulator, &pushbox, seconds)?;
            keep(&out, "arm", &arm::text(&costs, seconds), &costs)
        }
        None => compare(&pushbox, seconds, &out),
    }
}

fn compare(pushbox: &Path, seconds: u64, out: &Path) -> Result<()> {
    let folder = TempDir::new()?;
    let programs = Programs { pushbox: Program::native(pushbox), ffmpeg: Program::native("ffmpeg") };
    let raw = peers::encoding(&programs, folder.path(), peers::RATE)?
        .iter()
        .map(|contestant| run(contestant, seconds))
        .collect::<Result<Vec<_>>>()?;
    let passed = peers::passing(&programs, folder.path(), seconds + 10)?
        .iter()
        .map(|contestant| run(contestant, seconds))
        .collect::<Result<Vec<_>>>()?;
    let text = format!(
        "720p30, raw I420 in real time through a pipe, encoded at {} kb/s, RTMP out, {seconds} s each\n\n{}\n\
         H.264 access units from a file, RTMP out, {seconds} s each\n\n{}",
        peers::KBPS,
        table(&raw),
        table(&passed)
    );
    keep(out, "peers", &text, &[&raw, &passed])
}

fn keep(folder: &Path, name: &str, text: &str, figures: &impl Serialize) -> Result<()> {
    println!("{text}");
    fs::create_dir_all(folder)?;
    fs::write(folder.join(name).with_extension("txt"), text)?;
    fs::write(folder.join(name).with_extension("json"), serde_json::to_vec_pretty(figures)?)?;
    Ok(())
}
