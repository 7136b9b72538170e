//! What the displays show, beside the firmware's own pictures of them.

use std::io::Cursor;

use anyhow::{Context, Result, ensure};
use rig::{Bench, Stage};

use super::panel::Picture;
use super::{LONG, SHORT, lines, live, until};
use crate::media::{Colour, expect_colour};

pub(super) fn oled(bench: &mut Bench) -> Result<()> {
    let lines = live(bench)?;
    let home = until(|| {
        let home = Picture::of_oled(bench)?;
        ensure!(home.lit() > 300, "hardly anything is lit");
        Ok(home)
    })?;
    lines.press("button-menu", SHORT)?;
    let menu = until(|| {
        let menu = of_png(&own(bench, "panel --png -")?)?;
        // The lower half stands still but for the menu: the upper one has a clock.
        let lower = |picture: &Picture| picture.0[picture.0.len() / 2..].to_vec();
        ensure!(lower(&menu) != lower(&home), "no menu on the panel");
        ensure!(menu == Picture::of_oled(bench)?, "the panel shows something else than what was drawn");
        Ok(menu)
    })?;
    // Down and up are other buttons while there is a menu, and the menu's own leads back.
    let shows_menu = |bench: &Bench, wanted| {
        until(|| {
            let shown = Picture::of_oled(bench)? == menu;
            ensure!(
                shown == wanted,
                "{}",
                if wanted { "up is not where down came from" } else { "the panel stays" }
            );
            Ok(())
        })
    };
    lines.press("button-torch", SHORT)?;
    shows_menu(bench, false)?;
    lines.press("button-camera", SHORT)?;
    shows_menu(bench, true)?;
    lines.press("button-menu", LONG)?;
    shows_menu(bench, false)?;
    expect_colour(bench, Colour::Green).context("buttons in the menu moved the camera")?;
    bench.stop().map(|_| ())
}

/// QEMU takes the picture of the screen from outside.
pub(super) fn screen(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    bench.start_without_address()?;
    let screen = |bench: &Bench| pixels(&bench.board.screen().context("no screen")??);
    let home = until(|| {
        let home = pixels(&own(bench, "panel display=screen --png -")?)?;
        ensure!(home == screen(bench)?, "the screen shows something else than what was drawn");
        Ok(home)
    })?;
    lines(bench)?.press("button-menu", SHORT)?;
    until(|| {
        let menu = pixels(&own(bench, "panel display=screen --png -")?)?;
        ensure!(menu != home, "no menu");
        ensure!(menu == screen(bench)?, "the screen shows something else than what was drawn");
        let panel = of_png(&own(bench, "panel display=oled --png /tmp/panel.png && cat /tmp/panel.png")?)?;
        ensure!(panel == Picture::of_oled(bench)?, "the panel shows something else than what was drawn");
        Ok(())
    })?;
    let nothing = bench.run("pushbox ctl panel display=tft --png /tmp/tft.png 2>&1 || true")?;
    ensure!(nothing.contains("display is oled, tft, screen or sim-display, as the board has"), "{nothing}");
    Ok(())
}

/// A file that `pushbox ctl` writes.
fn own(bench: &mut Bench, command: &str) -> Result<Vec<u8>> {
    let text = bench.run(&format!("{{ pushbox ctl {command}; }} | od -An -v -tx1"))?;
    let bytes = text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16));
    bytes.collect::<Result<_, _>>().with_context(|| text.clone())
}

/// Width, height and the pixels' red, green and blue.
fn pixels(png: &[u8]) -> Result<(u32, u32, Vec<u8>)> {
    let mut reader = png::Decoder::new(Cursor::new(png)).read_info()?;
    let mut pixels = vec![0; reader.output_buffer_size().context("a huge picture")?];
    let info = reader.next_frame(&mut pixels)?;
    let rgb = pixels[..info.buffer_size()].chunks(info.color_type.samples());
    Ok((info.width, info.height, rgb.flat_map(|pixel| pixel[..3].to_vec()).collect()))
}

fn of_png(png: &[u8]) -> Result<Picture> {
    let (width, height, pixels) = pixels(png)?;
    ensure!((width, height) == (128, 64), "{width} x {height}");
    Ok(Picture(pixels.chunks(3).map(|pixel| pixel != [0; 3]).collect()))
}
