//! What several screens have.

use std::time::Duration;

use embedded_graphics::pixelcolor::Rgb565;
use embedded_graphics::primitives::Rectangle;
use live_pusher::Reason;

use super::Scene;
use crate::brush::{Align, Sides, area, part};
use crate::icon::Icon;
use crate::line::Line;
use crate::view::SAMPLES;

/// A length of time in at most seven letters.
pub(super) fn duration(time: Duration) -> Line {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match days {
        0 if hours == 0 => Line::of(format_args!("{minutes}:{:02}", seconds % 60)),
        0 => Line::of(format_args!("{hours}:{minutes:02}:{:02}", seconds % 60)),
        _ => Line::of(format_args!("{days}d {hours}h")),
    }
}

/// Bars of the signal.
const BARS: i32 = 5;

impl Scene<'_, '_> {
    pub(super) fn whole(&self) -> Rectangle {
        self.canvas.area()
    }

    /// Of several reasons, the one that outlasts the others.
    pub(super) fn pause_reason(&self) -> Option<Reason> {
        let reasons = [Reason::Privacy, Reason::Interrupt, Reason::Background, Reason::Api];
        reasons.into_iter().find(|reason| self.view.reasons.contains(*reason))
    }

    /// Height of a line with something to either side.
    pub(super) fn row(&self) -> i32 {
        match self.style.is_small {
            // Two pages of an SSD1306.
            true if self.whole().height() >= 64 => 16,
            true => self.style.font.line(),
            false => self.style.font.line() + self.style.gap,
        }
    }

    /// The bar at the top: icon, title, and something at its end. Returns what is left below.
    pub(super) fn header(&mut self, icon: Icon, title: &str, colour: Rgb565, end: &str) -> Rectangle {
        let (whole, font, gap) = (self.whole(), self.style.font, self.style.gap);
        let height = self.row();
        let bar = area(0, 0, whole.width(), height);
        if self.style.is_small {
            self.canvas.fill(area(0, height - 1, whole.width(), 1), self.style.colours.text);
        } else {
            self.canvas.fill(bar, self.style.colours.faint);
        }
        let end_width = font.width(end);
        self.canvas.icon(area(gap / 2, 0, font.line(), height), font, colour, icon);
        let start = gap / 2 + font.line() + gap;
        let place = area(whole.width() - gap - end_width, 0, end_width, height);
        self.canvas.elided(place, Align::Right, font, self.style.colours.dim, end);
        let mut room = place.left() - start - if end.is_empty() { 0 } else { gap };
        if self.interface.place().is_some() && self.interface.messages.count() > 0 {
            // What waits at home.
            room -= font.line() + gap;
            let place = area(start + room + gap, 0, font.line(), height);
            self.canvas.icon(place, font, self.style.colours.warning, Icon::Alert);
        }
        self.canvas.text(area(start, 0, room, height), Align::Left, font, colour, title);
        area(0, height, whole.width(), whole.height() - height)
    }

    /// The network's quality as bars that grow: best is five, unusable none.
    pub(super) fn signal(&mut self, place: Rectangle) {
        let quality = self.view.quality.min(6);
        let lit = if quality == 0 { 0 } else { 6 - i32::from(quality) };
        let colour = self.style.of_quality(quality);
        let pitch = (place.width() / BARS).max(2);
        for bar in 0..BARS {
            let height = place.height() * (bar + 1) / BARS;
            let shape = area(place.left() + bar * pitch, place.bottom() - height, (pitch - 1).max(1), height);
            if bar < lit {
                self.canvas.fill(shape, colour);
            } else if self.style.is_small {
                self.canvas.fill(area(shape.left(), place.bottom() - 1, shape.width(), 1), colour);
            } else {
                self.canvas.fill(shape, self.style.colours.faint);
            }
        }
    }

    /// The bitrate of the last minutes as columns, the newest at the right; a line tells the target.
    pub(super) fn graph(&mut self, place: Rectangle) {
        let (view, stroke) = (self.view, if self.style.is_small { 1 } else { self.style.gap / 3 });
        let highest = view.history.newest_first().max().unwrap_or(0).max(view.target).max(1);
        // A little air above the highest.
        let top = highest.saturating_add(highest / 8);
        if !self.style.is_small {
            self.canvas.fill(place, self.style.colours.faint);
        }
        let column = stroke.max(place.width() / SAMPLES as i32).max(1);
        for (number, kbps) in (1..=place.width() / column).zip(view.history.newest_first()) {
            let height = part(place.height(), kbps, top);
            let shape = area(place.right() - number * column, place.bottom() - height, column, height);
            self.canvas.fill(shape, self.style.colours.accent);
        }
        if view.target > 0 {
            let stroke = stroke.max(1);
            let y = place.bottom() - part(place.height(), view.target, top) - stroke / 2;
            for x in (place.left()..place.right()).step_by(4 * stroke as usize) {
                let dash = area(x, y, (2 * stroke).min(place.right() - x), stroke);
                self.canvas.fill(dash, self.style.colours.text);
            }
        }
    }

    /// Microphone and its level; crossed out while nobody hears it.
    pub(super) fn microphone(&mut self, place: Rectangle) {
        let properties = self.view.store.properties();
        let is_off = properties.muted || !properties.enable_mic;
        let (icon, colour) = if is_off {
            (Icon::Muted, self.style.colours.bad)
        } else {
            (Icon::Microphone, self.style.colours.text)
        };
        let side = self.style.font.line();
        let square = area(place.left(), place.top(), side, place.height());
        self.canvas.icon(square, self.style.font, colour, icon);
        let left = square.right() + self.style.gap;
        let height = place.height() / 2;
        let bar = area(left, place.top() + (place.height() - height) / 2, place.right() - left, height);
        let volume = if is_off { 0 } else { self.view.volume.unwrap_or(0).min(100) };
        let stroke = if self.style.is_small { 1 } else { (self.style.gap / 6).max(1) };
        self.canvas.frame(bar, self.style.colours.dim, stroke);
        let inside = area(
            bar.left() + 2 * stroke,
            bar.top() + 2 * stroke,
            bar.width() - 4 * stroke,
            bar.height() - 4 * stroke,
        );
        let colour = match volume {
            0..=84 => self.style.colours.good,
            85..=94 => self.style.colours.warning,
            _ => self.style.colours.bad,
        };
        let level = part(inside.width(), volume.into(), 100);
        self.canvas.fill(area(inside.left(), inside.top(), level, inside.height()), colour);
    }

    /// An icon with words behind it at `left`; returns where the next may begin.
    pub(super) fn labelled(
        &mut self,
        left: i32,
        row: Rectangle,
        icon: Icon,
        words: &str,
        colour: Rgb565,
    ) -> i32 {
        let font = self.style.font;
        let side = font.line();
        self.canvas.icon(area(left, row.top(), side, row.height()), font, colour, icon);
        if words.is_empty() {
            return left + side + self.style.gap;
        }
        let start = left + side + if self.style.is_small { 2 } else { self.style.gap / 2 };
        let room = (row.right() - start).min(font.width(words));
        self.canvas.text(area(start, row.top(), room, row.height()), Align::Left, font, colour, words);
        start + room + self.style.gap
    }

    /// What became of a person's wish, over everything else, at the lower edge.
    pub(super) fn answer(&mut self, words: &str, is_good: bool) {
        let (whole, height) = (self.whole(), self.row());
        let bar = area(0, whole.bottom() - height, whole.width(), height);
        let colours = self.style.colours;
        self.canvas.fill(bar, if is_good { colours.good } else { colours.bad });
        // Above may be a marked line.
        self.canvas.fill(area(bar.left(), bar.top(), bar.width(), 1), colours.background);
        self.canvas.text(bar, Align::Centre, self.style.font, Rgb565::default(), words);
    }
}
