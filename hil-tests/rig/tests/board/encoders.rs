//! Encoders of the kernel's memory-to-memory interface: FWHT by its own test driver, H.264 by ours, with faults on command.

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
    &Test { name: "our_encoder_is_one_to_the_kernel_s_own_test", needs: NEEDS, run: compliant },
    &Test { name: "an_encoder_of_either_planar_api_gives_what_it_got", needs: NEEDS, run: protocol },
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
    &Test { name: "a_bitrate_that_the_encoder_refuses_breaks_nothing", needs: NEEDS, run: refused_bitrate },
    &Test {
        name: "an_encoder_that_keeps_its_first_bitrate_is_opened_anew_for_another",
        needs: NEEDS,
        run: reopened_for_bitrate,
    },
    &Test { name: "an_encoder_that_is_busy_gives_way_to_software", needs: NEEDS, run: busy },
    &Test { name: "an_encoder_that_is_not_there_gives_way_to_software", needs: NEEDS, run: missing },
    &Test { name: "an_encoder_that_vanishes_while_live_gives_way_to_software", needs: NEEDS, run: vanished },
    &Test { name: "an_encoder_that_breaks_while_live_gives_way_to_software", needs: NEEDS, run: broken },
    &Test { name: "an_encoder_that_stalls_is_opened_anew", needs: NEEDS, run: stalled },
    &Test {
        name: "an_encoder_with_one_context_is_opened_anew_while_packets_wait",
        needs: &[Part::TestEncoder, Part::TestPicture, Part::BadNetwork],
        run: only_context,
    },
    &Test { name: "an_encoder_that_loses_each_unit_gives_way_to_software", needs: NEEDS, run: barren },
    &Test { name: "an_encoder_that_can_not_be_closed_gives_way_to_software", needs: NEEDS, run: stuck },
    &Test {
        name: "an_encoder_that_can_not_be_closed_gives_way_to_software_in_the_next_session",
        needs: NEEDS,
        run: stuck_at_the_end,
    },
    &Test { name: "units_that_an_encoder_loses_cost_no_decoder_its_picture", needs: NEEDS, run: lost },
    &Test { name: "an_encoder_that_was_closed_leaves_nothing", needs: NEEDS, run: leaves_nothing },
    &Test { name: "without_an_encoder_that_works_the_session_ends", needs: NEEDS, run: none_left },
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

/// Says what it did, on one line.
fn encode(bench: &mut Bench, arguments: &str) -> Result<String> {
    bench.run(&format!("encode {arguments} 2>&1 >/tmp/encoded"))
}

/// Our encoder keeps to the kernel's interface by the word of its own test, so that what suits it suits others.
fn compliant(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    let told = bench.run("v4l2-compliance -d /dev/video4 -s 2>&1 | tail -n 40")?;
    ensure!(told.contains("Failed: 0, Warnings: 0"), "{told}");
    // It tries what is deprecated too, of which the kernel warns.
    bench.run("dmesg -c >/dev/null").map(|_| ())
}

/// The pictures of FWHT, decoded by vicodec too: exactly those that vivid draws, for of blocks of one colour nothing is lost.
fn expect_pictures(bench: &mut Bench, camera: &str, width: u32, height: u32) -> Result<()> {
    let size = format!("width={width},height={height}");
    bench.run(&format!(
        "v4l2-ctl -d {camera} --set-fmt-video={size},pixelformat=NV12 --stream-mmap --stream-count=1 \
         --stream-to=/tmp/drawn >/dev/null 2>&1"
    ))?;
    bench.run(&format!(
        "timeout 25 v4l2-ctl -d /dev/video6 --set-fmt-video-out={size},pixelformat=FWHT \
         --set-fmt-video=pixelformat=NV12 --stream-out-mmap --stream-mmap --stream-from=/tmp/encoded \
         --stream-to=/tmp/decoded >/dev/null 2>&1"
    ))?;
    bench
        .run("for n in $(seq 60); do cat /tmp/drawn; done | cmp - /tmp/decoded && rm /tmp/decoded")
        .map(|_| ())
}

fn protocol(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    // Squares and bars, whose edges are those of blocks.
    for (camera, pattern) in [("/dev/video0", 4), ("/dev/video1", 1)] {
        bench.run(&format!("v4l2-ctl -d {camera} -c test_pattern={pattern},osd_text_mode=2"))?;
    }
    // FWHT is single-planar and wants rows in sixteens, H.264 multi-planar; cameras are of either kind.
    let cases = [
        ("/dev/video5 fwht 640x480 /dev/video0", 0),
        ("/dev/video5 fwht 640x480 /dev/video1", 0),
        ("/dev/video5 fwht 1280x720 /dev/video1", 0),
        ("/dev/video5 fwht 640x360 /dev/video1", 640 * 360 * 3 / 2),
        ("/dev/video4 h264 640x360 /dev/video0", 0),
        ("/dev/video4 h264 640x360 /dev/video1", 0),
        ("/dev/video4 h264 320x180", 320 * 180 * 3 / 2),
    ];
    for (arguments, copied) in cases {
        let told = encode(bench, arguments)?;
        let expected = format!("copied {} in-order true units 60", 60 * copied);
        ensure!(told.contains(&expected) && told.contains("lost 0"), "{arguments}: {told}");
        // vicodec has no control for an IDR picture: it is drained and begun anew for one, and does not mark it.
        ensure!(!arguments.contains("h264") || told.contains("idr [0, 30]"), "{arguments}: {told}");
        let decoded = match arguments {
            "/dev/video5 fwht 640x480 /dev/video0" => expect_pictures(bench, "/dev/video0", 640, 480),
            "/dev/video5 fwht 640x360 /dev/video1" => expect_pictures(bench, "/dev/video1", 640, 360),
            _ => Ok(()),
        };
        decoded.context(arguments)?;
    }
    // What is inside when the encoder is drained comes out.
    bench.run("echo 60 >/sys/module/pcm264/parameters/delay_ms")?;
    let told = encode(bench, "/dev/video4 h264 320x180")?;
    ensure!(told.contains("in-order true units 60") && !told.contains("drained 0 "), "{told}");
    // A second of it, before and after.
    for told in ["coded picture buffer 125 kB", "bitrate 500000", "coded picture buffer 62 kB"] {
        bench.run(&format!("dmesg | grep -q 'pcm264: {told}'"))?;
    }
    Ok(())
}

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
    live(bench)?;
    expect_stream(bench, 1, 1)?;
    bench.wait(SOON, |report| report.idr_ms.len() >= 3)?;
    let (copied, encoded) = copied(bench)?;
    ensure!(copied == 0 && encoded > 30, "{copied} bytes of {encoded} pictures copied");
    bench.stop()?;
    conforms(bench.recording()?)
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

fn set_bitrate(kbps: u32) -> String {
    format!("pushbox ctl set min-bitrate={kbps} max-bitrate={kbps}")
}

/// Whether the encoder was told so many kilobits a second last.
fn now_has(kbps: u32) -> String {
    format!("dmesg | grep 'pcm264: bitrate' | tail -n 1 | grep -q ' {kbps}000$'")
}

/// First only while coded pictures stream, then for good.
fn refused_bitrate(bench: &mut Bench) -> Result<()> {
    live(bench)?;
    expect_stream(bench, 1, 1)?;
    bench.run("echo 1 >/sys/module/pcm264/parameters/fixed")?;
    bench.run("pushbox ctl set min-bitrate=300 max-bitrate=300")?;
    bench.until(&now_has(300))?;
    expect_stream(bench, 1, 1)?;
    bench.run("echo 1 >/sys/module/pcm264/parameters/refuses")?;
    bench.run("pushbox ctl set min-bitrate=400 max-bitrate=400")?;
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
fn reopened_for_bitrate(bench: &mut Bench) -> Result<()> {
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

fn busy(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    bench.run("echo 1 >/sys/module/pcm264/parameters/busy")?;
    live(bench)?;
    bench.expect_log("code=1103", 1)?;
    expect_stream(bench, 2, 1)
}

fn missing(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    bench.run("rm /dev/video4")?;
    live(bench)?;
    bench.expect_log("code=1103", 1)?;
    expect_stream(bench, 2, 1)
}

/// As when its driver is unbound.
fn vanished(bench: &mut Bench) -> Result<()> {
    live(bench)?;
    expect_stream(bench, 1, 1)?;
    bench.run("echo 1 >/sys/module/pcm264/parameters/gone && [ ! -e /dev/video4 ]")?;
    bench.expect_log("code=1104", 1)?;
    bench.expect_log("code=1103", 1)?;
    expect_stream(bench, 2, 1)
}

fn broken(bench: &mut Bench) -> Result<()> {
    live(bench)?;
    expect_stream(bench, 1, 1)?;
    bench.run("echo 1 >/sys/module/pcm264/parameters/broken")?;
    bench.expect_log("code=1104", 1)?;
    bench.expect_log("code=1103", 1)?;
    expect_stream(bench, 2, 1)
}

fn stalled(bench: &mut Bench) -> Result<()> {
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
fn only_context(bench: &mut Bench) -> Result<()> {
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

/// It answers each picture, and never with bytes that are good.
fn barren(bench: &mut Bench) -> Result<()> {
    live(bench)?;
    expect_stream(bench, 1, 1)?;
    bench.run("echo 1000000 >/sys/module/pcm264/parameters/lose")?;
    bench.expect_log("code=1104", 1)?;
    bench.expect_log("code=1103", 1)?;
    expect_stream(bench, 2, 1)
}

/// The driver waits for its hardware for longer than anybody watches.
fn stuck(bench: &mut Bench) -> Result<()> {
    live(bench)?;
    expect_stream(bench, 1, 1)?;
    bench.run("cd /sys/module/pcm264/parameters; echo 60000 >abort_ms; echo 1 >stall")?;
    bench.expect_log("code=1103", 1)?;
    expect_stream(bench, 2, 1)
}

/// It stops with pictures inside, which it takes a minute to give up.
fn stuck_at_the_end(bench: &mut Bench) -> Result<()> {
    live(bench)?;
    expect_stream(bench, 1, 1)?;
    bench.run("cd /sys/module/pcm264/parameters; echo 150 >delay_ms; echo 60000 >abort_ms")?;
    let before = bench.server().report();
    bench.wait(SOON, |report| report.frames > before.frames + 10)?;
    bench.run("pushbox ctl stop; pushbox ctl start")?;
    bench.expect_log("code=1103", 1)?;
    expect_stream(bench, 2, 1)
}

fn lost(bench: &mut Bench) -> Result<()> {
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

/// Two contexts are opened and closed in each round, with pictures inside and access units that outlive them: after the first
/// fifty rounds no less is held than after the last.
fn leaves_nothing(bench: &mut Bench) -> Result<()> {
    const ROUNDS: u32 = 150;
    /// What is counted, and how much more it may be: of memory, in kB, less than a page for each round.
    const MARGINS: [(&str, i64); 5] =
        [("files", 0), ("VmRSS", 400), ("VmallocUsed", 400), ("SUnreclaim", 400), ("MemUsed", 4000)];
    bench.reach(Stage::System, "")?;
    bench.run("echo 1 >/sys/module/pcm264/parameters/delay_ms")?;
    bench.run(&format!("encode /dev/video4 h264 320x180 --rounds {ROUNDS} >/tmp/held 2>&1 &"))?;
    bench.until("! pidof encode")?;
    let told = bench.run("cat /tmp/held")?;
    let held = |round: u32, key: &str| {
        let line = told.lines().find(|line| line.starts_with(&format!("round {round} ")))?;
        let value = line.split_whitespace().skip_while(|word| *word != key).nth(1)?;
        value.parse::<i64>().ok()
    };
    for (key, margin) in MARGINS {
        let more = held(ROUNDS, key).zip(held(50, key)).map(|(last, first)| last - first);
        ensure!(more.is_some_and(|more| more <= margin), "{key}: {more:?} more\n{told}");
    }
    Ok(())
}

fn none_left(bench: &mut Bench) -> Result<()> {
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
