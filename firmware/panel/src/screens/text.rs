//! A text, which needs a keyboard that the box has not: it is shown, and told how to change it.

use live_pusher::Property;

use super::Scene;
use crate::brush::{Align, Sides, area};
use crate::menu::Page;
use crate::value::Setting;

impl Scene<'_, '_> {
    pub(super) fn text_page(&mut self, property: &'static Property) {
        let (colours, gap, font) = (self.style.colours, self.style.gap, self.style.font);
        let page = Page::Text(property);
        let body = self.header(page.icon(), page.title(self.words), colours.text, "");
        let free = self.beside_window();
        let body = area(free.left() + gap, body.top() + gap, free.width() - 2 * gap, body.height() - 2 * gap);
        let value = Setting::of(self.view.store, property).long(property, self.words);
        let advice = self.words.by_set_up;
        let hint = font.lines(advice, body.width()).count() as i32 * font.line();
        let rows = ((body.height() - hint) / font.line()).max(0) as usize;
        for (number, line) in font.lines(value.as_str(), body.width()).take(rows).enumerate() {
            let top = body.top() + number as i32 * font.line();
            self.canvas.elided(
                area(body.left(), top, body.width(), font.line()),
                Align::Left,
                font,
                colours.text,
                line,
            );
        }
        let below = area(body.left(), body.bottom() - hint, body.width(), hint);
        self.canvas.paragraph(below, Align::Left, font, colours.accent, advice);
    }
}
