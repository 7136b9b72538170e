//! One display, and what is drawn on it.

use std::time::Instant;

use ::panel::{Canvas, Colours, Interface, View, has_preview};
use board::{Pixels, SteadyPanel};
use embedded_graphics::pixelcolor::{Rgb565, Rgb888};
use embedded_graphics::prelude::*;

use super::viewfinder::Viewfinder;

pub(super) struct Shown {
    panel: SteadyPanel,
    /// None before it was open first.
    canvas: Option<Canvas>,
    is_open: bool,
    pub(super) viewfinder: Viewfinder,
}

impl Shown {
    pub(super) fn new(panel: SteadyPanel) -> Self {
        Self { panel, canvas: None, is_open: false, viewfinder: Viewfinder::default() }
    }

    pub(super) fn open(&mut self, now: Instant) {
        let opened = self.panel.ready(now);
        self.is_open = opened.is_some();
        let Some(opened) = opened else {
            return;
        };
        let colours = if opened.has_colours { Colours::Many } else { Colours::Two };
        // Another screen may have been plugged in.
        self.canvas.take_if(|canvas| (canvas.size(), canvas.colours()) != (opened.size, colours));
        let canvas =
            self.canvas.get_or_insert_with(|| Canvas::new(opened.size.width, opened.size.height, colours));
        if opened.is_new {
            canvas.forget();
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    pub(super) fn has_preview(&self) -> bool {
        self.is_open && self.canvas.as_ref().is_some_and(has_preview)
    }

    /// Where the preview is seen on it.
    pub(super) fn preview_size(&self, interface: &Interface, view: &View<'_>) -> Option<Size> {
        let canvas = self.canvas.as_ref().filter(|_| self.has_preview())?;
        interface.preview_size(view, canvas.size())
    }

    pub(super) fn draw(&mut self, interface: &mut Interface, view: &View<'_>, now: Instant) {
        let Some(canvas) = self.canvas.as_mut().filter(|_| self.is_open) else {
            return;
        };
        interface.draw(&View { preview: self.viewfinder.picture(), ..view.clone() }, canvas);
        let picture = Pixels { width: canvas.size().width, pixels: canvas.pixels() };
        self.panel.show(now, &picture, &mut canvas.changes());
    }

    /// What it shows is to stay when the program has ended.
    pub(super) fn keep(&mut self) {
        self.panel.keep();
    }

    /// What it shows; none where it is not open.
    pub(super) fn shot(&self) -> Option<Shot> {
        let canvas = self.canvas.as_ref().filter(|_| self.is_open)?;
        Some(Shot { pixels: canvas.pixels().to_vec(), size: canvas.size() })
    }
}

/// A picture of a display.
pub(crate) struct Shot {
    pixels: Vec<Rgb565>,
    size: Size,
}

impl Shot {
    pub(crate) fn size(&self) -> (u32, u32) {
        (self.size.width, self.size.height)
    }

    /// Takes its time: not for threads that others wait for.
    pub(crate) fn png(&self) -> Result<Vec<u8>, png::EncodingError> {
        let mut png = Vec::new();
        let mut encoder = png::Encoder::new(&mut png, self.size.width, self.size.height);
        encoder.set_color(png::ColorType::Rgb);
        let bytes: Vec<u8> = self.pixels.iter().flat_map(|pixel| rgb(*pixel)).collect();
        encoder.write_header()?.write_image_data(&bytes)?;
        Ok(png)
    }
}

fn rgb(pixel: Rgb565) -> [u8; 3] {
    let pixel = Rgb888::from(pixel);
    [pixel.r(), pixel.g(), pixel.b()]
}
