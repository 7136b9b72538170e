use std::collections::HashMap;

use super::{DEFAULT_CHUNK_SIZE, EXTENDED, kind};

/// A whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub kind: u8,
    pub stream_id: u32,
    /// Milliseconds.
    pub timestamp: u32,
    pub payload: Vec<u8>,
}

/// A peer that does not keep to the protocol, or asks for more memory than it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    #[error("message of {0} bytes, more than 1 MiB")]
    TooLong(usize),
    #[error("more than 64 chunk streams")]
    TooManyStreams,
    #[error("more than 2 MiB of unfinished messages")]
    TooMuch,
    #[error("chunk stream {0} begins without a full header")]
    NoHeader(u32),
    #[error("new message header on chunk stream {0} amid a message")]
    Interrupted(u32),
    #[error("chunk size {0}")]
    ChunkSize(u32),
}

const LONGEST_MESSAGE: usize = 1 << 20;
const MOST_STREAMS: usize = 64;
const MOST_UNFINISHED: usize = 2 << 20;

/// Puts messages together from bytes in any portions. Obeys SetChunkSize and Abort (RTMP sections 5.4.1, 5.4.2).
pub struct ChunkReader {
    buffer: Vec<u8>,
    /// Bytes of it that are done with.
    used: usize,
    chunk_size: usize,
    streams: HashMap<u32, Stream>,
    unfinished: usize,
}

/// The last header of a chunk stream and what has come of its message.
#[derive(Default)]
struct Stream {
    timestamp: u32,
    delta: u32,
    extended: bool,
    length: usize,
    kind: u8,
    stream_id: u32,
    payload: Vec<u8>,
}

/// What a chunk's header says, and its length in bytes.
struct Header {
    chunk_stream: u32,
    format: u8,
    timestamp: u32,
    extended: bool,
    length: usize,
    kind: u8,
    stream_id: u32,
    bytes: usize,
}

impl Default for ChunkReader {
    fn default() -> Self {
        Self {
            buffer: Vec::new(),
            used: 0,
            chunk_size: DEFAULT_CHUNK_SIZE,
            streams: HashMap::new(),
            unfinished: 0,
        }
    }
}

impl ChunkReader {
    /// Takes bytes as they come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..std::mem::take(&mut self.used));
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, `None` until more bytes come. After an error the connection is of no use.
    pub fn next_message(&mut self) -> Result<Option<Message>, ChunkError> {
        loop {
            let Some(header) = self.header(self.used)? else {
                return Ok(None);
            };
            let stream = self.streams.get(&header.chunk_stream).map_or(0, |stream| stream.payload.len());
            let part = self.chunk_size.min(header.length - stream);
            let start = self.used + header.bytes;
            if self.buffer.len() < start + part {
                return Ok(None);
            }
            self.used = start + part;
            let message = self.take(&header, start..start + part)?;
            if let Some(message) = message
                && !self.control(&message)?
            {
                return Ok(Some(message));
            }
        }
    }

    /// Reads the header at `at` (RTMP section 5.3.1); `None` while it is incomplete.
    fn header(&self, at: usize) -> Result<Option<Header>, ChunkError> {
        let mut bytes = Bytes { rest: self.buffer.get(at..).unwrap_or_default() };
        let whole = bytes.rest.len();
        let mut read = || -> Option<Result<Header, ChunkError>> {
            let first = bytes.number::<1>()?;
            let chunk_stream = match first & 0x3f {
                0 => bytes.number::<1>()? + 64,
                1 => bytes.number::<2>().map(|id| (id & 0xff) << 8 | id >> 8)? + 64,
                id => id,
            };
            let format = (first >> 6) as u8;
            let last = self.streams.get(&chunk_stream);
            let (mut timestamp, mut extended) = (0, last.is_some_and(|last| last.extended));
            let (mut length, mut kind, mut stream_id) =
                last.map_or((0, 0, 0), |last| (last.length, last.kind, last.stream_id));
            if format <= 2 {
                timestamp = bytes.number::<3>()?;
                extended = timestamp == EXTENDED;
            }
            if format <= 1 {
                length = bytes.number::<3>()? as usize;
                kind = bytes.number::<1>()? as u8;
            }
            if format == 0 {
                stream_id = bytes.number::<4>()?.swap_bytes();
            }
            if extended {
                let mut ahead = Bytes { rest: bytes.rest };
                let field = ahead.number::<4>()?;
                // Some peers leave the field out of chunks of format 3.
                let expected =
                    last.map_or(0, |last| if last.delta > 0 { last.delta } else { last.timestamp });
                if format <= 2 || field == expected || last.is_some_and(|last| field == last.timestamp) {
                    bytes = ahead;
                    timestamp = field;
                }
            }
            Some(match last {
                None if format != 0 => Err(ChunkError::NoHeader(chunk_stream)),
                Some(last) if format != 3 && !last.payload.is_empty() => {
                    Err(ChunkError::Interrupted(chunk_stream))
                }
                _ if length > LONGEST_MESSAGE => Err(ChunkError::TooLong(length)),
                _ => {
                    let bytes = whole - bytes.rest.len();
                    Ok(Header { chunk_stream, format, timestamp, extended, length, kind, stream_id, bytes })
                }
            })
        };
        read().transpose()
    }

    /// Adds a chunk to its message; returns the message once it is whole.
    fn take(&mut self, header: &Header, part: std::ops::Range<usize>) -> Result<Option<Message>, ChunkError> {
        if self.streams.len() >= MOST_STREAMS && !self.streams.contains_key(&header.chunk_stream) {
            return Err(ChunkError::TooManyStreams);
        }
        let stream = self.streams.entry(header.chunk_stream).or_default();
        if stream.payload.is_empty() {
            match header.format {
                0 => (stream.timestamp, stream.delta) = (header.timestamp, 0),
                1 | 2 => stream.delta = header.timestamp,
                _ => {}
            }
            if header.format != 0 {
                stream.timestamp = stream.timestamp.wrapping_add(stream.delta);
            }
            stream.extended = header.extended;
            (stream.length, stream.kind, stream.stream_id) = (header.length, header.kind, header.stream_id);
        }
        self.unfinished += part.len();
        if self.unfinished > MOST_UNFINISHED {
            return Err(ChunkError::TooMuch);
        }
        stream.payload.extend_from_slice(&self.buffer[part]);
        if stream.payload.len() < stream.length {
            return Ok(None);
        }
        self.unfinished -= stream.payload.len();
        let Stream { kind, stream_id, timestamp, .. } = *stream;
        Ok(Some(Message { kind, stream_id, timestamp, payload: std::mem::take(&mut stream.payload) }))
    }

    /// Obeys a message that is meant for the reader itself; false for all others.
    fn control(&mut self, message: &Message) -> Result<bool, ChunkError> {
        let number = Bytes { rest: &message.payload }.number::<4>();
        match (message.kind, number) {
            (kind::SET_CHUNK_SIZE, Some(size)) => {
                // The highest bit must be zero (RTMP section 5.4.1).
                if size == 0 || size > 0x7fff_ffff {
                    return Err(ChunkError::ChunkSize(size));
                }
                self.chunk_size = size as usize;
                Ok(true)
            }
            (kind::ABORT, Some(chunk_stream)) => {
                if let Some(stream) = self.streams.get_mut(&chunk_stream) {
                    self.unfinished -= stream.payload.len();
                    stream.payload = Vec::new();
                }
                Ok(true)
            }
            (kind::SET_CHUNK_SIZE | kind::ABORT, None) => Ok(true),
            _ => Ok(false),
        }
    }
}

struct Bytes<'a> {
    rest: &'a [u8],
}

impl Bytes<'_> {
    /// A big-endian number of `N` bytes.
    fn number<const N: usize>(&mut self) -> Option<u32> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }
}
