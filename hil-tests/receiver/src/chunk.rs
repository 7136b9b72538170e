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
        Self { source, size: 128, streams: HashMap::new() }
    }

    fn number<const N: usize>(&mut self) -> io::Result<u32> {
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
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
                // A message that format 3 begins after format 0 repeats its time as the delta (section 5.3.1.2.4).
                0 => (stream.timestamp, stream.delta) = (time, time),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// All messages up to the end or the violation that ends them.
    fn read(bytes: &[u8]) -> (Vec<(u8, u32, Vec<u8>)>, String) {
        let mut chunks = Chunks::new(bytes);
        let mut messages = Vec::new();
        loop {
            match chunks.next() {
                Ok(message) => messages.push((message.kind, message.timestamp, message.body)),
                Err(error) => return (messages, error.to_string()),
            }
        }
    }

    fn begin(id: u8, time: u32, length: u8, kind: u8) -> Vec<u8> {
        let time = time.to_be_bytes();
        vec![id, time[1], time[2], time[3], 0, 0, length, kind, 1, 0, 0, 0]
    }

    #[test]
    fn messages_of_several_chunk_streams_come_interleaved() {
        let bytes =
            [begin(6, 40, 200, 9), vec![1; 128], begin(4, 42, 3, 8), vec![2; 3], vec![0xc6], vec![3; 72]];
        let (messages, _) = read(&bytes.concat());
        let picture = [vec![1; 128], vec![3; 72]].concat();
        assert_eq!(messages, [(8, 42, vec![2; 3]), (9, 40, picture)]);
    }

    #[test]
    fn each_format_tells_the_time_in_its_way() {
        let bytes = [
            begin(4, 1000, 1, 8),
            vec![7],
            vec![0x44, 0, 0, 23, 0, 0, 2, 8, 7, 7],
            vec![0x84, 0, 0, 21, 8, 8],
            vec![0xc4, 9, 9],
        ];
        let times: Vec<u32> = read(&bytes.concat()).0.iter().map(|message| message.1).collect();
        assert_eq!(times, [1000, 1023, 1044, 1065]);
        let after_format_0 = [begin(4, 20, 1, 8), vec![7], vec![0xc4, 7]].concat();
        assert_eq!(read(&after_format_0).0[1].1, 40);
    }

    #[test]
    fn the_chunk_size_is_obeyed_and_long_ids_are_read() {
        let bytes = [
            begin(2, 0, 4, 1),
            vec![0, 0, 0, 200],
            vec![0, 10],
            begin(0, 5, 200, 9)[1..].to_vec(),
            vec![4; 200],
            vec![1, 10, 1],
            begin(0, 6, 1, 9)[1..].to_vec(),
            vec![5],
        ];
        assert_eq!(read(&bytes.concat()).0, [(9, 5, vec![4; 200]), (9, 6, vec![5])]);
    }

    #[test]
    fn extended_timestamps_stand_in_every_chunk() {
        let header = |time: u32| [&begin(6, 0xff_ffff, 130, 9)[..], &time.to_be_bytes()].concat();
        let good = [header(1 << 25), vec![1; 128], vec![0xc6, 2, 0, 0, 0, 1, 1]].concat();
        assert_eq!(read(&good).0, [(9, 1 << 25, vec![1; 130])]);
        let without = [header(1 << 25), vec![1; 128], vec![0xc6, 1, 1, 0xc6, 0, 0]].concat();
        assert!(read(&without).1.contains("extended timestamp differs"));
    }

    #[test]
    fn violations_end_the_reading() {
        assert!(read(&[0xc4]).1.contains("begins without a full header"));
        let restarted = [begin(6, 0, 200, 9), vec![1; 128], begin(6, 0, 200, 9)].concat();
        assert!(read(&restarted).1.contains("amid a message"));
    }
}
