//! Power that comes and goes: boot loader, flash, watchdog, and what many starts leave behind.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rig::{Bench, Part, Stage, WriteLog};
use serde_json::Value;
use store::{Schema, Store};

use crate::Test;

pub(crate) const TESTS: &[&Test] = &[
    &Test { name: "boots_through_its_boot_loader", needs: &[Part::BootLoader], run: boot_loader },
    &Test { name: "what_was_synced_survives_power_cuts", needs: &[Part::Flash], run: power_cuts },
    &Test {
        name: "any_moment_of_a_power_cut_leaves_whole_settings",
        needs: &[Part::WriteLog],
        run: any_moment,
    },
    &Test { name: "the_watchdog_resets_a_hung_board", needs: &[Part::Watchdog], run: watchdog },
    &Test { name: "a_hundred_streams_leave_nothing_behind", needs: &[Part::Camera], run: rounds },
];

/// Replaces a file with the next number as settings are replaced, over and over, and tells each that is safe.
const WRITER: &str = "n=$(cut -d' ' -f2 /data/number 2>/dev/null || echo 0)
while true; do
    n=$((n + 1)); echo number $n is $n >/data/number.new; sync /data/number.new
    mv /data/number.new /data/number; sync /data; echo safe $n
done >/tmp/safe &";

fn boot_loader(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    ensure!(bench.log().contains("U-Boot"), "it started without");
    Ok(())
}

fn power_cuts(bench: &mut Bench) -> Result<()> {
    let mut safe = 0;
    for cut in 0..4_u32 {
        bench.reach(Stage::System, "")?;
        let kept = number(&bench.run("cat /data/number 2>/dev/null || echo number 0 is 0")?)?;
        ensure!(kept >= safe, "{kept} is there before cut {cut}, but {safe} was safe");
        bench.run(WRITER)?;
        // Each time after another number of writes.
        let wanted = kept + 3 + 7 * u64::from(cut);
        bench.until(&format!("grep -q 'safe {wanted}$' /tmp/safe"))?;
        let told = bench.run("tail -n 1 /tmp/safe")?;
        safe = told.rsplit(' ').next().and_then(|word| word.parse().ok()).context("no number")?;
        bench.power_off();
    }
    bench.reach(Stage::System, "")?;
    Ok(())
}

/// The file's text must be whole.
fn number(text: &str) -> Result<u64> {
    let words: Vec<&str> = text.trim_end().split(' ').collect();
    match words[..] {
        ["number", one, "is", two] if one == two => Ok(one.parse()?),
        _ => bail!("a torn file: {text:?}"),
    }
}

/// The firmware takes one property file over after the other, each with the next number, and ends once that is kept.
const RUNS: u64 = 8;
const PROVISION: &str = "for n in $(seq RUNS); do
    echo min-bitrate = $((300 + n)) >/tmp/properties.toml
    pushbox run --board /etc/pushbox/board.toml --props /tmp/properties.toml --control /tmp/control >/tmp/log 2>&1 &
    until pushbox ctl --control /tmp/control status >/dev/null 2>&1; do sleep 0.1; done
    kill $!; wait $! || break
done; echo number $n";

/// From the log of all writes: whatever had arrived when power went, the settings are whole and no older than what was safe.
fn any_moment(bench: &mut Bench) -> Result<()> {
    const CUTS: usize = 50;
    bench.reach(Stage::System, "")?;
    let provision = PROVISION.replace("RUNS", &RUNS.to_string());
    let told = bench.console()?.run(&provision, Duration::from_secs(120))?;
    ensure!(told.text == format!("number {RUNS}"), "{}", told.text);
    bench.power_off();
    let log = WriteLog::read(&bench.board.flash().context("no flash")?)?;
    ensure!(log.len() > CUTS, "only {} writes", log.len());
    let folder = tempfile::tempdir()?;
    let image = folder.path().join("image");
    let mut newest = 0;
    for cut in 1..=CUTS {
        let at = log.len() * cut / CUTS;
        log.cut(at, |_| true, &image)?;
        let safe = kept(&image)?;
        for pattern in 0..3 {
            log.cut(at, |write| pattern > 0 && (write * 7 + cut) % 3 < pattern, &image)?;
            let kept = kept(&image)?;
            ensure!(kept >= safe, "{kept} after write {at}, pattern {pattern}, but {safe} was safe");
            newest = newest.max(kept);
        }
    }
    ensure!(newest == RUNS, "{newest} is the newest");
    Ok(())
}

/// The number in the settings on an image of the flash, once the file system's journal is replayed; 0 before the first.
fn kept(image: &Path) -> Result<u64> {
    let check = Command::new("/sbin/e2fsck").arg("-fy").arg(image).output().context("e2fsck")?;
    // 1: it has mended what a cut may leave.
    ensure!(matches!(check.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&check.stdout));
    let folder = tempfile::tempdir()?;
    for bank in ["a", "b"] {
        let dump = format!("dump /settings/{bank} {}", folder.path().join(bank).display());
        Command::new("/sbin/debugfs").args(["-R", &dump]).arg(image).output().context("debugfs")?;
    }
    let (settings, found) = Store::open(folder.path(), Schema { migrations: &[], knows: |_| true });
    ensure!(found.damaged.is_empty(), "{found}");
    Ok(settings.document().get("min-bitrate").and_then(Value::as_u64).map_or(0, |kbps| kbps - 300))
}

fn watchdog(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    bench.run("touch /tmp/first; echo kept >/data/kept; sync; watchdog -T 8 -t 2 /dev/watchdog0")?;
    // Fed, it lets the board live.
    bench.run("sleep 12; test -e /tmp/first")?;
    bench.console()?.send("killall -STOP watchdog\n")?;
    bench.expect_reset()?;
    bench.reach(Stage::System, "")?;
    bench.run("test ! -e /tmp/first; test $(cat /data/kept) = kept")?;
    Ok(())
}

fn rounds(bench: &mut Bench) -> Result<()> {
    const ROUNDS: u32 = 100;
    const WARM: u32 = 10;
    /// The kernel counts open files in batches: a reading may be off by so many.
    const BATCH: u64 = 32;
    bench.reach(Stage::System, "")?;
    let mut before = None;
    for round in 1..=ROUNDS {
        bench.reach(Stage::Live, "mode = 'QVGA'\nfps = 30").with_context(|| format!("round {round}"))?;
        bench.stop().with_context(|| format!("round {round}"))?;
        if round == WARM {
            before = Some(Held::of(bench)?);
        }
    }
    let (before, after) = (before.context("no round")?, Held::of(bench)?);
    ensure!(after.files <= before.files + 2 * BATCH, "open files: {before:?}, then {after:?}");
    ensure!(after.buffers <= before.buffers, "DMA buffers: {before:?}, then {after:?}");
    ensure!(after.memory + 8192 > before.memory, "free memory: {before:?}, then {after:?}");
    Ok(())
}

/// What the whole system holds.
#[derive(Debug)]
struct Held {
    files: u64,
    /// DMA-BUF objects.
    buffers: u64,
    /// What is free, in KiB.
    memory: u64,
}

impl Held {
    fn of(bench: &mut Bench) -> Result<Self> {
        bench.run("sync; echo 3 >/proc/sys/vm/drop_caches")?;
        let mut number = |command| {
            let text = bench.run(command)?;
            text.parse().with_context(|| format!("{command}: {text:?}"))
        };
        Ok(Self {
            files: number("cut -f1 /proc/sys/fs/file-nr")?,
            buffers: number(
                "sed -n 's/^Total \\([0-9]*\\) objects.*/\\1/p' /sys/kernel/debug/dma_buf/bufinfo",
            )?,
            // Freed by the kernel in its own time: the best of some moments.
            memory: number(
                "for _ in 1 2 3 4 5 6; do sleep 0.5; grep MemAvailable /proc/meminfo | tr -dc '0-9\\n'; done | sort -n | tail -n 1",
            )?,
        })
    }
}
