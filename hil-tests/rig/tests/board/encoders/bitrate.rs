//! Encoders that take another bitrate badly.

use anyhow::{Context, Result, ensure};
use rig::{Bench, Stage};

use super::{expect_stream, keeps_to_the_list, live, live_with};

pub(super) fn set_bitrate(kbps: u32) -> String {
    format!("pushbox ctl set min-bitrate={kbps} max-bitrate={kbps}")
}

/// Whether the encoder was told so many kilobits a second last.
pub(super) fn now_has(kbps: u32) -> String {
    format!("dmesg | grep 'pcm264: bitrate' | tail -n 1 | grep -q ' {kbps}000$'")
}

/// First only while coded pictures stream, then for good.
pub(super) fn refused_bitrate(bench: &mut Bench) -> Result<()> {
    live(bench)?;
    expect_stream(bench, 1, 1)?;
    bench.run("echo 1 >/sys/module/pcm264/parameters/fixed")?;
    bench.run(&set_bitrate(300))?;
    bench.until(&now_has(300))?;
    expect_stream(bench, 1, 1)?;
    bench.run("echo 1 >/sys/module/pcm264/parameters/refuses")?;
    bench.run(&set_bitrate(400))?;
    bench.expect_log("it keeps the bitrate that it has", 1)?;
    bench.run("pushbox ctl set max-bitrate=500 min-bitrate=500")?;
    expect_stream(bench, 1, 1)?;
    bench.run("! grep -e code=1103 -e code=1104 /run/pushbox.log")?;
    bench.run("[ $(grep -c 'it keeps the bitrate that it has' /run/pushbox.log) = 1 ]")?;
    bench.until(&now_has(300))
}

/// Seconds since the board's start at which the encoder was told each bitrate.
fn bitrates_told(bench: &mut Bench) -> Result<Vec<f64>> {
    let log = bench.run("dmesg | grep 'pcm264: bitrate'")?;
    let time = |line: &str| line.trim_start_matches('[').split(']').next().map(|time| time.trim().parse());
    log.lines().filter_map(time).collect::<Result<_, _>>().context(log)
}

/// However often another one is wanted, it is opened anew each two seconds at the most.
pub(super) fn reopened_for_bitrate(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    bench.run("echo 1 >/sys/module/pcm264/parameters/refuses")?;
    live_with(bench, ", bitrate-change = 'reopen'")?;
    for wanted in [&[400][..], &[350, 500, 600]] {
        let commands: Vec<String> = wanted.iter().map(|kbps| set_bitrate(*kbps)).collect();
        bench.run(&commands.join(" && "))?;
        bench.until(&now_has(wanted[wanted.len() - 1]))?;
        let told = bitrates_told(bench)?.len();
        expect_stream(bench, 1, 1)?;
        ensure!(bitrates_told(bench)?.len() == told, "it is opened anew again and again");
    }
    let told = bitrates_told(bench)?;
    let distances: Vec<f64> = told.windows(2).map(|pair| pair[1] - pair[0]).collect();
    ensure!(distances.iter().all(|distance| *distance > 1.9), "told another bitrate after {distances:?} s");
    bench.run("! grep -e code=1103 -e code=1104 /run/pushbox.log")?;
    bench.stop()?;
    keeps_to_the_list(bench.recording()?)?;
    // To open it anew takes no time that a viewer would notice.
    let tags = receiver::read_flv(bench.recording()?)?;
    let times: Vec<u32> = tags.iter().filter(|tag| tag.kind == 9).map(|tag| tag.timestamp).collect();
    let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max();
    ensure!(longest < Some(1000), "no picture for {longest:?} ms");
    Ok(())
}
