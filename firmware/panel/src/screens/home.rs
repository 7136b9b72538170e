//! What the box does, on a display with colours.

use embedded_graphics::pixelcolor::Rgb565;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use live_pusher::{Reason, State};

use super::Scene;
use super::parts::duration;
use super::preview::home_place;
use crate::brush::{Align, Sides, area};
use crate::icon::Icon;
use crate::line::Line;

/// Degrees Celsius from which the temperature is a warning: most boards slow down at 85.
const HOT: i16 = 75;

impl Scene<'_, '_> {
    pub(super) fn home(&mut self) {
        let (whole, gap) = (self.whole(), self.style.gap);
        let rows = if whole.width() * 10 > whole.height() * 12 { 2 } else { 3 };
        let top = area(0, 0, whole.width(), self.style.title.line() + gap);
        let height = rows * self.row() + gap;
        let bottom = area(0, whole.bottom() - height, whole.width(), height);
        match &self.view.preview {
            Some(picture) => {
                self.canvas.cover(home_place(self.view, self.canvas.size()), picture);
                self.canvas.shade(top);
                self.canvas.shade(bottom);
            }
            None => self.state_picture(area(0, top.bottom(), whole.width(), bottom.top() - top.bottom())),
        }
        self.state(top);
        let row = |number| {
            area(gap, bottom.top() + gap / 2 + number * self.row(), whole.width() - 2 * gap, self.row())
        };
        let lines = [row(0), row(1), row(rows - 1)];
        self.rate(lines[0]);
        self.devices(lines[1], lines[2]);
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

    /// In place of a preview: the state again, to be seen from afar, and why it is paused.
    fn state_picture(&mut self, place: Rectangle) {
        let ((icon, colour), gap) = (self.absence(), self.style.gap);
        let words = match self.pause_reason() {
            Some(reason) => Line::of(format_args!("{}", (self.words.reason)(reason))),
            None if self.is_camera_off() => {
                Line::of(format_args!("{}: {}", self.words.camera, self.words.off))
            }
            None if self.view.state == State::Idle => Line::of(format_args!("{}", self.words.press)),
            None => Line::new(),
        };
        let words = words.as_str();
        let line = if words.is_empty() { 0 } else { self.style.font.line() + gap };
        let side = (place.height() - line - 2 * gap).min(self.style.picture);
        let top = place.top() + (place.height() - side - line) / 2;
        self.canvas.picture(area(place.left(), top, place.width(), side), colour, icon);
        if !words.is_empty() {
            let below = area(place.left(), top + side + gap / 2, place.width(), self.style.font.line());
            self.canvas.text(below, Align::Centre, self.style.font, self.style.colours.text, words);
        }
    }

    /// What stands for the picture that there is not.
    pub(super) fn absence(&self) -> (Icon, Rgb565) {
        let icon = match self.pause_reason() {
            Some(Reason::Privacy) => Icon::Privacy,
            Some(Reason::Interrupt) => Icon::Call,
            Some(Reason::Background) => Icon::Sleep,
            Some(Reason::Api) => Icon::Pause,
            None if self.is_camera_off() => Icon::CameraOff,
            None => Icon::of_state(self.view.state),
        };
        (icon, self.style.of_state(self.view.state))
    }

    fn is_camera_off(&self) -> bool {
        self.view.shows_preview && !self.view.store.properties().enable_camera
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
        let (icon, colour) = self.camera_icon();
        let position = (self.words.choice)("device-position", self.view.position.name()).unwrap_or_default();
        let left = self.labelled(first.left() + width + gap, first, icon, position, colour);
        let lamp = area(left, first.top(), side, first.height());
        if self.view.torch {
            self.canvas.icon(lamp, self.style.font, colours.warning, Icon::Torch);
        }
        let left = if is_one_row { lamp.right() + gap } else { second.left() };
        let heat = self.view.temperature.map_or(Line::new(), |degrees| Line::of(format_args!("{degrees}°")));
        let (icon, colour) = match self.view.temperature {
            Some(HOT..) => (Icon::Hot, colours.bad),
            _ => (Icon::Heat, colours.text),
        };
        let left = if heat.as_str().is_empty() {
            left
        } else {
            self.labelled(left, second, icon, heat.as_str(), colour)
        };
        let dropped = Line::of(format_args!("{}", self.view.dropped));
        let colour = if self.view.dropped > 0 { colours.warning } else { colours.text };
        self.labelled(left, second, Icon::Dropped, dropped.as_str(), colour);
    }

    pub(super) fn camera_icon(&self) -> (Icon, Rgb565) {
        if !self.view.store.properties().enable_camera {
            (Icon::CameraOff, self.style.colours.bad)
        } else if self.view.camera_runs {
            (Icon::Camera, self.style.colours.good)
        } else {
            (Icon::Camera, self.style.colours.text)
        }
    }
}
