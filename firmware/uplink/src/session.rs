//! The publishing client without I/O: bytes from the server in, bytes for it and events out.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use rml_amf0::Amf0Value;
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::messages::{MessagePayload, PeerBandwidthLimitType, RtmpMessage, UserControlEventType};
use rml_rtmp::time::RtmpTimestamp;

use crate::chunk::{ChunkError, ChunkReader, ChunkWriter, Chunks, Head, Message, kind};
use crate::{Address, amf};

/// Field experience: safe with every server.
const CHUNK_SIZE: usize = 4096;
const WINDOW: u32 = 2_500_000;

const CONTROL: u8 = 2;
const COMMANDS: u8 = 3;

/// Transaction numbers of the commands whose answer counts.
const CONNECT: f64 = 1.0;
const CREATE_STREAM: f64 = 4.0;
const PUBLISH: f64 = 5.0;

/// What the server's bytes mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It takes media from now on.
    Publishing,
    /// It refused, with the code and description of its status.
    Refused { code: String, description: String },
    /// It ended the stream.
    Closed { code: String, description: String },
}

#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error("handshake: {0}")]
    Handshake(String),
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    #[error("a command can't be written: {0}")]
    Command(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Handshaking,
    Connecting,
    CreatingStream,
    StartingToPublish,
    Publishing,
    Ended,
}

pub struct Session {
    address: Address,
    state: State,
    handshake: Handshake,
    reader: ChunkReader,
    writer: ChunkWriter,
    stream_id: u32,
    out: Vec<u8>,
    events: VecDeque<Event>,
    /// Bytes received, modulo 2^32 as in acknowledgements.
    received: u32,
    acknowledged: u32,
    window: u32,
}

impl Session {
    /// Begins with the handshake; its first bytes wait in [`Session::output`].
    pub fn new(address: Address) -> Result<Self, SessionError> {
        let mut handshake = Handshake::new(PeerType::Client);
        let out = handshake
            .generate_outbound_p0_and_p1()
            .map_err(|error| SessionError::Handshake(error.to_string()))?;
        Ok(Self {
            address,
            state: State::Handshaking,
            handshake,
            reader: ChunkReader::default(),
            writer: ChunkWriter::new(),
            stream_id: 0,
            out,
            events: VecDeque::new(),
            received: 0,
            acknowledged: 0,
            window: 0,
        })
    }

    /// Bytes for the server; whoever sends them takes them out.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub fn is_publishing(&self) -> bool {
        self.state == State::Publishing
    }

    /// The step that waits for an answer, for messages to people.
    pub fn step(&self) -> &'static str {
        match self.state {
            State::Handshaking => "handshake",
            State::Connecting => "connect",
            State::CreatingStream => "createStream",
            State::StartingToPublish => "publish",
            State::Publishing | State::Ended => "stream",
        }
    }

    /// Takes bytes from the server. After an error the connection is of no use.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        self.received = self.received.wrapping_add(bytes.len() as u32);
        if self.state == State::Handshaking {
            self.shake_hands(bytes)?;
        } else {
            self.reader.push(bytes);
        }
        while let Some(message) = self.reader.next_message()? {
            self.handle(&message)?;
        }
        if self.window > 0 && self.received.wrapping_sub(self.acknowledged) >= self.window {
            self.acknowledged = self.received;
            self.control(RtmpMessage::Acknowledgement { sequence_number: self.received })?;
        }
        Ok(())
    }

    fn shake_hands(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        match self.handshake.process_bytes(bytes) {
            Ok(HandshakeProcessResult::InProgress { response_bytes }) => self.out.extend(response_bytes),
            Ok(HandshakeProcessResult::Completed { response_bytes, remaining_bytes }) => {
                self.out.extend(response_bytes);
                self.reader.push(&remaining_bytes);
                self.connect()?;
            }
            Err(error) => return Err(SessionError::Handshake(error.to_string())),
        }
        Ok(())
    }

    fn connect(&mut self) -> Result<(), SessionError> {
        self.state = State::Connecting;
        self.control(RtmpMessage::SetChunkSize { size: CHUNK_SIZE as u32 })?;
        self.writer.set_chunk_size(CHUNK_SIZE);
        self.control(RtmpMessage::WindowAcknowledgement { size: WINDOW })?;
        let properties = [
            ("app", self.address.app().to_owned()),
            ("type", "nonprivate".to_owned()),
            ("flashVer", format!("FMLE/3.0 (compatible; Pushbox/{})", env!("CARGO_PKG_VERSION"))),
            ("tcUrl", self.address.tc_url()),
        ];
        let properties: HashMap<String, Amf0Value> = properties
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Amf0Value::Utf8String(value)))
            .collect();
        self.command("connect", CONNECT, 0, vec![Amf0Value::Object(properties)])
    }

    fn handle(&mut self, message: &Message) -> Result<(), SessionError> {
        match message.kind {
            kind::COMMAND => self.command_from_server(&message.payload),
            // AMF3 commands hold AMF0 behind a format byte (RTMP section 7.1.1).
            kind::COMMAND_AMF3 => self.command_from_server(message.payload.get(1..).unwrap_or_default()),
            kind::ACKNOWLEDGEMENT | kind::USER_CONTROL | kind::WINDOW_SIZE | kind::PEER_BANDWIDTH => {
                self.control_from_server(message)
            }
            // Media, data, shared objects and aggregates mean nothing to a publisher.
            _ => Ok(()),
        }
    }

    fn control_from_server(&mut self, message: &Message) -> Result<(), SessionError> {
        let payload = MessagePayload {
            timestamp: RtmpTimestamp::new(0),
            type_id: message.kind,
            message_stream_id: 0,
            data: Bytes::copy_from_slice(&message.payload),
        };
        // What can't be read is ignored: it is advice at the most.
        match payload.to_rtmp_message() {
            Ok(RtmpMessage::WindowAcknowledgement { size }) => self.window = size,
            Ok(RtmpMessage::SetPeerBandwidth { size, limit_type })
                if limit_type != PeerBandwidthLimitType::Dynamic =>
            {
                self.control(RtmpMessage::WindowAcknowledgement { size })?;
            }
            Ok(RtmpMessage::UserControl {
                event_type: UserControlEventType::PingRequest, timestamp, ..
            }) => {
                self.control(RtmpMessage::UserControl {
                    event_type: UserControlEventType::PingResponse,
                    stream_id: None,
                    buffer_length: None,
                    timestamp: Some(timestamp.unwrap_or_else(|| RtmpTimestamp::new(0))),
                })?;
            }
            _ => {}
        }
        Ok(())
    }

    fn command_from_server(&mut self, payload: &[u8]) -> Result<(), SessionError> {
        let values = amf::decode(payload);
        let Some(Amf0Value::Utf8String(name)) = values.first() else {
            return Ok(());
        };
        let transaction = match values.get(1) {
            Some(Amf0Value::Number(number)) => *number,
            _ => 0.0,
        };
        let info = values.get(3);
        match (name.as_str(), self.state) {
            ("_result", State::Connecting) if transaction == CONNECT => {
                self.create_stream()?;
            }
            ("_result", State::CreatingStream) if transaction == CREATE_STREAM => {
                if let Some(Amf0Value::Number(id)) = info {
                    self.stream_id = *id as u32;
                    self.publish()?;
                }
            }
            ("_error", State::Connecting) if transaction == CONNECT => self.refused(info),
            ("_error", State::CreatingStream) if transaction == CREATE_STREAM => self.refused(info),
            ("_error", State::StartingToPublish) if transaction == PUBLISH => self.refused(info),
            ("onStatus", _) => self.status(info),
            _ => {}
        }
        Ok(())
    }

    fn create_stream(&mut self) -> Result<(), SessionError> {
        self.state = State::CreatingStream;
        let stream = Amf0Value::Utf8String(self.address.stream().to_owned());
        // Some servers want these two; the answers of those that don't are ignored.
        self.command("releaseStream", 2.0, 0, vec![Amf0Value::Null, stream.clone()])?;
        self.command("FCPublish", 3.0, 0, vec![Amf0Value::Null, stream])?;
        self.command("createStream", CREATE_STREAM, 0, vec![Amf0Value::Null])
    }

    fn publish(&mut self) -> Result<(), SessionError> {
        self.state = State::StartingToPublish;
        let stream = Amf0Value::Utf8String(self.address.stream().to_owned());
        let live = Amf0Value::Utf8String("live".to_owned());
        self.command("publish", PUBLISH, self.stream_id, vec![Amf0Value::Null, stream, live])
    }

    fn status(&mut self, info: Option<&Amf0Value>) {
        let code = amf::text(info, "code");
        let ends = ["NetStream.Unpublish.Success", "NetConnection.Connect.Closed"].contains(&code.as_str());
        match self.state {
            State::StartingToPublish if code == "NetStream.Publish.Start" => {
                self.state = State::Publishing;
                self.events.push_back(Event::Publishing);
            }
            State::Publishing if ends || amf::text(info, "level") == "error" => {
                self.state = State::Ended;
                self.events.push_back(Event::Closed { code, description: amf::text(info, "description") });
            }
            State::Ended | State::Publishing => {}
            _ if ends || amf::text(info, "level") == "error" || code == "NetStream.Publish.BadName" => {
                self.refused(info);
            }
            _ => {}
        }
    }

    fn refused(&mut self, info: Option<&Amf0Value>) {
        self.state = State::Ended;
        let (code, description) = (amf::text(info, "code"), amf::text(info, "description"));
        self.events.push_back(Event::Refused { code, description });
    }

    /// Ends the stream in order: FCUnpublish, deleteStream (spec 10.6).
    pub fn close(&mut self) -> Result<(), SessionError> {
        if matches!(self.state, State::StartingToPublish | State::Publishing) {
            let stream = Amf0Value::Utf8String(self.address.stream().to_owned());
            self.command("FCUnpublish", 6.0, 0, vec![Amf0Value::Null, stream])?;
            let id = Amf0Value::Number(f64::from(self.stream_id));
            self.command("deleteStream", 7.0, 0, vec![Amf0Value::Null, id])?;
        }
        self.state = State::Ended;
        Ok(())
    }

    /// Prepares a media message; the payload stays where it is.
    pub(crate) fn media(
        &mut self,
        kind: u8,
        timestamp: u32,
        prefix: &[u8],
        payload: usize,
        chunks: &mut Chunks,
    ) {
        // Sound and data on one chunk stream, pictures on another, as FMLE has it.
        let chunk_stream = if kind == kind::VIDEO { 6 } else { 4 };
        let head = Head { chunk_stream, kind, stream_id: self.stream_id, timestamp };
        self.writer.start(head, prefix, payload, chunks);
    }

    fn control(&mut self, message: RtmpMessage) -> Result<(), SessionError> {
        let payload = message
            .into_message_payload(RtmpTimestamp::new(0), 0)
            .map_err(|error| SessionError::Command(error.to_string()))?;
        self.send(
            Head { chunk_stream: CONTROL, kind: payload.type_id, stream_id: 0, timestamp: 0 },
            &payload.data,
        );
        Ok(())
    }

    fn command(
        &mut self,
        name: &str,
        transaction: f64,
        stream_id: u32,
        rest: Vec<Amf0Value>,
    ) -> Result<(), SessionError> {
        let mut values = vec![Amf0Value::Utf8String(name.to_owned()), Amf0Value::Number(transaction)];
        values.extend(rest);
        let payload =
            rml_amf0::serialize(&values).map_err(|error| SessionError::Command(error.to_string()))?;
        self.send(Head { chunk_stream: COMMANDS, kind: kind::COMMAND, stream_id, timestamp: 0 }, &payload);
        Ok(())
    }

    fn send(&mut self, head: Head, payload: &[u8]) {
        let mut chunks = Chunks::default();
        self.writer.start(head, &[], payload.len(), &mut chunks);
        chunks.copy(payload, &mut self.out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of the acknowledgements in what waits to be sent.
    fn acknowledged(session: &mut Session) -> Vec<u32> {
        let mut reader = ChunkReader::default();
        // Behind C0, C1 and C2.
        reader.push(&session.output()[1 + 2 * 1536..]);
        let messages = std::iter::from_fn(|| reader.next_message().unwrap());
        let acknowledgements = messages.filter(|message| message.kind == kind::ACKNOWLEDGEMENT);
        acknowledgements.map(|it| u32::from_be_bytes(it.payload[..].try_into().unwrap())).collect()
    }

    #[test]
    fn acknowledgements_count_all_bytes_past_4_gib() {
        let mut session = Session::new(Address::parse("rtmp://host/app/key").unwrap()).unwrap();
        session.receive(&[&[3][..], &[0; 2 * 1536]].concat()).unwrap();
        let near = u32::MAX - 1000;
        (session.received, session.acknowledged) = (near, near);
        // A window of 600 bytes, then messages of 512 that mean nothing.
        session.receive(&[2, 0, 0, 0, 0, 0, 4, 5, 0, 0, 0, 0, 0, 0, 2, 88]).unwrap();
        let noise = [&[4, 0, 0, 0, 0, 0, 116, 9, 1, 0, 0, 0][..], &[0; 116]].concat();
        for _ in 0..20 {
            session.receive(&noise).unwrap();
        }
        let expected = [656, 1296, 1936, 2576].map(|bytes: u32| near.wrapping_add(bytes));
        assert_eq!(acknowledged(&mut session), expected);
        assert!(expected[0] > near && expected[1] < 1000);
    }
}
