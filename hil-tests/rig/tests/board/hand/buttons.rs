//! What buttons do to the stream.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rig::devices::Lines;
use rig::{Bench, Stage};

use super::{LONG, SHORT, live, wait_for};
use crate::media::{Colour, SOON};

pub(super) fn buttons(bench: &mut Bench) -> Result<()> {
    let lines = live(bench)?;
    lines.wait_for("lamp-on-air", true, SOON)?;
    lines.wait_for("lamp-camera", true, SOON)?;
    lines.press("button-camera", SHORT)?;
    wait_for(bench, Colour::Blue).context("after the button for the camera")?;
    // The torch lights what the back camera sees.
    lines.press("button-torch", SHORT)?;
    lines.wait_for("torch", true, SOON)?;
    lines.press("button-start", LONG)?;
    wait_for(bench, Colour::Black).context("paused")?;
    lines.wait_for("torch", false, SOON)?;
    lines.wait_for("lamp-camera", false, SOON)?;
    lines.press("button-start", LONG)?;
    wait_for(bench, Colour::Blue).context("resumed")?;
    lines.press("button-start", SHORT)?;
    bench.server().wait_for_end(SOON)?;
    lines.wait_for("lamp-on-air", false, SOON)?;
    lines.wait_for("lamp-camera", false, SOON)?;
    bench.serve_next()?;
    lines.press("button-start", SHORT)?;
    bench.wait(SOON, |report| report.frames > 5)?;
    lines.wait_for("lamp-on-air", true, SOON)?;
    bench.stop()?;
    let lit: Vec<_> = lines.states().into_iter().filter(|line| line.driven && line.high).collect();
    ensure!(lit.is_empty(), "the firmware has ended, and left {lit:?} on");
    Ok(())
}

/// Kernels before 5.10 can't debounce.
pub(super) fn without_debounce(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    bench.run(
        "sed -i 's/exec pushbox/exec refuse b405 b407 pushbox/' /usr/sbin/pushbox-service; killall pushbox-service",
    )?;
    let lines = live(bench)?;
    // So the kernel calls what watches a line by version 1.
    let watched = bench.run("ls -l /proc/$(pidof pushbox)/fd | grep -c gpio-event")?;
    ensure!(watched == "6", "{watched} lines are watched");
    lines.press("button-start", LONG)?;
    wait_for(bench, Colour::Black).context("a long press pauses")?;
    lines.press("button-start", LONG)?;
    wait_for(bench, Colour::Green).context("another resumes")?;
    lines.press("button-camera", SHORT)?;
    wait_for(bench, Colour::Blue).context("a short press is the other camera")?;
    bounce(&lines)?;
    lines.drive("privacy", false)?;
    lines.wait_for("lamp-camera", false, SOON)?;
    lines.drive("privacy", true)?;
    wait_for(bench, Colour::Blue).context("the privacy switch is open")?;
    bench.stop().map(|_| ())
}

/// A press whose contacts bounce once lights the torch, which two presses would not. On a busy machine what is to be a bounce may
/// come too slowly for one.
fn bounce(lines: &Lines) -> Result<()> {
    const BOUNCE: Duration = Duration::from_millis(3);
    for _ in 0..20 {
        lines.drive("button-torch", false)?;
        sleep(BOUNCE);
        lines.drive("button-torch", true)?;
        sleep(BOUNCE);
        lines.press("button-torch", SHORT)?;
        if lines.wait_for_steady("torch", true, SHORT, 4 * SHORT).is_ok() {
            return Ok(());
        }
    }
    bail!("a press that bounced was never taken as one")
}
