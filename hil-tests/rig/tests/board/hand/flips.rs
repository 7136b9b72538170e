//! What a screen shows between two pictures.

use anyhow::{Context, Result, bail, ensure};
use rig::{Bench, Stage};

use super::displays::pixels;
use super::until;

/// `DRM_IOCTL_MODE_ATOMIC`.
const WITHOUT_FLIPS: &str = "refuse 64bc 64bc";
/// How often the screen is looked at.
const LOOKS: usize = 100;

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
