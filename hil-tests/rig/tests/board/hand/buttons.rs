//! What buttons do to the stream.

use anyhow::{Context, Result, ensure};
use rig::Bench;

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
