//! What a redraw costs: `cargo run --release -p panel --example redraw`. Prints the median of the microseconds that a home
//! screen takes, with its clock one second on each time.

#[path = "../tests/scenes/mod.rs"]
mod scenes;

use std::time::{Duration, Instant};

use live_pusher::State;
use panel::{Canvas, Interface, Language};
use scenes::{SIZES, World};

const ROUNDS: u64 = 401;

fn main() {
    for size in SIZES {
        let (world, mut interface) = (World::new(size.2), Interface::new(Language::English));
        let mut canvas = Canvas::new(size.0, size.1, size.2);
        let mut view = world.view(State::Pushing);
        let (mut times, mut sent) = (Vec::new(), 0);
        for round in 0..ROUNDS {
            view.on_air = Some(Duration::from_secs(round));
            let start = Instant::now();
            interface.draw(&view, &mut canvas);
            times.push(start.elapsed().as_micros());
            sent += canvas.changes().map(|area| u64::from(area.size.width * area.size.height)).sum::<u64>();
        }
        times.sort_unstable();
        let share = sent / ROUNDS * 100 / u64::from(size.0 * size.1);
        println!("{}x{}: {} µs, {share} % of the pixels sent", size.0, size.1, times[times.len() / 2]);
    }
}
