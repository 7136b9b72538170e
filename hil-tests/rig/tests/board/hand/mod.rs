//! The box in the hand: buttons pressed, the privacy switch closed; stream, displays, lamps and torch tell.

mod buttons;
mod displays;
mod flips;
mod keys;
mod panel;
mod preview;
mod privacy;
mod story;
mod torch;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rig::devices::Lines;
use rig::{Bench, Part, Stage};

use crate::Test;
use crate::media::{Colour, SOON, expect_colour, paint};

pub(crate) const TESTS: &[&Test] = &[
    &Test {
        name: "the_story_of_a_box_in_the_hand",
        needs: &[
            Part::TestPicture,
            Part::Buttons,
            Part::PrivacySwitch,
            Part::Lamps,
            Part::Oled,
            Part::SerialLine,
            Part::Cable,
        ],
        run: story::story,
    },
    &Test {
        name: "buttons_steer_the_stream",
        needs: &[Part::TestPicture, Part::Buttons, Part::Lamps, Part::Torch],
        run: buttons::buttons,
    },
    &Test {
        name: "buttons_bounce_on_a_kernel_without_debounce",
        needs: &[Part::TestPicture, Part::Buttons, Part::PrivacySwitch, Part::Lamps, Part::Torch],
        run: buttons::without_debounce,
    },
    &Test {
        name: "the_oled_shows_the_box_and_its_menu",
        needs: &[Part::TestPicture, Part::Buttons, Part::Oled],
        run: displays::oled,
    },
    &Test {
        name: "the_screen_shows_what_the_firmware_drew",
        needs: &[Part::Buttons, Part::Oled, Part::Screen],
        run: displays::screen,
    },
    &Test {
        name: "a_screen_shows_the_camera_whenever_it_is_plugged_in",
        needs: &[Part::TestPicture, Part::PrivacySwitch, Part::Screen],
        run: preview::preview,
    },
    &Test {
        name: "a_screen_shows_no_picture_half_drawn",
        needs: &[Part::Screen, Part::BareScreen],
        run: flips::whole_pictures,
    },
    &Test { name: "a_screen_keeps_the_last_picture", needs: &[Part::Screen], run: flips::last_picture },
    &Test {
        name: "torches_of_the_kernel_go_out_with_their_camera",
        needs: &[Part::TestPicture, Part::PrivacySwitch, Part::Torch],
        run: torch::torches,
    },
    &Test {
        name: "keys_of_a_keyboard_are_buttons_while_it_is_there",
        needs: &[Part::TestPicture, Part::Keyboard],
        run: keys::keys,
    },
    &Test {
        name: "the_privacy_switch_closes_the_camera",
        needs: &[Part::TestPicture, Part::PrivacySwitch, Part::Lamps],
        run: privacy::switch,
    },
    &Test {
        name: "the_privacy_switch_works_while_all_else_hangs",
        needs: &[Part::TestPicture, Part::Buttons, Part::PrivacySwitch, Part::Lamps, Part::Torch],
        run: privacy::while_all_else_hangs,
    },
];

const SHORT: Duration = Duration::from_millis(150);
const LONG: Duration = Duration::from_millis(1200);
const PROPERTIES: &str = "mode = 'SD'\norientation = 'horizontal'\naudio-quality = 'low'";

fn lines(bench: &Bench) -> Result<Lines> {
    bench.board.lines().cloned().context("no lines")
}

/// Live from the front camera.
fn live(bench: &mut Bench) -> Result<Lines> {
    bench.reach(Stage::System, "")?;
    paint(bench)?;
    bench.reach(Stage::Live, PROPERTIES)?;
    wait_for(bench, Colour::Green)?;
    lines(bench)
}

/// Waits until the stream shows that colour.
fn wait_for(bench: &Bench, colour: Colour) -> Result<()> {
    until(|| expect_colour(bench, colour))
}

/// Asks again until the answer is good, or it is late.
fn until<T>(ask: impl FnMut() -> Result<T>) -> Result<T> {
    within(SOON, ask)
}

fn within<T>(limit: Duration, mut ask: impl FnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        match ask() {
            Err(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(50)),
            answer => return answer,
        }
    }
}
