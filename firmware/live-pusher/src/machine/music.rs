//! Background music (6.6): whether it plays.

use std::time::Duration;

use serde_json::{Map, json};

use super::{CallId, Code, Failure, Machine, MusicCommand, MusicEvent, Output, Reply, Time};

/// How long it may take until music sounds.
const OPENING: Duration = Duration::from_secs(10);

/// How far it is.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Music {
    phase: Phase,
    /// By method `pauseBGM`.
    held: bool,
    /// As the player was told last: by that method or because the session is paused.
    frozen: bool,
}

#[derive(Debug, Default, PartialEq)]
enum Phase {
    #[default]
    None,
    Opening {
        id: CallId,
        since: Time,
    },
    Playing,
}

impl Music {
    pub(super) fn deadline(&self) -> Option<Time> {
        match self.phase {
            Phase::Opening { since, .. } => Some(since + OPENING),
            Phase::None | Phase::Playing => None,
        }
    }
}

impl Machine {
    pub(super) fn play_music(&mut self, id: CallId, url: String, start: Duration, end: Duration) {
        if !self.hardware.music {
            return self.reply(id, Err(Failure::NotSupported));
        }
        if !self.preview && self.session.is_none() {
            return self.reply(id, Err(Failure::InvalidState("no preview")));
        }
        self.stop_music();
        self.music.phase = Phase::Opening { id, since: self.now };
        let end = (!end.is_zero()).then_some(end);
        self.outputs.push(Output::Music(MusicCommand::Play { url, start, end }));
    }

    pub(super) fn stop_music(&mut self) -> Reply {
        match std::mem::take(&mut self.music).phase {
            Phase::None => return Reply::new(),
            Phase::Opening { id, .. } => self.reply(id, Err(Failure::InvalidState("stopped"))),
            Phase::Playing => {}
        }
        self.outputs.push(Output::Music(MusicCommand::Stop));
        Reply::new()
    }

    pub(super) fn hold_music(&mut self, held: bool) -> Result<Reply, Failure> {
        if self.music.phase == Phase::None {
            return Err(Failure::InvalidState("bgm not playing"));
        }
        self.music.held = held;
        Ok(Reply::new())
    }

    /// A paused session freezes it.
    pub(super) fn settle_music(&mut self) {
        let frozen = self.music.held || (self.session.is_some() && !self.reasons.is_empty());
        if self.music.phase == Phase::Playing && frozen != self.music.frozen {
            self.music.frozen = frozen;
            let command = if frozen { MusicCommand::Pause } else { MusicCommand::Resume };
            self.outputs.push(Output::Music(command));
        }
    }

    pub(super) fn music_event(&mut self, event: MusicEvent) {
        match (event, &self.music.phase) {
            (_, Phase::None) | (MusicEvent::Started, Phase::Playing) => {}
            (MusicEvent::Started, Phase::Opening { id, .. }) => {
                let id = *id;
                self.music.phase = Phase::Playing;
                self.reply(id, Ok(Reply::new()));
            }
            (MusicEvent::Ended, _) => self.music = Music::default(),
            (MusicEvent::Failed { reason }, _) => self.music_failed(&reason),
        }
    }

    fn music_failed(&mut self, reason: &str) {
        let phase = std::mem::take(&mut self.music).phase;
        self.emit(Code::MusicFailed, Map::from_iter([("reason".to_owned(), json!(reason))]));
        if let Phase::Opening { id, .. } = phase {
            self.reply(id, Err(Failure::Device));
        }
    }

    pub(super) fn music_timer(&mut self) {
        if self.music.deadline().is_some_and(|deadline| deadline <= self.now) {
            self.outputs.push(Output::Music(MusicCommand::Stop));
            self.music_failed("timeout");
        }
    }
}
