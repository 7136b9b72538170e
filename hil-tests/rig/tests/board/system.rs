//! The board itself: it boots, and the firmware finds what is on it.

use std::io::Cursor;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use rig::devices::Ssd1306;
use rig::{Bench, Part, Stage};

use crate::Test;
use crate::media::SOON;

pub(crate) const TESTS: &[&Test] = &[
    &Test { name: "boots_and_runs_the_shipped_binary", needs: &[], run: boots },
    &Test { name: "selftest_finds_each_device", needs: ALL, run: selftest },
    &Test { name: "selftest_is_seen", needs: &[Part::Lamps, Part::Torch, Part::Screen], run: seen },
    &Test { name: "selftest_names_what_is_missing", needs: &[Part::Camera], run: missing },
];

const ALL: &[Part] = &[
    Part::Camera,
    Part::Microphone,
    Part::Buttons,
    Part::Keyboard,
    Part::PrivacySwitch,
    Part::Lamps,
    Part::Torch,
    Part::Oled,
    Part::Screen,
    Part::SerialLine,
    Part::Flash,
    Part::Watchdog,
];

/// In the words of the selftest.
const DEVICES: [&str; 19] = [
    "front camera",
    "back camera",
    "microphone",
    "encoder OpenH264",
    "button start",
    "button camera",
    "button torch",
    "button mute",
    "button menu",
    "button pause, key KEY_PLAYPAUSE",
    "privacy switch",
    "lamp camera",
    "lamp on air",
    "torch, line torch",
    "OLED",
    "screen",
    "serial line",
    "flash",
    "watchdog",
];

fn boots(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    let version = bench.run("pushbox version")?;
    ensure!(version.starts_with("pushbox "), "{version}");
    ensure!(bench.run("uname -m")? == "aarch64");
    Ok(())
}

fn selftest(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    let table = bench.run("pushbox selftest --board /etc/pushbox/board.toml")?;
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("ok ")).collect();
    for device in DEVICES {
        ensure!(rows.iter().any(|row| row.contains(device)), "no {device} in\n{table}");
    }
    ensure!(rows.len() == DEVICES.len(), "more than expected in\n{table}");
    let mut panel = Vec::new();
    bench.board.oled(&mut |display| panel = picture(display));
    let lit = |x: usize, y: usize| panel[y][x];
    ensure!(
        (0..128).all(|x| lit(x, 0) && lit(x, 63)) && (0..64).all(|y| lit(0, y) && lit(127, y)),
        "no frame"
    );
    let word = (1..127).flat_map(|x| (1..63).map(move |y| (x, y))).filter(|(x, y)| lit(*x, *y)).count();
    ensure!((200..1000).contains(&word), "{word} pixels are lit inside of the frame");
    Ok(())
}

/// Rows of what is lit.
fn picture(display: &Ssd1306) -> Vec<Vec<bool>> {
    (0..Ssd1306::HEIGHT).map(|y| (0..Ssd1306::WIDTH).map(|x| display.pixel(x, y)).collect()).collect()
}

/// While the selftest runs, lamps go on and off, and the screen shows its picture.
fn seen(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    let lines = bench.board.lines().context("no lines")?.clone();
    bench.run("sed '/camera.*]$/,/^$/d; /^.microphone/,/^$/d' /etc/pushbox/board.toml >/tmp/board.toml")?;
    bench.run("pushbox selftest --board /tmp/board.toml >/tmp/table 2>&1 &")?;
    for lamp in ["lamp-camera", "lamp-on-air", "torch"] {
        lines.wait_for(lamp, true, SOON)?;
    }
    let deadline = Instant::now() + SOON;
    loop {
        let screen = bench.board.screen().context("no screen")??;
        if is_test_picture(&screen)? {
            break;
        }
        ensure!(Instant::now() < deadline, "the screen shows something else");
    }
    bench.run("while pidof pushbox; do sleep 0.1; done")?;
    let lit: Vec<_> = lines.states().into_iter().filter(|line| line.driven && line.high).collect();
    ensure!(lit.is_empty(), "still lit: {lit:?}");
    Ok(())
}

/// White edges of one pixel, black inside of them.
fn is_test_picture(png: &[u8]) -> Result<bool> {
    let mut reader = png::Decoder::new(Cursor::new(png)).read_info()?;
    let mut pixels = vec![0; reader.output_buffer_size().context("size")?];
    let info = reader.next_frame(&mut pixels)?;
    let (width, height) = (info.width as usize, info.height as usize);
    let samples = info.color_type.samples();
    let at = |x: usize, y: usize| pixels[(y * width + x) * samples];
    let edge = |inset: usize, value: u8| {
        (inset..width - inset).all(|x| at(x, inset) == value && at(x, height - 1 - inset) == value)
            && (inset..height - inset).all(|y| at(inset, y) == value && at(width - 1 - inset, y) == value)
    };
    Ok(edge(0, 255) && edge(1, 0))
}

fn missing(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    bench.run("sed 's|/dev/video1|/dev/video7|' /etc/pushbox/board.toml >/tmp/board.toml")?;
    let output = bench
        .console()?
        .run("pushbox selftest --board /tmp/board.toml", std::time::Duration::from_secs(30))?;
    ensure!(output.status != 0 && output.text.contains("/dev/video7"), "{output:?}");
    Ok(())
}
