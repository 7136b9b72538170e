//! What a failing test leaves, and what the kernel may say.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use rig::{Bench, Stage};

/// Warnings of the kernel that are no sign of trouble.
const ALLOWED: [&str; 11] = [
    // Not for the virtual board: no firmware tables, no such hardware.
    "cacheinfo: Unable to detect cache hierarchy",
    "KASLR disabled",
    "device tree: Duplicate name",
    "rtc-efi",
    // Modules of our own have no signature.
    "taints kernel",
    "tainting kernel",
    "not an immutable chip",
    // The machine that emulates was busy.
    "hrtimer: interrupt took",
    "hogged CPU",
    "pci-host-generic",
    "ACPI: ",
];

/// First and last line of a call trace that is vivid's own: it computes its wait from a clock that runs on meanwhile.
const TRACE: (&str, &str) = ("schedule_timeout: wrong timeout value", "ret_from_fork");

/// A folder for a test's evidence, below the build's.
pub(crate) fn folder(name: &str) -> Result<PathBuf> {
    let target = std::env::current_exe()?;
    let target = target.ancestors().nth(3).context("no target folder")?;
    let folder = target.join("rig").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// No warning in the kernel's log but those that are expected.
pub(crate) fn kernel_is_content(bench: &mut Bench) -> Result<()> {
    if bench.stage() < Stage::System {
        return Ok(());
    }
    let log = bench.run("dmesg -r")?;
    let complaints = complaints(&log);
    ensure!(complaints.is_empty(), "the kernel complains:\n{}", complaints.join("\n"));
    Ok(())
}

fn complaints(log: &str) -> Vec<&str> {
    let mut traced = false;
    let mut complains = |line: &&str| {
        traced = (traced || line.contains(TRACE.0)) && !line.contains(TRACE.1);
        is_warning(line) && !is_allowed(line) && !traced && !line.contains(TRACE.1)
    };
    log.lines().filter(|line| complains(line)).collect()
}

/// Level 4 or more urgent; `dmesg -r` puts it before each line.
fn is_warning(line: &str) -> bool {
    let level = line.strip_prefix('<').and_then(|rest| rest.split_once('>')).map(|(level, _)| level);
    level.and_then(|level| level.parse::<u32>().ok()).is_some_and(|level| level & 7 <= 4)
}

fn is_allowed(line: &str) -> bool {
    ALLOWED.iter().any(|allowed| line.contains(allowed))
}

/// Serial log, firmware's log, kernel's log, the pictures on panel and screen and the last one that arrived, as far as they
/// can be had.
pub(crate) fn collect(bench: &mut Bench, folder: &Path) {
    let firmware = bench.run("cat /run/pushbox.log").unwrap_or_default();
    let kernel = bench.run("dmesg").unwrap_or_default();
    let mut panel = Vec::new();
    bench.board.oled(&mut |display| panel = display.png().unwrap_or_default());
    let screen = bench.board.screen().and_then(Result::ok).unwrap_or_default();
    let snapshot = bench.server().snapshot().png().unwrap_or_default();
    let files = [
        ("serial.log", bench.log().into_bytes()),
        ("firmware.log", firmware.into_bytes()),
        ("kernel.log", kernel.into_bytes()),
        ("panel.png", panel),
        ("screen.png", screen),
        ("last-picture.png", snapshot),
    ];
    for (name, contents) in files.iter().filter(|(_, contents)| !contents.is_empty()) {
        if let Err(error) = fs::write(folder.join(name), contents) {
            eprintln!("{name}: {error}");
        }
    }
}
