//! Encoders that fail, each in its way.

use anyhow::{Context, Result, ensure};
use rig::{Bench, Stage};

use super::bitrate::{now_has, set_bitrate};
use super::{BOARD, LIVE, expect_stream, live, live_with};
use crate::media::SOON;

/// Software takes over from an encoder that can't be opened after `fault`.
fn not_opened(bench: &mut Bench, fault: &str) -> Result<()> {
    bench.reach(Stage::System, "")?;
    bench.run(fault)?;
    live(bench)?;
    bench.expect_log("code=1103", 1)?;
    expect_stream(bench, 2, 1)
}

/// Software takes over from an encoder that works, until `fault`; `codes` tell so.
fn given_up(bench: &mut Bench, fault: &str, codes: &[u32]) -> Result<()> {
    live(bench)?;
    expect_stream(bench, 1, 1)?;
    bench.run(fault)?;
    for code in codes {
        bench.expect_log(&format!("code={code}"), 1)?;
    }
    expect_stream(bench, 2, 1)
}

pub(super) fn busy(bench: &mut Bench) -> Result<()> {
    not_opened(bench, "echo 1 >/sys/module/pcm264/parameters/busy")
}

pub(super) fn missing(bench: &mut Bench) -> Result<()> {
    not_opened(bench, "rm /dev/video4")
}

/// As when its driver is unbound.
pub(super) fn vanished(bench: &mut Bench) -> Result<()> {
    let fault = "echo 1 >/sys/module/pcm264/parameters/gone && [ ! -e /dev/video4 ]";
    given_up(bench, fault, &[1104, 1103])
}

pub(super) fn broken(bench: &mut Bench) -> Result<()> {
    given_up(bench, "echo 1 >/sys/module/pcm264/parameters/broken", &[1104, 1103])
}

/// It answers each picture, and never with bytes that are good.
pub(super) fn barren(bench: &mut Bench) -> Result<()> {
    given_up(bench, "echo 1000000 >/sys/module/pcm264/parameters/lose", &[1104, 1103])
}

/// The driver waits for its hardware for longer than anybody watches.
pub(super) fn stuck(bench: &mut Bench) -> Result<()> {
    given_up(bench, "cd /sys/module/pcm264/parameters; echo 60000 >abort_ms; echo 1 >stall", &[1103])
}

pub(super) fn stalled(bench: &mut Bench) -> Result<()> {
    live(bench)?;
    expect_stream(bench, 1, 1)?;
    for round in 1..=2 {
        bench.run("echo 1 >/sys/module/pcm264/parameters/stall")?;
        bench.expect_log("code=1104", round)?;
        expect_stream(bench, 1, round + 1)?;
    }
    Ok(())
}

/// After a stall, and for another bitrate: packets that the network did not take yet keep no buffer of its.
pub(super) fn only_context(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    bench.run("cd /sys/module/pcm264/parameters; echo 1 >single; echo 1 >refuses")?;
    live_with(bench, ", bitrate-change = 'reopen'")?;
    bench.run(&set_bitrate(350))?;
    bench.until(&now_has(350))?;
    // Less than the IDR pictures take, and enough for the sound.
    bench.run("/sbin/tc qdisc add dev eth0 root tbf rate 100kbit burst 16kb latency 400ms")?;
    let waits = "grep ' queued_ms=' /run/pushbox.log | tail -n 1 | grep -qE ' queued_ms=[0-9]{3,}'";
    bench.until(waits)?;
    bench.run("echo 1 >/sys/module/pcm264/parameters/stall")?;
    bench.expect_log("code=1104", 1)?;
    bench.expect_log("code=1008.*\"type\":1", 2)?;
    bench.until(waits)?;
    bench.run(&set_bitrate(400))?;
    bench.until(&now_has(400))?;
    bench.run("/sbin/tc qdisc del dev eth0 root")?;
    expect_stream(bench, 1, 2)?;
    bench.run("! grep -e code=1103 /run/pushbox.log")?;
    bench.run("[ $(grep -c code=1104 /run/pushbox.log) = 1 ]")?;
    bench
        .until("grep 'copied=' /run/pushbox.log | tail -n 1 | grep -q 'copied_coded=[1-9]'")
        .context("coded pictures stay in the memory of the only context")
}

/// It stops with pictures inside, which it takes a minute to give up.
pub(super) fn stuck_at_the_end(bench: &mut Bench) -> Result<()> {
    live(bench)?;
    expect_stream(bench, 1, 1)?;
    bench.run("cd /sys/module/pcm264/parameters; echo 150 >delay_ms; echo 60000 >abort_ms")?;
    let before = bench.server().report();
    bench.wait(SOON, |report| report.frames > before.frames + 10)?;
    bench.run("pushbox ctl stop")?;
    bench.server().wait_for_end(SOON)?;
    bench.serve_next()?;
    bench.run("pushbox ctl start")?;
    bench.expect_log("code=1103", 1)?;
    expect_stream(bench, 2, 1)
}

pub(super) fn lost(bench: &mut Bench) -> Result<()> {
    live(bench)?;
    // With one picture inside, and with several.
    for (fault, delay) in [("lose", 5), ("empty", 5), ("lose", 150)] {
        bench.run(&format!("echo {delay} >/sys/module/pcm264/parameters/delay_ms"))?;
        bench.run(&format!("echo 6 >/sys/module/pcm264/parameters/{fault}"))?;
        bench.until(&format!("[ $(cat /sys/module/pcm264/parameters/{fault}) = 0 ]"))?;
        expect_stream(bench, 1, 1)?;
    }
    bench.stop()?;
    // Six of fifteen pictures a second are missing each time. What follows on those that were lost refers to none of them.
    let tags = receiver::read_flv(bench.recording()?)?;
    let pictures: Vec<_> = tags.iter().filter(|tag| tag.kind == 9 && tag.body.get(1) == Some(&1)).collect();
    let holes = pictures.windows(2).filter(|pair| pair[1].timestamp - pair[0].timestamp > 300);
    let ends_with_idr: Vec<bool> = holes.map(|pair| pair[1].body[0] >> 4 == 1).collect();
    let is_mended = ends_with_idr.len() >= 3 && ends_with_idr.iter().filter(|it| **it).count() >= 2;
    ensure!(is_mended, "whether holes end with an IDR picture: {ends_with_idr:?}");
    Ok(())
}

pub(super) fn none_left(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    bench.run(BOARD)?;
    bench.run("sed -i '/software/d' /etc/pushbox/board.toml; sed -i '$d' /etc/pushbox/board.toml")?;
    bench.run("echo 1 >/sys/module/pcm264/parameters/busy")?;
    let url = bench.url();
    bench.run(&format!(
        "printf '%s\\n' \"url = '{url}'\" 'autopush = true' \"{LIVE}\" >/data/properties.toml"
    ))?;
    bench.expect_log("code=-1303", 1)
}
