use std::io::IoSlice;
use std::ops::Range;

use super::{DEFAULT_CHUNK_SIZE, EXTENDED};

/// The chunk streams that are written: control on 2, commands on 3, sound on 4, pictures on 6.
const STREAMS: usize = 8;
/// Parts that a payload may lie in.
const PARTS: usize = 2;
/// Pieces handed to one vectored write: of each chunk its header and what it has of each part.
pub(crate) const PIECES: usize = 63;

/// What a message says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) chunk_stream: u8,
    pub(crate) kind: u8,
    pub(crate) stream_id: u32,
    /// Milliseconds.
    pub(crate) timestamp: u32,
}

/// Makes the chunk headers of messages (RTMP section 5.3.1).
pub(crate) struct ChunkWriter {
    chunk_size: usize,
    last: [Option<Head>; STREAMS],
}

/// A message on its way out: headers made here between parts of a payload that stays where it is.
#[derive(Default)]
pub(crate) struct Chunks {
    /// All headers one after another, the message's own prefix behind the first.
    headers: Vec<u8>,
    /// For each chunk, where its header ends in `headers` and its part in the payload.
    ends: Vec<(usize, usize)>,
    /// Chunks written, and bytes of the next one that are written.
    done: usize,
    offset: usize,
}

impl ChunkWriter {
    pub(crate) fn new() -> Self {
        Self { chunk_size: DEFAULT_CHUNK_SIZE, last: [None; STREAMS] }
    }

    /// For the messages after the SetChunkSize that says so.
    pub(crate) fn set_chunk_size(&mut self, size: usize) {
        self.chunk_size = size;
    }

    /// Prepares a message of `prefix` and `payload` bytes. The prefix is shorter than a chunk.
    pub(crate) fn start(&mut self, head: Head, prefix: &[u8], payload: usize, chunks: &mut Chunks) {
        chunks.headers.clear();
        chunks.ends.clear();
        (chunks.done, chunks.offset) = (0, 0);
        let extended = self.header(head, prefix.len() + payload, &mut chunks.headers);
        chunks.headers.extend_from_slice(prefix);
        let mut end = payload.min(self.chunk_size - prefix.len());
        chunks.ends.push((chunks.headers.len(), end));
        while end < payload {
            chunks.headers.push(0xc0 | head.chunk_stream);
            // Also in chunks of format 3, as FMLE and FFmpeg do and servers expect.
            if let Some(timestamp) = extended {
                chunks.headers.extend_from_slice(&timestamp.to_be_bytes());
            }
            end = payload.min(end + self.chunk_size);
            chunks.ends.push((chunks.headers.len(), end));
        }
    }

    /// Writes a message's first header; returns the extended timestamp where there is one.
    fn header(&mut self, head: Head, length: usize, out: &mut Vec<u8>) -> Option<u32> {
        let last = self.last[usize::from(head.chunk_stream) % STREAMS].replace(head);
        let delta = last.and_then(|last| {
            let same_stream = last.stream_id == head.stream_id;
            (same_stream && head.timestamp < EXTENDED).then(|| head.timestamp.checked_sub(last.timestamp))?
        });
        let (format, time) = delta.map_or((0, head.timestamp), |delta| (1, delta));
        out.push(format << 6 | head.chunk_stream);
        out.extend_from_slice(&time.min(EXTENDED).to_be_bytes()[1..]);
        out.extend_from_slice(&(length as u32).to_be_bytes()[1..]);
        out.push(head.kind);
        if format == 0 {
            out.extend_from_slice(&head.stream_id.to_le_bytes());
        }
        let extended = (time >= EXTENDED).then_some(time);
        if let Some(time) = extended {
            out.extend_from_slice(&time.to_be_bytes());
        }
        extended
    }
}

impl Chunks {
    pub(crate) fn is_done(&self) -> bool {
        self.done == self.ends.len()
    }

    /// Prepares a message of one piece: what `head` writes, the payload, what `tail` writes.
    pub(crate) fn enclose(
        &mut self,
        payload: usize,
        head: impl FnOnce(&mut Vec<u8>),
        tail: impl FnOnce(&mut Vec<u8>),
    ) {
        self.headers.clear();
        self.ends.clear();
        (self.done, self.offset) = (0, 0);
        head(&mut self.headers);
        self.ends.push((self.headers.len(), payload));
        tail(&mut self.headers);
        self.ends.push((self.headers.len(), payload));
    }

    /// Where the header of chunk `index` lies in `headers`, and its part in the payload.
    fn chunk(&self, index: usize) -> [Range<usize>; 2] {
        let (header_start, payload_start) = index.checked_sub(1).map_or((0, 0), |before| self.ends[before]);
        let (header_end, payload_end) = self.ends[index];
        [header_start..header_end, payload_start..payload_end]
    }

    /// The next pieces to write; returns how many of `pieces` are in use.
    pub(crate) fn pieces<'a>(
        &'a self,
        payload: [&'a [u8]; PARTS],
        pieces: &mut [IoSlice<'a>; PIECES],
    ) -> usize {
        let mut count = 0;
        let mut offset = self.offset;
        for index in self.done..self.ends.len().min(self.done + PIECES / (1 + PARTS)) {
            let [header, part] = self.chunk(index);
            let body = parts(payload, part);
            for piece in [&self.headers[header], body[0], body[1]] {
                let left = &piece[offset.min(piece.len())..];
                offset -= piece.len() - left.len();
                if !left.is_empty() {
                    pieces[count] = IoSlice::new(left);
                    count += 1;
                }
            }
        }
        count
    }

    /// Notes that `written` bytes of the pieces went out.
    pub(crate) fn advance(&mut self, written: usize) {
        self.offset += written;
        while !self.is_done() {
            let length = self.chunk(self.done).iter().map(ExactSizeIterator::len).sum();
            if self.offset < length {
                break;
            }
            self.offset -= length;
            self.done += 1;
        }
    }

    /// Appends the whole message to `out`: for short ones.
    pub(crate) fn copy(&self, payload: &[u8], out: &mut Vec<u8>) {
        for index in 0..self.ends.len() {
            let [header, part] = self.chunk(index);
            out.extend_from_slice(&self.headers[header]);
            out.extend_from_slice(&payload[part]);
        }
    }
}

/// A range of a payload that lies in two parts, one behind the other.
fn parts([first, second]: [&[u8]; PARTS], range: Range<usize>) -> [&[u8]; PARTS] {
    let cut = first.len();
    let in_first = range.start.min(cut)..range.end.min(cut);
    let in_second = range.start.saturating_sub(cut)..range.end.saturating_sub(cut);
    [&first[in_first], &second[in_second]]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ChunkReader;
    use super::*;

    /// Writes a message in portions of `portion` bytes, as a socket takes them.
    fn write(writer: &mut ChunkWriter, head: Head, prefix: &[u8], payload: &[u8], portion: usize) -> Vec<u8> {
        write_parts(writer, head, prefix, [payload, &[]], portion)
    }

    fn write_parts(
        writer: &mut ChunkWriter,
        head: Head,
        prefix: &[u8],
        payload: [&[u8]; 2],
        portion: usize,
    ) -> Vec<u8> {
        let length = payload.iter().map(|part| part.len()).sum();
        let mut chunks = Chunks::default();
        writer.start(head, prefix, length, &mut chunks);
        let mut out = Vec::new();
        while !chunks.is_done() {
            let mut pieces = [IoSlice::new(&[]); PIECES];
            let count = chunks.pieces(payload, &mut pieces);
            let bytes: Vec<u8> = pieces[..count].iter().flat_map(|piece| piece.to_vec()).collect();
            let written = bytes.len().min(portion);
            out.extend_from_slice(&bytes[..written]);
            chunks.advance(written);
        }
        out
    }

    #[test]
    fn continuations_repeat_the_extended_timestamp() {
        let head = Head { chunk_stream: 6, kind: 9, stream_id: 1, timestamp: EXTENDED };
        let out = write(&mut ChunkWriter::new(), head, &[], &[7; 130], 1000);
        let extended = [0, 0xff, 0xff, 0xff];
        assert_eq!(out[..12], [6, 0xff, 0xff, 0xff, 0, 0, 130, 9, 1, 0, 0, 0]);
        assert_eq!(out[12..16], extended);
        assert_eq!(out[16 + 128..16 + 128 + 5], [0xc6, 0, 0xff, 0xff, 0xff]);
    }

    #[test]
    fn time_that_runs_backwards_gets_a_full_header() {
        let mut writer = ChunkWriter::new();
        let head = |timestamp| Head { chunk_stream: 4, kind: 8, stream_id: 1, timestamp };
        let formats = [100, 120, 110, EXTENDED - 1, EXTENDED, 5]
            .map(|time| write(&mut writer, head(time), &[], &[1], 100)[0] >> 6);
        assert_eq!(formats, [0, 1, 0, 1, 0, 0]);
    }

    proptest! {
        /// Whatever is written, in whatever parts and portions, is read back by the reader.
        #[test]
        fn what_is_written_is_read(
            messages in prop::collection::vec((2_u8..8, 0_u32..u32::MAX, 0_usize..10_000, any::<prop::sample::Index>()), 1..8),
            portion in 1_usize..5000,
        ) {
            let (mut writer, mut reader) = (ChunkWriter::new(), ChunkReader::default());
            reader.push(&[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0x10, 0]);
            writer.set_chunk_size(4096);
            for (chunk_stream, timestamp, length, cut) in messages {
                let head = Head { chunk_stream, kind: 9, stream_id: 1, timestamp };
                let payload: Vec<u8> = (0..length).map(|i| i as u8).collect();
                let parts = payload.split_at(cut.index(length + 1));
                reader.push(&write_parts(&mut writer, head, &[0x17, 1, 0, 0, 0], parts.into(), portion));
                let message = reader.next_message().unwrap().unwrap();
                prop_assert_eq!((message.kind, message.timestamp), (9, timestamp));
                prop_assert_eq!(&message.payload[5..], &payload[..]);
            }
        }
    }
}
