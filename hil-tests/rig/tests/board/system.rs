//! The board itself: it boots, and the firmware finds what is on it.

use anyhow::{Result, ensure};
use rig::{Bench, Part, Stage};

use crate::Test;

pub(crate) const TESTS: &[&Test] = &[
    &Test { name: "boots_and_runs_the_shipped_binary", needs: &[], run: boots },
    &Test { name: "selftest_finds_each_device", needs: &[Part::Camera, Part::Microphone], run: selftest },
    &Test { name: "selftest_names_what_is_missing", needs: &[Part::Camera], run: missing },
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
    for device in ["front camera", "back camera", "microphone"] {
        ensure!(rows.iter().any(|row| row.contains(device)), "no {device} in\n{table}");
    }
    Ok(())
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
