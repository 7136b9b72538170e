//! A display that is opened again when it fails.

use std::time::{Duration, Instant};

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use tracing::{info, warn};

use super::{Panel, Pixels};
use crate::OpenError;

/// The pause after a failure, and the longest to which it grows by doubling.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

type Open = Box<dyn Fn() -> Result<Box<dyn Panel>, OpenError> + Send>;
type News = Box<dyn FnMut(Instant) -> bool + Send>;

/// A display, whether it is there or not. Its failures are told once, and never its user's.
pub struct SteadyPanel {
    table: &'static str,
    name: String,
    open: Open,
    /// Whether it is worth trying now, while it is not open.
    news: News,
    panel: Option<Box<dyn Panel>>,
    pause: Duration,
    /// When it is tried next, while it is not open.
    next: Option<Instant>,
    told: bool,
}

/// What an open display is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    pub size: Size,
    pub has_colours: bool,
    /// It was opened just now: the whole picture is to be shown.
    pub is_new: bool,
}

impl SteadyPanel {
    pub(super) fn new(
        table: &'static str,
        name: String,
        open: impl Fn() -> Result<Box<dyn Panel>, OpenError> + Send + 'static,
    ) -> Self {
        let (open, news) = (Box::new(open), Box::new(|_| false));
        Self { table, name, open, news, panel: None, pause: PAUSE, next: None, told: false }
    }

    /// It is tried as soon as there is `news` of it, too, whatever the pause.
    pub(super) fn with_news(mut self, news: impl FnMut(Instant) -> bool + Send + 'static) -> Self {
        self.news = Box::new(news);
        self
    }

    /// Its table in the board file: `oled`, `tft`, `screen` or `sim-display`.
    pub fn table(&self) -> &'static str {
        self.table
    }

    /// Opens it where that is due. None while it can't be used.
    pub fn ready(&mut self, now: Instant) -> Option<Opened> {
        let mut is_new = false;
        if self.panel.is_none() && (self.has_news(now) || self.next.is_none_or(|next| next <= now)) {
            match (self.open)() {
                Ok(panel) => {
                    info!(panel = self.name, "the display is open");
                    (self.panel, is_new) = (Some(panel), true);
                }
                Err(error) => self.failed(now, &error),
            }
        }
        let panel = self.panel.as_ref()?;
        Some(Opened { size: panel.size(), has_colours: panel.has_colours(), is_new })
    }

    /// Shows parts of a picture, if it can. After a failure it waits, and [`SteadyPanel::ready`] tells when the whole is to
    /// be shown again.
    pub fn show(&mut self, now: Instant, picture: &Pixels<'_>, areas: &mut dyn Iterator<Item = Rectangle>) {
        let Some(panel) = &mut self.panel else {
            return;
        };
        match panel.show(picture, areas) {
            Ok(()) => (self.pause, self.told) = (PAUSE, false),
            Err(error) => {
                self.panel = None;
                self.failed(now, &error);
            }
        }
    }

    /// What it shows is to stay when the program has ended.
    pub fn keep(&mut self) {
        if let Some(panel) = &mut self.panel {
            panel.keep();
        }
    }

    fn has_news(&mut self, now: Instant) -> bool {
        let has_news = (self.news)(now);
        if has_news {
            self.pause = PAUSE;
        }
        has_news
    }

    fn failed(&mut self, now: Instant, error: &OpenError) {
        if !self.told {
            warn!("{error}; tried again until it works");
            self.told = true;
        }
        self.next = Some(now + self.pause);
        self.pause = (self.pause * 2).min(LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;
    use std::sync::atomic::Ordering::Relaxed;

    use embedded_graphics::pixelcolor::Rgb565;

    use super::*;

    /// Fails so often at showing before it works.
    struct Shaky(Arc<AtomicU32>);

    fn failure() -> OpenError {
        OpenError::failed("panel", "gone", "plug it in")
    }

    impl Panel for Shaky {
        fn size(&self) -> Size {
            Size::new(8, 8)
        }

        fn has_colours(&self) -> bool {
            false
        }

        fn show(&mut self, _: &Pixels<'_>, _: &mut dyn Iterator<Item = Rectangle>) -> Result<(), OpenError> {
            let fails = self.0.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
            if fails { Err(failure()) } else { Ok(()) }
        }
    }

    /// When a display is opened, in seconds, that is shown to once a second, and of which there is news at some.
    fn opened(opens_fail: u32, shows_fail: u32, seconds: u64, news: &'static [u64]) -> Vec<u64> {
        let (opens, shows) = (AtomicU32::new(opens_fail), Arc::new(AtomicU32::new(shows_fail)));
        let panel = SteadyPanel::new("oled", "panel".into(), move || {
            let fails = opens.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
            if fails { Err(failure()) } else { Ok(Box::new(Shaky(Arc::clone(&shows))) as Box<dyn Panel>) }
        });
        let start = Instant::now();
        let mut panel = panel.with_news(move |now| news.contains(&now.duration_since(start).as_secs()));
        let mut opened = Vec::new();
        for second in 0..seconds {
            let now = start + Duration::from_secs(second);
            if panel.ready(now).is_some_and(|it| it.is_new) {
                opened.push(second);
            }
            let pixels = [Rgb565::default(); 64];
            panel.show(now, &Pixels { width: 8, pixels: &pixels }, &mut std::iter::empty());
        }
        opened
    }

    #[test]
    fn it_is_tried_again_after_pauses_that_grow_to_half_a_minute() {
        assert_eq!(opened(0, 0, 10, &[]), [0]);
        assert_eq!(opened(3, 0, 20, &[]), [1 + 2 + 4]);
        assert_eq!(opened(7, 0, 200, &[]), [1 + 2 + 4 + 8 + 16 + 30 + 30]);
        assert_eq!(opened(0, 2, 20, &[]), [0, 1, 3]);
    }

    #[test]
    fn news_of_it_are_not_waited_for() {
        assert_eq!(opened(7, 0, 200, &[70]), [70]);
        assert_eq!(opened(8, 0, 200, &[70]), [71], "and the pauses begin anew");
        assert_eq!(opened(0, 0, 10, &[5]), [0], "it is open");
    }
}
