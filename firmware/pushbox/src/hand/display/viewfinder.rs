//! The camera's picture on the displays with colours.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::panel::{Picture, View};
use embedded_graphics::geometry::Size;
use embedded_graphics::pixelcolor::Rgb565;
use live_pusher::DevicePosition;
use media::{Frame, Geometry, GeometryError, GeometrySettings, Tap, Timestamp, now, rgb};
use tracing::debug;

/// From one picture to the next at the least, so that a camera of 30 pictures a second gives each second one; and of the time of
/// making and showing one so many times: a slow display or processor gets fewer.
const INTERVAL: Duration = Duration::from_millis(60);
const SHARE: u32 = 4;
/// What is older is not what the camera sees now: as long as a switch of cameras may take (spec 6.4).
const FRESH: Duration = Duration::from_secs(1);

/// The rate of pictures by which a zoom is reached with the next.
const AT_ONCE: u32 = 1;

/// What is known of a picture besides.
pub(crate) struct Seen {
    pub(crate) position: DevicePosition,
    pub(crate) quarter_turns: u8,
    /// Tenths.
    pub(crate) zoom: u32,
}

pub(crate) type PreviewTap = Tap<Seen>;

/// Asks the video thread for pictures, no more than are needed.
pub(super) struct Source {
    tap: Arc<PreviewTap>,
    /// When the last picture was taken, when it came, and how long it took to be shown.
    last: Option<(Timestamp, Instant)>,
    cost: Duration,
}

impl Source {
    pub(super) fn new(tap: Arc<PreviewTap>) -> Self {
        Self { tap, last: None, cost: Duration::ZERO }
    }

    /// The picture that was asked for, if it is there.
    pub(super) fn take(&mut self) -> Option<(Frame, Seen)> {
        let taken = self.tap.take();
        if let Some((frame, _)) = &taken {
            self.last = Some((frame.captured, Instant::now()));
        }
        taken
    }

    /// After all was shown; `came`: a picture among it.
    pub(super) fn go_on(&mut self, wanted: bool, came: bool) {
        if !wanted {
            return self.tap.cancel();
        }
        let Some((captured, arrived)) = self.last else {
            return self.tap.request(now());
        };
        let since = arrived.elapsed();
        if came {
            self.cost = since;
        }
        let pause = (self.cost * SHARE).min(FRESH / 2).saturating_sub(since);
        self.tap.request((captured + INTERVAL).max(now() + pause));
    }
}

/// The picture as one display shows it.
#[derive(Default)]
pub(super) struct Viewfinder {
    geometry: Option<((u32, u32), Geometry)>,
    bytes: Vec<u8>,
    pixels: Vec<Rgb565>,
    size: Size,
    taken: Option<Timestamp>,
}

impl Viewfinder {
    /// Makes the picture for a place of `size`.
    pub(super) fn see(&mut self, frame: &Frame, seen: &Seen, view: &View<'_>, size: Size) -> Option<Frame> {
        // It may have waited for long in an encoder that stalled.
        if !is_fresh(frame.captured) {
            return None;
        }
        let made = self.make(frame, seen, view, size).and_then(|picture| {
            rgb(&picture, &mut self.bytes)?;
            Ok(picture)
        });
        match made {
            Ok(picture) => {
                self.keep(&picture);
                Some(picture)
            }
            // The last good one stays for a moment.
            Err(error) => {
                debug!(%error, "no preview of a picture");
                None
            }
        }
    }

    fn make(
        &mut self,
        frame: &Frame,
        seen: &Seen,
        view: &View<'_>,
        size: Size,
    ) -> Result<Frame, GeometryError> {
        let properties = view.store.properties();
        let shape = (view.shape.width, view.shape.height);
        // Both even, as chroma has half of their samples.
        let even = |side: u32| side.next_multiple_of(2).max(2);
        let mirror = properties.mirrors_preview(seen.position);
        let settings = GeometrySettings {
            width: even(size.width),
            height: even(size.height),
            quarter_turns: seen.quarter_turns,
            mirror,
        };
        let is_same = |(before, geometry): &((u32, u32), Geometry)| {
            let GeometrySettings { width, height, .. } = geometry.settings();
            (*before, width, height) == (shape, settings.width, settings.height)
        };
        if !self.geometry.as_ref().is_some_and(is_same) {
            self.geometry = None;
        }
        let (_, geometry) = self.geometry.get_or_insert_with(|| (shape, Geometry::within(shape, settings)));
        geometry.set_mirror(mirror);
        geometry.set_quarter_turns(seen.quarter_turns);
        geometry.approach_zoom(seen.zoom, AT_ONCE);
        geometry.make(frame, None)
    }

    fn keep(&mut self, picture: &Frame) {
        self.pixels.clear();
        let pixels = self.bytes.as_chunks::<3>().0;
        self.pixels.extend(pixels.iter().map(|[r, g, b]| Rgb565::new(r >> 3, g >> 2, b >> 3)));
        self.size = Size::new(picture.layout.width, picture.layout.height);
        self.taken = Some(picture.captured);
    }

    /// Nothing is to be seen any longer.
    pub(super) fn close(&mut self) {
        self.taken = None;
    }

    /// The picture, while it is what the camera sees.
    pub(super) fn picture(&self) -> Option<Picture<'_>> {
        let is_fresh = self.taken.is_some_and(is_fresh);
        is_fresh.then(|| Picture::new(self.size.width, self.size.height, &self.pixels)).flatten()
    }
}

fn is_fresh(captured: Timestamp) -> bool {
    now().since(captured) < FRESH.as_micros() as i64
}

#[cfg(test)]
mod tests {
    use ::panel::{About, History};
    use embedded_graphics::pixelcolor::RgbColor;
    use live_pusher::Store;
    use media::{Buffer, EncoderInput, Layout, PixelFormat, Pool};
    use serde_json::{Value, json};

    use super::*;

    /// Bright on the left, dark on the right.
    fn chart() -> Frame {
        let layout = Layout::packed(PixelFormat::Nv12, 64, 48);
        let mut bytes = vec![128; layout.size()];
        for (at, sample) in bytes[..64 * 48].iter_mut().enumerate() {
            *sample = if at % 64 < 32 { 230 } else { 20 };
        }
        let pool = Pool::new(0, move || -> Box<dyn Buffer> { Box::new(bytes.clone()) });
        Frame::new(layout, now(), 0, [layout.size(), 0, 0], pool.take()).unwrap()
    }

    fn store(values: Value) -> Store {
        let (Value::Object(values), mut store) = (values, Store::default()) else { unreachable!("a table") };
        assert_eq!(store.update(&values).refused, []);
        store
    }

    #[test]
    fn p10_local_and_remote_mirror_have_nothing_to_do_with_each_other() {
        let (front, back) = (DevicePosition::Front, DevicePosition::Back);
        for (local, mirrored) in [("auto", [true, false]), ("enable", [true; 2]), ("disable", [false; 2])] {
            for (remote, (position, mirrored)) in [false, true]
                .into_iter()
                .flat_map(|it| [front, back].into_iter().zip(mirrored).map(move |at| (it, at)))
            {
                let store = store(json!({"local-mirror": local, "remote-mirror": remote}));
                let (history, about) = (History::default(), About::default());
                let view = View::new(&store, &history, &about);
                let seen = Seen { position, quarter_turns: 0, zoom: 10 };
                let mut viewfinder = Viewfinder::default();
                viewfinder.see(&chart(), &seen, &view, Size::new(32, 24));
                assert!(viewfinder.picture().is_some());
                let is_bright = |x: usize| viewfinder.pixels[12 * 32 + x].r() > 16;
                assert_eq!(
                    [is_bright(8), is_bright(24)],
                    [!mirrored, mirrored],
                    "{local} {remote} {position:?}"
                );

                let mirror = store.properties().mirror;
                let settings = GeometrySettings { width: 32, height: 24, quarter_turns: 0, mirror };
                let target = EncoderInput::in_memory(PixelFormat::I420, 32, 24);
                let published = Geometry::new(settings, target).make(&chart(), None).unwrap();
                let is_bright = |x: usize| published.plane(0).data[12 * 32 + x] > 128;
                assert_eq!([is_bright(8), is_bright(24)], [!remote, remote], "{local} {remote} {position:?}");
            }
        }
    }

    #[test]
    fn a_picture_is_of_its_place_and_memory_is_taken_once() {
        let (store, history, about) = (store(json!({})), History::default(), About::default());
        let view = View::new(&store, &history, &about);
        let seen = Seen { position: DevicePosition::Front, quarter_turns: 0, zoom: 20 };
        let mut viewfinder = Viewfinder::default();
        viewfinder.see(&chart(), &seen, &view, Size::new(33, 20));
        assert_eq!((viewfinder.size, viewfinder.pixels.len()), (Size::new(34, 20), 34 * 20));
        viewfinder.see(&chart(), &seen, &view, Size::new(10, 20));
        assert_eq!(viewfinder.size, Size::new(10, 20));
        viewfinder.close();
        assert!(viewfinder.picture().is_none());
        let mut old = chart();
        old.captured = old.captured - FRESH;
        assert!(viewfinder.see(&old, &seen, &view, Size::new(10, 20)).is_none());
    }
}
