use std::sync::Arc;

use media::mark::Mark;
use media::{Buffer, Camera, CaptureError, Frame, Layout, Pool, Timestamp, VideoFormat, now};

use super::picture::Picture;
use super::sleep_until;
use crate::SimCamera;

/// Like a driver's queue: this many pictures may be on loan before memory grows.
const BUFFERS: usize = 6;

/// Draws a picture at each tick of its rate. Ticks that pass while nobody asks are lost, as with a sensor.
pub(crate) struct SimulatedCamera {
    format: VideoFormat,
    layout: Layout,
    picture: Picture,
    pool: Arc<Pool<Box<dyn Buffer>>>,
    start: Timestamp,
    sequence: u32,
}

impl SimulatedCamera {
    pub(crate) fn new(config: &SimCamera) -> Self {
        let SimCamera { width, height, rate, pixels } = *config;
        let layout = Layout::packed(pixels, width, height);
        let bytes = layout.size();
        Self {
            format: VideoFormat { pixels, width, height, rate: f64::from(rate) },
            layout,
            picture: Picture::new(layout),
            pool: Pool::new(BUFFERS, move || -> Box<dyn Buffer> { Box::new(vec![0; bytes]) }),
            start: now(),
            sequence: 0,
        }
    }

    fn tick(&self, sequence: u32) -> Timestamp {
        Timestamp::from_micros(self.start.micros() + (f64::from(sequence) * 1e6 / self.format.rate) as i64)
    }
}

impl Camera for SimulatedCamera {
    fn format(&self) -> VideoFormat {
        self.format
    }

    fn next(&mut self) -> Result<Frame, CaptureError> {
        let behind = now().since(self.tick(self.sequence)) as f64 * self.format.rate / 1e6;
        if behind > BUFFERS as f64 {
            self.sequence += behind as u32;
        }
        let (sequence, captured) = (self.sequence, self.tick(self.sequence));
        sleep_until(captured);
        self.sequence += 1;
        let mut buffer = self.pool.take();
        self.picture.draw(buffer.plane_mut(0), Mark { frame: sequence, captured });
        let used = [self.layout.size(), 0, 0];
        Frame::new(self.layout, captured, sequence, used, buffer).ok_or_else(|| CaptureError::Lost {
            device: "simulated camera".into(),
            cause: "its buffer is too small".into(),
        })
    }

    fn corrupt(&self) -> u64 {
        0
    }
}
