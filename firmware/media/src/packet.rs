use std::ops::{Deref, Range};

use crate::{Buffer, Pooled, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Track {
    Video,
    Audio,
}

/// Encoded bytes where the encoder put them: in memory of a pool, or in a driver's own buffer. Both go back when they are
/// dropped.
#[derive(Default)]
pub struct Bytes {
    memory: Memory,
    range: Range<usize>,
}

#[derive(Default)]
enum Memory {
    #[default]
    None,
    Pool(Pooled<Vec<u8>>),
    Driver(Pooled<Box<dyn Buffer>>),
}

impl Bytes {
    /// Bytes of a driver's buffer; `None` where it does not have them.
    pub fn of_driver(buffer: Pooled<Box<dyn Buffer>>, range: Range<usize>) -> Option<Self> {
        let is_there = buffer.plane(0).get(range.clone()).is_some();
        is_there.then(|| Self { memory: Memory::Driver(buffer), range })
    }

    /// Whether they are still where the driver put them.
    pub(crate) fn are_of_driver(&self) -> bool {
        matches!(self.memory, Memory::Driver(_))
    }

    /// All of the memory, and which part of it the bytes are.
    pub(crate) fn parts(&mut self) -> (&mut [u8], &mut Range<usize>) {
        let memory = match &mut self.memory {
            Memory::None => &mut [],
            Memory::Pool(bytes) => bytes.as_mut_slice(),
            Memory::Driver(buffer) => buffer.plane_mut(0),
        };
        (memory, &mut self.range)
    }

    /// Sees to it that `room` bytes of the memory come before byte `at`; false where there is no more memory.
    pub(crate) fn make_room(&mut self, at: usize, room: usize) -> bool {
        let Some(shift) = room.checked_sub(self.range.start + at).filter(|shift| *shift > 0) else {
            return true;
        };
        if let Memory::Pool(bytes) = &mut self.memory {
            let length = bytes.len().max(self.range.end + shift);
            bytes.resize(length, 0);
        }
        let (memory, range) = self.parts();
        let fits = range.end + shift <= memory.len();
        if fits {
            memory.copy_within(range.clone(), range.start + shift);
            *range = range.start + shift..range.end + shift;
        }
        fits
    }
}

impl From<Pooled<Vec<u8>>> for Bytes {
    fn from(bytes: Pooled<Vec<u8>>) -> Self {
        let range = 0..bytes.len();
        Self { memory: Memory::Pool(bytes), range }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let memory = match &self.memory {
            Memory::None => &[],
            Memory::Pool(bytes) => bytes.as_slice(),
            Memory::Driver(buffer) => buffer.plane(0),
        };
        &memory[self.range.clone()]
    }
}

/// What a packet carries: messages that were put before the access unit, if any, and the access unit.
pub struct Payload {
    pub(crate) messages: Option<Pooled<Vec<u8>>>,
    pub(crate) unit: Bytes,
}

impl Payload {
    /// All bytes, in their order.
    pub fn parts(&self) -> [&[u8]; 2] {
        [self.messages.as_ref().map_or(&[], |bytes| bytes.as_slice()), &self.unit]
    }

    pub fn len(&self) -> usize {
        self.parts().iter().map(|piece| piece.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Pooled<Vec<u8>>> for Payload {
    fn from(bytes: Pooled<Vec<u8>>) -> Self {
        Self { messages: None, unit: bytes.into() }
    }
}

/// One access unit on its way to the uplink: H.264 with lengths of four bytes in place of start codes, or raw AAC.
pub struct Packet {
    pub track: Track,
    /// Decodable without earlier packets; always true of sound.
    pub sync: bool,
    /// When it was captured.
    pub time: Timestamp,
    pub data: Payload,
}

/// Where a pipeline's packets go.
pub trait PacketSink: Send {
    /// The decoder configuration of the packets that follow: an AVCDecoderConfigurationRecord or an
    /// AudioSpecificConfig.
    fn configure(&mut self, track: Track, configuration: &[u8]);

    /// Takes a packet, without waiting.
    fn push(&mut self, packet: Packet);

    /// Whether an IDR picture is asked for since the last call.
    fn wants_idr(&mut self) -> bool;
}
