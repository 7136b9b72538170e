//! Torches of the kernel's own: an LED of its LED class, and a V4L2 flash.

use anyhow::{Context, Result};
use rig::{Bench, Stage};

use super::{lines, wait_for};
use crate::faults::unbind;
use crate::media::{Colour, paint};

const LED: &str = "led = \"white:flash\"";
const FLASH: &str = "flash = \"/dev/v4l-subdev0\"";
/// What the LED gives, by whichever of the two it was lit.
const BRIGHTNESS: &str = "/sys/class/leds/white:flash/brightness";
const FAULTS: &str = "/sys/module/test_flash/parameters/faults";
const BIND: &str = "echo vivid.0 >/sys/bus/platform/drivers/vivid/bind";
const BACK: &str =
    "mode = 'QVGA'\norientation = 'horizontal'\naudio-quality = 'low'\ndevice-position = 'back'";

/// The occasions on which it goes out (spec 12.9), some with the one, some with the other.
pub(super) fn torches(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    paint(bench)?;
    led(bench).context("LED")?;
    flash(bench).context("flash")
}

fn led(bench: &mut Bench) -> Result<()> {
    live(bench, LED, "")?;
    light(bench)?;
    bench.run("pushbox ctl switchCamera")?;
    is_out(bench).context("another camera")?;
    // At once, while pictures of the camera before are still under way.
    bench.run("pushbox ctl switchCamera")?;
    light(bench)?;
    bench.run("pushbox ctl pause")?;
    is_out(bench).context("paused")?;
    bench.run("pushbox ctl resume")?;
    light(bench)?;
    lines(bench)?.drive("privacy", false)?;
    is_out(bench).context("privacy")?;
    lines(bench)?.drive("privacy", true)?;
    light(bench)?;
    bench.stop()?;
    is_out(bench).context("the firmware has ended")
}

fn flash(bench: &mut Bench) -> Result<()> {
    live(bench, FLASH, "[options]\ntorch-max = 5")?;
    light(bench)?;
    has_mode(bench, 2)?;
    bench.run("pushbox ctl toggleTorch")?;
    is_out(bench).context("toggled")?;
    has_mode(bench, 0)?;
    light(bench)?;
    unbind(bench, 1)?;
    is_out(bench).context("the camera is gone")?;
    bench.run(BIND)?;
    light(bench)?;
    is_out(bench).context("lit for long")?;
    bench.expect_log("torch-max", 1)?;
    light(bench)?;
    // Too hot, the flash puts it out by itself.
    bench.run(&format!("echo 4 >{FAULTS}"))?;
    is_out(bench).context("a fault")?;
    bench.run("pushbox ctl toggleTorch")?;
    light(bench).context("after a fault")?;
    bench.expect_log("there was a fault.*0x4", 1)?;
    bench.run("pushbox ctl stop")?;
    is_out(bench).context("stopped")?;
    bench.stop()?;
    // Nobody holds it any longer.
    bench.run("rmmod test-flash").map(|_| ())
}

/// Live from the camera that has the torch.
fn live(bench: &mut Bench, source: &str, options: &str) -> Result<()> {
    let edit = format!("/^\\[torch\\]/,/^source/ s|^source.*|source.{source}|");
    bench.run(&format!("sed -i '{edit}' /etc/pushbox/board.toml"))?;
    bench.reach(Stage::Live, &format!("{BACK}\n{options}"))?;
    wait_for(bench, Colour::Blue)
}

/// Lights it, once the camera runs that it belongs to.
fn light(bench: &mut Bench) -> Result<()> {
    bench.until("pushbox ctl toggleTorch")?;
    bench.until(&format!("grep -qx 4 {BRIGHTNESS}")).context("it is not lit")
}

fn is_out(bench: &mut Bench) -> Result<()> {
    bench.until(&format!("grep -qx 0 {BRIGHTNESS}")).context("it is lit")
}

/// `V4L2_CID_FLASH_LED_MODE`: 0 none, 2 torch.
fn has_mode(bench: &mut Bench, mode: u32) -> Result<()> {
    bench.until(&format!("v4l2-ctl -d /dev/v4l-subdev0 -C led_mode | grep -q 'led_mode: {mode}'"))
}
