//! A virtual board for a person: `scripts/rig up`.

mod page;

use std::io::{stdin, stdout};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Context, Result};
use clap::Parser;
use rig::{Bench, Stage, VirtualBoard, die_with_parent};

/// A virtual board: its serial console in this terminal, its panel, lamps and buttons on a local page.
#[derive(Parser)]
struct Arguments {
    /// The folder that `scripts/rig build` makes
    #[arg(long)]
    image: PathBuf,
    /// Port of the page, on this machine only
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Properties that the firmware gets, besides the address of the rig's server
    #[arg(long, default_value = "mode = 'SD'\norientation = 'horizontal'")]
    properties: String,
}

fn main() -> Result<()> {
    die_with_parent();
    let Arguments { image, port, properties } = Arguments::parse();
    let listener = TcpListener::bind(("127.0.0.1", port))
        .with_context(|| format!("port {port} of this machine: give another with --port"))?;
    let mut bench = Bench::new(Box::new(VirtualBoard::new(&image, false)?), None)?;
    println!("The board starts ...");
    bench.reach(Stage::Live, &properties)?;
    println!("Live. Panel, lamps, buttons and picture: http://{}", listener.local_addr()?);
    println!("Stream: {}, from the board rtmp://{}", bench.server().url(), bench.board.host());
    println!("Firmware's log: /run/pushbox.log. Try: pushbox ctl watch");
    println!("Here is the board's console; Ctrl-] ends it all.\n");
    let mut console = bench.take_console()?;
    console.release_shell()?;
    let bench = Arc::new(Mutex::new(bench));
    thread::Builder::new().name("page".into()).spawn(move || page::serve(listener, bench))?;
    console.pass_through(stdin(), stdout())
}
