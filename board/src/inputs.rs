//! Buttons and switches that are watched together, whatever they are read from.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use media::{Timestamp, now};
use serde::Deserialize;
use tracing::{info, warn};

use crate::keys::Key;
use crate::lines::Line;
use crate::{LineConfig, OpenError};

/// From one look for a device that is not there to the next.
const LOOK: Duration = Duration::from_secs(1);

/// What a button is read from: `{ line = …, active-low = … }` or `{ key = …, device = … }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "ButtonTable")]
pub enum ButtonConfig {
    Line(LineConfig),
    Key(KeyConfig),
}

/// A key that the kernel gives as input events: of a keypad, a headset, or `gpio-keys`.
#[derive(Clone, Debug)]
pub struct KeyConfig {
    pub(crate) key: evdevil::event::Key,
    /// The name of its device (`/proc/bus/input/devices`).
    pub(crate) device: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ButtonTable {
    line: Option<String>,
    #[serde(default)]
    active_low: bool,
    key: Option<String>,
    device: Option<String>,
}

impl TryFrom<ButtonTable> for ButtonConfig {
    type Error = String;

    fn try_from(table: ButtonTable) -> Result<Self, String> {
        match table {
            ButtonTable { line: Some(line), active_low, key: None, device: None } => {
                Ok(Self::Line(LineConfig { line, active_low }))
            }
            ButtonTable { line: None, active_low: false, key: Some(name), device: Some(device) } => {
                let unknown = |_| {
                    format!("there is no key {name}: give a name of linux/input-event-codes.h, as KEY_CAMERA")
                };
                Ok(Self::Key(KeyConfig { key: name.parse().map_err(unknown)?, device }))
            }
            _ => Err("give line (and active-low), or key and device".into()),
        }
    }
}

impl fmt::Display for ButtonConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {}", line.line),
            Self::Key(key) => key.fmt(f),
        }
    }
}

impl fmt::Display for KeyConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {:?} of {}", self.key, self.device)
    }
}

/// What a button or a switch is read from.
pub(crate) trait Contact: Send {
    /// What tells that something can be read.
    fn descriptor(&self) -> RawFd;

    fn is_active(&self) -> Result<bool, OpenError>;

    /// Tells what became of it, and when the kernel saw it, once there is something to be read.
    fn read(&mut self, tell: &mut dyn FnMut(bool, Timestamp)) -> Result<(), OpenError>;
}

/// What was seen of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which of the inputs, in the order in which they were added.
    pub input: usize,
    pub kind: ChangeKind,
    /// When the kernel saw it.
    pub at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It can be read from now on.
    Found { active: bool },
    /// Pressed or let go, closed or opened.
    Edge { active: bool },
    /// It can't be read: nothing is known of it until it is found.
    Lost,
}

type Open = Box<dyn Fn() -> Result<Box<dyn Contact>, OpenError> + Send>;

/// An input whose device may come and go.
struct Watched {
    name: String,
    open: Open,
    contact: Option<Box<dyn Contact>>,
    /// While it is not there.
    next_look: Option<Instant>,
    told: bool,
}

impl Watched {
    /// Looks for it, where that is due.
    fn look(&mut self, moment: Instant) -> Option<ChangeKind> {
        if self.contact.is_some() || self.next_look.is_some_and(|look| look > moment) {
            return None;
        }
        let opened = (self.open)().and_then(|contact| Ok((contact.is_active()?, contact)));
        match opened {
            Ok((active, contact)) => {
                info!("{} is there", self.name);
                (self.contact, self.next_look, self.told) = (Some(contact), None, false);
                Some(ChangeKind::Found { active })
            }
            Err(error) => self.lose(&error),
        }
    }

    /// Told once, until it is found.
    fn lose(&mut self, error: &dyn fmt::Display) -> Option<ChangeKind> {
        self.next_look = Some(Instant::now() + LOOK);
        if std::mem::replace(&mut self.told, true) {
            return None;
        }
        let state = if self.contact.take().is_some() { "is gone" } else { "is not there" };
        warn!("{} {state}: {error}; looked for until it is there", self.name);
        Some(ChangeKind::Lost)
    }

    fn read(&mut self, mut tell: impl FnMut(ChangeKind, Timestamp)) {
        let Some(contact) = &mut self.contact else {
            return;
        };
        if let Err(error) = contact.read(&mut |active, at| tell(ChangeKind::Edge { active }, at))
            && let Some(lost) = self.lose(&error)
        {
            tell(lost, now());
        }
    }
}

/// Buttons and switches that are watched together. One that can't be read does not disturb the others.
#[derive(Default)]
pub struct Inputs {
    inputs: Vec<Watched>,
    polled: Vec<libc::pollfd>,
    /// What came together.
    waiting: VecDeque<Change>,
}

impl Inputs {
    /// Watches one more, whenever its device is there. The kernel takes as one what comes of a line within `debounce`;
    /// without it each edge is told.
    pub fn add(&mut self, config: &ButtonConfig, debounce: Option<Duration>) {
        let config = config.clone();
        let name = config.to_string();
        self.watch(name, move || match &config {
            ButtonConfig::Line(line) => Ok(Box::new(Line::watched(line, debounce)?)),
            ButtonConfig::Key(key) => Ok(Box::new(Key::open(key)?)),
        });
    }

    fn watch(
        &mut self,
        name: String,
        open: impl Fn() -> Result<Box<dyn Contact>, OpenError> + Send + 'static,
    ) {
        let open = Box::new(open);
        self.inputs.push(Watched { name, open, contact: None, next_look: None, told: false });
    }

    /// What is seen next, waiting up to `limit` for it, or less while something is looked for. The first of each input is
    /// [`ChangeKind::Found`] or [`ChangeKind::Lost`].
    pub fn next(&mut self, limit: Option<Duration>) -> Option<Change> {
        if let Some(change) = self.waiting.pop_front() {
            return Some(change);
        }
        let moment = Instant::now();
        for (input, watched) in self.inputs.iter_mut().enumerate() {
            let change = watched.look(moment).map(|kind| Change { input, kind, at: now() });
            self.waiting.extend(change);
        }
        if self.waiting.is_empty() {
            let looks = self.inputs.iter().filter_map(|watched| watched.next_look);
            self.poll(looks.map(|look| look.saturating_duration_since(moment)).chain(limit).min());
        }
        self.waiting.pop_front()
    }

    /// Reads what has something to be read.
    fn poll(&mut self, limit: Option<Duration>) {
        // The kernel passes over negative descriptors.
        let descriptor = |watched: &Watched| watched.contact.as_ref().map_or(-1, |it| it.descriptor());
        let polled = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        self.polled.clear();
        self.polled.extend(self.inputs.iter().map(descriptor).map(polled));
        // Rounded up, so that nobody wakes before the time.
        let wait = limit.map_or(-1, |limit| limit.as_micros().div_ceil(1000).min(i32::MAX as u128) as i32);
        // SAFETY: the pointer and the length are those of a vector, which lives through the call.
        let ready = unsafe { libc::poll(self.polled.as_mut_ptr(), self.polled.len() as libc::nfds_t, wait) };
        let error = (ready < 0).then(io::Error::last_os_error);
        if error.as_ref().is_some_and(|error| error.kind() == io::ErrorKind::Interrupted) {
            return;
        }
        for (input, (watched, polled)) in self.inputs.iter_mut().zip(&self.polled).enumerate() {
            let mut tell = |kind, at| self.waiting.push_back(Change { input, kind, at });
            match &error {
                Some(error) => watched.lose(error).into_iter().for_each(|kind| tell(kind, now())),
                None if polled.revents != 0 => watched.read(tell),
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, PipeWriter, Read, Write};
    use std::os::fd::AsRawFd;
    use std::sync::{Arc, Mutex};

    use super::ChangeKind::{Edge, Found, Lost};
    use super::*;

    const SOON: Duration = Duration::from_secs(60);

    /// A switch at the other end of a pipe.
    struct Wire(PipeReader);

    impl Contact for Wire {
        fn descriptor(&self) -> RawFd {
            self.0.as_raw_fd()
        }

        fn is_active(&self) -> Result<bool, OpenError> {
            Ok(false)
        }

        fn read(&mut self, tell: &mut dyn FnMut(bool, Timestamp)) -> Result<(), OpenError> {
            let mut byte = [0];
            let read = self.0.read_exact(&mut byte);
            read.map_err(|error| OpenError::failed("wire", error, "solder it"))?;
            tell(byte == *b"1", now());
            Ok(())
        }
    }

    type Socket = Arc<Mutex<Option<PipeReader>>>;

    fn plug(socket: &Socket) -> PipeWriter {
        let (reader, writer) = io::pipe().unwrap();
        *socket.lock().unwrap() = Some(reader);
        writer
    }

    fn watch(inputs: &mut Inputs) -> Socket {
        let socket = Socket::default();
        let from = Arc::clone(&socket);
        inputs.watch("wire".into(), move || match from.lock().unwrap().take() {
            Some(reader) => Ok(Box::new(Wire(reader))),
            None => Err(OpenError::refused("wire", "no such wire", "plug it in")),
        });
        socket
    }

    fn seen(inputs: &mut Inputs) -> (usize, ChangeKind) {
        let begin = Instant::now();
        loop {
            // It wakes to look for those that are not there.
            if let Some(change) = inputs.next(Some(LOOK)) {
                return (change.input, change.kind);
            }
            assert!(begin.elapsed() < SOON, "nothing is seen");
        }
    }

    #[test]
    fn one_that_can_not_be_read_is_told_and_found_again_and_the_others_go_on() {
        let mut inputs = Inputs::default();
        let sockets = [watch(&mut inputs), watch(&mut inputs)];
        let [first, mut second] = sockets.each_ref().map(plug);
        assert_eq!([seen(&mut inputs), seen(&mut inputs)], [0, 1].map(|it| (it, Found { active: false })));
        drop(first);
        assert_eq!(seen(&mut inputs), (0, Lost));
        for (byte, active) in [(b"1", true), (b"0", false)] {
            second.write_all(byte).unwrap();
            assert_eq!(seen(&mut inputs), (1, Edge { active }));
        }
        let mut first = plug(&sockets[0]);
        assert_eq!(seen(&mut inputs), (0, Found { active: false }));
        first.write_all(b"1").unwrap();
        assert_eq!(seen(&mut inputs), (0, Edge { active: true }));
    }

    #[test]
    fn one_that_was_not_there_at_first_is_found_once_it_is() {
        let mut inputs = Inputs::default();
        let socket = watch(&mut inputs);
        assert_eq!(seen(&mut inputs), (0, Lost));
        assert_eq!(inputs.next(Some(2 * LOOK)), None, "it is told once");
        let _writer = plug(&socket);
        assert_eq!(seen(&mut inputs), (0, Found { active: false }));
    }
}
