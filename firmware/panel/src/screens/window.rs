//! The preview in a small window over the menus (12.5).

use embedded_graphics::primitives::Rectangle;

use super::Scene;
use crate::brush::{Sides, area};
use crate::icon::Icon;

impl Scene<'_, '_> {
    /// A quarter of the display's width, in a corner between header and footer.
    fn window_place(&self) -> Rectangle {
        let (whole, gap) = (self.whole(), self.style.gap);
        let (width, height) = self.view.preview.map_or((16, 9), |picture| picture.size());
        let across = whole.width() / 4;
        let room = whole.height() - 2 * self.row() - 2 * gap;
        let down = (i64::from(across) * i64::from(height) / i64::from(width.max(1))).min(room.into()) as i32;
        let corner = self.interface.corner;
        let left = if corner.is_left() { gap } else { whole.width() - across - gap };
        let top = if corner.is_lower() { whole.height() - self.row() - gap - down } else { self.row() + gap };
        area(left, top, across, down)
    }

    /// What lists may use, so that the window hides nothing of them.
    pub(super) fn beside_window(&self) -> Rectangle {
        let whole = self.whole();
        if !self.interface.has_window(self.view) {
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

    pub(super) fn window(&mut self) {
        let (place, stroke) = (self.window_place(), (self.style.gap / 3).max(1));
        let Some(picture) = self.view.preview else {
            return;
        };
        self.canvas.cover(place, &picture);
        self.canvas.frame(place, self.style.colours.text, stroke);
        let side = self.style.font.line();
        let close = area(place.right() - side, place.top(), side, side);
        self.canvas.shade(close);
        self.canvas.icon(close, self.style.font, self.style.colours.text, Icon::Close);
    }
}
