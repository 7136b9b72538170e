//! What the box does, on a display with colours.

use embedded_graphics::pixelcolor::Rgb565;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use live_pusher::{Reason, State};

use super::Scene;
use super::preview::home_place;
use crate::brush::{Align, Sides, area};
use crate::icon::Icon;
use crate::line::{Line, duration};

impl Scene<'_, '_> {
    pub(super) fn home(&mut self) {
        let (whole, gap) = (self.whole(), self.style.gap);
        let rows = if whole.width() * 10 > whole.height() * 12 { 2 } else { 3 };
        let top = area(0, 0, whole.width(), self.style.title.line() + gap);
        let height = rows * self.row() + gap;
        let bottom = area(0, whole.bottom() - height, whole.width(), height);
        let notice = self.interface.messages.first();
        let height = if notice.is_some() { self.notice_height() } else { 0 };
        let bar = area(0, bottom.top() - height, whole.width(), height);
        match &self.view.preview {
            Some(picture) => {
                self.canvas.cover(home_place(self.view, self.canvas.size()), picture);
                self.canvas.shade(top);
                self.canvas.shade(bottom);
            }
            None => self.state_picture(area(0, top.bottom(), whole.width(), bar.top() - top.bottom())),
        }
        self.state(top);
        let row = |number| {
            area(gap, bottom.top() + gap / 2 + number * self.row(), whole.width() - 2 * gap, self.row())
        };
        let lines = [row(0), row(1), row(rows - 1)];
        self.rate(lines[0]);
        self.devices(lines[1], lines[2]);
        if let Some(code) = notice {
            self.notice(code, bar);
        }
    }

    /// Icon and word of the state, and how long the box has been on air.
    fn state(&mut self, place: Rectangle) {
        let (title, gap, colour) = (self.style.title, self.style.gap, self.style.of_state(self.view.state));
        let side = title.line();
        let icon = Icon::of_state(self.view.state);
        self.canvas.icon(area(gap / 2, place.top(), side, place.height()), title, colour, icon);
        let left = gap + side;
        let time = self.view.on_air.map(duration);
        let time = time.as_ref().map_or("", Line::as_str);
        let width = self.style.font.width(time);
        let end = area(place.right() - gap - width, place.top(), width, place.height());
        self.canvas.text(end, Align::Right, self.style.font, self.style.colours.text, time);
        let word = (self.words.state)(self.view.state);
        let room = area(left, place.top(), end.left() - left, place.height());
        self.canvas.text(room, Align::Left, title, colour, word);
    }

    /// In place of a preview: the state again, to be seen from afar, and what a person is to do.
    fn state_picture(&mut self, place: Rectangle) {
        let ((icon, colour), gap, font) = (self.absence(), self.style.gap, self.style.font);
        let lines = self.remedy().map_or([Line::new(), Line::new()], |(what, remedy)| [what, remedy]);
        let width = place.width() - 2 * gap;
        let count = lines.iter().map(|line| font.lines(line.as_str(), width).count()).sum::<usize>() as i32;
        let text = count * font.line() + if count > 0 { gap } else { 0 };
        let side = (place.height() - text - gap).min(self.style.picture);
        let top = place.top() + (place.height() - side - text) / 2;
        self.canvas.picture(area(place.left(), top, place.width(), side), colour, icon);
        let mut top = top + side + gap / 2;
        for (line, colour) in lines.iter().zip([self.style.colours.text, self.style.colours.dim]) {
            let below = area(place.left() + gap, top, width, place.bottom() - top);
            top = self.canvas.paragraph(below, Align::Centre, font, colour, line.as_str());
        }
    }

    /// What stands for the picture that there is not.
    pub(super) fn absence(&self) -> (Icon, Rgb565) {
        let icon = match self.pause_reason() {
            Some(Reason::Privacy) => Icon::Privacy,
            Some(Reason::Interrupt) => Icon::Call,
            Some(Reason::Background) => Icon::Sleep,
            Some(Reason::Api) => Icon::Pause,
            None if self.view.lacks_network() => Icon::NoNetwork,
            None if self.view.state != State::Idle && self.camera().0 == Icon::CameraOff => Icon::CameraOff,
            None => Icon::of_state(self.view.state),
        };
        (icon, self.style.of_state(self.view.state))
    }

    /// Quality of the network, bitrate beside its target, and how it went.
    fn rate(&mut self, row: Rectangle) {
        let (font, gap) = (self.style.font, self.style.gap);
        let side = font.line() * 3 / 4;
        let middle = row.top() + (row.height() - side) / 2;
        self.signal(area(row.left(), middle, side * 5 / 4, side));
        let left = row.left() + side * 5 / 4 + gap;
        let figures = Line::of(format_args!("{}/{} kb/s", self.view.bitrate, self.view.target));
        let width = font.width(figures.as_str());
        self.canvas.text(
            area(left, row.top(), width, row.height()),
            Align::Left,
            font,
            self.style.colours.text,
            figures.as_str(),
        );
        let start = left + width + gap;
        self.graph(area(start, row.top() + gap / 2, row.right() - start, row.height() - gap));
    }

    /// On one row or on two: microphone, camera, lamp, temperature, lost pictures.
    fn devices(&mut self, first: Rectangle, second: Rectangle) {
        let (colours, gap, side) = (self.style.colours, self.style.gap, self.style.font.line());
        let is_one_row = first == second;
        let width = if is_one_row { first.width() / 4 } else { first.width() * 2 / 5 };
        self.microphone(area(first.left(), first.top(), width, first.height()));
        let (icon, words, colour) = self.camera();
        let left = self.labelled(first.left() + width + gap, first, icon, words, colour);
        let lamp = area(left, first.top(), side, first.height());
        if self.view.torch {
            self.canvas.icon(lamp, self.style.font, colours.warning, Icon::Torch);
        }
        let left = if is_one_row { lamp.right() + gap } else { second.left() };
        let heat = self.view.temperature.map_or(Line::new(), |degrees| Line::of(format_args!("{degrees}°")));
        let (icon, colour) = self.heat(self.view.temperature.unwrap_or_default());
        let left = if heat.as_str().is_empty() {
            left
        } else {
            self.labelled(left, second, icon, heat.as_str(), colour)
        };
        let dropped = Line::of(format_args!("{}", self.view.dropped));
        let colour = if self.view.dropped > 0 { colours.warning } else { colours.text };
        self.labelled(left, second, Icon::Lost, dropped.as_str(), colour);
    }
}
