//! Page flips: from one picture to the next the screen shows another buffer (kernel: Documentation/gpu/drm-kms.rst, atomic
//! mode setting).

use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use drm::control::atomic::AtomicModeReq;
use drm::control::property::{self, Value};
use drm::control::{AtomicCommitFlags, Device as ControlDevice, framebuffer, plane};
use drm::{ClientCapability, Device};
use embedded_graphics::primitives::Rectangle;

use super::Card;
use super::page::edges;

/// How long a picture waits for the one before it, and how long that may take in all. A flip waits for the screen's next
/// refresh, or until a slow one was sent what was drawn.
const WAIT: Duration = Duration::from_millis(100);
const LIMIT: Duration = Duration::from_secs(1);

/// What shows a framebuffer.
pub(super) struct Flips {
    plane: plane::Handle,
    shown: property::Handle,
    /// Where the driver wants to know what differs.
    damage: Option<property::Handle>,
    /// When the last was asked for, until it is done.
    since: Option<Instant>,
}

/// How far the last flip is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flip {
    Done,
    /// The other buffer may be on show still.
    Waits,
    /// It takes too long.
    Hangs,
}

impl Flips {
    /// Of the plane that shows `framebuffer`. An error where the driver can't.
    pub(super) fn new(card: &Card, framebuffer: framebuffer::Handle) -> io::Result<Self> {
        card.set_client_capability(ClientCapability::Atomic, true)?;
        let shows = |plane: &plane::Handle| Ok(card.get_plane(*plane)?.framebuffer() == Some(framebuffer));
        let plane = find(card.plane_handles()?, shows)?;
        let properties = card.get_properties(plane)?.as_props_and_values().0.to_vec();
        let property = |name: &str| {
            let is_called =
                |it: &property::Handle| Ok(card.get_property(*it)?.name().to_bytes() == name.as_bytes());
            find(properties.iter().copied(), is_called)
        };
        Ok(Self { plane, shown: property("FB_ID")?, damage: property("FB_DAMAGE_CLIPS").ok(), since: None })
    }

    /// Waits for the last flip, a tenth of a second at the most.
    pub(super) fn settle(&mut self, card: &Card) -> io::Result<Flip> {
        let Some(since) = self.since else {
            return Ok(Flip::Done);
        };
        let flip = wait(&card.0, since, WAIT)?;
        self.since.take_if(|_| flip == Flip::Done);
        Ok(flip)
    }

    /// Has the screen show another framebuffer, in which nothing but `drawn` differs from what it had and from what is on show.
    pub(super) fn begin(&mut self, card: &Card, to: framebuffer::Handle, drawn: Rectangle) -> io::Result<()> {
        let mut request = AtomicModeReq::new();
        request.add_property(self.plane, self.shown, Value::Framebuffer(Some(to)));
        let damage = match self.damage {
            // One struct drm_mode_rect.
            Some(property) => Some((property, card.create_property_blob(&edges(drawn))?)),
            None => None,
        };
        if let Some((property, blob)) = damage {
            request.add_property(self.plane, property, blob);
        }
        let flags = AtomicCommitFlags::NONBLOCK | AtomicCommitFlags::PAGE_FLIP_EVENT;
        let begun = card.atomic_commit(flags, request);
        if let Some((_, Value::Blob(blob))) = damage {
            // The flip holds on to it.
            let _ = card.destroy_property_blob(blob);
        }
        self.since = begun.is_ok().then(Instant::now);
        begun
    }
}

/// The first for which that holds.
fn find<T>(items: impl IntoIterator<Item = T>, holds: impl Fn(&T) -> io::Result<bool>) -> io::Result<T> {
    for item in items {
        if holds(&item)? {
            return Ok(item);
        }
    }
    Err(io::ErrorKind::Unsupported.into())
}

/// Waits for the event of a flip that was asked for at `since`. No others were asked for.
fn wait<F: AsFd>(file: &F, since: Instant, limit: Duration) -> io::Result<Flip>
where
    for<'a> &'a F: Read,
{
    let mut poll = libc::pollfd { fd: file.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid pollfd.
    match unsafe { libc::poll(&raw mut poll, 1, limit.as_millis() as libc::c_int) } {
        1.. => {
            // drm_read() gives whole events, this one has 32 bytes.
            let mut file = file;
            Ok(if file.read(&mut [0; 1024])? == 0 { Flip::Waits } else { Flip::Done })
        }
        0 if since.elapsed() >= LIMIT => Ok(Flip::Hangs),
        0 => Ok(Flip::Waits),
        _ => match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => Ok(Flip::Waits),
            error => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_screen_that_does_not_flip_is_waited_for_but_not_for_long() {
        let (mut card, file) = UnixStream::pair().unwrap();
        let soon = Duration::from_millis(1);
        let begun = Instant::now();
        let long_ago = begun.checked_sub(LIMIT).unwrap();
        assert_eq!(wait(&file, begun, soon).unwrap(), Flip::Waits);
        assert_eq!(wait(&file, long_ago, soon).unwrap(), Flip::Hangs);
        card.write_all(&[0; 32]).unwrap();
        // However late it is looked at.
        assert_eq!(wait(&file, long_ago, soon).unwrap(), Flip::Done);
        assert_eq!(wait(&file, begun, soon).unwrap(), Flip::Waits, "the event was not taken");
    }
}
