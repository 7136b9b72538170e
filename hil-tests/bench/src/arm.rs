//! Cost on ARM: the instructions that the shipped binary executes for a picture of the stream, beside those of FFmpeg.
//!
//! Both run under QEMU's user mode, whose plug-in counts what the process itself executes, in all its threads, and
//! nothing of the kernel. Each publishes for so many seconds and then for twice as many: the difference is the cost of
//! the stream without that of the start. What is encoded comes as slowly as the emulator needs it; sound keeps its pace,
//! so a picture carries more of it than at full rate.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use tempfile::TempDir;

use crate::contest;
use crate::peers::{self, Contestant, KBPS, Program, Programs, RATE};

/// Each contestant's measurements; the figure is their median.
const ROUNDS: usize = 3;
/// Has the instructions of the Cortex-A55, which this QEMU does not know: ARMv8.2 without SVE.
const CORE: &str = "cortex-a76";
/// Raw pictures a second, so few that the emulator keeps up with them.
const SLOW: u32 = 10;

#[derive(Serialize)]
pub(crate) struct Cost {
    contest: &'static str,
    name: &'static str,
    what: &'static str,
    /// Of each round, in ascending order.
    instructions_a_frame: Vec<f64>,
    frames: u64,
    missing: u64,
}

impl Cost {
    fn median(&self) -> f64 {
        self.instructions_a_frame[ROUNDS / 2]
    }

    /// How far the rounds lie from the middle between the least and the most, in percent of the median.
    fn spread(&self) -> f64 {
        let range = self.instructions_a_frame[ROUNDS - 1] - self.instructions_a_frame[0];
        range / 2.0 / self.median() * 100.0
    }
}

/// `emulator` is the folder that `guest/make-emulator` made.
pub(crate) fn measure(emulator: &Path, pushbox: &Path, seconds: u64) -> Result<Vec<Cost>> {
    let folder = TempDir::new()?;
    let counted = folder.path().join("instructions");
    let programs = Programs {
        pushbox: emulated(emulator, &counted, pushbox),
        ffmpeg: emulated(emulator, &counted, &emulator.join("ffmpeg/usr/bin/ffmpeg")),
    };
    let contests = [
        ("encoded", peers::encoding(&programs, folder.path(), SLOW)?),
        ("passed on", peers::passing(&programs, folder.path(), 2 * seconds + 10)?),
    ];
    let mut costs = Vec::new();
    for (contest, contestants) in contests {
        // GStreamer is not among the ARM programs.
        for contestant in contestants.iter().filter(|contestant| contestant.name != "gstreamer") {
            costs.push(cost(contest, contestant, seconds, &counted)?);
        }
    }
    Ok(costs)
}

/// The emulator comes with the libraries it was built for and their loader.
fn emulated(emulator: &Path, counted: &Path, program: &Path) -> Program {
    let host = emulator.join("qemu");
    let mut plugin = emulator.join("count.so").into_os_string();
    plugin.push(",out=");
    plugin.push(counted);
    let prefix: Vec<OsString> = vec![
        "--library-path".into(),
        host.join("usr/lib/x86_64-linux-gnu").into(),
        host.join("usr/bin/qemu-aarch64").into(),
        "-cpu".into(),
        CORE.into(),
        "-L".into(),
        emulator.join("ffmpeg").into(),
        "-plugin".into(),
        plugin,
        program.into(),
    ];
    Program { name: host.join("lib64/ld-linux-x86-64.so.2").into(), prefix }
}

fn cost(contest: &'static str, contestant: &Contestant, seconds: u64, counted: &Path) -> Result<Cost> {
    let Contestant { name, what, .. } = *contestant;
    let mut cost = Cost { contest, name, what, instructions_a_frame: Vec::new(), frames: 0, missing: 0 };
    for _ in 0..ROUNDS {
        let mut publish = |seconds| -> Result<(f64, f64)> {
            let _ = fs::remove_file(counted);
            let figures = contest::run(contestant, seconds)?;
            let text = fs::read_to_string(counted).with_context(|| format!("{name} was not counted"))?;
            cost.frames += figures.frames;
            cost.missing += figures.missing;
            Ok((text.trim().parse()?, figures.frames as f64))
        };
        let (short, long) = (publish(seconds)?, publish(2 * seconds)?);
        ensure!(long.1 > short.1, "{name} sent no more pictures in twice the time");
        cost.instructions_a_frame.push((long.0 - short.0) / (long.1 - short.1));
    }
    cost.instructions_a_frame.sort_unstable_by(f64::total_cmp);
    Ok(cost)
}

/// A row a contest, with how many times Pushbox's instructions the peer takes.
pub(crate) fn text(costs: &[Cost], seconds: u64) -> String {
    let mut text = format!(
        "720p30 out by RTMP, instructions of the aarch64 binaries, {ROUNDS} rounds of {seconds} and {} s each\n\
         encoded: raw I420, {KBPS} kb/s, slowed to {SLOW} pictures a second with as many bits for each\n\n\
         {:24}{:>20}{:>20}{:>20}\n",
        2 * seconds,
        "million instructions",
        "pushbox",
        "ffmpeg",
        "ffmpeg / pushbox"
    );
    for pair in costs.chunks_exact(2) {
        let ratio = pair[1].median() / pair[0].median();
        for (per, frames) in [("a second", f64::from(RATE)), ("a frame", 1.0)] {
            text += &format!("{:24}", format!("{}, {per}", pair[0].contest));
            for cost in pair {
                let millions = cost.median() * frames / 1e6;
                text += &format!("{:>20}", format!("{millions:.3} (±{:.1} %)", cost.spread()));
            }
            text += &format!("{ratio:>20.2}\n");
        }
    }
    text.push('\n');
    for Cost { contest, name, what, frames, missing, .. } in costs {
        text += &format!("{contest}, {name}: {what}; {frames} frames, {missing} lost\n");
    }
    text
}
