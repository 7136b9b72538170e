//! Before and after: the box is starting, or has stopped.

use super::Scene;
use crate::brush::{Align, Sides, area};
use crate::icon::Icon;
use crate::view::Phase;

impl Scene<'_, '_> {
    pub(super) fn title_screen(&mut self) {
        let (icon, words, hint) = match self.view.phase {
            Phase::Stopped => (Icon::Power, self.words.stopped, self.words.stopped_hint),
            Phase::Stopping => (Icon::Hourglass, self.words.stopping, self.words.stopping_hint),
            Phase::Starting | Phase::Running => {
                (Icon::Hourglass, self.words.starting, self.words.starting_hint)
            }
        };
        self.sign(icon, words, hint);
    }

    /// A picture, what it means, and a hint, in the middle of the display.
    pub(super) fn sign(&mut self, icon: Icon, words: &str, hint: &str) {
        let (whole, colours, gap) = (self.whole(), self.style.colours, self.style.gap);
        let (title, font) = (self.style.title, self.style.font);
        let lines = title.line() + font.line();
        let side = self.style.picture.min(whole.height() - lines);
        let top = (whole.height() - side - lines - gap).max(0) / 2;
        self.canvas.picture(area(0, top, whole.width(), side), colours.accent, icon);
        let line = |y, height| area(0, y, whole.width(), height);
        let below = top + side.max(0) + gap;
        self.canvas.text(line(below, title.line()), Align::Centre, title, colours.text, words);
        self.canvas.text(line(below + title.line(), font.line()), Align::Centre, font, colours.dim, hint);
    }
}
