//! The box in the hand: buttons pressed, the privacy switch closed; stream, lamps and torch tell.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rig::devices::Lines;
use rig::{Bench, Part, Stage};

use crate::Test;
use crate::media::{Colour, SOON, expect_colour, paint};

const BUTTONS: &[Part] = &[Part::TestPicture, Part::Buttons, Part::Lamps, Part::Torch];

pub(crate) const TESTS: &[&Test] = &[
    &Test { name: "buttons_steer_the_stream", needs: BUTTONS, run: buttons },
    &Test {
        name: "the_privacy_switch_closes_the_camera",
        needs: &[Part::TestPicture, Part::PrivacySwitch, Part::Lamps],
        run: privacy,
    },
];

const SHORT: Duration = Duration::from_millis(150);
const LONG: Duration = Duration::from_millis(1200);
const PROPERTIES: &str = "mode = 'SD'\norientation = 'horizontal'\naudio-quality = 'low'";

/// Live from the front camera.
fn live(bench: &mut Bench) -> Result<Lines> {
    bench.reach(Stage::System, "")?;
    paint(bench)?;
    bench.reach(Stage::Live, PROPERTIES)?;
    wait_for(bench, Colour::Green)?;
    bench.board.lines().cloned().context("no lines")
}

/// Waits until the stream shows that colour.
fn wait_for(bench: &Bench, colour: Colour) -> Result<()> {
    let deadline = Instant::now() + SOON;
    loop {
        match expect_colour(bench, colour) {
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
            Ok(()) => return Ok(()),
        }
    }
}

fn buttons(bench: &mut Bench) -> Result<()> {
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

fn privacy(bench: &mut Bench) -> Result<()> {
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
