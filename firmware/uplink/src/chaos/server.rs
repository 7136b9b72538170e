//! The server, which checks all it gets.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::line::Line;
use super::{Weather, World};
use crate::amf::{self, Value};
use crate::chunk::{ChunkReader, ChunkWriter, Chunks, Head, Message, kind};

pub(super) struct Server {
    line: Line,
    world: Arc<World>,
    writer: ChunkWriter,
    seen: Seen,
}

/// What a connection has brought, for the invariants.
#[derive(Default)]
struct Seen {
    metadata: bool,
    configuration: bool,
    timestamp: u32,
    /// The picture that may follow; any with an IDR picture.
    next: Option<u32>,
}

impl Server {
    pub(super) fn new(line: Line, world: Arc<World>) -> Self {
        Self { line, world, writer: ChunkWriter::new(), seen: Seen::default() }
    }

    pub(super) async fn run(&mut self) -> io::Result<()> {
        let (mut hello, mut reader) = (Vec::new(), ChunkReader::default());
        let mut buffer = [0; 4096];
        loop {
            self.line.readable().await?;
            let count = match self.line.try_read(&mut buffer) {
                Ok(0) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                count => count?,
            };
            sleep(Duration::from_millis(20)).await;
            if hello.len() < 1 + 2 * 1536 {
                let before = hello.len();
                hello.extend_from_slice(&buffer[..count]);
                if before < 1537 && hello.len() >= 1537 {
                    self.send(&[&[3][..], &[0; 1536], &hello[1..1537]].concat()).await?;
                }
                reader.push(hello.get(1 + 2 * 1536..).unwrap_or_default());
            } else {
                reader.push(&buffer[..count]);
            }
            while let Some(message) = reader.next_message().unwrap() {
                self.take(&message).await?;
            }
        }
    }

    async fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.line.writable().await?;
            let count = self.line.try_write_vectored(&[IoSlice::new(bytes)])?;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    async fn command(&mut self, values: &[Value]) -> io::Result<()> {
        let payload = amf::encode(values);
        let head = Head { chunk_stream: 3, kind: kind::COMMAND, stream_id: 0, timestamp: 0 };
        let (mut chunks, mut out) = (Chunks::default(), Vec::new());
        self.writer.start(head, &[], payload.len(), &mut chunks);
        chunks.copy(&payload, &mut out);
        self.send(&out).await
    }

    async fn take(&mut self, message: &Message) -> io::Result<()> {
        match message.kind {
            kind::COMMAND => {
                let values = amf::decode(&message.payload);
                let [Value::Text(name), transaction, ..] = &values[..] else { panic!("{values:?}") };
                let result = [Value::text("_result"), transaction.clone(), Value::Null, Value::Number(1.0)];
                let status = |level: &str, code: &str| {
                    let info = [("level", level), ("code", code)];
                    let info = info.map(|(name, value)| (name.to_owned(), Value::text(value))).to_vec();
                    [Value::text("onStatus"), Value::Number(0.0), Value::Null, Value::Object(info)]
                };
                match (name.as_str(), self.world.weather()) {
                    ("connect" | "createStream", _) => self.command(&result).await?,
                    ("publish", Weather::NameInUse) => {
                        self.command(&status("error", "NetStream.Publish.BadName")).await?;
                    }
                    ("publish", _) => self.command(&status("status", "NetStream.Publish.Start")).await?,
                    _ => {}
                }
            }
            kind::DATA => self.seen.metadata = true,
            kind::VIDEO => self.picture(message),
            _ => {}
        }
        Ok(())
    }

    fn picture(&mut self, message: &Message) {
        let seen = &mut self.seen;
        assert!(seen.metadata, "pictures before the metadata");
        let (is_idr, packet_type, data) =
            (message.payload[0] == 0x17, message.payload[1], &message.payload[5..]);
        if packet_type == 0 {
            seen.configuration = true;
            return;
        }
        assert!(seen.configuration, "pictures before their configuration");
        let number = u32::from_be_bytes(data[..4].try_into().unwrap());
        assert!(is_idr || seen.next == Some(number), "picture {number} without the one that it refers to");
        assert!(seen.next.is_some() || message.timestamp == 0, "begins at {}", message.timestamp);
        assert!(message.timestamp >= seen.timestamp, "time runs backwards");
        (seen.timestamp, seen.next) = (message.timestamp, Some(number + 1));
        *self.world.pictures.lock().unwrap() += 1;
        self.world.arrived.notify_waiters();
    }
}
