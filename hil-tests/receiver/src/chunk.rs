//! Chunk streams, read from a blocking source (RTMP section 5.3).

use std::collections::HashMap;
use std::io::{self, Read};

pub(crate) struct Message {
    pub(crate) kind: u8,
    pub(crate) stream: u32,
    pub(crate) timestamp: u32,
    pub(crate) body: Vec<u8>,
}

#[derive(Default)]
struct Stream {
    kind: u8,
    stream: u32,
    timestamp: u32,
    delta: u32,
    length: usize,
    extended: bool,
    body: Vec<u8>,
}

pub(crate) struct Chunks<R> {
    source: R,
    size: usize,
    streams: HashMap<u32, Stream>,
}

impl<R: Read> Chunks<R> {
    pub(crate) fn new(source: R) -> Self {
        Self {
            source,
            size: 128,
            streams: HashMap::new(),
        }
    }

    fn number<const N: usize>(&mut self) -> io::Result<u32> {
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes)?;
        Ok(bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    /// The next whole message. SetChunkSize is obeyed here and not handed out.
    pub(crate) fn next(&mut self) -> io::Result<Message> {
        loop {
            let Some(message) = self.chunk()? else { continue };
            match (message.kind, message.body.first_chunk::<4>()) {
                (1, Some(size)) => {
                    self.size = (u32::from_be_bytes(*size) & 0x7fff_ffff).clamp(1, 1 << 24) as usize;
                }
                _ => return Ok(message),
            }
        }
    }

    fn chunk(&mut self) -> io::Result<Option<Message>> {
        let violation = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let first = self.number::<1>()?;
        let id = match first & 0x3f {
            0 => 64 + self.number::<1>()?,
            1 => {
                let low = self.number::<1>()?;
                64 + low + 256 * self.number::<1>()?
            }
            id => id,
        };
        let format = first >> 6;
        let mut stream = match self.streams.remove(&id) {
            Some(stream) => stream,
            None if format == 0 => Stream::default(),
            None => return Err(violation("a chunk stream that begins without a full header")),
        };
        if format < 3 && !stream.body.is_empty() {
            return Err(violation("a new header amid a message"));
        }
        let mut time = if format < 3 { self.number::<3>()? } else { 0 };
        if format < 3 {
            stream.extended = time == 0xff_ffff;
        }
        if format < 2 {
            stream.length = self.number::<3>()? as usize;
            stream.kind = self.number::<1>()? as u8;
        }
        if format < 1 {
            stream.stream = self.number::<4>()?.swap_bytes();
        }
        if stream.extended {
            time = self.number::<4>()?;
        }
        if stream.body.is_empty() {
            match format {
                0 => (stream.timestamp, stream.delta) = (time, 0),
                1 | 2 => stream.delta = time,
                _ => {}
            }
            if format > 0 {
                stream.timestamp = stream.timestamp.wrapping_add(stream.delta);
            }
        } else if stream.extended && time != stream.timestamp && time != stream.delta {
            return Err(violation("a continuation whose extended timestamp differs"));
        }
        let start = stream.body.len();
        let part = self.size.min(stream.length - start);
        stream.body.resize(start + part, 0);
        self.source.read_exact(&mut stream.body[start..])?;
        let message = (stream.body.len() == stream.length).then(|| Message {
            kind: stream.kind,
            stream: stream.stream,
            timestamp: stream.timestamp,
            body: std::mem::take(&mut stream.body),
        });
        self.streams.insert(id, stream);
        Ok(message)
    }
}
