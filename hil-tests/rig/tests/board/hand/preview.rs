//! What the camera sees, on a screen that is plugged in and out while live.

use anyhow::{Context, Result, ensure};
use rig::{Bench, Stage};

use super::displays::pixels;
use super::{lines, until};
use crate::media::{Colour, paint};

/// The kernel's own switch for a plug that can't be pulled.
const PLUG: &str = "/sys/class/drm/card0-Virtual-1/status";
const QVGA: &str = "mode = 'QVGA'\norientation = 'horizontal'\naudio-quality = 'low'";

pub(super) fn preview(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    paint(bench)?;
    plug(bench, false)?;
    bench.reach(Stage::Live, QVGA)?;
    bench.expect_log("no screen is connected", 1)?;
    plug(bench, true)?;
    shows(bench, Some(Colour::Green)).context("plugged in")?;
    bench.run("pushbox ctl switchCamera")?;
    shows(bench, Some(Colour::Blue)).context("the other camera")?;

    plug(bench, false)?;
    bench.expect_log("it was unplugged", 1)?;
    goes_on(bench).context("unplugged")?;
    plug(bench, true)?;
    shows(bench, Some(Colour::Blue)).context("plugged in again")?;
    goes_on(bench).context("plugged in again")?;

    lines(bench)?.drive("privacy", false)?;
    shows(bench, None).context("the privacy switch is closed")?;
    lines(bench)?.drive("privacy", true)?;
    shows(bench, Some(Colour::Blue)).context("the privacy switch is open")?;
    let connections = bench.run("grep -cE 'code=(1001|1102)' /run/pushbox.log")?;
    ensure!(connections == "1", "{connections} connections");
    let report = bench.stop()?;
    ensure!(report.faults.is_empty(), "{:?}", report.faults);
    Ok(())
}

fn plug(bench: &mut Bench, is_in: bool) -> Result<()> {
    let status = if is_in { "detect" } else { "off" };
    bench.run(&format!("echo {status} >{PLUG}")).map(|_| ())
}

/// The session neither pauses nor ends.
fn goes_on(bench: &mut Bench) -> Result<()> {
    let before = bench.server().report().frames;
    bench.wait(crate::media::SOON, |report| report.frames > before + 10)?;
    let status = bench.run("pushbox ctl status")?;
    ensure!(status.contains("pushing"), "{status}");
    Ok(())
}

/// Waits until most of the screen is the picture of that camera, or nothing of it is any camera's.
fn shows(bench: &Bench, wanted: Option<Colour>) -> Result<()> {
    until(|| {
        let (_, _, pixels) = pixels(&bench.board.screen().context("no screen")??)?;
        let pixels = pixels.as_chunks::<3>().0;
        let share = |is: fn(&&[u8; 3]) -> bool| pixels.iter().filter(is).count() * 100 / pixels.len().max(1);
        let green = share(|[r, g, b]| *g > 128 && *r < 80 && *b < 80);
        let blue = share(|[r, g, b]| *b > 128 && *r < 80 && *g < 80);
        let is_right = match wanted {
            Some(Colour::Green) => green > 50 && blue < 5,
            Some(Colour::Blue) => blue > 50 && green < 5,
            _ => green < 5 && blue < 5,
        };
        ensure!(is_right, "{green} % of the screen are green, {blue} % blue");
        Ok(())
    })
}
