//! Where the camera's picture is seen (1.4, 12.5).

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use live_pusher::PreviewFit;

use super::window;
use crate::brush::{Sides, area};
use crate::canvas::{Canvas, Colours};
use crate::interface::Interface;
use crate::style::Style;
use crate::view::{Phase, View};

/// Whether a display has the colours and the room for it.
pub fn has_preview(display: &Canvas) -> bool {
    display.colours() == Colours::Many && !Style::of(display.size(), Colours::Many).is_small
}

/// The place of the preview on a display that has one; none where it is hidden.
pub(crate) fn preview_place(interface: &Interface, view: &View<'_>, display: Size) -> Option<Rectangle> {
    if view.phase != Phase::Running || !view.shows_preview {
        return None;
    }
    if interface.place().is_some() {
        return interface.window(view).map(|_| window::place(interface.corner, view, display));
    }
    let is_home = interface.messages.cover().is_none() && !Interface::asks_for_set_up(view);
    is_home.then(|| home_place(view, display))
}

/// All of the display, or as much of it as all of the picture fills.
pub(super) fn home_place(view: &View<'_>, display: Size) -> Rectangle {
    let whole = area(0, 0, display.width as i32, display.height as i32);
    let shape = view.shape;
    let (width, height) = match view.fit {
        PreviewFit::Cover => (whole.width(), whole.height()),
        PreviewFit::Contain => {
            let scaled =
                |side: i32, of: u32, by: u32| (i64::from(side) * i64::from(of) / i64::from(by.max(1))) as i32;
            let across = scaled(whole.height(), shape.width, shape.height);
            if across <= whole.width() {
                (across, whole.height())
            } else {
                (whole.width(), scaled(whole.width(), shape.height, shape.width))
            }
        }
    };
    area((whole.width() - width) / 2, (whole.height() - height) / 2, width, height)
}
