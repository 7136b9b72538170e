//! A list to choose from.

use embedded_graphics::primitives::Rectangle;

use super::Scene;
use crate::brush::{Align, Sides, area, part};
use crate::icon::Icon;
use crate::line::Line;
use crate::menu::{Item, Page};
use crate::value::Setting;

impl Scene<'_, '_> {
    pub(super) fn list(&mut self, page: Page, marked: usize) {
        let count = self.interface.items(page, self.view).count();
        let place = Line::of(format_args!("{}/{count}", marked + 1));
        let colour = self.style.colours.text;
        let below = self.header(page.icon(), page.title(self.words), colour, place.as_str());
        let footer = if self.style.is_small { 0 } else { self.row() };
        let window = self.beside_window();
        let body = area(window.left(), below.top(), window.width(), below.height() - footer);
        let visible = ((body.height() / self.row()).max(1) as usize).min(count.max(1));
        let first = marked.saturating_sub(visible / 2).min(count - visible.min(count));
        let bar = if count > visible { self.style.gap } else { 0 };
        for (number, item) in self.interface.items(page, self.view).enumerate().skip(first).take(visible) {
            let top = body.top() + (number - first) as i32 * self.row();
            self.item(area(body.left(), top, body.width() - bar, self.row()), item, number == marked);
        }
        if bar > 0 {
            let at = |line: usize| part(body.height(), line as u32, count as u32);
            let slider = area(body.right() - bar / 2, body.top() + at(first), bar / 2, at(visible));
            self.canvas.fill(slider, self.style.colours.dim);
        }
        if let (true, Some(item)) = (footer > 0, self.interface.items(page, self.view).nth(marked)) {
            self.footer(item);
        }
    }

    fn item(&mut self, row: Rectangle, item: Item, is_marked: bool) {
        let (font, gap, colours) = (self.style.font, self.style.gap, self.style.colours);
        let (text, dim) =
            if is_marked { (colours.background, colours.background) } else { (colours.text, colours.dim) };
        if is_marked {
            self.canvas.fill(row, colours.accent);
        }
        let mut left = row.left() + gap;
        let icon = item
            .icon()
            .or_else(|| item.is_chosen(self.view, self.interface.language).then_some(Icon::Chosen));
        let has_icons = !matches!(item, Item::Property(_) | Item::Fact(_));
        if let Some(icon) = icon {
            self.canvas.icon(area(left, row.top(), font.line(), row.height()), font, text, icon);
        }
        if has_icons {
            left += font.line() + gap;
        }
        let label = item.label(self.words);
        let value = item.value(self.view, self.words);
        let (width, room) = (font.width(value.as_str()), row.right() - gap - left);
        // Of a fact the value matters, of a setting the name; the footer has its value.
        let shown = match item {
            Item::Fact(_) => width.min(room),
            _ if font.width(label) + gap + width > room => 0,
            _ => width,
        };
        let end = area(row.right() - gap - shown, row.top(), shown, row.height());
        self.canvas.elided(end, Align::Right, font, dim, if shown > 0 { value.as_str() } else { "" });
        let place = area(left, row.top(), end.left() - left, row.height());
        match item {
            Item::Fact(_) | Item::Past(_) => self.canvas.elided(place, Align::Left, font, text, label),
            _ => self.canvas.text(place, Align::Left, font, text, label),
        }
    }

    /// The whole value of what is marked.
    fn footer(&mut self, item: Item) {
        let Item::Property(property) = item else {
            return;
        };
        let (whole, row, gap) = (self.whole(), self.row(), self.style.gap);
        let bar = area(0, whole.bottom() - row, whole.width(), row);
        self.canvas.fill(bar, self.style.colours.faint);
        let value = Setting::of(self.view.store, property).long(property, self.words);
        let place = area(gap, bar.top(), bar.width() - 2 * gap, row);
        self.canvas.elided(place, Align::Left, self.style.font, self.style.colours.dim, value.as_str());
    }
}
