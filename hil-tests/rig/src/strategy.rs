//! From power off to live, one stage after the other, whatever the board.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use receiver::{Receiver, Report};

use crate::{Board, Console};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Off,
    BootLoader,
    Kernel,
    /// A shell answers.
    System,
    /// The firmware runs.
    Firmware,
    /// Pictures arrive at a server.
    Live,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Off => "off",
            Self::BootLoader => "boot loader",
            Self::Kernel => "kernel",
            Self::System => "system",
            Self::Firmware => "firmware",
            Self::Live => "live",
        };
        f.write_str(name)
    }
}

/// A board that did not get on.
#[derive(Debug, thiserror::Error)]
#[error(
    "stuck after stage {reached:?} on the way to {wanted}, {waited:.1?} after power on: {cause}\nend of the serial log:\n{log}"
)]
pub struct Stuck {
    pub reached: Stage,
    pub wanted: Stage,
    pub waited: Duration,
    pub cause: String,
    pub log: String,
}

/// A board on the bench: how far it has come, and the server that waits for its stream.
pub struct Bench {
    pub board: Box<dyn Board>,
    stage: Stage,
    console: Option<Console>,
    powered: Instant,
    recording: Option<PathBuf>,
    server: Receiver,
}

/// Lines of the serial log that an error shows.
const TAIL: usize = 30;
/// How long the end of a stream may take.
const STOP: Duration = Duration::from_secs(10);

fn server(board: &dyn Board, recording: Option<&PathBuf>) -> Result<Receiver> {
    Receiver::bind(&format!("{}:0", board.listen()), recording.cloned())
}

impl Bench {
    /// `recording` keeps the stream as FLV.
    pub fn new(board: Box<dyn Board>, recording: Option<PathBuf>) -> Result<Self> {
        let server = server(&*board, recording.as_ref())?;
        Ok(Self { board, stage: Stage::Off, console: None, powered: Instant::now(), recording, server })
    }

    /// Brings the board to `wanted`. Properties are those of the stream, without the address.
    pub fn reach(&mut self, wanted: Stage, properties: &str) -> Result<(), Stuck> {
        while self.stage < wanted {
            if let Err(error) = self.step(properties) {
                let log = self.log();
                let lines: Vec<&str> = log.lines().collect();
                return Err(Stuck {
                    reached: self.stage,
                    wanted,
                    waited: self.powered.elapsed(),
                    cause: format!("{error:#}"),
                    log: lines[lines.len().saturating_sub(TAIL)..].join("\n"),
                });
            }
        }
        Ok(())
    }

    fn step(&mut self, properties: &str) -> Result<()> {
        let markers = self.board.markers();
        self.stage = match self.stage {
            Stage::Off => {
                self.powered = Instant::now();
                let console = self.console.insert(self.board.power_on()?);
                if let Some(marker) = markers.boot_loader {
                    console.wait_for(&marker, markers.limit)?;
                }
                Stage::BootLoader
            }
            Stage::BootLoader => {
                self.console()?.wait_for(&markers.kernel, markers.limit)?;
                Stage::Kernel
            }
            Stage::Kernel => {
                let console = self.console()?;
                console.wait_for(&markers.prompt, markers.limit)?;
                console.take_shell()?;
                Stage::System
            }
            Stage::System => {
                self.configure(properties)?;
                self.until("pidof pushbox")?;
                Stage::Firmware
            }
            Stage::Firmware | Stage::Live => {
                self.server.wait(markers.limit, |report| report.frames > 0).context("the server")?;
                Stage::Live
            }
        };
        Ok(())
    }

    /// Gives the firmware its properties and the address of a new server.
    fn configure(&mut self, properties: &str) -> Result<()> {
        self.server = server(&*self.board, self.recording.as_ref())?;
        let properties = self.properties(properties);
        let command =
            format!("cat >/data/new <<'END'\n{properties}\nEND\nmv /data/new /data/properties.toml");
        self.run(&command).map(|_| ())
    }

    /// A property file of `properties` and the address of the server.
    pub fn properties(&self, properties: &str) -> String {
        format!("url = '{}'\nautopush = true\n{properties}", self.url())
    }

    /// Of the server, as the board reaches it.
    pub fn url(&self) -> String {
        self.server.url().replace(self.board.listen(), &self.board.host())
    }

    /// Ends the firmware; what it published must have ended in order.
    pub fn stop(&mut self) -> Result<Report> {
        self.run("rm /data/properties.toml; killall pushbox; while pidof pushbox; do sleep 0.1; done")?;
        self.stage = Stage::System;
        self.server.wait_for_end(STOP)
    }

    pub fn console(&mut self) -> Result<&mut Console> {
        self.console.as_mut().context("the board is off")
    }

    /// Hands the console over; the bench can't run commands any more.
    pub fn take_console(&mut self) -> Result<Console> {
        self.console.take().context("the board is off")
    }

    /// Runs a line of shell that must succeed, and returns its output.
    pub fn run(&mut self, command: &str) -> Result<String> {
        self.run_within(Duration::from_secs(30), command)
    }

    fn run_within(&mut self, limit: Duration, command: &str) -> Result<String> {
        let output = self.console()?.run(command, limit)?;
        output.success().with_context(|| command.to_owned())
    }

    /// Starts the firmware without an address, and waits until it can be spoken to.
    pub fn start_without_address(&mut self) -> Result<()> {
        self.run("touch /data/properties.toml")?;
        self.until("pushbox ctl status >/dev/null 2>&1")
    }

    /// Waits until a line of shell succeeds; gives up after a minute and more.
    pub fn until(&mut self, condition: &str) -> Result<()> {
        // The board counts for itself, so that its shell is free again in any case.
        let command =
            format!("(n=0; until {condition}; do n=$((n + 1)); [ $n -lt 600 ] || exit 1; sleep 0.1; done)");
        self.run_within(Duration::from_secs(180), &command).map(|_| ())
    }

    /// Waits until the firmware's log has so many lines, or more, with the text.
    pub fn expect_log(&mut self, text: &str, lines: u64) -> Result<()> {
        self.until(&format!("[ $(grep -c '{text}' /run/pushbox.log) -ge {lines} ]"))
    }

    /// All that came over the serial line.
    pub fn log(&self) -> String {
        self.console.as_ref().map(Console::log).unwrap_or_default()
    }

    /// The last stream as FLV, whole once its publisher has gone.
    pub fn recording(&self) -> Result<&Path> {
        self.recording.as_deref().context("nothing is recorded")
    }

    pub fn server(&self) -> &Receiver {
        &self.server
    }

    /// Listens for the next publisher, once one has gone.
    pub fn serve_next(&mut self) -> Result<()> {
        if self.server.has_ended() {
            self.server = Receiver::bind(&self.server.address().to_string(), self.recording.clone())?;
        }
        Ok(())
    }

    /// Hangs up on a publisher that may be gone without a word, and listens for the next.
    pub fn serve_anew(&mut self) -> Result<()> {
        self.server.finish();
        self.serve_next()
    }

    /// Waits until the server has seen what is wanted.
    pub fn wait(&self, limit: Duration, wanted: impl FnMut(&Report) -> bool) -> Result<Report> {
        self.server.wait(limit, wanted)
    }

    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Waits until the board resets itself; it goes through its stages again.
    pub fn expect_reset(&mut self) -> Result<()> {
        let markers = self.board.markers();
        let first = markers.boot_loader.as_ref().unwrap_or(&markers.kernel);
        self.console()?.wait_for(first, markers.limit)?;
        self.stage = if markers.boot_loader.is_some() { Stage::BootLoader } else { Stage::Kernel };
        Ok(())
    }

    /// Takes the power away.
    pub fn power_off(&mut self) {
        self.board.power_off();
        (self.stage, self.console) = (Stage::Off, None);
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.board.power_off();
    }
}
