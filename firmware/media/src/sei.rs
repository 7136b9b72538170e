//! Messages in the video stream: SEI units (H.264 clause 7.3.2.3, spec 10.8).

use std::collections::VecDeque;
use std::ops::DerefMut;
use std::sync::{Mutex, PoisonError};

use crate::{NalWriter, Timestamp, now};

/// NAL unit type 6, and a payload type that H.264 leaves to its users.
const SEI: u8 = 6;
const PAYLOAD_TYPE: u8 = 242;
/// Messages and bytes in a second, and messages that may wait.
const MESSAGES: usize = 30;
const BYTES: usize = 8 << 10;
const WAITING: usize = 60;
const SECOND: i64 = 1_000_000;

/// More messages than may go out in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many messages: send at most {MESSAGES}, or {BYTES} bytes, in a second")]
pub struct TooMany;

/// Messages on their way into the stream, in their order.
#[derive(Default)]
pub struct Messages(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    units: VecDeque<Vec<u8>>,
    /// When each of the last second came, and its length.
    recent: VecDeque<(Timestamp, usize)>,
}

impl Messages {
    /// Takes a message for the next picture.
    pub fn push(&self, text: &str) -> Result<(), TooMany> {
        self.push_at(now(), text)
    }

    fn push_at(&self, now: Timestamp, text: &str) -> Result<(), TooMany> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while waiting.recent.front().is_some_and(|(time, _)| now.since(*time) >= SECOND) {
            waiting.recent.pop_front();
        }
        let bytes: usize = waiting.recent.iter().map(|(_, length)| length).sum();
        let is_full = waiting.recent.len() >= MESSAGES || waiting.units.len() >= WAITING;
        if is_full || bytes + text.len() > BYTES {
            return Err(TooMany);
        }
        waiting.recent.push_back((now, text.len()));
        waiting.units.push_back(unit(text.as_bytes()));
        Ok(())
    }

    pub fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Waiting::default();
    }

    /// What waits, as NAL units with lengths of four bytes, in memory that `memory` gives; none where nothing waits.
    pub(crate) fn take<M: DerefMut<Target = Vec<u8>>>(&self, memory: impl FnOnce() -> M) -> Option<M> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.units.is_empty() {
            return None;
        }
        let mut bytes = memory();
        bytes.clear();
        for unit in waiting.units.drain(..) {
            bytes.extend_from_slice(&(unit.len() as u32).to_be_bytes());
            bytes.extend_from_slice(&unit);
        }
        Some(bytes)
    }
}

/// A NAL unit with one message.
fn unit(text: &[u8]) -> Vec<u8> {
    let mut unit = Vec::with_capacity(text.len() + text.len() / 255 + 4);
    let mut nal = NalWriter::new(&mut unit, SEI);
    nal.u(8, PAYLOAD_TYPE.into());
    for _ in 0..text.len() / 255 {
        nal.u(8, 0xff);
    }
    nal.u(8, (text.len() % 255) as u32);
    for byte in text {
        nal.u(8, (*byte).into());
    }
    nal.finish();
    unit
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a receiver reads of a unit.
    fn read(unit: &[u8]) -> Vec<u8> {
        let (mut bytes, mut zeros) = (Vec::new(), 0);
        for byte in &unit[1..] {
            let is_emulation_prevention = zeros == 2 && *byte == 3;
            zeros = if *byte == 0 { zeros + 1 } else { 0 };
            if !is_emulation_prevention {
                bytes.push(*byte);
            }
        }
        assert_eq!((unit[0], bytes[0]), (SEI, PAYLOAD_TYPE));
        let longs = bytes[1..].iter().take_while(|byte| **byte == 0xff).count();
        let length = longs * 255 + usize::from(bytes[1 + longs]);
        bytes[2 + longs..][..length].to_vec()
    }

    proptest! {
        #[test]
        fn m6_a_message_is_read_as_it_was_sent(text in prop::collection::vec(prop_oneof![Just(0), Just(1), Just(4), any::<u8>()], 1..1024)) {
            let unit = unit(&text);
            prop_assert!(!unit.windows(3).any(|bytes| bytes[..2] == [0, 0] && bytes[2] < 3), "a start code");
            prop_assert_eq!(read(&unit), text);
        }
    }

    #[test]
    fn m6_messages_go_out_once_in_their_order() {
        let messages = Messages::default();
        messages.push("one").unwrap();
        messages.push("two").unwrap();
        let sent = messages.take(|| Box::new(vec![9])).unwrap();
        let message = |text: &[u8]| [&[0, 0, 0, 7, SEI, PAYLOAD_TYPE, 3], text, &[0x80]].concat();
        assert_eq!(*sent, [message(b"one"), message(b"two")].concat());
        assert!(messages.take(|| Box::new(Vec::new())).is_none());
    }

    #[test]
    fn m6_a_second_takes_thirty_messages_or_eight_kilobytes() {
        let at = |milliseconds: i64| Timestamp::from_micros(milliseconds * 1000);
        let messages = Messages::default();
        for _ in 0..30 {
            messages.push_at(at(0), "x").unwrap();
        }
        assert_eq!(messages.push_at(at(999), "x"), Err(TooMany));
        assert_eq!(messages.push_at(at(1000), "x"), Ok(()));
        messages.clear();
        let long = "x".repeat(1024);
        let sent = (0..20).filter(|_| messages.push_at(at(5000), &long).is_ok()).count();
        assert_eq!(sent, 8);
    }
}
