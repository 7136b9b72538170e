//! One file a screen.

mod home;
mod home_small;
mod list;
mod message;
mod notice;
mod number;
mod parts;
mod preview;
mod set_up;
mod text;
mod title;
mod window;

use embedded_graphics::prelude::OriginDimensions;

use crate::canvas::Canvas;
use crate::interface::Interface;
use crate::menu::Page;
use crate::style::Style;
use crate::view::{Phase, View};
use crate::words::Words;

/// What every screen is drawn with.
struct Scene<'a, 'b> {
    canvas: &'a mut Canvas,
    style: Style,
    words: &'static Words,
    view: &'a View<'b>,
    interface: &'a Interface,
}

pub use preview::has_preview;
pub(crate) use preview::preview_place;

pub(crate) fn draw(interface: &Interface, view: &View<'_>, canvas: &mut Canvas) {
    let style = Style::of(canvas.size(), canvas.colours());
    canvas.begin(style.colours.background);
    let mut scene = Scene { canvas, style, words: interface.language.words(), view, interface };
    match view.phase {
        Phase::Starting | Phase::Stopping | Phase::Stopped => scene.title_screen(),
        Phase::Running => scene.running(),
    }
}

impl Scene<'_, '_> {
    fn running(&mut self) {
        match (self.interface.place(), self.interface.messages.cover()) {
            (Some(place), _) => match place.page {
                Page::SetUp => self.set_up(false),
                Page::Number { property, value } => self.number(property, value),
                Page::Text(property) => self.text_page(property),
                Page::Fault(code) => self.fault(code),
                page => self.list(page, place.line),
            },
            (None, Some(code)) => self.message(code),
            (None, None) if Interface::asks_for_set_up(self.view) => self.set_up(true),
            (None, None) if self.style.is_small => self.home_small(),
            (None, None) => self.home(),
        }
        if self.has_window() {
            self.window();
        }
        if let Some((words, is_good)) = self.interface.answer() {
            self.answer(words.as_str(), is_good);
        }
    }
}
