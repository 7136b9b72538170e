//! Buttons and switches that are watched together, whatever they are read from.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use evdevil::event::Key;
use media::{Timestamp, now};
use serde::Deserialize;

use crate::keys::WatchedKey;
use crate::lines::Line;
use crate::{LineConfig, OpenError};

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
    pub(crate) key: Key,
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

/// A button that was pressed or let go, or a switch that was closed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Which of the inputs, in the order in which they were added.
    pub input: usize,
    /// Not once its device is gone.
    pub active: bool,
    /// When the kernel saw it.
    pub at: Timestamp,
}

/// Buttons and switches that are watched together.
#[derive(Default)]
pub struct Inputs {
    /// Each with its number.
    lines: Vec<(usize, Line)>,
    keys: Vec<(usize, WatchedKey)>,
    /// Lines, then keys.
    polled: Vec<libc::pollfd>,
    /// What came together.
    waiting: VecDeque<Edge>,
}

impl Inputs {
    /// Watches one more line; tells whether it is active now. What comes within `debounce` is taken as one; without it each edge
    /// is told.
    pub fn add_line(&mut self, config: &LineConfig, debounce: Option<Duration>) -> Result<bool, OpenError> {
        let line = Line::watched(config, debounce)?;
        let active = line.is_active()?;
        self.lines.push((self.count(), line));
        Ok(active)
    }

    /// Watches one more key, whenever its device is there.
    pub fn add_key(&mut self, config: &KeyConfig) {
        self.keys.push((self.count(), WatchedKey::new(config)));
    }

    fn count(&self) -> usize {
        self.lines.len() + self.keys.len()
    }

    /// The next edge, waiting up to `limit` for one; without it for as long as it takes.
    pub fn next(&mut self, limit: Option<Duration>) -> Result<Option<Edge>, OpenError> {
        if let Some(edge) = self.waiting.pop_front() {
            return Ok(Some(edge));
        }
        let start = Instant::now();
        self.keys.iter_mut().for_each(|(_, key)| key.look(start));
        let looks = self.keys.iter().filter_map(|(_, key)| key.next_look());
        let looks = looks.map(|look| look.saturating_duration_since(start));
        let dues = self.lines.iter().filter_map(|(_, line)| line.due());
        let dues = dues.map(|due| Duration::from_micros(due.since(now()).max(0) as u64));
        let limit = looks.chain(dues).chain(limit).min();
        let ready = self.poll(limit)?;
        let now = now();
        for ((input, line), polled) in self.lines.iter_mut().zip(&self.polled) {
            let told = if polled.revents == 0 { line.rest(now)? } else { None };
            self.waiting.extend(told.map(|(active, at)| Edge { input: *input, active, at }));
        }
        if let Some(ready) = ready {
            self.read(ready)?;
        }
        Ok(self.waiting.pop_front())
    }

    /// Reads what came from the one of that place among the polled.
    fn read(&mut self, ready: usize) -> Result<(), OpenError> {
        let first_key = self.lines.len();
        if let Some((input, line)) = self.lines.get_mut(ready) {
            let told = line.next_edge()?;
            self.waiting.extend(told.map(|(active, at)| Edge { input: *input, active, at }));
        } else if let Some((input, key)) =
            ready.checked_sub(first_key).and_then(|place| self.keys.get_mut(place))
        {
            key.read(|(active, at)| self.waiting.push_back(Edge { input: *input, active, at }));
        }
        Ok(())
    }

    /// The first that has something to be read.
    fn poll(&mut self, limit: Option<Duration>) -> Result<Option<usize>, OpenError> {
        // The kernel passes over negative descriptors.
        let descriptors = self.lines.iter().map(|(_, line)| line.descriptor());
        let descriptors = descriptors.chain(self.keys.iter().map(|(_, key)| key.descriptor().unwrap_or(-1)));
        self.polled.clear();
        self.polled.extend(descriptors.map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 }));
        // Rounded up, so that nobody wakes before the time.
        let wait = limit.map_or(-1, |limit| limit.as_micros().div_ceil(1000).min(i32::MAX as u128) as i32);
        // SAFETY: the pointer and the length are those of a vector, which lives through the call.
        let ready = unsafe { libc::poll(self.polled.as_mut_ptr(), self.polled.len() as libc::nfds_t, wait) };
        if ready < 0 {
            let error = io::Error::last_os_error();
            let is_harmless = error.kind() == io::ErrorKind::Interrupted;
            return if is_harmless { Ok(None) } else { Err(OpenError::failed("poll", error, "start anew")) };
        }
        Ok(self.polled.iter().position(|polled| polled.revents != 0))
    }
}
