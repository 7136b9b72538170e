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
        name: "the_oled_shows_the_box_and_its_menu",
        needs: &[Part::TestPicture, Part::Buttons, Part::Oled],
        run: display,
    },
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

/// What is lit on the panel, row by row.
fn lit(bench: &mut Bench) -> Result<Vec<bool>> {
    let mut pixels = Vec::new();
    let seen = bench.board.oled(&mut |display| {
        let all = (0..64).flat_map(|y| (0..128).map(move |x| (x, y)));
        pixels = all.map(|(x, y)| display.is_on() && display.pixel(x, y)).collect();
    });
    ensure!(seen, "no panel");
    Ok(pixels)
}

/// Waits until the panel shows something else.
fn wait_for_change(bench: &mut Bench, before: &[bool]) -> Result<Vec<bool>> {
    let deadline = Instant::now() + SOON;
    loop {
        let now = lit(bench)?;
        if now != before {
            return Ok(now);
        }
        ensure!(Instant::now() < deadline, "the panel stays as it is");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The lower half stands still but for the menu: the upper one has a clock.
fn lower(pixels: &[bool]) -> &[bool] {
    &pixels[pixels.len() / 2..]
}

fn display(bench: &mut Bench) -> Result<()> {
    let lines = live(bench)?;
    let home = wait_for_change(bench, &[false; 128 * 64])?;
    ensure!(home.iter().filter(|lit| **lit).count() > 300, "hardly anything is lit");
    lines.press("button-menu", SHORT)?;
    let told = "until pushbox ctl panel | grep -q tempImagePath; do sleep 0.1; done; pushbox ctl panel";
    let deadline = Instant::now() + SOON;
    // The firmware's own picture of its menu is what the controller's memory holds.
    loop {
        let reply = bench.run(told)?;
        let path = reply.lines().find_map(|line| line.strip_prefix("tempImagePath")).context("no picture")?;
        let bytes = bench.run(&format!("od -An -v -tx1 {}", path.trim()))?;
        let menu = lit_in_png(&bytes)?;
        if lower(&menu) != lower(&home) && menu == lit(bench)? {
            break;
        }
        ensure!(Instant::now() < deadline, "no menu on the panel");
    }
    // Down, up and back are other buttons while there is a menu.
    let menu = lit(bench)?;
    lines.press("button-torch", SHORT)?;
    let next = wait_for_change(bench, &menu)?;
    lines.press("button-camera", SHORT)?;
    ensure!(wait_for_change(bench, &next)? == menu, "up is not where down came from");
    lines.press("button-mute", SHORT)?;
    wait_for_change(bench, &menu)?;
    expect_colour(bench, Colour::Green).context("buttons in the menu moved the camera")?;
    bench.stop().map(|_| ())
}

/// The pixels of a PNG, of which these are the bytes in hexadecimal, that are not black.
fn lit_in_png(bytes: &str) -> Result<Vec<bool>> {
    let bytes = bytes.split_whitespace().map(|byte| u8::from_str_radix(byte, 16));
    let bytes = bytes.collect::<Result<Vec<u8>, _>>()?;
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info()?;
    let mut pixels = vec![0; reader.output_buffer_size().context("a huge picture")?];
    let info = reader.next_frame(&mut pixels)?;
    ensure!((info.width, info.height) == (128, 64), "{} x {}", info.width, info.height);
    Ok(pixels[..info.buffer_size()].chunks(3).map(|pixel| pixel != [0; 3]).collect())
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
