//! What breaks while live.

use anyhow::{Context, Result, ensure};
use rig::{Bench, Part, Stage};

use crate::Test;
use crate::media::{Colour, SOON, expect_colour, paint, play_tone};

pub(crate) const TESTS: &[&Test] = &[
    &Test { name: "a_camera_lost_while_live_comes_back", needs: &[Part::TestPicture], run: unbound },
    &Test {
        name: "a_squeezed_link_costs_pictures_not_the_stream",
        needs: &[Part::TestPicture, Part::BadNetwork],
        run: squeezed,
    },
    &Test {
        name: "a_camera_that_comes_and_goes_costs_nothing",
        needs: &[Part::TestPicture],
        run: comes_and_goes,
    },
    &Test { name: "sound_that_overran_is_silence_and_no_offset", needs: &[Part::TestTone], run: overrun },
];

const LIVE: &str = "mode = 'SD'\norientation = 'horizontal'";

/// Takes the cameras away, for the `round`th time. Their nodes are let go, so that they get the same names again.
pub(crate) fn unbind(bench: &mut Bench, round: u64) -> Result<()> {
    bench.run("echo vivid.0 >/sys/bus/platform/drivers/vivid/unbind")?;
    bench.expect_log("code=-1301", round)?;
    bench.until("! ls -l /proc/$(pidof pushbox)/fd | grep -q '/dev/video'")
}

fn unbound(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    bench.reach(Stage::Live, LIVE)?;
    bench.wait(SOON, |report| report.frames > 20)?;
    unbind(bench, 1)?;
    let before = bench.server().report();
    // The sound goes on without pictures.
    let without = bench.wait(SOON, |report| report.audio_packets > before.audio_packets + 50)?;
    bench.run("echo vivid.0 >/sys/bus/platform/drivers/vivid/bind")?;
    paint(bench)?;
    let report = bench.wait(SOON, |report| report.frames > without.frames + 20)?;
    ensure!(report.faults.is_empty(), "{:?}", report.faults);
    expect_colour(bench, Colour::Green)
}

fn comes_and_goes(bench: &mut Bench) -> Result<()> {
    const ROUNDS: u64 = 10;
    bench.reach(Stage::System, "")?;
    bench.reach(Stage::Live, LIVE)?;
    let mut held = Vec::new();
    for round in 1..=ROUNDS {
        // Until the camera's first picture viewers see the placeholder.
        bench.expect_log("code=1007", round)?;
        unbind(bench, round)?;
        bench.run("echo vivid.0 >/sys/bus/platform/drivers/vivid/bind")?;
        bench.expect_log("code=1007", round + 1)?;
        let before = bench.server().report();
        bench.wait(SOON, |report| report.frames > before.frames + 5)?;
        let count = |what| format!("ls /proc/$(pidof pushbox)/{what} | wc -l");
        held.push((bench.run(&count("fd"))?.parse()?, bench.run(&count("map_files"))?.parse()?));
    }
    // The heap's mappings come and go; one that is forgotten in each round is more than that.
    let (first, last): ((u64, u64), (u64, u64)) = (held[1], held[held.len() - 1]);
    ensure!(
        last.0 <= first.0 && last.1 < first.1 + ROUNDS - 2,
        "files and mappings after each round: {held:?}"
    );
    Ok(())
}

fn squeezed(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    // Noise takes all the bits that it may have.
    bench.run("v4l2-ctl -d /dev/video0 -c test_pattern=21")?;
    bench.reach(Stage::Live, &format!("{LIVE}\naudio-quality = 'low'"))?;
    bench.wait(SOON, |report| report.frames > 20)?;
    // Enough for the sound, less than the least bitrate of the picture.
    bench.run("/sbin/tc qdisc add dev eth0 root tbf rate 100kbit burst 16kb latency 400ms")?;
    bench.expect_log("code=1101", 1)?;
    let before = bench.server().report();
    bench.wait(SOON, |report| report.audio_packets > before.audio_packets + 150)?;
    bench.run("/sbin/tc qdisc del dev eth0 root")?;
    let before = bench.server().report();
    let report = bench.wait(SOON, |report| report.frames > before.frames + 30)?;
    ensure!(report.faults.is_empty(), "{:?}", report.faults);
    ensure!(report.out_of_order == 0, "{} pictures out of order", report.out_of_order);
    let log = bench.run("grep -E 'code=(1001|1102)' /run/pushbox.log")?;
    ensure!(log.lines().count() == 1, "another connection:\n{log}");
    Ok(())
}

fn overrun(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    play_tone(bench)?;
    bench.reach(Stage::Live, LIVE)?;
    bench.wait(SOON, |report| report.tone_hz.is_some())?;
    // Nobody reads the card's buffer meanwhile, nor the camera's.
    bench.run("killall -STOP pushbox; sleep 2; killall -CONT pushbox")?;
    bench.expect_log("overran", 1)?;
    let before = bench.server().report();
    let report = bench.wait(SOON, |report| report.frames > before.frames + 45)?;
    ensure!(report.faults.is_empty(), "{:?}", report.faults);
    // An AAC packet holds 1024 samples.
    let sound = report.audio_packets * 1_024_000 / u64::from(report.sample_rate.max(1));
    let stream = u64::from(report.duration_ms);
    ensure!(stream.abs_diff(sound) < 500, "{sound} ms of sound in a stream of {stream} ms");
    let heard = report.tone_hz.context("no tone any more")?;
    ensure!((heard - 440.0).abs() < 2.0, "a tone of {heard} Hz");
    Ok(())
}
