//! Fills a screen with red and with blue in turn, as fast as it goes: what is seen half drawn has both. `alternate CARD`

use std::error::Error;
use std::iter::once;
use std::thread::sleep;
use std::time::{Duration, Instant};

use board::{Board, Pixels};
use embedded_graphics::pixelcolor::Rgb565;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

/// From one look to the next while there is no screen.
const PAUSE: Duration = Duration::from_millis(100);

fn main() -> Result<(), Box<dyn Error>> {
    let card = std::env::args().nth(1).ok_or("give a card, such as /dev/dri/card0")?;
    let board: Board = toml::from_str(&format!("name = 'alternate'\nscreen.device = '{card}'"))?;
    let mut screen = board::panels(&board).pop().ok_or("no screen")?;
    let mut colours = [Rgb565::RED, Rgb565::BLUE];
    loop {
        let now = Instant::now();
        let Some(opened) = screen.ready(now) else {
            sleep(PAUSE);
            continue;
        };
        let whole = Rectangle::new(Point::zero(), opened.size);
        let pixels = vec![colours[0]; (opened.size.width * opened.size.height) as usize];
        screen.show(now, &Pixels { width: opened.size.width, pixels: &pixels }, &mut once(whole));
        colours.reverse();
    }
}
