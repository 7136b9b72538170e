//! Firmware of a live camera box: camera and microphone to an RTMP server.

mod audio;
mod config;
mod log;
mod reopen;
mod run;
mod selftest;
mod sink;
mod status;
mod uplink;
mod video;
#[cfg_attr(not(test), expect(dead_code, reason = "nothing shows a waiting image yet"))]
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
    /// Publish until stopped by SIGTERM or Ctrl-C
    Run {
        /// The board file, see board/boards
        #[arg(long, value_name = "FILE")]
        board: PathBuf,
        /// A TOML file of properties, such as mode = "HD"
        #[arg(long, value_name = "FILE")]
        props: Option<PathBuf>,
        /// Where to publish, in place of the property url
        #[arg(long)]
        url: Option<String>,
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
        Command::Run { board, props, url } => {
            log::start();
            Config::read(&board, props.as_deref(), url.as_deref()).and_then(run::run)
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
