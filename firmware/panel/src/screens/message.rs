//! What is wrong, and what to do.

use embedded_graphics::primitives::Rectangle;
use live_pusher::Code;

use super::Scene;
use crate::brush::{Align, Sides, area};
use crate::icon::Icon;
use crate::line::Line;
use crate::menu::Page;
use crate::messages::{Severity, severity};
use crate::words::Advice;

/// Pixels from the top to the bottom of a display that has room for the state besides.
const LEAST: i32 = 48;

impl Scene<'_, '_> {
    pub(super) fn message(&mut self, code: Code) {
        let state = self.view.state;
        let (icon, colour) = (Icon::of_state(state), self.style.of_state(state));
        let count = self.interface.messages.count();
        let count = if count > 1 {
            Line::of(format_args!("{code}  1/{count}"))
        } else {
            Line::of(format_args!("{code}"))
        };
        let body = if self.whole().height() < LEAST {
            self.whole()
        } else {
            self.header(icon, (self.words.state)(state), colour, count.as_str())
        };
        let hint = self.hint(self.view.about.buttons.menu.as_ref(), self.words.seen);
        self.advice(body, code, hint.as_str());
    }

    /// One that was told, from the menu.
    pub(super) fn fault(&mut self, code: Code) {
        let number = Line::of(format_args!("{code}"));
        let page = Page::Fault(code);
        let body = self.header(page.icon(), page.title(self.words), self.style.colours.text, number.as_str());
        let hint = self.hint(self.view.about.buttons.back.as_ref(), self.words.back);
        self.advice(body, code, hint.as_str());
    }

    /// What is wrong and what to do; `hint` tells how to leave.
    fn advice(&mut self, body: Rectangle, code: Code, hint: &str) {
        let advice = (self.words.code)(code);
        if self.style.is_small {
            self.message_small(body, code, advice, hint);
        } else {
            self.message_large(body, code, advice, hint);
        }
    }

    /// Sentence and remedy take turns; two marks tell which it is.
    fn message_small(&mut self, body: Rectangle, code: Code, advice: Advice, hint: &str) {
        let (colour, line) = (self.style.colours.text, self.style.font.line());
        let page = self.interface.message_page(self.view.now) % 2;
        if page == 0 {
            let side = self.style.picture;
            let middle = body.top() + (body.height() - side) / 2;
            self.canvas.picture(area(0, middle, side, side), colour, Icon::of_code(code));
            let place = area(side + 4, body.top(), body.width() - side - 4, body.height());
            self.middle(place, Align::Left, advice.sentence);
        } else {
            let foot = if hint.is_empty() || body.height() < 3 * line { 0 } else { line };
            let place = area(2, body.top(), body.width() - 4, body.height() - foot);
            self.middle(place, Align::Left, advice.remedy);
            let row = area(2, body.bottom() - foot, body.width() - 14, foot);
            if foot > 0 {
                self.canvas.text(row, Align::Right, self.style.font, colour, hint);
            }
        }
        for mark in 0..2 {
            let place = area(body.right() - 10 + 6 * mark, body.bottom() - 5, 4, 4);
            self.canvas.frame(place, colour, if mark as usize == page { 2 } else { 1 });
        }
    }

    /// A paragraph in the middle of the height.
    fn middle(&mut self, place: Rectangle, align: Align, text: &str) {
        let font = self.style.font;
        let height = font.lines(text, place.width()).count() as i32 * font.line();
        let top = place.top() + (place.height() - height).max(0) / 2;
        let place = area(place.left(), top, place.width(), place.bottom() - top);
        self.canvas.paragraph(place, align, font, self.style.colours.text, text);
    }

    fn message_large(&mut self, body: Rectangle, code: Code, advice: Advice, hint: &str) {
        let (colours, gap, font, title) =
            (self.style.colours, self.style.gap, self.style.font, self.style.title);
        let footer = self.row();
        let body = area(2 * gap, body.top(), body.width() - 4 * gap, body.height() - footer);
        let height =
            |font: &crate::font::Font, text| font.lines(text, body.width()).count() as i32 * font.line();
        let text = height(title, advice.sentence) + gap + height(font, advice.remedy);
        let side = (body.height() - text - 3 * gap).min(self.style.picture);
        let top = body.top() + (body.height() - text - side - gap) / 2;
        let colour = match severity(code) {
            Some(Severity::Fault) => colours.bad,
            Some(Severity::Warning | Severity::Notice) | None => colours.warning,
        };
        self.canvas.picture(area(body.left(), top, body.width(), side), colour, Icon::of_code(code));
        let below = area(body.left(), top + side + gap, body.width(), body.bottom() - top - side - gap);
        let next = self.canvas.paragraph(below, Align::Centre, title, colours.text, advice.sentence) + gap;
        let rest = area(body.left(), next, body.width(), body.bottom() - next);
        self.canvas.paragraph(rest, Align::Centre, font, colours.dim, advice.remedy);
        self.foot(hint, "");
    }
}
