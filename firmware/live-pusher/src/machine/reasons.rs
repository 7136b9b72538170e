//! Pause reasons (section 5.1).

use serde_json::{Map, json};

use super::{Code, Machine, State, Time};

/// Why a session is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// Method `pause`.
    Api = 1,
    Background = 2,
    Privacy = 4,
    Interrupt = 8,
}

/// A set of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reasons {
    bits: u8,
    /// Since when one holds that the box has, and since when method `pause` does.
    since: [Option<Time>; 2],
}

impl Reasons {
    pub fn contains(self, reason: Reason) -> bool {
        self.bits & reason as u8 != 0
    }

    pub(super) fn are_only(self, reason: Reason) -> bool {
        self.bits == reason as u8
    }

    pub fn is_empty(self) -> bool {
        self.bits == 0
    }

    pub(super) fn set(&mut self, reason: Reason, holds: bool, now: Time) {
        if holds {
            self.bits |= reason as u8;
        } else {
            self.bits &= !(reason as u8);
        }
        let api = Reason::Api as u8;
        for (since, holds) in self.since.iter_mut().zip([self.bits & !api != 0, self.bits & api != 0]) {
            *since = if holds { since.or(Some(now)) } else { None };
        }
    }

    /// Their limits count from now on.
    pub(super) fn begin_anew(&mut self, now: Time) {
        for since in self.since.iter_mut().flatten() {
            *since = now;
        }
    }

    /// Since when one holds that the box has, and since when method `pause` does.
    pub(super) fn since(self) -> [Option<Time>; 2] {
        self.since
    }

    /// Their names, as in results and status.
    pub fn names(self) -> Vec<&'static str> {
        let all = [
            (Reason::Api, "api"),
            (Reason::Background, "background"),
            (Reason::Privacy, "privacy"),
            (Reason::Interrupt, "interrupt"),
        ];
        all.into_iter().filter(|(reason, _)| self.contains(*reason)).map(|(_, name)| name).collect()
    }
}

impl Machine {
    /// A reason begins or ends.
    pub(super) fn condition(&mut self, reason: Reason, holds: bool) {
        if holds == self.reasons.contains(reason) {
            return;
        }
        self.reasons.set(reason, holds, self.now);
        if reason == Reason::Interrupt {
            if holds && !matches!(self.state(), State::Idle | State::Unbound) {
                let devices = json!(["camera", "microphone"]);
                self.emit(Code::Interrupted, Map::from_iter([("devices".to_owned(), devices)]));
            }
            if !holds && !self.options.resume_after_interrupt && self.session.is_some() {
                self.reasons.set(Reason::Api, true, self.now);
            }
        }
        if self.reasons.is_empty() {
            self.resume_session();
        }
    }
}
