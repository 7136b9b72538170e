//! Pictures for one who looks on, borrowed on their way back to the camera.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::frame::Origin;
use crate::{Buffer, Frame, PixelFormat, Recycle, Timestamp};

/// Lends single pictures to one who looks on, such as a display. One that is wanted goes its way as every other; once its last
/// holder there drops it, it comes here instead of going back to the camera. So nobody waits, nothing is copied, and at most
/// one of the camera's buffers is away for it. `T` is what is to be known of a picture besides.
pub struct Tap<T> {
    state: Mutex<State<T>>,
    arrived: Box<dyn Fn() + Send + Sync>,
}

enum State<T> {
    /// No picture is wanted.
    Idle,
    /// The next is that was taken at this time or later.
    Wanted(Timestamp),
    /// One is on its way.
    Passing(Origin, T),
    Here(Frame, T),
}

impl<T: Send + 'static> Tap<T> {
    /// `arrived` is called when a picture is there, by whoever held it last; it must not wait.
    pub fn new(arrived: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State::Idle), arrived: Box::new(arrived) })
    }

    /// Wants the next picture that is taken at `from` or later, unless one is wanted already.
    pub fn request(&self, from: Timestamp) {
        let mut state = self.lock();
        if matches!(*state, State::Idle) {
            *state = State::Wanted(from);
        }
    }

    /// A picture on its way through the pipeline. No access unit is taken: it is no picture by itself.
    #[must_use]
    pub fn pass(self: &Arc<Self>, frame: Frame, about: impl FnOnce() -> T) -> Frame {
        let mut state = self.lock();
        let is_wanted = matches!(*state, State::Wanted(from) if frame.captured >= from);
        if !is_wanted || frame.layout.format == PixelFormat::H264 {
            return frame;
        }
        let (frame, origin) = frame.redirect(Arc::clone(self) as Arc<dyn Recycle<Box<dyn Buffer>>>);
        *state = State::Passing(origin, about());
        frame
    }

    /// The picture that is there. Dropping it gives it back to the camera.
    pub fn take(&self) -> Option<(Frame, T)> {
        let mut state = self.lock();
        match std::mem::replace(&mut *state, State::Idle) {
            State::Here(frame, about) => Some((frame, about)),
            other => {
                *state = other;
                None
            }
        }
    }

    /// No picture is wanted any longer. One that is on its way comes nevertheless.
    pub fn cancel(&self) {
        let mut state = self.lock();
        if !matches!(*state, State::Passing(..)) {
            let before = std::mem::replace(&mut *state, State::Idle);
            drop(state);
            drop(before);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send + 'static> Recycle<Box<dyn Buffer>> for Tap<T> {
    fn recycle(&self, buffer: Box<dyn Buffer>) {
        let mut state = self.lock();
        if let State::Passing(origin, about) = std::mem::replace(&mut *state, State::Idle) {
            *state = State::Here(origin.frame(buffer), about);
            drop(state);
            (self.arrived)();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;
    use crate::{Layout, Pool};

    /// A camera of which the buffers that are at home are counted.
    #[derive(Default)]
    struct Home(AtomicUsize);

    impl Recycle<Box<dyn Buffer>> for Home {
        fn recycle(&self, _: Box<dyn Buffer>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    fn at(time: i64) -> Timestamp {
        Timestamp::from_micros(time)
    }

    fn frame(home: &Arc<Home>, format: PixelFormat, time: i64) -> Frame {
        let buffer: Box<dyn Buffer> = Box::new(vec![time as u8; 24]);
        let buffer = crate::Pooled::new(buffer, Arc::clone(home) as Arc<dyn Recycle<Box<dyn Buffer>>>);
        Frame::new(Layout::packed(format, 4, 4), at(time), 7, [24, 0, 0], buffer).unwrap()
    }

    #[test]
    fn a_picture_comes_when_it_is_wanted_and_its_last_holder_is_done_with_it() {
        let (home, calls) = (Arc::new(Home::default()), Arc::new(AtomicUsize::new(0)));
        let told = Arc::clone(&calls);
        let tap = Tap::new(move || _ = told.fetch_add(1, Relaxed));
        drop(tap.pass(frame(&home, PixelFormat::I420, 1), || 'a'));
        assert_eq!((home.0.load(Relaxed), tap.take().is_none()), (1, true), "nobody wants one");

        tap.request(at(5));
        drop(tap.pass(frame(&home, PixelFormat::I420, 4), || 'b'));
        assert_eq!(home.0.load(Relaxed), 2, "too early");
        let passing = tap.pass(frame(&home, PixelFormat::I420, 5), || 'c');
        assert_eq!((passing.captured, passing.plane(0).data[0]), (at(5), 5));
        tap.request(at(0));
        drop(tap.pass(frame(&home, PixelFormat::I420, 6), || 'd'));
        assert_eq!((home.0.load(Relaxed), calls.load(Relaxed)), (3, 0), "one at a time");
        assert!(tap.take().is_none(), "its holder still works with it");

        drop(passing);
        assert_eq!((home.0.load(Relaxed), calls.load(Relaxed)), (3, 1));
        let (picture, about) = tap.take().unwrap();
        assert_eq!((picture.captured, picture.sequence, picture.plane(0).data[0], about), (at(5), 7, 5, 'c'));
        assert!(tap.take().is_none());
        drop(picture);
        assert_eq!(home.0.load(Relaxed), 4);
    }

    #[test]
    fn what_is_not_wanted_any_longer_goes_home() {
        let home = Arc::new(Home::default());
        let tap = Tap::new(|| ());
        tap.request(at(0));
        tap.cancel();
        drop(tap.pass(frame(&home, PixelFormat::I420, 1), || ()));
        assert_eq!(home.0.load(Relaxed), 1);
        tap.request(at(0));
        let passing = tap.pass(frame(&home, PixelFormat::I420, 2), || ());
        tap.cancel();
        drop(passing);
        tap.cancel();
        assert_eq!((home.0.load(Relaxed), tap.take().is_none()), (2, true));
    }

    #[test]
    fn access_units_are_no_pictures() {
        let home = Arc::new(Home::default());
        let tap = Tap::new(|| ());
        tap.request(at(0));
        drop(tap.pass(frame(&home, PixelFormat::H264, 1), || ()));
        assert_eq!(home.0.load(Relaxed), 1);
    }

    #[test]
    fn nothing_is_allocated_for_a_picture_that_passes() {
        let pool = Pool::new(1, || -> Box<dyn Buffer> { Box::new(vec![0; 24]) });
        let tap = Tap::new(|| ());
        let layout = Layout::packed(PixelFormat::I420, 4, 4);
        let mut addresses = (0..3).map(|time| {
            tap.request(at(time));
            drop(tap.pass(Frame::new(layout, at(time), 0, [24, 0, 0], pool.take()).unwrap(), || ()));
            tap.take().unwrap().0.plane(0).data.as_ptr()
        });
        let first = addresses.next().unwrap();
        assert!(addresses.all(|address| address == first), "another buffer was made");
    }
}
