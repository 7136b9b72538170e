//! What the video thread is to make, and in which size.

use std::sync::Arc;
use std::time::Duration;

use live_pusher::{Properties, Size};
use media::EncodeError;
use tracing::warn;

/// What the video thread is to make.
#[derive(Clone, Default)]
pub(crate) struct Order {
    /// Counts the times that encoding began; none while nothing is encoded.
    pub(crate) session: Option<u32>,
    /// The camera's pictures, or else the placeholder.
    pub(crate) live: bool,
    pub(crate) size: Size,
    /// By which it is smaller as yet, for want of bits, and whether it was that which changed last.
    pub(crate) steps: u8,
    pub(crate) is_adapted: bool,
    /// As many steps as the encoder takes, where it refused one.
    pub(crate) most_steps: Option<u8>,
    /// That which no encoder of the session takes, and what is made instead (-1305).
    pub(super) refused: Option<Size>,
    pub(super) fallback: Size,
    pub(crate) baseline: bool,
    pub(crate) vbv: Duration,
    /// The file that the placeholder shows; black without one.
    pub(crate) waiting_image: Option<Arc<[u8]>>,
}

impl Order {
    /// What the encoders of one session refuse may suit those of another.
    pub(crate) fn set_session(&mut self, session: Option<u32>) {
        if session != self.session {
            (self.session, self.refused) = (session, None);
        }
    }

    pub(crate) fn follow(&mut self, properties: &Properties) {
        let before = std::mem::replace(&mut self.size, Size::of(properties));
        if self.size != before {
            self.most_steps = None;
        }
        self.fallback = Size::of_mode(properties);
        self.baseline = properties.mode.is_baseline();
        self.vbv = properties.mode.vbv();
        self.is_adapted = false;
    }

    /// What is published.
    pub(super) fn published(&self) -> Size {
        self.after(self.taken_steps())
    }

    pub(super) fn taken_steps(&self) -> u8 {
        self.steps.min(self.most_steps.unwrap_or(u8::MAX))
    }

    pub(super) fn after(&self, steps: u8) -> Size {
        (0..steps).fold(self.whole(), |size, _| size.smaller().unwrap_or(size))
    }

    /// Without steps.
    pub(super) fn whole(&self) -> Size {
        if self.refused == Some(self.size) { self.fallback } else { self.size }
    }

    /// Opens an encoder for what is published. Nobody asked for a step, so one that is refused is taken back: the size before
    /// it has worked. Returns how many steps are left. `open` is told whether there is another size to try.
    pub(super) fn open<E>(
        &self,
        mut open: impl FnMut(Size, bool) -> Result<E, EncodeError>,
    ) -> (u8, Result<E, EncodeError>) {
        let mut steps = self.taken_steps();
        loop {
            let size = self.after(steps);
            match open(size, steps > 0 || self.fallback != size) {
                Err(error) if steps > 0 => {
                    warn!(%error, %size, "step taken back");
                    steps -= 1;
                }
                result => return (steps, result),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn size(width: u32, height: u32) -> Size {
        Size { width, height }
    }

    /// The sizes that are tried by an encoder that takes `taken` only, how many steps are left, and whether one was taken.
    fn tried(order: &Order, taken: &[Size]) -> (Vec<(Size, bool)>, u8, bool) {
        let mut tried = Vec::new();
        let (steps, result) = order.open(|size, has_other| {
            tried.push((size, has_other));
            let Size { width, height } = size;
            let refusal = EncodeError::Size { encoder: "test".into(), width, height };
            taken.contains(&size).then_some(()).ok_or(refusal)
        });
        (tried, steps, result.is_ok())
    }

    #[test]
    fn p5_a_step_that_the_encoder_refuses_is_taken_back() {
        let wanted = size(320, 480);
        let mut order = Order { size: wanted, steps: 1, fallback: size(360, 640), ..Order::default() };
        let step = size(240, 360);
        assert_eq!(tried(&order, &[wanted]), (vec![(step, true), (wanted, true)], 0, true));
        order.most_steps = Some(0);
        assert_eq!(order.published(), wanted, "it is not tried again");
        assert_eq!(tried(&order, &[wanted]), (vec![(wanted, true)], 0, true));
        (order.steps, order.most_steps, order.fallback) = (1, None, wanted);
        assert_eq!(
            tried(&order, &[]),
            (vec![(step, true), (wanted, false)], 0, false),
            "there is none but the mode's in the end"
        );
        order.size = size(480, 640);
        order.steps = 2;
        assert_eq!(tried(&order, &[size(360, 480)]).1, 1, "the step before it is kept");
    }

    #[test]
    fn steps_are_those_of_what_stands_in_for_a_refused_size() {
        let (wanted, mode) = (size(1280, 720), size(640, 360));
        let mut order = Order { size: wanted, refused: Some(wanted), fallback: mode, ..Order::default() };
        assert_eq!(order.published(), mode);
        order.steps = 1;
        assert_eq!(order.published(), size(480, 270));
        order.size = size(960, 540);
        assert_eq!(order.published(), size(720, 404), "another size was not refused");
        (order.size, order.steps) = (wanted, 0);
        order.set_session(Some(1));
        assert_eq!(order.published(), wanted, "nor was it by another session's encoders");
    }

    #[test]
    fn another_size_has_steps_of_its_own() {
        let mut properties = Properties::default();
        let mut order = Order::default();
        order.follow(&properties);
        order.most_steps = Some(0);
        order.follow(&properties);
        assert_eq!(order.most_steps, Some(0));
        (properties.video_width, properties.video_height) = (Some(320), Some(480));
        order.follow(&properties);
        assert_eq!(order.most_steps, None);
    }
}
