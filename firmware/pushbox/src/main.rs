//! Firmware of a live camera box: camera and microphone to an RTMP server.

mod audio;
mod camera;
mod clock;
mod config;
mod control;
mod ctl;
mod device;
mod encoders;
mod engine;
mod events;
mod hand;
mod log;
mod meter;
mod microphone;
mod news;
mod privacy;
mod rate;
mod run;
mod selftest;
mod settings;
mod sink;
mod snapshot;
mod status;
mod uplink;
mod video;
mod waiting_image;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

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
        /// Where the socket for control is made [default: /run/pushbox/control]
        #[arg(long, value_name = "PATH")]
        control: Option<PathBuf>,
    },
    /// Open each device of a board and tell what it delivers or what is wrong with it
    Selftest {
        /// The board file, see board/boards
        #[arg(long, value_name = "FILE")]
        board: PathBuf,
    },
    /// Steer a running box: status, get, set NAME=VALUE, reset, watch, start, stop and all other methods
    Ctl {
        /// The socket of the box
        #[arg(long, value_name = "PATH", default_value = control::SOCKET)]
        control: PathBuf,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
        /// What to do, such as: set mode=HD fps=30
        #[arg(trailing_var_arg = true)]
        command: Vec<String>,
    },
    /// Print the completion of this command for a shell
    Completions { shell: Shell },
    /// Tell the version
    Version,
}

fn main() -> ExitCode {
    board::prepare_environment();
    let result = match Arguments::parse().command {
        Command::Run { board, props, url, control } => {
            log::start();
            Config::read(&board, props.as_deref(), url.as_deref())
                .and_then(|config| run::run(config, control.as_deref()))
        }
        Command::Selftest { board } => config::read_board(&board).and_then(|board| selftest::run(&board)),
        Command::Ctl { control, json, command } => match ctl::run(&control, &command, json) {
            Ok(code) => return code,
            Err(error) => Err(error),
        },
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "pushbox", &mut std::io::stdout());
            Ok(())
        }
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
