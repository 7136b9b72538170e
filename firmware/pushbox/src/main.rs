//! Firmware of a live camera box: camera and microphone to an RTMP server.

mod audio;
mod camera;
mod config;
mod control;
mod device;
mod engine;
mod events;
mod log;
mod meter;
mod microphone;
mod news;
mod run;
mod selftest;
mod sink;
mod snapshot;
mod status;
mod uplink;
mod video;
mod waiting_image;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, UsageError};

/// The allocator of musl is slow with threads.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A live camera box: camera and microphone to an RTMP server.
#[derive(Parser)]
#[command(name = "pushbox", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the box until stopped by SIGTERM or Ctrl-C
    Run {
        /// The board file, see board/boards
        #[arg(long, value_name = "FILE")]
        board: PathBuf,
        /// A TOML file of properties, such as mode = "HD"
        #[arg(long, value_name = "FILE")]
        props: Option<PathBuf>,
        /// Publish there at once, and end when that fails for good
        #[arg(long)]
        url: Option<String>,
        /// Where the socket for control is made
        #[arg(long, value_name = "PATH")]
        control: Option<PathBuf>,
    },
    /// Open each device of a board and tell what it delivers or what is wrong with it
    Selftest {
        /// The board file, see board/boards
        #[arg(long, value_name = "FILE")]
        board: PathBuf,
    },
    /// Tell the version
    Version,
}

fn main() -> ExitCode {
    board::provide_alsa_configuration();
    let result = match Arguments::parse().command {
        Command::Run { board, props, url, control } => {
            log::start();
            Config::read(&board, props.as_deref(), url.as_deref())
                .and_then(|config| run::run(config, control.as_deref()))
        }
        Command::Selftest { board } => config::read_board(&board).and_then(|board| selftest::run(&board)),
        Command::Version => {
            println!("pushbox {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pushbox: {error:#}");
            ExitCode::from(if error.is::<UsageError>() { 2 } else { 1 })
        }
    }
}
