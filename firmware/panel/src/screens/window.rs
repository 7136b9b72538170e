//! The preview in a small window over the menus (12.5).

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::Scene;
use super::preview::has_preview;
use crate::brush::{Sides, area};
use crate::canvas::Colours;
use crate::icon::Icon;
use crate::interface::Corner;
use crate::style::Style;
use crate::view::View;

/// A quarter of the display's width, in a corner between header and footer.
pub(super) fn place(corner: Corner, view: &View<'_>, display: Size) -> Rectangle {
    let style = Style::of(display, Colours::Many);
    let (width, height) = (display.width as i32, display.height as i32);
    let (gap, row, shape) = (style.gap, style.font.line() + style.gap, view.shape);
    let across = (width / 4) & !1;
    let room = height - 2 * row - 2 * gap;
    let down = (i64::from(across) * i64::from(shape.height) / i64::from(shape.width.max(1))).min(room.into());
    let down = down as i32 & !1;
    let left = if corner.is_left() { gap } else { width - across - gap };
    let top = if corner.is_lower() { height - row - gap - down } else { row + gap };
    area(left, top, across, down)
}

impl Scene<'_, '_> {
    fn window_place(&self) -> Rectangle {
        place(self.interface.corner, self.view, self.canvas.size())
    }

    /// What lists may use, so that the window hides nothing of them.
    pub(super) fn beside_window(&self) -> Rectangle {
        let whole = self.whole();
        if !self.has_window() {
            return whole;
        }
        let window = self.window_place();
        if self.interface.corner.is_left() {
            let left = window.right() + self.style.gap;
            area(left, 0, whole.width() - left, whole.height())
        } else {
            area(0, 0, window.left() - self.style.gap, whole.height())
        }
    }

    pub(super) fn has_window(&self) -> bool {
        has_preview(self.canvas) && self.interface.window(self.view).is_some()
    }

    pub(super) fn window(&mut self) {
        let (place, stroke) = (self.window_place(), (self.style.gap / 3).max(1));
        let colours = self.style.colours;
        if let Some(picture) = &self.view.preview {
            self.canvas.cover(place, picture);
        } else {
            self.canvas.fill(place, colours.faint);
            let (icon, colour) = self.absence();
            let side = (place.width().min(place.height()) / 2).min(self.style.picture);
            let middle = area(place.left(), place.top() + (place.height() - side) / 2, place.width(), side);
            self.canvas.picture(middle, colour, icon);
        }
        self.canvas.frame(place, colours.text, stroke);
        let side = self.style.font.line();
        let close = area(place.right() - side, place.top(), side, side);
        self.canvas.shade(close);
        self.canvas.icon(close, self.style.font, colours.text, Icon::Close);
    }
}
