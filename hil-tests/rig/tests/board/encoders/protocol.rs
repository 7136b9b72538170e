//! The kernel's interface by itself, without the firmware.

use anyhow::{Context, Result, ensure};
use rig::{Bench, Stage};

/// Says what it did, on one line.
fn encode(bench: &mut Bench, arguments: &str) -> Result<String> {
    bench.run(&format!("encode {arguments} 2>&1 >/tmp/encoded"))
}

/// Our encoder keeps to the kernel's interface by the word of its own test, so that what suits it suits others.
pub(super) fn compliant(bench: &mut Bench) -> Result<()> {
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

pub(super) fn protocol(bench: &mut Bench) -> Result<()> {
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

/// Two contexts are opened and closed in each round, with pictures inside and access units that outlive them: after the first
/// fifty rounds no less is held than after the last.
pub(super) fn leaves_nothing(bench: &mut Bench) -> Result<()> {
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
