//! A number that is being set.

use embedded_graphics::pixelcolor::Rgb565;
use live_pusher::{Kind, Property};

use super::Scene;
use crate::brush::{Align, Sides, area, part};
use crate::icon::Icon;
use crate::line::Line;
use crate::menu::Page;
use crate::value::unit;

/// Parts of the slider.
const PARTS: f64 = 10_000.0;

impl Scene<'_, '_> {
    pub(super) fn number(&mut self, property: &'static Property, value: f64) {
        let (colours, gap, font) = (self.style.colours, self.style.gap, self.style.font);
        let page = Page::Number { property, value };
        let body = self.header(page.icon(), page.title(self.words), colours.text, "");
        let free = self.beside_window();
        let body = area(free.left() + gap, body.top(), free.width() - 2 * gap, body.height());
        let Kind::Number { low, high, .. } = property.kind else {
            return;
        };
        let title = self.style.title;
        let bar = if self.style.is_small { 6 } else { font.line() / 2 };
        let height = title.line() + bar + font.line() + 2 * gap;
        let foot = if self.style.is_small { font.line() } else { self.row() };
        let has_foot = body.height() >= height + foot;
        let body =
            if has_foot { area(body.left(), body.top(), body.width(), body.height() - foot) } else { body };
        let top = body.top() + (body.height() - height).max(0) / 2;
        let row = area(body.left(), top, body.width(), title.line());
        let arrow = |x| area(x, row.top(), title.line(), row.height());
        self.canvas.icon(arrow(row.left()), title, self.lit_if(value > low), Icon::Down);
        self.canvas.icon(arrow(row.right() - title.line()), title, self.lit_if(value < high), Icon::Up);
        let figure = Line::of(format_args!("{value}{}", unit(property)));
        self.canvas.text(row, Align::Centre, title, colours.text, figure.as_str());
        let slider = area(body.left(), row.bottom() + gap, body.width(), bar);
        self.canvas.frame(slider, colours.dim, if self.style.is_small { 1 } else { gap / 3 });
        let share = ((value - low) / (high - low) * PARTS) as u32;
        let done = area(slider.left(), slider.top(), part(slider.width(), share, PARTS as u32), bar);
        self.canvas.fill(done, colours.accent);
        let ends = area(body.left(), slider.bottom() + gap, body.width(), font.line());
        let end = |value: f64| Line::of(format_args!("{value}"));
        self.canvas.elided(ends, Align::Left, font, colours.dim, end(low).as_str());
        self.canvas.elided(ends, Align::Right, font, colours.dim, end(high).as_str());
        if has_foot {
            self.keep_or_leave();
        }
    }

    fn lit_if(&self, is_lit: bool) -> Rgb565 {
        if is_lit { self.style.colours.accent } else { self.style.colours.faint }
    }
}
