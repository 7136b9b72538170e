//! Cost of a stream that a hardware encoder makes: the instructions that a process executes for it, in its own code and in
//! the kernel, on the virtual board with the same camera and encoder for each.
//!
//! The board's processor counts instructions and the board's kernel splits them by process (`perf stat`). What the drivers
//! of camera and encoder do in threads of the kernel is not in it, and stands for the hardware; nor is the start: counting
//! begins once pictures arrive.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rig::{Bench, Stage, VirtualBoard};
use serde::Serialize;

use crate::peers::{KBPS, RATE};

/// Each contestant's measurements; the figure is their median.
const ROUNDS: usize = 3;
/// How much slower than time the board may be.
const SLOWNESS: u32 = 30;
const SOON: Duration = Duration::from_secs(120);
const PEER_LOG: &str = "/tmp/peer.log";

/// The peers' programs as a root of their own, and a camera that all can use: FFmpeg knows no multi-planar one. Its picture
/// stands still, since the encoder writes what changed as it is.
const SET_UP: &str = "mkdir /peers && mount -t squashfs -o ro /dev/vdc /peers &&
for folder in dev proc sys; do mount --bind /$folder /peers/$folder || exit; done &&
mount -t tmpfs tmpfs /peers/tmp && mkdir /peers/tmp/home &&
for camera in 0 1; do v4l2-ctl -d /dev/video$camera -c osd_text_mode=2 || exit; done &&
cat >/etc/pushbox/board.toml <<'END'
name = 'bench'
[[camera]]
position = 'front'
source.v4l2 = { device = '/dev/video1', width = 1280, height = 720, rate = 30 }
[[encoder]]
v4l2 = { device = '/dev/video4' }
END
killall pushbox-service";

struct Contestant {
    name: &'static str,
    what: &'static str,
    /// None for Pushbox, which is there already.
    command: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct Cost {
    name: &'static str,
    what: &'static str,
    /// Of as many pictures as a minute of the stream has, in each round, in ascending order of their sum.
    rounds: Vec<Instructions>,
    /// Pictures a second that went out, and kilobits.
    fps: f64,
    kbps: f64,
}

#[derive(Clone, Copy, Default, Serialize)]
struct Instructions {
    user: f64,
    kernel: f64,
}

impl Instructions {
    fn sum(self) -> f64 {
        self.user + self.kernel
    }
}

impl Cost {
    fn median(&self) -> Instructions {
        self.rounds[ROUNDS / 2]
    }

    /// How far the rounds lie from the middle between the least and the most, in percent of the median.
    fn spread(&self) -> f64 {
        (self.rounds[ROUNDS - 1].sum() - self.rounds[0].sum()) / 2.0 / self.median().sum() * 100.0
    }
}

fn contestants() -> Vec<Contestant> {
    let (gop, bits) = (3 * RATE, KBPS * 1000);
    let camera = format!("-f v4l2 -input_format nv12 -video_size 1280x720 -framerate {RATE} -i /dev/video1");
    let ffmpeg = |sound: &str| {
        format!(
            "ffmpeg -nostdin -loglevel error {camera} {sound} -c:v h264_v4l2m2m -g {gop} -b:v {KBPS}k -f flv"
        )
    };
    let gstreamer = |source: &str, encoder: &str, sound: &str| {
        format!(
            "gst-launch-1.0 -q -e {sound} v4l2src {source} ! \
             video/x-raw,format=NV12,width=1280,height=720,framerate={RATE}/1 ! \
             v4l2h264enc {encoder} extra-controls=encode,video_gop_size={gop},video_bitrate={bits} ! \
             'video/x-h264,level=(string)4' ! h264parse ! flvmux name=mux streamable=true ! \
             rtmp2sink sync=false location="
        )
    };
    let anullsrc = "-f lavfi -i anullsrc=r=48000:cl=mono -c:a aac -b:a 64k";
    let audiotestsrc = "audiotestsrc is-live=true wave=silence ! audio/x-raw,rate=48000,channels=1 ! \
                        voaacenc bitrate=64000 ! aacparse ! mux.";
    vec![
        Contestant { name: "pushbox", what: "with its silent track", command: None },
        Contestant {
            name: "ffmpeg",
            what: "h264_v4l2m2m, with a silent track",
            command: Some(ffmpeg(anullsrc)),
        },
        Contestant { name: "ffmpeg", what: "h264_v4l2m2m, without sound", command: Some(ffmpeg("")) },
        Contestant {
            name: "gstreamer",
            what: "v4l2src ! v4l2h264enc, with a silent track",
            command: Some(gstreamer("device=/dev/video1", "", audiotestsrc)),
        },
        // It prefers NV12M for the encoder, which this camera must then have.
        Contestant {
            name: "gstreamer",
            what: "by DMA-BUF from a multi-planar camera, without sound",
            command: Some(gstreamer("device=/dev/video0 io-mode=dmabuf", "output-io-mode=dmabuf-import", "")),
        },
    ]
}

/// `image` is the virtual board, `peers` the disk that `guest/make-peers` made. Counts for so many seconds of the stream, and
/// goes no further than the first that fails, whose error comes with what was counted before.
pub(crate) fn measure(image: &Path, peers: &Path, seconds: u64) -> Result<(Vec<Cost>, Result<()>)> {
    let board = VirtualBoard::new(image, false)?.counting(peers);
    let mut bench = Bench::new(Box::new(board), None)?;
    bench.reach(Stage::System, "")?;
    bench.run(SET_UP)?;
    let mut costs = Vec::new();
    for contestant in contestants() {
        match cost(&mut bench, &contestant, seconds) {
            Ok(cost) => costs.push(cost),
            Err(error) => {
                let log = bench.run(&format!("tail {PEER_LOG}")).unwrap_or_default();
                let failed = error.context(format!("{}, {}: {log}", contestant.name, contestant.what));
                return Ok((costs, Err(failed)));
            }
        }
    }
    Ok((costs, Ok(())))
}

fn cost(bench: &mut Bench, contestant: &Contestant, seconds: u64) -> Result<Cost> {
    let Contestant { name, what, .. } = *contestant;
    let pid = start(bench, contestant)?;
    bench.wait(SOON, |report| report.frames > 2 * u64::from(RATE))?;
    let first = bench.server().report();
    let rounds = (0..ROUNDS).map(|_| count(bench, &pid, seconds)).collect::<Result<Vec<_>>>()?;
    let last = bench.server().report();
    let elapsed = f64::from(last.duration_ms - first.duration_ms) / 1000.0;
    let fps = (last.frames - first.frames) as f64 / elapsed;
    // A board that is too slow for a contestant gets fewer pictures, and makes less of each second.
    let full = |counted: f64| counted * 60.0 * f64::from(RATE) / fps;
    let mut rounds: Vec<_> = rounds
        .into_iter()
        .map(|Instructions { user, kernel }| Instructions { user: full(user), kernel: full(kernel) })
        .collect();
    if contestant.command.is_some() {
        bench.run(&format!("kill -INT {pid}; while kill -0 {pid} 2>/dev/null; do sleep 0.1; done"))?;
    } else {
        let report = bench.stop()?;
        ensure!(report.faults.is_empty(), "{:?}", report.faults);
    }
    rounds.sort_unstable_by(|one, other| one.sum().total_cmp(&other.sum()));
    Ok(Cost { name, what, rounds, fps, kbps: last.kbps })
}

/// Has it publish; returns its process.
fn start(bench: &mut Bench, contestant: &Contestant) -> Result<String> {
    let Some(command) = &contestant.command else {
        let properties = format!(
            "mode = 'QVGA'\nvideo-width = 1280\nvideo-height = 720\norientation = 'horizontal'\nfps = {RATE}\n\
             min-bitrate = {KBPS}\nmax-bitrate = {KBPS}\nenable-mic = false"
        );
        bench.reach(Stage::Live, &properties)?;
        return bench.run("pidof pushbox");
    };
    bench.serve_next()?;
    let url = bench.url();
    let separator = if command.ends_with('=') { "" } else { " " };
    // GStreamer's sink would ask GNOME for its proxy.
    let environment = "HOME=/tmp/home GIO_USE_PROXY_RESOLVER=dummy";
    bench.run(&format!("{environment} chroot /peers {command}{separator}{url} >{PEER_LOG} 2>&1 & echo $!"))
}

/// Counts for so many seconds; returns what one of them has.
fn count(bench: &mut Bench, pid: &str, seconds: u64) -> Result<Instructions> {
    let command = format!(
        "chroot /peers perf stat -x, -e instructions:u,instructions:k -p {pid} --timeout {}",
        seconds * 1000
    );
    let limit = Duration::from_secs(seconds) * SLOWNESS;
    let text = bench.console()?.run(&command, limit)?.success()?;
    let counted = |event: &str| -> Result<f64> {
        let line = text.lines().find(|line| line.contains(event)).with_context(|| text.clone())?;
        let number: f64 = line.split(',').next().unwrap_or_default().parse().with_context(|| text.clone())?;
        Ok(number / seconds as f64)
    };
    Ok(Instructions { user: counted("instructions:u")?, kernel: counted("instructions:k")? })
}

/// A row a contestant, with how many times Pushbox's instructions it takes.
pub(crate) fn text(costs: &[Cost], seconds: u64) -> String {
    let mut text = format!(
        "1280x720 at {RATE} pictures a second from V4L2 camera through V4L2 encoder out by RTMP, on the virtual arm64 board;\n\
         million instructions of the process for 1800 pictures, a minute of the stream; median of {ROUNDS} rounds of {seconds} s\n\n\
         {:10}{:>10}{:>10}{:>10}{:>9}{:>12}{:>8}{:>8}\n",
        "", "user", "kernel", "sum", "rounds", "/ pushbox", "fps", "Mbit/s"
    );
    let own = costs.first().map_or(1.0, |cost| cost.median().sum());
    for cost in costs {
        let Instructions { user, kernel } = cost.median();
        let sum = user + kernel;
        text += &format!(
            "{:10}{:>10.1}{:>10.1}{:>10.1}{:>9}{:>12.2}{:>8.1}{:>8.1}  {}\n",
            cost.name,
            user / 1e6,
            kernel / 1e6,
            sum / 1e6,
            format!("±{:.1} %", cost.spread()),
            sum / own,
            cost.fps,
            cost.kbps / 1000.0,
            cost.what
        );
    }
    text
}
