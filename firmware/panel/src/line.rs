//! A line of text that needs no heap.

use std::fmt;
use std::time::Duration;

/// Bytes: longer than any display is wide.
const CAPACITY: usize = 160;

/// What is written beyond its capacity is left out.
pub(crate) struct Line {
    bytes: [u8; CAPACITY],
    length: usize,
}

impl Line {
    pub(crate) fn new() -> Self {
        Self { bytes: [0; CAPACITY], length: 0 }
    }

    pub(crate) fn of(arguments: fmt::Arguments<'_>) -> Self {
        let mut line = Self::new();
        line.add(arguments);
        line
    }

    pub(crate) fn add(&mut self, arguments: fmt::Arguments<'_>) {
        // It never fails.
        let _ = fmt::Write::write_fmt(self, arguments);
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = CAPACITY - self.length;
        let end =
            text.char_indices().map(|(at, letter)| at + letter.len_utf8()).take_while(|end| *end <= room);
        let end = end.last().unwrap_or(0);
        self.bytes[self.length..self.length + end].copy_from_slice(&text.as_bytes()[..end]);
        self.length += end;
        Ok(())
    }
}

/// A length of time in at most seven letters.
pub(crate) fn duration(time: Duration) -> Line {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match days {
        0 if hours == 0 => Line::of(format_args!("{minutes}:{:02}", seconds % 60)),
        0 => Line::of(format_args!("{hours}:{minutes:02}:{:02}", seconds % 60)),
        _ => Line::of(format_args!("{days}d {hours}h")),
    }
}
