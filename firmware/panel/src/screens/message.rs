//! What is wrong, and what to do.

use embedded_graphics::primitives::Rectangle;
use live_pusher::Code;

use super::Scene;
use crate::brush::{Align, Sides, area};
use crate::icon::Icon;
use crate::line::Line;
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
        let advice = (self.words.code)(code);
        if self.style.is_small {
            self.message_small(body, code, advice);
        } else {
            self.message_large(body, code, advice);
        }
    }

    /// Sentence and remedy take turns.
    fn message_small(&mut self, body: Rectangle, code: Code, advice: Advice) {
        let colour = self.style.colours.text;
        if self.interface.message_page(self.view.now).is_multiple_of(2) {
            let side = self.style.picture;
            self.canvas.picture(
                area(0, body.top() + (body.height() - side) / 2, side, side),
                colour,
                Icon::of_code(code),
            );
            self.middle(
                area(side + 4, body.top(), body.width() - side - 4, body.height()),
                Align::Left,
                advice.sentence,
            );
        } else {
            self.middle(area(2, body.top(), body.width() - 4, body.height()), Align::Left, advice.remedy);
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

    fn message_large(&mut self, body: Rectangle, code: Code, advice: Advice) {
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
            Some(Severity::Warning) | None => colours.warning,
        };
        self.canvas.picture(area(body.left(), top, body.width(), side), colour, Icon::of_code(code));
        let below = area(body.left(), top + side + gap, body.width(), body.bottom() - top - side - gap);
        let next = self.canvas.paragraph(below, Align::Centre, title, colours.text, advice.sentence) + gap;
        let rest = area(body.left(), next, body.width(), body.bottom() - next);
        self.canvas.paragraph(rest, Align::Centre, font, colours.dim, advice.remedy);
        let bar = area(0, body.bottom(), self.whole().width(), footer);
        self.canvas.fill(bar, colours.faint);
        self.canvas.text(bar, Align::Centre, font, colours.accent, "OK");
    }
}
