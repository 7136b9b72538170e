//! What several screens have.

use embedded_graphics::pixelcolor::Rgb565;
use embedded_graphics::primitives::Rectangle;
use live_pusher::{Code, Reason, State};

use super::Scene;
use crate::brush::{Align, Sides, area, part};
use crate::icon::Icon;
use crate::line::Line;
use crate::view::{Gesture, Press, SAMPLES};

/// Degrees Celsius from which the temperature is a warning: most boards slow down at 85.
const HOT: i16 = 75;
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

    /// A button, and what it does; empty where no button does it.
    pub(super) fn hint(&self, press: Option<&Press>, what: &str) -> Line {
        let Some(press) = press else {
            return Line::new();
        };
        let words = self.words;
        Line::of(format_args!("{}{}{what}", self.button(press).as_str(), words.colon))
    }

    fn button(&self, Press { button, gesture }: &Press) -> Line {
        let name = (self.words.button)(button).unwrap_or(button);
        Line::of(format_args!("{}{name}", self.gesture(*gesture)))
    }

    fn gesture(&self, gesture: Gesture) -> &'static str {
        match gesture {
            Gesture::Short => "",
            Gesture::Double => self.words.double,
            Gesture::Long => self.words.long,
        }
    }

    /// What is missing for a picture to be seen, or to go out, and what a person does about it.
    pub(super) fn remedy(&self) -> Option<(Line, Line)> {
        let (words, buttons) = (self.words, &self.view.about.buttons);
        let line = |text: &str| Line::of(format_args!("{text}"));
        let properties = self.view.store.properties();
        Some(match self.pause_reason() {
            Some(Reason::Api) => {
                (line((words.reason)(Reason::Api)), self.hint(buttons.resume.as_ref(), words.go_on))
            }
            Some(reason) => (line((words.reason)(reason)), line((words.pause_end)(reason))),
            None if self.view.lacks_network() => (line(words.no_network), line(words.no_network_hint)),
            None if self.view.shows_preview && !properties.enable_camera => {
                (Line::of(format_args!("{}{}{}", words.camera, words.colon, words.off)), Line::new())
            }
            None if self.interface.lacks_camera(self.view.now) => {
                let advice = (words.code)(Code::CameraFailed);
                (line(advice.sentence), line(advice.remedy))
            }
            None if matches!(self.view.state, State::Idle | State::Previewing) => {
                let settings = self.hint(buttons.menu.as_ref(), words.settings);
                (self.hint(buttons.start.as_ref(), words.go_live), settings)
            }
            None => return None,
        })
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

    /// The bar at the bottom, with what the buttons do; without the second where there is no room for both.
    pub(super) fn foot(&mut self, first: &str, second: &str) {
        let (whole, height, font, gap) = (self.whole(), self.row(), self.style.font, self.style.gap);
        let height = if self.style.is_small { font.line() } else { height };
        let bar = area(0, whole.bottom() - height, whole.width(), height);
        let colour = self.style.colours.accent;
        if !self.style.is_small {
            self.canvas.fill(bar, self.style.colours.faint);
        }
        let place = area(gap, bar.top(), bar.width() - 2 * gap, height);
        let has_room = font.width(first) + 2 * gap + font.width(second) <= place.width();
        if second.is_empty() || first.is_empty() || !has_room {
            let only = if first.is_empty() { second } else { first };
            self.canvas.text(place, Align::Centre, font, colour, only);
        } else {
            self.canvas.text(place, Align::Left, font, colour, first);
            self.canvas.text(place, Align::Right, font, colour, second);
        }
    }

    /// What keeps a change and what leaves without; of one button its name is said once.
    pub(super) fn keep_or_leave(&mut self) {
        let buttons = &self.view.about.buttons;
        let keep = self.hint(buttons.choose.as_ref(), self.words.keep);
        let leave = match (&buttons.choose, &buttons.back) {
            (Some(keep), Some(Press { button, gesture })) if keep.button == *button => {
                let gesture = self.gesture(*gesture).trim_end();
                Line::of(format_args!("{gesture}{}{}", self.words.colon, self.words.back))
            }
            (_, back) => self.hint(back.as_ref(), self.words.back),
        };
        self.foot(keep.as_str(), leave.as_str());
    }

    /// The network's quality as bars that grow: best is five, unusable none.
    pub(super) fn signal(&mut self, place: Rectangle) {
        let quality = self.view.quality.min(6);
        if self.view.lacks_network() {
            let place = area(place.left(), place.top() - 1, place.width(), place.height() + 2);
            self.canvas.icon(place, self.style.font, self.style.colours.bad, Icon::NoNetwork);
            return;
        }
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
        if quality == 6 {
            self.canvas.icon(place, self.style.font, colour, Icon::Unusable);
        }
    }

    pub(super) fn heat(&self, degrees: i16) -> (Icon, Rgb565) {
        match degrees {
            HOT.. => (Icon::Hot, self.style.colours.bad),
            _ => (Icon::Heat, self.style.colours.text),
        }
    }

    /// The camera's icon and what is said of it.
    pub(super) fn camera(&self) -> (Icon, &'static str, Rgb565) {
        let colours = self.style.colours;
        if !self.view.store.properties().enable_camera {
            return (Icon::CameraOff, self.words.off, colours.bad);
        }
        if self.interface.lacks_camera(self.view.now) {
            return (Icon::CameraOff, self.words.failed, colours.bad);
        }
        let position = (self.words.choice)("device-position", self.view.position.name()).unwrap_or_default();
        (Icon::Camera, position, if self.view.camera_runs { colours.good } else { colours.text })
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

    /// Microphone and its level; crossed out while nobody hears it, without a level where it should be heard.
    pub(super) fn microphone(&mut self, place: Rectangle) {
        let properties = self.view.store.properties();
        let is_off = properties.muted || !properties.enable_mic;
        let has_failed = self.interface.lacks_microphone(self.view.now);
        let (icon, colour) = if is_off || has_failed {
            (Icon::Muted, self.style.colours.bad)
        } else {
            (Icon::Microphone, self.style.colours.text)
        };
        let side = self.style.font.line();
        let square = area(place.left(), place.top(), side, place.height());
        self.canvas.icon(square, self.style.font, colour, icon);
        let left = square.right() + self.style.gap;
        if has_failed && !is_off {
            let left = square.right() + self.style.gap / 3;
            let room = area(left, place.top(), place.right() - left, place.height());
            self.canvas.text(room, Align::Left, self.style.font, colour, self.words.failed);
            return;
        }
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
