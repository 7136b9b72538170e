//! Buttons, lamps, torch and panel: what the guest sees and drives, by its own tools until the firmware does.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rig::{Bench, Console, Part, Stage};

use crate::Test;
use crate::media::SOON;

pub(crate) const TESTS: &[&Test] = &[
    &Test { name: "a_buttons_edges_come_with_their_time", needs: &[Part::Buttons], run: button },
    &Test { name: "the_privacy_switch_is_seen", needs: &[Part::PrivacySwitch], run: privacy },
    &Test {
        name: "settings_come_over_the_second_serial_line",
        needs: &[Part::SerialLine, Part::Camera],
        run: provisioning,
    },
    &Test { name: "lamps_and_torch_light", needs: &[Part::Lamps, Part::Torch], run: lamps },
    &Test { name: "the_oled_shows_what_was_drawn", needs: &[Part::Oled], run: oled },
];

const PRESS: Duration = Duration::from_millis(200);

fn button(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    bench.run("gpiomon -e both -n 2 --format '%e %S' button-start >/tmp/edges 2>&1 &")?;
    bench.until("gpioinfo button-start | grep -q gpiomon")?;
    let lines = bench.board.lines().context("no lines")?.clone();
    lines.press("button-start", PRESS)?;
    bench.until("[ $(wc -l </tmp/edges) = 2 ]")?;
    let edges = bench.run("cat /tmp/edges")?;
    let edges: Vec<(u32, f64)> = edges
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(edge, time)| Ok((edge.parse()?, time.parse()?)))
        .collect::<Result<_>>()?;
    // 2 is a falling edge, 1 a rising one.
    let [(2, down), (1, up)] = edges[..] else {
        anyhow::bail!("edges {edges:?}");
    };
    let held = up - down;
    ensure!((held - PRESS.as_secs_f64()).abs() < 0.1, "held for {held} s");
    Ok(())
}

fn privacy(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    let lines = bench.board.lines().context("no lines")?.clone();
    for (high, state) in [(false, "closed"), (true, "open")] {
        lines.drive("privacy", high)?;
        let seen = bench.run("gpioget --numeric privacy")?;
        ensure!(seen == u8::from(high).to_string(), "{state}: {seen}");
    }
    Ok(())
}

/// A person types at the second serial line; what was set is there after a power cut.
fn provisioning(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    bench.start_without_address()?;
    let url = bench.url();
    type_in(bench, &[&format!("set url {url}"), "set mode QVGA", "start", "save"])?;
    bench.wait(SOON, |report| report.frames > 0 && report.width == 180)?;
    bench.power_off();
    bench.reach(Stage::System, "")?;
    bench.start_without_address()?;
    let mut line = prompt(bench)?;
    line.send("get mode\r")?;
    line.wait_for("mode  QVGA", SOON)?;
    Ok(())
}

/// A person's commands at the second serial line, all of which succeed.
pub(crate) fn type_in(bench: &Bench, commands: &[&str]) -> Result<()> {
    let mut line = prompt(bench)?;
    for command in commands {
        line.send(&format!("{command}\r"))?;
        line.wait_for("ok\r", SOON).with_context(|| (*command).to_owned())?;
    }
    Ok(())
}

/// The firmware's prompt at the second serial line.
fn prompt(bench: &Bench) -> Result<Console> {
    let mut line = bench.board.serial_line().context("no serial line")??;
    for _ in 0..30 {
        line.send("\r")?;
        if line.wait_for("pushbox> ", Duration::from_secs(1)).is_ok() {
            return Ok(line);
        }
    }
    bail!("no prompt: {}", line.log())
}

fn lamps(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    let lines = bench.board.lines().context("no lines")?.clone();
    for line in ["lamp-on-air", "lamp-camera", "torch"] {
        for high in [true, false] {
            // It holds the line for as long as it runs.
            bench.run(&format!("gpioset -z {line}={}", u8::from(high)))?;
            lines.wait_for(line, high, Duration::from_secs(5))?;
            bench.run("killall gpioset; while pidof gpioset; do sleep 0.1; done")?;
        }
    }
    Ok(())
}

fn oled(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    let bus = bench.run("basename /sys/bus/i2c/devices/i2c-* | sed 's/i2c-//'")?;
    bench.run(&format!("i2ctransfer -y {bus} w9@0x3c 0x00 0xaf 0x20 0x00 0x21 0 127 0x22 0"))?;
    bench.run(&format!("i2ctransfer -y {bus} w2@0x3c 0x00 7"))?;
    bench.run(&format!("i2ctransfer -y {bus} w5@0x3c 0x40 0xff 0x81 0x81 0xff"))?;
    let mut rows = Vec::new();
    let seen = bench.board.oled(&mut |display| {
        rows = (0..9)
            .map(|y| (0..5).map(|x| if display.pixel(x, y) { '#' } else { '.' }).collect())
            .collect::<Vec<String>>();
    });
    ensure!(seen);
    let expected = ["####.", "#..#.", "#..#.", "#..#.", "#..#.", "#..#.", "#..#.", "####.", "....."];
    ensure!(rows == expected, "the panel shows {rows:#?}");
    let nobody = bench.console()?.run(&format!("i2ctransfer -y {bus} r1@0x50"), Duration::from_secs(10))?;
    ensure!(!nobody.text.contains("0x"), "a device that is not there answers: {}", nobody.text);
    Ok(())
}
