//! All that a person does with a box, in one story: at each step the panel, both lamps and the viewers' picture are looked at.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use live_pusher::DevicePosition::{self, Back, Front};
use live_pusher::{Code, Reason, State};
use rig::{Bench, Stage};

use super::panel::Sight;
use super::{LONG, SHORT, lines, until, wait_for};
use crate::lines::type_in;
use crate::media::{Colour, SOON, paint};

/// A box that was told nothing but to be patient with its network.
const START: &str = "printf '[options]\\nretry-count = 10\\n' >/data/new; mv /data/new /data/properties.toml";
/// Where the box has its serial number from, and its name without one.
const SERIAL: &str = "cd /sys/class/dmi/id 2>/dev/null; \
    cat /proc/device-tree/serial-number 2>/dev/null || cat product_serial 2>/dev/null || cat /etc/hostname 2>/dev/null || true";
/// For so long a lamp that does not blink is looked at.
const STEADY: Duration = Duration::from_secs(1);

/// Sentence and remedy of a message have been shown by then.
const READING: Duration = Duration::from_secs(9);

enum Lamp {
    Out,
    Lit,
    Blinks,
}

enum Viewers {
    /// Nobody publishes.
    Nobody,
    See(Colour),
    /// Nothing comes any more.
    Wait,
}

/// What is to be seen at one step.
struct Moment {
    panel: Sight,
    on_air: Lamp,
    camera: Lamp,
    viewers: Viewers,
}

impl Moment {
    fn ready(position: DevicePosition) -> Self {
        let panel = Sight::home(State::Idle, position, false);
        Self { panel, on_air: Lamp::Out, camera: Lamp::Out, viewers: Viewers::Nobody }
    }

    fn on_air(position: DevicePosition, colour: Colour) -> Self {
        let panel = Sight::home(State::Pushing, position, true);
        Self { panel, on_air: Lamp::Lit, camera: Lamp::Lit, viewers: Viewers::See(colour) }
    }

    fn paused(reason: Reason, position: DevicePosition) -> Self {
        let panel = Sight::paused(reason, position);
        Self { panel, on_air: Lamp::Lit, camera: Lamp::Out, viewers: Viewers::See(Colour::Black) }
    }

    fn expect(&self, bench: &mut Bench, step: &str) -> Result<()> {
        self.look(bench).with_context(|| step.to_owned())
    }

    fn look(&self, bench: &Bench) -> Result<()> {
        let lines = lines(bench)?;
        for (name, lamp) in [("lamp-on-air", &self.on_air), ("lamp-camera", &self.camera)] {
            match lamp {
                Lamp::Out => lines.wait_for_steady(name, false, STEADY, SOON)?,
                Lamp::Lit => lines.wait_for_steady(name, true, STEADY, SOON)?,
                Lamp::Blinks => lines.wait_for_blinking(name, SOON)?,
            }
        }
        read_messages_up_to(bench, &self.panel)?;
        match self.viewers {
            Viewers::Nobody => {
                ensure!(!bench.server().is_live() || bench.server().has_ended(), "somebody publishes");
            }
            Viewers::See(colour) => {
                let before = bench.server().report().frames;
                bench.wait(SOON, |report| report.frames > before)?;
                wait_for(bench, colour)?;
            }
            Viewers::Wait => {
                let before = bench.server().report().frames;
                std::thread::sleep(STEADY);
                ensure!(bench.server().report().frames == before, "pictures still arrive");
            }
        }
        Ok(())
    }
}

pub(super) fn story(bench: &mut Bench) -> Result<()> {
    bench.reach(Stage::System, "")?;
    paint(bench)?;
    let lines = lines(bench)?;

    bench.run(START)?;
    let serial = bench.run(SERIAL)?;
    let panel = Sight::not_set_up(serial.trim_matches(['\0', '\r', '\n', ' ']));
    Moment { panel, ..Moment::ready(Front) }.expect(bench, "switched on")?;

    let url = format!("set url {}", bench.url());
    type_in(bench, &[&url, "set mode SD", "set orientation horizontal", "set audio-quality low", "save"])?;
    Moment::ready(Front).expect(bench, "set up")?;

    lines.press("button-start", SHORT)?;
    Moment::on_air(Front, Colour::Green).expect(bench, "started")?;

    lines.press("button-start", LONG)?;
    Moment::paused(Reason::Api, Front).expect(bench, "paused")?;

    lines.press("button-start", LONG)?;
    Moment::on_air(Front, Colour::Green).expect(bench, "resumed")?;

    lines.press("button-camera", SHORT)?;
    Moment::on_air(Back, Colour::Blue).expect(bench, "the other camera")?;

    bench.board.plug_cable(false).context("no cable")??;
    Sight::any_message(State::Reconnecting).wait_for(bench, SOON)?;
    let panel = Sight::message(State::Reconnecting, Code::TransferFailed);
    let lost = Moment::on_air(Back, Colour::Blue);
    Moment { panel, on_air: Lamp::Blinks, viewers: Viewers::Wait, ..lost }
        .expect(bench, "without a cable")?;

    bench.serve_anew()?;
    bench.board.plug_cable(true).context("no cable")??;
    Moment::on_air(Back, Colour::Blue).expect(bench, "the cable is back")?;

    lines.drive("privacy", false)?;
    Moment::paused(Reason::Privacy, Back).expect(bench, "the privacy switch is closed")?;

    lines.drive("privacy", true)?;
    Moment::on_air(Back, Colour::Blue).expect(bench, "the privacy switch is open")?;

    lines.press("button-start", SHORT)?;
    let report = bench.server().wait_for_end(SOON)?;
    ensure!(report.faults.is_empty(), "{:?}", report.faults);
    Moment::ready(Back).expect(bench, "stopped")
}

/// A person acknowledges what else the panel tells, such as that the network is too slow, until it shows what is looked for.
fn read_messages_up_to(bench: &Bench, wanted: &Sight) -> Result<()> {
    let lines = lines(bench)?;
    until(|| {
        wanted.wait_for(bench, READING).or_else(|error| {
            // Held, the button goes back: from a message, and from nowhere else.
            lines.press("button-menu", LONG)?;
            Err(error)
        })
    })
}
