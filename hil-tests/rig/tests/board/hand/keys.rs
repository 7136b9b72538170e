//! Buttons that are keys of a keyboard, which may be unplugged.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rig::{Bench, Stage};

use super::{LONG, PROPERTIES, SHORT, wait_for};
use crate::media::{Colour, SOON, expect_colour, paint};

/// QEMU's name of KEY_PLAYPAUSE.
const KEY: &str = "audioplay";
const GESTURES: &str = "[options.buttons.pause]\nshort = 'pause/resume'\nlong = 'switchCamera'";
const DRIVER: &str = "/sys/bus/virtio/drivers/virtio_input";

fn drive(bench: &Bench, down: bool) -> Result<()> {
    bench.board.drive_key(KEY, down).context("no keyboard")?
}

fn press(bench: &Bench, length: Duration) -> Result<()> {
    drive(bench, true)?;
    sleep(length);
    drive(bench, false)
}

pub(super) fn keys(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    paint(bench)?;
    bench.reach(Stage::Live, &format!("{PROPERTIES}\n{GESTURES}"))?;
    wait_for(bench, Colour::Green)?;
    press(bench, SHORT)?;
    wait_for(bench, Colour::Black).context("a short press pauses")?;
    press(bench, SHORT)?;
    wait_for(bench, Colour::Green).context("the next one resumes")?;
    // Meanwhile the kernel repeats it.
    press(bench, LONG)?;
    wait_for(bench, Colour::Blue).context("a long press is the other camera")?;

    // Nothing comes of a press that it does not live to see the end of.
    drive(bench, true)?;
    let device = bench.run(&format!("cd {DRIVER}; basename $(echo virtio*)"))?;
    bench.run(&format!("echo {device} >{DRIVER}/unbind"))?;
    bench.expect_log("KEY_PLAYPAUSE.* is gone", 1)?;
    drive(bench, false)?;
    bench.run(&format!("echo {device} >{DRIVER}/bind"))?;
    bench.expect_log("INFO.*KEY_PLAYPAUSE.* is there", 2)?;
    expect_colour(bench, Colour::Blue).context("unplugged while it is pressed")?;
    press(bench, SHORT)?;
    wait_for(bench, Colour::Black).context("plugged in again, it pauses")?;
    press(bench, SHORT)?;
    wait_for(bench, Colour::Blue).context("and resumes")?;
    let before = bench.server().report().frames;
    bench.wait(SOON, |report| report.frames > before + 20)?;
    let report = bench.stop()?;
    ensure!(report.faults.is_empty(), "{:?}", report.faults);
    Ok(())
}
