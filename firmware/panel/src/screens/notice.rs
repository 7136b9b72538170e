//! What is not as it might be while the stream goes on: a bar that leaves home in sight.

use embedded_graphics::primitives::Rectangle;
use live_pusher::Code;

use super::Scene;
use crate::brush::{Align, Sides, area, balanced};
use crate::icon::Icon;

/// Lines of the bar.
const LINES: i32 = 2;

impl Scene<'_, '_> {
    pub(super) fn notice_height(&self) -> i32 {
        LINES * self.style.font.line() + self.style.gap
    }

    /// Sentence, remedy and button: together where there is room, else in turn.
    pub(super) fn notice(&mut self, code: Code, bar: Rectangle) {
        let (font, gap, colours) = (self.style.font, self.style.gap, self.style.colours);
        self.canvas.fill(bar, colours.warning);
        let side = 2 * font.line();
        let square = area(bar.left() + gap / 2, bar.top() + (bar.height() - side) / 2, side, side);
        let behind =
            area(square.right() + gap, bar.top(), bar.right() - 2 * gap - square.right(), bar.height());
        let advice = (self.words.code)(code);
        let seen = self.hint(self.view.about.buttons.menu.as_ref(), self.words.seen);
        let texts = [advice.sentence, advice.remedy, seen.as_str()];
        let fits = |text: &&str, room| font.width(text) <= room;
        let beside = behind.width() - font.width(seen.as_str()) - gap;
        if fits(&advice.sentence, beside) && fits(&advice.remedy, behind.width()) {
            let row = |number| {
                let top = bar.top() + (bar.height() - LINES * font.line()) / 2 + number * font.line();
                area(behind.left(), top, behind.width(), font.line())
            };
            self.canvas.picture(square, colours.background, Icon::of_code(code));
            self.canvas.text(row(0), Align::Left, font, colours.background, advice.sentence);
            self.canvas.text(row(0), Align::Right, font, colours.background, seen.as_str());
            self.canvas.text(row(1), Align::Left, font, colours.background, advice.remedy);
            return;
        }
        // As many lines at once as there is room for.
        let rows = (bar.height() / font.line()).clamp(1, LINES) as usize;
        // A small bar has its picture with the sentence only.
        let whole = area(bar.left() + gap, bar.top(), bar.width() - 2 * gap, bar.height());
        let places = if self.style.is_small { [behind, whole, whole] } else { [behind; 3] };
        let pages = |(text, place): (&str, Rectangle)| font.lines(text, place.width()).count().div_ceil(rows);
        let count: usize = texts.into_iter().zip(places).map(pages).sum();
        let mut page = self.interface.message_page(self.view.now) % count.max(1);
        for (number, (text, place)) in texts.into_iter().zip(places).enumerate() {
            let count = pages((text, place));
            if page >= count {
                page -= count;
                continue;
            }
            if number == 0 || !self.style.is_small {
                self.canvas.picture(square, colours.background, Icon::of_code(code));
            }
            let width = balanced(font, text, place.width());
            let lines = || font.lines(text, width).skip(page * rows).take(rows);
            let mut top = bar.top() + (bar.height() - lines().count() as i32 * font.line()) / 2;
            for line in lines() {
                let row = area(place.left(), top, place.width(), font.line());
                self.canvas.text(row, Align::Left, font, colours.background, line);
                top += font.line();
            }
            return;
        }
    }
}
