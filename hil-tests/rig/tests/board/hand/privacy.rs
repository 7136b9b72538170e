//! The privacy switch.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rig::Bench;

use super::{LONG, SHORT, live, wait_for};
use crate::media::{Colour, SOON, expect_colour};

pub(super) fn switch(bench: &mut Bench) -> Result<()> {
    let lines = live(bench)?;
    lines.wait_for("lamp-camera", true, SOON)?;
    lines.drive("privacy", false)?;
    lines.wait_for("lamp-camera", false, SOON)?;
    wait_for(bench, Colour::Black).context("closed")?;
    // A start changes nothing of it.
    lines.press("button-start", LONG)?;
    lines.press("button-start", LONG)?;
    expect_colour(bench, Colour::Black)?;
    lines.wait_for("lamp-on-air", true, SOON)?;
    lines.drive("privacy", true)?;
    lines.wait_for("lamp-camera", true, SOON)?;
    wait_for(bench, Colour::Green).context("open again")?;
    let report = bench.stop()?;
    ensure!(report.faults.is_empty(), "{:?}", report.faults);
    Ok(())
}

/// Spec 12.3: within half a second, whatever hangs. Ten times that where everything is emulated on a busy machine.
const CLOSED: Duration = Duration::from_secs(5);

/// The engine, the network and the control socket live in the program's first thread, which the kernel stops here.
const FREEZE: &str =
    "mkdir -p /tmp/freezer; mount -t cgroup -o freezer none /tmp/freezer && mkdir -p /tmp/freezer/hung
pidof pushbox >/tmp/freezer/hung/tasks && echo FROZEN >/tmp/freezer/hung/freezer.state";
const THAW: &str = "echo THAWED >/tmp/freezer/hung/freezer.state";

pub(super) fn while_all_else_hangs(bench: &mut Bench) -> Result<()> {
    let lines = live(bench)?;
    lines.press("button-camera", SHORT)?;
    wait_for(bench, Colour::Blue).context("the camera that the torch lights for")?;
    lines.press("button-torch", SHORT)?;
    lines.wait_for("torch", true, SOON)?;
    lines.wait_for("lamp-camera", true, SOON)?;
    bench.run(FREEZE)?;
    bench.until("grep -q FROZEN /tmp/freezer/hung/freezer.state")?;
    let status = bench.console()?.run("timeout 2 pushbox ctl status", SOON)?;
    ensure!(status.status != 0, "it does not hang: {}", status.text);
    lines.drive("privacy", false)?;
    lines.wait_for("lamp-camera", false, CLOSED)?;
    lines.wait_for("torch", false, CLOSED)?;
    let open = bench.run("ls -l /proc/$(pidof pushbox)/fd")?;
    ensure!(!open.contains("/dev/video") && !open.contains("/dev/snd/pcm"), "devices are open:\n{open}");
    bench.run(THAW)?;
    wait_for(bench, Colour::Black).context("it goes on, closed")?;
    lines.drive("privacy", true)?;
    lines.wait_for("lamp-camera", true, SOON)?;
    wait_for(bench, Colour::Blue).context("open again")
}
