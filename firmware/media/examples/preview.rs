//! What a picture for a display costs: `cargo run --release -p media --example preview`. Prints the median of the microseconds
//! in which one of the camera's pictures, 1280x720, is cut, scaled, mirrored and made into RGB.

#![allow(clippy::unwrap_used)]

use std::time::Instant;

use media::{Buffer, Frame, Geometry, GeometrySettings, Layout, PixelFormat, Pool, Timestamp, rgb};

const ROUNDS: usize = 201;

fn main() {
    for format in [PixelFormat::Nv12, PixelFormat::I420, PixelFormat::Yuyv] {
        let layout = Layout::packed(format, 1280, 720);
        let pool = Pool::new(1, move || -> Box<dyn Buffer> {
            Box::new((0..layout.size()).map(|at| (at * 31 % 199) as u8).collect::<Vec<_>>())
        });
        let frame = Frame::new(layout, Timestamp::default(), 0, [layout.size(), 0, 0], pool.take()).unwrap();
        for (width, height) in [(240, 240), (320, 240), (1280, 720)] {
            let settings = GeometrySettings { width, height, quarter_turns: 0, mirror: true };
            let (mut geometry, mut bytes) = (Geometry::within((1280, 720), settings), Vec::new());
            let mut times: Vec<_> = (0..ROUNDS)
                .map(|_| {
                    let start = Instant::now();
                    rgb(&geometry.make(&frame, None).unwrap(), &mut bytes).unwrap();
                    start.elapsed().as_micros()
                })
                .collect();
            times.sort_unstable();
            println!("{format} to {width}x{height}: {} µs", times[ROUNDS / 2]);
        }
    }
}
