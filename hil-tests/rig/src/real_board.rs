//! A board on a desk: a serial port, a power switch that commands steer, a network, as a file describes them.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serial2::SerialPort;

use crate::{Board, Console, Markers, Part};

/// What it takes a hand of the rig to press, to see or to rewind.
const OUT_OF_REACH: [Part; 7] =
    [Part::Buttons, Part::PrivacySwitch, Part::Lamps, Part::Torch, Part::Oled, Part::Screen, Part::WriteLog];
/// Seconds that a power command may take.
const POWER: &str = "30";
/// How soon a reader of the line sees that it was given up.
const POLL: Duration = Duration::from_millis(100);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Description {
    serial: Port,
    serial_line: Option<Port>,
    power: Power,
    host: String,
    stages: Stages,
    parts: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Port {
    device: PathBuf,
    baud: u32,
}

/// Lines of shell.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Power {
    on: String,
    off: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Stages {
    boot_loader: Option<String>,
    kernel: String,
    prompt: String,
    limit_seconds: u64,
}

pub struct RealBoard {
    description: Description,
    /// Set when the power goes: whoever reads a serial line then lets go of it.
    off: Arc<AtomicBool>,
}

impl RealBoard {
    /// Reads its description, such as `hil-tests/rig/boards/example.toml`.
    pub fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let description: Description = toml::from_str(&text).with_context(|| file.display().to_string())?;
        description.check().with_context(|| file.display().to_string())?;
        Ok(Self { description, off: Arc::default() })
    }

    fn open(&self, port: &Port) -> Result<Console> {
        let name = port.device.display();
        let mut serial = SerialPort::open(&port.device, port.baud).with_context(|| {
            format!("serial port {name}: check its name and that the user is in its group")
        })?;
        serial.set_read_timeout(POLL)?;
        serial.discard_buffers()?;
        let line = Line { port: Arc::new(serial), off: Arc::clone(&self.off) };
        Ok(Console::new(line.clone(), line))
    }
}

impl Description {
    fn check(&self) -> Result<()> {
        if let Some(part) = self.parts.iter().find(|part| OUT_OF_REACH.contains(part)) {
            bail!("parts: the rig has no hand for {part} of a real board: take it out");
        }
        let described = [
            (Part::SerialLine, self.serial_line.is_some(), "[serial-line]"),
            (Part::BootLoader, self.stages.boot_loader.is_some(), "stages.boot-loader"),
        ];
        for (part, is_there, key) in described {
            ensure!(is_there || !self.parts.contains(&part), "parts: {part} takes {key}: add it");
        }
        Ok(())
    }
}

fn switch(command: &str) -> Result<()> {
    let output = Command::new("timeout").args([POWER, "sh", "-c", command]).output()?;
    let said = [output.stdout, output.stderr].concat();
    ensure!(
        output.status.success(),
        "{command}: {}: {}",
        output.status,
        String::from_utf8_lossy(&said).trim()
    );
    Ok(())
}

impl Board for RealBoard {
    fn has(&self, part: Part) -> bool {
        self.description.parts.contains(&part)
    }

    fn markers(&self) -> Markers {
        let Stages { boot_loader, kernel, prompt, limit_seconds } = &self.description.stages;
        Markers {
            boot_loader: boot_loader.clone(),
            kernel: kernel.clone(),
            prompt: prompt.clone(),
            limit: Duration::from_secs(*limit_seconds),
        }
    }

    fn power_on(&mut self) -> Result<Console> {
        switch(&self.description.power.off).context("power off")?;
        self.off = Arc::default();
        // Before the board says its first word.
        let console = self.open(&self.description.serial)?;
        switch(&self.description.power.on).context("power on")?;
        Ok(console)
    }

    fn power_off(&mut self) {
        self.off.store(true, Ordering::Relaxed);
        if let Err(error) = switch(&self.description.power.off) {
            eprintln!("power off: {error:#}");
        }
    }

    fn host(&self) -> String {
        self.description.host.clone()
    }

    fn listen(&self) -> &'static str {
        "0.0.0.0"
    }

    fn serial_line(&self) -> Option<Result<Console>> {
        self.description.serial_line.as_ref().map(|port| self.open(port))
    }
}

/// One end of a serial line, until the board is switched off.
#[derive(Clone)]
struct Line {
    port: Arc<SerialPort>,
    off: Arc<AtomicBool>,
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.port.read(buffer) {
                Err(error)
                    if error.kind() == io::ErrorKind::TimedOut && !self.off.load(Ordering::Relaxed) => {}
                result => return result,
            }
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.port.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.port.flush()
    }
}
