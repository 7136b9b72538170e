//! What a screen shows between two pictures, and after the last.

use anyhow::{Context, Result, bail, ensure};
use live_pusher::Store;
use panel::{About, Canvas, Colours, History, Interface, Language, Phase, View};
use rig::{Bench, Stage};

use super::displays::pixels;
use super::until;

/// `DRM_IOCTL_MODE_ATOMIC`.
const WITHOUT_FLIPS: &str = "refuse 64bc 64bc";
/// How often the screen is looked at.
const LOOKS: usize = 100;
/// Whether the kernel shows its console where nobody else draws (kernel: drivers/gpu/drm/drm_fb_helper.c).
const CONSOLE: &str = "/sys/module/drm_kms_helper/parameters/fbdev_emulation";

const RED: [u8; 3] = [255, 0, 0];
const BLUE: [u8; 3] = [0, 0, 255];

/// A screen that alternates between two colours has one of them whenever it is looked at.
pub(super) fn whole_pictures(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    bench.run("modprobe bochs")?;
    bench.until("[ -e /dev/dri/card1 ]")?;
    let look = |bench: &Bench| colours(&bench.board.bare_screen().context("no second screen")??);

    alternate(bench, "", 1)?;
    until(|| is_one_of_both(&look(bench)?))?;
    let mut seen = [false; 2];
    for _ in 0..LOOKS {
        let colours = look(bench)?;
        is_one_of_both(&colours).context("half a picture")?;
        seen = [seen[0] || colours == [RED], seen[1] || colours == [BLUE]];
    }
    ensure!(seen == [true; 2], "the screen stands still");

    // So half a picture would have been seen.
    alternate(bench, WITHOUT_FLIPS, 1)?;
    until(|| {
        ensure!(look(bench)? == [BLUE, RED], "never half a picture");
        Ok(())
    })?;

    // Where the driver must be told what was drawn.
    alternate(bench, WITHOUT_FLIPS, 0)?;
    for wanted in [RED, BLUE, RED] {
        until(|| {
            let colours = colours(&bench.board.screen().context("no screen")??)?;
            ensure!(colours == [wanted], "{colours:?} without flips");
            Ok(())
        })?;
    }
    bench.run("killall alternate").map(|_| ())
}

/// On a card, in the place of what was before.
fn alternate(bench: &mut Bench, how: &str, card: u8) -> Result<()> {
    bench.run("killall alternate 2>/dev/null; while pidof alternate; do sleep 0.1; done")?;
    bench.run(&format!("{how} alternate /dev/dri/card{card} >/dev/null 2>&1 &")).map(|_| ())
}

/// Those of a picture, each once.
fn colours(png: &[u8]) -> Result<Vec<[u8; 3]>> {
    let (_, _, pixels) = pixels(png)?;
    let mut colours = pixels.as_chunks::<3>().0.to_vec();
    colours.sort_unstable();
    colours.dedup();
    Ok(colours)
}

fn is_one_of_both(colours: &[[u8; 3]]) -> Result<()> {
    match colours {
        [RED | BLUE] => Ok(()),
        _ => bail!("{colours:?}"),
    }
}

/// The last picture stays, where the kernel has nothing of its own to show.
pub(super) fn last_picture(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    bench.run("printf '\\033[?25lthe console' >/dev/tty1")?;
    let shown = |bench: &Bench| pixels(&bench.board.screen().context("no screen")??);
    let console = shown(bench)?;
    ensure!(console.2.iter().any(|part| *part != 0), "no console");

    for signal in ["TERM", "KILL"] {
        start(bench, &console)?;
        end(bench, signal)?;
        until(|| {
            ensure!(shown(bench)? == console, "the console does not come back");
            Ok(())
        })
        .context(signal)?;
    }

    bench.run(&format!("echo N >{CONSOLE}"))?;
    start(bench, &console)?;
    end(bench, "TERM")?;
    let stopped = stopped();
    ensure!(
        shown(bench)?.2.chunks(3).map(|pixel| pixel != [0; 3]).eq(stopped),
        "the last picture is another one"
    );
    bench.run(&format!("echo Y >{CONSOLE}")).map(|_| ())
}

fn start(bench: &mut Bench, console: &(u32, u32, Vec<u8>)) -> Result<()> {
    bench.start_without_address()?;
    until(|| {
        let shown = pixels(&bench.board.screen().context("no screen")??)?;
        ensure!(shown != *console, "the firmware shows nothing");
        Ok(())
    })
}

fn end(bench: &mut Bench, signal: &str) -> Result<()> {
    let end = format!(
        "rm /data/properties.toml; killall -{signal} pushbox; while pidof pushbox; do sleep 0.1; done"
    );
    bench.run(&end).map(|_| ())
}

/// Whether the pixels of the picture that says that power may be cut are lit, row by row.
fn stopped() -> impl Iterator<Item = bool> {
    let (store, history, about) = (Store::default(), History::default(), About::default());
    let view = View { phase: Phase::Stopped, ..View::new(&store, &history, &about) };
    let (width, height) = (640, 480);
    let mut canvas = Canvas::new(width, height, Colours::Many);
    Interface::new(Language::English).draw(&view, &mut canvas);
    (0..height).flat_map(move |y| (0..width).map(move |x| (x, y))).map(move |(x, y)| canvas.is_lit(x, y))
}
