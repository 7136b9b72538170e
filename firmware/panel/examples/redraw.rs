//! What a redraw costs: `cargo run --release -p panel --example redraw`. Prints the median of the microseconds that a home
//! screen takes, with its clock one second on each time; with colours also where the camera's picture is another each time.

#[path = "../tests/scenes/mod.rs"]
mod scenes;

use std::time::{Duration, Instant};

use embedded_graphics::pixelcolor::Rgb565;
use live_pusher::State;
use panel::{Canvas, Colours, Interface, Language, Picture};
use scenes::{SIZES, World};

const ROUNDS: usize = 401;

fn main() {
    for size in SIZES {
        let count = (size.0 * size.1) as usize;
        // Each pixel is another from one round to the next.
        let pictures = [0, 1].map(|odd| (0..count).map(|at| shade(at + odd)).collect::<Vec<_>>());
        let still = measure(size, |_| None);
        println!("{}x{}: {still}", size.0, size.1);
        if size.2 == Colours::Many {
            let moving = measure(size, |round| Picture::new(size.0, size.1, &pictures[round % 2]));
            println!("{}x{} with another picture: {moving}", size.0, size.1);
        }
    }
}

fn shade(at: usize) -> Rgb565 {
    Rgb565::new((at % 32) as u8, (at % 64) as u8, 8)
}

fn measure<'a>(size: (u32, u32, Colours), picture: impl Fn(usize) -> Option<Picture<'a>>) -> String {
    let (world, mut interface) = (World::new(size.2), Interface::new(Language::English));
    let mut canvas = Canvas::new(size.0, size.1, size.2);
    let (mut times, mut sent) = (Vec::new(), 0);
    for round in 0..ROUNDS {
        let mut view = world.view(State::Pushing);
        (view.preview, view.on_air) = (picture(round), Some(Duration::from_secs(round as u64)));
        let start = Instant::now();
        interface.draw(&view, &mut canvas);
        times.push(start.elapsed().as_micros());
        sent += canvas.changes().map(|area| u64::from(area.size.width * area.size.height)).sum::<u64>();
    }
    times.sort_unstable();
    let share = sent / ROUNDS as u64 * 100 / u64::from(size.0 * size.1);
    format!("{} µs, {share} % of the pixels sent", times[ROUNDS / 2])
}
