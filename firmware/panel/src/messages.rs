//! Faults that a person has not yet seen.

use std::time::Duration;

use live_pusher::{Code, Time};

use crate::view::View;

/// For so long a fault is shown, even where it is over sooner.
const LEAST: Duration = Duration::from_secs(3);
/// Two samples of the network's quality: so much later it speaks of the time after the fault.
const SAMPLES: Duration = Duration::from_secs(4);
/// The worst quality at which the network is wide enough again (9).
const WIDE: std::ops::RangeInclusive<u8> = 1..=2;

/// Acknowledged, a notice is not told again for so long.
const QUIET: Duration = Duration::from_secs(600);

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// The stream goes on, and not as it might.
    Notice,
    /// The stream is interrupted, and the box tries again by itself.
    Warning,
    /// Something is missing from the stream, or the session has ended.
    Fault,
}

/// How bad a code is; none where nothing is wrong.
pub(crate) fn severity(code: Code) -> Option<Severity> {
    match code {
        Code::Connected
        | Code::Publishing
        | Code::CameraOpened
        | Code::ScreenStarted
        | Code::ResolutionChanged
        | Code::BitrateChanged
        | Code::FirstFrame
        | Code::EncoderStarted
        | Code::MicrophoneSwitched
        | Code::MutedSwitched
        // Its cause came before, and the state tells it.
        | Code::Reconnecting => None,
        Code::UplinkTooNarrow
        | Code::HardwareEncoderFailed
        | Code::EncoderRestarted
        | Code::SizeUnsupported
        | Code::RateUnsupported => Some(Severity::Notice),
        Code::NameNotResolved
        | Code::ConnectFailed
        | Code::HandshakeFailed
        | Code::ServerRefused
        | Code::TransferFailed
        | Code::Suspended
        | Code::Interrupted => Some(Severity::Warning),
        Code::CameraForbidden
        | Code::MicrophoneForbidden
        | Code::MusicFailed
        | Code::WaitingImageFailed
        | Code::CameraFailed
        | Code::MicrophoneFailed
        | Code::VideoEncoderFailed
        | Code::AudioEncoderFailed
        | Code::Disconnected
        | Code::ScreenFailed
        | Code::ScreenUnsupported
        | Code::ScreenLost
        | Code::MicrophoneSilent
        | Code::ScreenChanged
        | Code::AddressInvalid => Some(Severity::Fault),
    }
}

/// The faults that are over when `code` comes.
fn ended_by(code: Code) -> &'static [Code] {
    match code {
        Code::Publishing => &[
            Code::NameNotResolved,
            Code::ConnectFailed,
            Code::HandshakeFailed,
            Code::ServerRefused,
            Code::TransferFailed,
            Code::Suspended,
            Code::Disconnected,
            Code::AddressInvalid,
            Code::AudioEncoderFailed,
        ],
        Code::FirstFrame => &[Code::CameraFailed, Code::CameraForbidden, Code::Interrupted],
        Code::EncoderStarted => &[Code::VideoEncoderFailed],
        Code::ScreenStarted => {
            &[Code::ScreenFailed, Code::ScreenUnsupported, Code::ScreenLost, Code::ScreenChanged]
        }
        _ => &[],
    }
}

/// The faults that are over when the microphone is heard again, of which there is no code.
const OF_MICROPHONE: [Code; 4] =
    [Code::MicrophoneFailed, Code::MicrophoneForbidden, Code::MicrophoneSilent, Code::Interrupted];

#[derive(Clone, Copy, Debug)]
struct Message {
    code: Code,
    /// When it was told last.
    told: Time,
    is_over: bool,
}

/// A fault that was told, over or not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Past {
    pub(crate) code: Code,
    /// The last time.
    pub(crate) told: Time,
    /// Before this it is not told again.
    quiet_until: Time,
}

/// Faults until they are acknowledged, or over: the worst first, of equal ones the oldest.
#[derive(Clone, Debug)]
pub(crate) struct Messages {
    waiting: Vec<Message>,
    /// Each fault once, the last first.
    past: Vec<Past>,
    /// Whether the microphone was not heard since the last of its faults.
    was_silent: bool,
}

impl Messages {
    pub(crate) fn new() -> Self {
        let (waiting, past) = (Vec::with_capacity(Code::ALL.len()), Vec::with_capacity(Code::ALL.len()));
        Self { waiting, past, was_silent: false }
    }

    pub(crate) fn tell(&mut self, now: Time, code: Code) {
        self.end(ended_by(code));
        let Some(severity_of_it) = severity(code) else {
            return;
        };
        if OF_MICROPHONE.contains(&code) {
            self.was_silent = false;
        }
        if self.note(now, code).quiet_until > now {
            return;
        }
        let message = Message { code, told: now, is_over: false };
        if let Some(known) = self.waiting.iter_mut().find(|known| known.code == code) {
            *known = message;
            return;
        }
        let worse = |known: &&Message| severity(known.code) >= Some(severity_of_it);
        let place = self.waiting.iter().take_while(worse).count();
        self.waiting.insert(place, message);
    }

    fn note(&mut self, now: Time, code: Code) -> Past {
        let known = self.past.iter().position(|past| past.code == code).map(|at| self.past.remove(at));
        let past = Past { code, told: now, quiet_until: known.map_or(Time::ZERO, |it| it.quiet_until) };
        self.past.insert(0, past);
        past
    }

    /// What is seen of the box ends some faults.
    pub(crate) fn settle(&mut self, view: &View<'_>) {
        match view.volume {
            None => self.was_silent = true,
            Some(_) if self.was_silent => self.end(&OF_MICROPHONE),
            Some(_) => {}
        }
        for message in &mut self.waiting {
            let age = view.now.saturating_sub(message.told);
            if message.code == Code::UplinkTooNarrow && WIDE.contains(&view.quality) && age >= SAMPLES {
                message.is_over = true;
            }
        }
        self.waiting.retain(|message| !message.is_over || view.now.saturating_sub(message.told) < LEAST);
    }

    fn end(&mut self, codes: &[Code]) {
        for message in self.waiting.iter_mut().filter(|message| codes.contains(&message.code)) {
            message.is_over = true;
        }
    }

    pub(crate) fn first(&self) -> Option<Code> {
        self.waiting.first().map(|message| message.code)
    }

    /// The first, where home is not seen because of it.
    pub(crate) fn cover(&self) -> Option<Code> {
        self.first().filter(|code| severity(*code) > Some(Severity::Notice))
    }

    pub(crate) fn count(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn past(&self) -> &[Past] {
        &self.past
    }

    /// The first was seen.
    pub(crate) fn acknowledge(&mut self, now: Time) {
        if self.waiting.is_empty() {
            return;
        }
        let seen = self.waiting.remove(0).code;
        if severity(seen) == Some(Severity::Notice)
            && let Some(past) = self.past.iter_mut().find(|past| past.code == seen)
        {
            past.quiet_until = now + QUIET;
        }
    }
}
