//! The interface of the box's small display. Pure: what is known of the box and the time go in ([`View`], [`Key`]s, codes),
//! pixels ([`Canvas`]) and [`Action`]s come out; no I/O, no device, no clock.
//!
//! A caller keeps one [`Interface`] and one [`Canvas`] of the panel's size, tells it keys and status codes as they come, calls
//! [`Interface::draw`] as often as the panel is to follow, and sends the [`Canvas::changes`].
//!
//! Section numbers are those of the live pusher's specification.

mod brush;
mod canvas;
mod font;
mod icon;
mod interface;
mod line;
mod menu;
mod messages;
mod screens;
mod style;
mod text;
mod value;
mod view;
mod words;

pub use canvas::{Canvas, Colours};
pub use interface::{Action, Answer, Interface, Key};
pub use screens::has_preview;
pub use view::{About, Buttons, Gesture, History, Phase, Picture, Press, View};
pub use words::{Advice, Language, Words};
