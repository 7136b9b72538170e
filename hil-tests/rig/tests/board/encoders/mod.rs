//! Encoders of the kernel's memory-to-memory interface: FWHT by its own test driver, H.264 by ours, with faults on command.

mod bitrate;
mod faults;
mod protocol;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use media::{EncoderSettings, H264Profile};
use receiver::Rate;
use rig::{Bench, Part, Stage};

use crate::Test;
use crate::media::{Colour, SOON, expect_colour, paint};

const NEEDS: &[Part] = &[Part::TestEncoder, Part::TestPicture];

pub(crate) const TESTS: &[&Test] = &[
    &Test { name: "our_encoder_is_one_to_the_kernel_s_own_test", needs: NEEDS, run: protocol::compliant },
    &Test {
        name: "an_encoder_of_either_planar_api_gives_what_it_got",
        needs: NEEDS,
        run: protocol::protocol,
    },
    &Test { name: "the_selftest_tries_each_encoder", needs: NEEDS, run: selftest },
    &Test { name: "a_cameras_buffers_reach_the_encoder_uncopied", needs: NEEDS, run: uncopied },
    &Test { name: "a_camera_follows_the_encoders_strides", needs: NEEDS, run: strides },
    &Test { name: "what_an_encoder_can_not_take_is_copied_once", needs: NEEDS, run: copied_once },
    &Test {
        name: "an_encoder_that_imports_nothing_or_wants_more_rows_gets_copies",
        needs: NEEDS,
        run: copies,
    },
    &Test {
        name: "a_size_that_the_encoder_refuses_gives_way_to_the_mode_s",
        needs: NEEDS,
        run: refused_size,
    },
    &Test {
        name: "a_bitrate_that_the_encoder_refuses_breaks_nothing",
        needs: NEEDS,
        run: bitrate::refused_bitrate,
    },
    &Test {
        name: "an_encoder_that_keeps_its_first_bitrate_is_opened_anew_for_another",
        needs: NEEDS,
        run: bitrate::reopened_for_bitrate,
    },
    &Test { name: "an_encoder_that_is_busy_gives_way_to_software", needs: NEEDS, run: faults::busy },
    &Test { name: "an_encoder_that_is_not_there_gives_way_to_software", needs: NEEDS, run: faults::missing },
    &Test {
        name: "an_encoder_that_vanishes_while_live_gives_way_to_software",
        needs: NEEDS,
        run: faults::vanished,
    },
    &Test {
        name: "an_encoder_that_breaks_while_live_gives_way_to_software",
        needs: NEEDS,
        run: faults::broken,
    },
    &Test { name: "an_encoder_that_stalls_is_opened_anew", needs: NEEDS, run: faults::stalled },
    &Test {
        name: "an_encoder_with_one_context_is_opened_anew_while_packets_wait",
        needs: &[Part::TestEncoder, Part::TestPicture, Part::BadNetwork],
        run: faults::only_context,
    },
    &Test {
        name: "an_encoder_that_loses_each_unit_gives_way_to_software",
        needs: NEEDS,
        run: faults::barren,
    },
    &Test {
        name: "an_encoder_that_can_not_be_closed_gives_way_to_software",
        needs: NEEDS,
        run: faults::stuck,
    },
    &Test {
        name: "an_encoder_that_can_not_be_closed_gives_way_to_software_in_the_next_session",
        needs: NEEDS,
        run: faults::stuck_at_the_end,
    },
    &Test {
        name: "units_that_an_encoder_loses_cost_no_decoder_its_picture",
        needs: NEEDS,
        run: faults::lost,
    },
    &Test { name: "an_encoder_that_was_closed_leaves_nothing", needs: NEEDS, run: protocol::leaves_nothing },
    &Test { name: "without_an_encoder_that_works_the_session_ends", needs: NEEDS, run: faults::none_left },
];

/// The front camera in the size that is published, and our encoder before software.
const BOARD: &str = "cat >/etc/pushbox/board.toml <<'END'
name = 'encoders'
[[camera]]
position = 'front'
source.v4l2 = { device = '/dev/video0', width = 320, height = 180, rate = 30 }
[microphone]
source.alsa = { device = 'hw:Loopback,1' }
[[encoder]]
v4l2 = { device = '/dev/video4' }
[[encoder]]
software = {}
END
sed -i 's/exec pushbox/exec env RUST_LOG=debug pushbox/' /usr/sbin/pushbox-service
killall pushbox-service";

/// Bytes of a picture.
const PICTURE: u64 = 320 * 180 * 3 / 2;

const LIVE: &str = "mode = 'QVGA'\norientation = 'horizontal'";

/// With the lines of encoders that the board file has as a comment.
fn selftest(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    bench.run(
        "sed -E '/^.buttons/,$d; s/^# (..encoder|v4l2 =|software =)/\\1/' /etc/pushbox/board.toml >/tmp/board.toml",
    )?;
    let found = bench.run("pushbox selftest --board /tmp/board.toml")?;
    let line = |name: &str| found.lines().find(|line| line.contains(name)).map(str::to_owned);
    let hardware = line("encoder /dev/video4").context("no encoder")?;
    for part in ["ok", "hardware, NV12, pictures of the front camera go in as they are, 30 of 1280x720"] {
        ensure!(hardware.contains(part), "{hardware}");
    }
    let software = line("encoder OpenH264").context("no software")?;
    ensure!(software.contains("software, I420, pictures of the front camera are made anew"), "{software}");
    Ok(())
}

/// Brings it live with our encoder.
fn live(bench: &mut Bench) -> Result<()> {
    live_with(bench, "")
}

/// The same with a quirk of our encoder in the board file.
fn live_with(bench: &mut Bench, quirk: &str) -> Result<()> {
    bench.reach(Stage::System, "")?;
    bench.run(BOARD)?;
    bench.run(&format!("sed -i \"s|'/dev/video4'|&{quirk}|\" /etc/pushbox/board.toml"))?;
    paint(bench)?;
    bench.reach(Stage::Live, LIVE)?;
    bench.wait(SOON, |report| report.frames > 20).map(|_| ())
}

/// The encoder by number, 1 for hardware; the stream goes on and is whole.
fn expect_stream(bench: &mut Bench, kind: u32, instance: u64) -> Result<()> {
    bench.expect_log(&format!("code=1008.*\"type\":{kind}"), instance)?;
    let before = bench.server().report();
    let report = bench.wait(SOON, |report| report.frames > before.frames + 30)?;
    ensure!(report.faults.is_empty(), "{:?}", report.faults);
    ensure!((report.width, report.height) == (320, 180), "{} x {}", report.width, report.height);
    expect_colour(bench, Colour::Green)
}

/// Bytes that were copied and pictures that were encoded, by the last line of the firmware's status.
fn copied(bench: &mut Bench) -> Result<(u64, u64)> {
    let line = bench.run("grep 'copied=' /run/pushbox.log | tail -n 1")?;
    let number = |key: &str| -> Result<u64> {
        let digits = line.split(key).nth(1).context("no status")?;
        let digits: String = digits.chars().take_while(char::is_ascii_digit).collect();
        Ok(digits.parse()?)
    };
    Ok((number("copied=")?, number("encoded=")?))
}

fn uncopied(bench: &mut Bench) -> Result<()> {
    live(bench)?;
    expect_stream(bench, 1, 1)?;
    let report = bench.wait(SOON, |report| report.idr_ms.len() >= 3)?;
    let distances: Vec<u32> = report.idr_ms.windows(2).map(|pair| pair[1] - pair[0]).collect();
    ensure!(distances.iter().all(|distance| distance.abs_diff(3000) < 200), "IDR after {distances:?} ms");
    // Constrained Baseline, of a level that holds it, with the rate in its timing information.
    let coding = &report.coding;
    let is_told = coding.profile == 66 && (12..=30).contains(&coding.level) && coding.fps == Some(15.0);
    ensure!(is_told, "{coding:?}");
    let (copied, encoded) = copied(bench)?;
    ensure!(copied == 0 && encoded > 30, "{copied} bytes of {encoded} pictures copied");
    bench
        .run("grep 'copied=' /run/pushbox.log | tail -n 1 | grep -q copied_coded=0")
        .context("coded pictures copied")?;
    bench.stop()?;
    conforms(bench.recording()?)
}

/// The encoder wants rows as far apart as the camera has them only if it is asked.
fn strides(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    bench.run("echo 512 >/sys/module/pcm264/parameters/stride_alignment")?;
    uncopied(bench)
}

/// By our own checker and by FFmpeg's.
fn conforms(recording: &Path) -> Result<()> {
    keeps_to_the_list(recording)?;
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "warning", "-xerror", "-i"])
        .arg(recording)
        // In the stream's own milliseconds: at its rate two pictures of a busy machine would fall on one tick.
        .args(["-enc_time_base", "-1", "-f", "null", "-"])
        .output()
        .context("ffmpeg")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && said.is_empty(), "ffmpeg: {}, {said}", output.status);
    Ok(())
}

/// One header, each picture decodable, and what else a stream must be.
fn keeps_to_the_list(recording: &Path) -> Result<()> {
    let settings = EncoderSettings {
        width: 320,
        height: 180,
        fps: 15,
        bitrate: 100_000,
        vbv: Duration::from_secs(1),
        // Three seconds, and what jitter may add.
        gop: 47,
        profile: H264Profile::ConstrainedBaseline,
        source: None,
    };
    let complaints = receiver::complaints_of_recording(&settings, Rate::Free, recording)?;
    ensure!(complaints.is_empty(), "{complaints:?}");
    Ok(())
}

/// Another memory than the camera's, or more rows than are seen: each picture is copied, and seen as it is.
fn copies(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    bench.run(BOARD)?;
    paint(bench)?;
    for (parameter, value, usual) in [("imports", 0, 1), ("alignment", 128, 2)] {
        let set = |value| format!("echo {value} >/sys/module/pcm264/parameters/{parameter}");
        bench.run(&set(value))?;
        bench.run("rm -f /run/pushbox.log")?;
        bench.reach(Stage::Live, LIVE)?;
        bench.wait(SOON, |report| report.frames > 20)?;
        expect_stream(bench, 1, 1).with_context(|| parameter.to_owned())?;
        let (copied, encoded) = copied(bench)?;
        ensure!(
            copied > 0 && copied <= PICTURE * (encoded + 4),
            "{parameter}: {copied} bytes of {encoded} pictures"
        );
        bench.stop()?;
        conforms(bench.recording()?).with_context(|| parameter.to_owned())?;
        bench.run(&set(usual))?;
    }
    Ok(())
}

/// Hardware that works makes a smaller picture rather than software a large one (spec 4.28).
fn refused_size(bench: &mut Bench) -> Result<()> {
    live(bench)?;
    expect_stream(bench, 1, 1)?;
    bench.run("echo 640 >/sys/module/pcm264/parameters/max_side")?;
    bench.run("pushbox ctl set video-width=1280 video-height=720")?;
    bench.expect_log("code=-1305.*1280", 1)?;
    expect_stream(bench, 1, 2)?;
    bench.run("pushbox ctl set video-width=640 video-height=360")?;
    bench.wait(SOON, |report| report.width == 640)?;
    bench.expect_log("code=1008.*\"type\":1", 3)?;
    bench.run("! grep -e code=1103 -e code=1104 /run/pushbox.log").map(|_| ())
}

/// A mirror, a placeholder, another size.
fn copied_once(bench: &mut Bench) -> Result<()> {
    live(bench)?;
    expect_stream(bench, 1, 1)?;
    let start = copied(bench)?;
    ensure!(start.0 == 0, "{} bytes copied", start.0);
    bench.run("pushbox ctl set remote-mirror=true")?;
    let before = bench.server().report();
    bench.wait(SOON, |report| report.frames > before.frames + 60)?;
    bench.run("pushbox ctl pause")?;
    let before = bench.server().report();
    bench.wait(SOON, |report| report.frames > before.frames + 10)?;
    bench.run("pushbox ctl resume")?;
    expect_stream(bench, 1, 1)?;
    std::thread::sleep(Duration::from_secs(2));
    let (copied, encoded) = copied(bench)?;
    ensure!(copied > 0 && copied <= PICTURE * (encoded - start.1), "{copied} bytes of {encoded} pictures");
    bench.run("pushbox ctl set mode=SD remote-mirror=false")?;
    let report = bench.wait(SOON, |report| report.width == 640)?;
    ensure!(report.faults.is_empty(), "{:?}", report.faults);
    bench.expect_log("code=1005", 1)?;
    bench.expect_log("code=1008.*\"type\":1", 2)
}
