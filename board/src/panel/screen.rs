//! A screen of the kernel's DRM/KMS, drawn to through dumb buffers (kernel: Documentation/gpu/drm-kms.rst).

mod flips;
mod page;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use drm::Device;
use drm::control::{Device as ControlDevice, Mode, connector, crtc};
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use tracing::debug;

use self::flips::{Flip, Flips};
use self::page::Page;
use super::{Panel, Pixels, ScreenConfig};
use crate::OpenError;

/// How often is looked whether the screen is still plugged in.
const LOOK: Duration = Duration::from_secs(1);
const REMEDY: &str = "end what else shows on it";

struct Card(File);

impl AsFd for Card {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Device for Card {}
impl ControlDevice for Card {}

/// What is drawn goes into a page that is not on show, which then is shown at once: nobody sees a picture half drawn. A driver
/// that can't do so has one page.
pub(crate) struct ScreenPanel {
    card: Card,
    crtc: crtc::Handle,
    connector: connector::Handle,
    mode: Mode,
    name: String,
    /// The last that the screen was told to show.
    front: Page,
    back: Option<(Page, Flips)>,
    is_shown: bool,
    /// Whether the driver wants to be told what was drawn in the page that is on show.
    wants_news: bool,
    looked: Instant,
}

impl ScreenPanel {
    pub(crate) fn open(config: &ScreenConfig) -> Result<Self, OpenError> {
        let name = config.to_string();
        let io = |error: io::Error| OpenError::from_io(&name, &error, REMEDY);
        let card = Card(File::options().read(true).write(true).open(&config.device).map_err(io)?);
        let (connector, crtc, mode) = output(&card).map_err(io)?.ok_or_else(|| {
            OpenError::failed(
                &name,
                "no screen is connected",
                "connect one, or take it out of the board file",
            )
        })?;
        let (width, height) = mode.size();
        let front = Page::new(&card, Size::new(width.into(), height.into())).map_err(io)?;
        Ok(Self {
            card,
            crtc,
            connector,
            mode,
            name,
            front,
            back: None,
            is_shown: false,
            wants_news: true,
            looked: Instant::now(),
        })
    }

    /// Width and height in pixels, and the rate in Hz.
    pub(crate) fn mode(&self) -> String {
        let (width, height) = self.mode.size();
        format!("{width}x{height} at {} Hz", self.mode.vrefresh())
    }

    fn update(&mut self, picture: &Pixels<'_>, areas: &mut dyn Iterator<Item = Rectangle>) -> io::Result<()> {
        for area in areas {
            self.front.outdate(area);
            if let Some((back, _)) = &mut self.back {
                back.outdate(area);
            }
        }
        if !self.is_shown {
            self.set_mode(picture)?;
            self.back = self.back().inspect_err(|error| self.tell_one_page(error)).ok();
            Ok(())
        } else if self.front.is_outdated() {
            self.flip(picture)
        } else {
            Ok(())
        }
    }

    /// Draws the page and has the screen show it.
    fn set_mode(&mut self, picture: &Pixels<'_>) -> io::Result<()> {
        self.front.draw(&self.card, picture)?;
        let (framebuffer, connectors) = (Some(self.front.framebuffer), [self.connector]);
        self.card.set_crtc(self.crtc, framebuffer, (0, 0), &connectors, Some(self.mode))?;
        self.is_shown = true;
        Ok(())
    }

    /// A second page, once the first one is on show.
    fn back(&self) -> io::Result<(Page, Flips)> {
        let flips = Flips::new(&self.card, self.front.framebuffer)?;
        let mut page = Page::new(&self.card, self.front.size())?;
        page.outdate(Rectangle::new(Point::zero(), page.size()));
        Ok((page, flips))
    }

    /// Draws the other page and has the screen show that. Where it shows the last one not yet, the picture is drawn later.
    fn flip(&mut self, picture: &Pixels<'_>) -> io::Result<()> {
        let Some((back, flips)) = &mut self.back else {
            return self.draw_on_show(picture);
        };
        match flips.settle(&self.card)? {
            Flip::Done => {}
            Flip::Waits => return Ok(()),
            Flip::Hangs => return self.give_up_flips(picture, &io::ErrorKind::TimedOut.into()),
        }
        let drawn = back.draw(&self.card, picture)?;
        match flips.begin(&self.card, back.framebuffer, drawn) {
            Ok(()) => {
                std::mem::swap(&mut self.front, back);
                Ok(())
            }
            Err(error) => self.give_up_flips(picture, &error),
        }
    }

    /// Whatever the error, the way that all drivers know shows what is truly wrong.
    fn give_up_flips(&mut self, picture: &Pixels<'_>, error: &io::Error) -> io::Result<()> {
        self.tell_one_page(error);
        let back = self.back.take();
        self.set_mode(picture)?;
        if let Some((page, _)) = back {
            page.destroy(&self.card);
        }
        Ok(())
    }

    fn tell_one_page(&self, error: &io::Error) {
        debug!(screen = self.name, %error, "no page flips: a picture may be seen half drawn");
    }

    fn draw_on_show(&mut self, picture: &Pixels<'_>) -> io::Result<()> {
        let drawn = self.front.draw(&self.card, picture)?;
        if self.wants_news {
            match self.front.tell(&self.card, drawn) {
                // It sends what is in the buffer by itself.
                Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => self.wants_news = false,
                told => told?,
            }
        }
        Ok(())
    }

    /// An error once the plug is out; the kernel goes on as if it were not.
    fn look(&mut self) -> Result<(), OpenError> {
        if self.looked.elapsed() < LOOK {
            return Ok(());
        }
        self.looked = Instant::now();
        match self.card.get_connector(self.connector, false) {
            Ok(connector) if connector.state() == connector::State::Disconnected => {
                Err(OpenError::failed(&self.name, "it was unplugged", "plug it in"))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(OpenError::from_io(&self.name, &error, REMEDY)),
        }
    }
}

impl Panel for ScreenPanel {
    fn size(&self) -> Size {
        self.front.size()
    }

    fn has_colours(&self) -> bool {
        true
    }

    fn show(
        &mut self,
        picture: &Pixels<'_>,
        areas: &mut dyn Iterator<Item = Rectangle>,
    ) -> Result<(), OpenError> {
        self.look()?;
        self.update(picture, areas).map_err(|error| OpenError::from_io(&self.name, &error, REMEDY))
    }

    /// Needs Linux 6.8, and a kernel that has nothing of its own to show then, such as its console.
    fn keep(&mut self) {
        if let Err(error) = self.front.let_go(&self.card) {
            debug!(screen = self.name, %error, "the last picture does not stay");
        }
    }
}

impl Drop for ScreenPanel {
    fn drop(&mut self) {
        self.front.destroy(&self.card);
        if let Some((page, _)) = &self.back {
            page.destroy(&self.card);
        }
    }
}

/// The first connected connector with its preferred mode, and a CRTC that can drive it.
fn output(card: &Card) -> io::Result<Option<(connector::Handle, crtc::Handle, Mode)>> {
    let resources = card.resource_handles()?;
    for handle in resources.connectors() {
        let connector = card.get_connector(*handle, true)?;
        let Some(mode) = connector.modes().first().copied() else {
            continue;
        };
        if connector.state() != connector::State::Connected {
            continue;
        }
        for encoder in connector.encoders() {
            let possible = card.get_encoder(*encoder)?.possible_crtcs();
            if let Some(crtc) = resources.filter_crtcs(possible).first() {
                return Ok(Some((*handle, *crtc, mode)));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_that_is_not_there_is_told_with_a_remedy() {
        let error = ScreenPanel::open(&ScreenConfig { device: "/nonexistent/card".into() }).err().unwrap();
        assert!(error.to_string().starts_with("screen /nonexistent/card may not be used"), "{error}");
    }
}
