//! Pictures and sound from the kernel's drivers, through the firmware, to a server.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rig::{Bench, Part, Stage};

use crate::Test;

pub(crate) const TESTS: &[&Test] = &[
    &Test { name: "front_camera_arrives", needs: &[Part::TestPicture], run: front },
    &Test { name: "back_camera_arrives", needs: &[Part::TestPicture], run: back },
    &Test {
        name: "picture_and_sound_arrive_in_step",
        needs: &[Part::TestPicture, Part::TestTone],
        run: in_step,
    },
    &Test { name: "microphones_tone_arrives", needs: &[Part::TestTone], run: tone },
];

pub(crate) const SOON: Duration = Duration::from_secs(60);

/// A colour as Cb and Cr, of a camera's test pattern or of the placeholder.
#[derive(Clone, Copy)]
pub(crate) enum Colour {
    Green,
    Blue,
    Black,
}

impl Colour {
    fn chroma(self) -> (u8, u8) {
        match self {
            Self::Green => (44, 21),
            Self::Blue => (240, 110),
            Self::Black => (128, 128),
        }
    }
}

/// Gives both cameras their colours, so that it is plain which one is seen.
pub(crate) fn paint(bench: &mut Bench) -> Result<()> {
    // Numbers of vivid's control `test_pattern`: green and blue.
    for (device, pattern) in [("/dev/video0", 8), ("/dev/video1", 9)] {
        bench.run(&format!("v4l2-ctl -d {device} -c test_pattern={pattern},osd_text_mode=2"))?;
    }
    Ok(())
}

/// The last picture is of one colour.
pub(crate) fn expect_colour(bench: &Bench, colour: Colour) -> Result<()> {
    let picture = bench.server().snapshot();
    let mean =
        |plane: &[u8]| plane.iter().map(|value| u64::from(*value)).sum::<u64>() / plane.len().max(1) as u64;
    let seen = (mean(&picture.planes[1]), mean(&picture.planes[2]));
    let (cb, cr) = colour.chroma();
    let near = |seen: u64, wanted: u8| seen.abs_diff(u64::from(wanted)) < 25;
    ensure!(near(seen.0, cb) && near(seen.1, cr), "Cb and Cr are {seen:?} instead of {:?}", (cb, cr));
    Ok(())
}

/// A tone of 440 Hz into the loopback card, until the board is switched off.
pub(crate) fn play_tone(bench: &mut Bench) -> Result<()> {
    let command = "speaker-test -D hw:Loopback,0 -r 48000 -c 2 -F S16_LE -t sine -f 440 -S 10";
    bench.run(&format!("{command} >/dev/null 2>&1 &")).map(|_| ())
}

fn front(bench: &mut Bench) -> Result<()> {
    camera(bench, "front", Colour::Green)
}

fn back(bench: &mut Bench) -> Result<()> {
    camera(bench, "back", Colour::Blue)
}

fn camera(bench: &mut Bench, position: &str, colour: Colour) -> Result<()> {
    bench.reach(Stage::System, "")?;
    paint(bench)?;
    bench.reach(
        Stage::Live,
        // Small, so that an emulator on a busy machine makes all of its pictures.
        &format!("mode = 'QVGA'\norientation = 'horizontal'\ndevice-position = '{position}'"),
    )?;
    let report = bench.wait(SOON, |report| report.duration_ms > 5000)?;
    ensure!((report.width, report.height) == (320, 180), "{} x {}", report.width, report.height);
    ensure!((14.0..16.0).contains(&report.fps), "{} fps", report.fps);
    ensure!(report.faults.is_empty(), "{:?}", report.faults);
    expect_colour(bench, colour)?;
    bench.stop().map(|_| ())
}

fn tone(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    play_tone(bench)?;
    bench.reach(Stage::Live, "mode = 'QVGA'\naudio-quality = 'high'")?;
    let report = bench.wait(SOON, |report| report.duration_ms > 5000)?;
    let heard = report.tone_hz.context("no tone")?;
    ensure!((heard - 440.0).abs() < 2.0, "a tone of {heard} Hz");
    Ok(())
}

/// The simulated board, played through the kernel: an HDMI output whose cable ends in an HDMI input, and the loopback card.
const PLAYER: &str = "for node in 2 3; do v4l2-ctl -d /dev/video$node --set-dv-bt-timings index=0 || exit; done
v4l2-ctl -d /dev/video2 -c hdmi_002_0_is_connected_to=2
v4l2-ctl -d /dev/video3 --set-fmt-video-out=width=640,height=480,pixelformat=NV12
cat >/etc/pushbox/board.toml <<'END'
name = 'player'
[[camera]]
position = 'front'
source.v4l2 = { device = '/dev/video2', width = 640, height = 480, rate = 60 }
[microphone]
source.alsa = { device = 'hw:Loopback,1' }
END
player hw:Loopback,0 2>/tmp/player.log | v4l2-ctl -d /dev/video3 --stream-out-mmap --stream-from=- >/dev/null 2>&1 &";

fn in_step(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    bench.run(PLAYER)?;
    bench.until("grep -q RUNNING /proc/asound/Loopback/pcm0p/sub0/status")?;
    bench.reach(Stage::Live, "mode = 'QVGA'\norientation = 'horizontal'\naudio-quality = 'high'")?;
    // The input shows noise until the output has its first picture.
    let noise = bench.wait(SOON, |report| !report.av_offset_ms.is_empty())?.unreadable;
    let report = bench.wait(SOON, |report| report.av_offset_ms.len() >= 6)?;
    ensure!(report.unreadable == noise, "{} pictures without a mark", report.unreadable - noise);
    ensure!(report.out_of_order == 0, "{} pictures out of order", report.out_of_order);
    // The output shows a picture within its four buffers of 17 ms after it was written; one click may be late by itself.
    let mut offsets = report.av_offset_ms;
    offsets.sort_by(f64::total_cmp);
    let median = offsets[offsets.len() / 2];
    ensure!((-100.0..20.0).contains(&median), "{offsets:?} ms");
    Ok(())
}
