//! What the box does, on a display of two colours: four lines, the first lit while the box is on air.

use embedded_graphics::pixelcolor::Rgb565;
use embedded_graphics::primitives::Rectangle;
use live_pusher::State;

use super::Scene;
use crate::brush::{Align, Sides, area};
use crate::icon::Icon;
use crate::line::{Line, duration};

impl Scene<'_, '_> {
    pub(super) fn home_small(&mut self) {
        let whole = self.whole();
        let pitch = (whole.height() / 4).max(self.style.font.line());
        let row = |number: i32| area(0, number * pitch, whole.width(), pitch.min(14));
        let lines = [Self::state_small, Self::rate_small, Self::devices_small, Self::health_small];
        // Of a low display, the first that have room.
        let rows = (whole.height() - self.style.font.line()) / pitch + 1;
        let notice = self.interface.messages.first();
        let free = if notice.is_some() { rows / 2 } else { rows };
        for (number, line) in (0..free).zip(lines) {
            line(self, row(number));
        }
        if let Some(code) = notice {
            let top = free * pitch;
            self.notice(code, area(0, top, whole.width(), whole.height() - top));
        }
    }

    fn state_small(&mut self, row: Rectangle) {
        let (font, colours) = (self.style.font, self.style.colours);
        let is_on_air = self.view.state == State::Pushing;
        let colour = if is_on_air { colours.background } else { colours.text };
        if is_on_air {
            self.canvas.fill(row, colours.text);
        }
        let word = (self.words.state)(self.view.state);
        let left = self.labelled(1, row, Icon::of_state(self.view.state), word, colour);
        let end = match (self.pause_reason(), self.view.on_air) {
            (Some(reason), _) => Line::of(format_args!("{}", (self.words.reason)(reason))),
            (None, Some(time)) => duration(time),
            (None, None) => Line::new(),
        };
        let place = area(left, row.top(), row.right() - 2 - left, row.height());
        self.canvas.text(place, Align::Right, font, colour, end.as_str());
    }

    /// What a person is to do, where there is something, else the rate.
    fn rate_small(&mut self, row: Rectangle) {
        let font = self.style.font;
        let view = self.view;
        let has_rate = matches!(view.state, State::Connecting | State::Pushing | State::Reconnecting);
        if let Some((what, remedy)) = self.remedy().filter(|_| !has_rate) {
            let is_well = view.reasons.is_empty() && !view.lacks_network();
            let words = if is_well { what } else { remedy };
            self.canvas.text(row, Align::Centre, font, self.style.colours.text, words.as_str());
            return;
        }
        self.signal(area(row.left() + 1, row.top() + 2, 15, 10));
        let figures = Line::of(format_args!("{}/{}", self.view.bitrate, self.view.target));
        let width = font.width(figures.as_str());
        let place = area(row.left() + 19, row.top(), width, row.height());
        self.canvas.text(place, Align::Left, font, self.style.colours.text, figures.as_str());
        let left = (place.right() + 4).max(row.left() + row.width() * 5 / 8);
        self.graph(area(left, row.top() + 1, row.right() - left, row.height() - 2));
    }

    fn devices_small(&mut self, row: Rectangle) {
        let colour = self.style.colours.text;
        let width = row.width() * 5 / 12;
        self.microphone(area(row.left(), row.top(), width, row.height()));
        let (icon, words, _) = self.camera();
        let left = self.labelled(row.left() + width + 4, row, icon, words, colour);
        if self.view.torch {
            let place = area(left, row.top(), self.style.font.line(), row.height());
            self.canvas.icon(place, self.style.font, colour, Icon::Torch);
        }
    }

    fn health_small(&mut self, row: Rectangle) {
        let colour: Rgb565 = self.style.colours.text;
        let dropped = Line::of(format_args!("{}", self.view.dropped));
        let mut left = self.labelled(row.left(), row, Icon::Lost, dropped.as_str(), colour);
        if let Some(degrees) = self.view.temperature {
            left = left.max(row.left() + row.width() * 5 / 12 + 4);
            let heat = Line::of(format_args!("{degrees}°"));
            self.labelled(left, row, self.heat(degrees).0, heat.as_str(), colour);
        }
    }
}
