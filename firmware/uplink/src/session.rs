//! The publishing client without I/O: bytes from the server in, bytes for it and events out.

use std::collections::VecDeque;

use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};

use crate::amf::Value;
use crate::auth::Login;
use crate::chunk::{ChunkError, ChunkReader, ChunkWriter, Chunks, Head, Message, kind};
use crate::{Address, amf};

/// Field experience: safe with every server.
const CHUNK_SIZE: usize = 4096;
/// Bytes after which the server is asked to say what it has: often enough for rate control. Some servers have steps of
/// their own.
const WINDOW: u32 = 100_000;

const CONTROL: u8 = 2;
const COMMANDS: u8 = 3;

/// The limit type of SetPeerBandwidth that asks for nothing (RTMP section 5.4.5), and two user control events (7.1.7).
const DYNAMIC: u8 = 2;
const PING_REQUEST: u8 = 6;
const PING_RESPONSE: u8 = 7;

/// Transaction numbers of the commands whose answer counts.
const CONNECT: f64 = 1.0;
const CREATE_STREAM: f64 = 4.0;
const PUBLISH: f64 = 5.0;

/// The last words of the codes by which servers refuse plainly: Adobe's, and others of the field.
const REFUSALS: [&str; 8] =
    ["Rejected", "InvalidApp", "AppShutdown", "Closed", "BadName", "BadConnection", "Denied", "Unauthorized"];
/// Codes that tell of an end, whatever their level.
const ENDS: [&str; 2] = ["NetStream.Unpublish.Success", "NetConnection.Connect.Closed"];

/// What the server's bytes mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It takes media from now on.
    Publishing,
    /// It refused, with the code and description of its status.
    Refused { code: String, description: String },
    /// It could not do what that step asks of it, which is no refusal; the same of its status.
    Failed { step: &'static str, code: String, description: String },
    /// It ended the stream.
    Closed { code: String, description: String },
    /// It has the stream published somewhere else (HTTP).
    Moved(String),
}

#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error("handshake: {0}")]
    Handshake(String),
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    #[error("HTTP: {0}")]
    Http(String),
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
    login: Login,
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
    /// The same of the server, as it counts.
    server_received: Option<u32>,
}

impl Session {
    /// Begins with the handshake; its first bytes wait in [`Session::output`].
    pub fn new(address: Address) -> Result<Self, SessionError> {
        Self::with_login(address, Login::default())
    }

    /// The same with what a server asked for before.
    pub(crate) fn with_login(address: Address, login: Login) -> Result<Self, SessionError> {
        let mut handshake = Handshake::new(PeerType::Client);
        let out = handshake
            .generate_outbound_p0_and_p1()
            .map_err(|error| SessionError::Handshake(error.to_string()))?;
        Ok(Self {
            address,
            login,
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
            server_received: None,
        })
    }

    /// Bytes for the server; whoever sends them takes them out.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The last number of bytes that the server said to have: a measure at the most, since there are as many ways to count
    /// as servers.
    pub fn acknowledged(&self) -> Option<u32> {
        self.server_received
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
            self.handle(&message);
        }
        if self.window > 0 && self.received.wrapping_sub(self.acknowledged) >= self.window {
            self.acknowledged = self.received;
            self.control(kind::ACKNOWLEDGEMENT, &self.received.to_be_bytes());
        }
        Ok(())
    }

    fn shake_hands(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        match self.handshake.process_bytes(bytes) {
            Ok(HandshakeProcessResult::InProgress { response_bytes }) => self.out.extend(response_bytes),
            Ok(HandshakeProcessResult::Completed { response_bytes, remaining_bytes }) => {
                self.out.extend(response_bytes);
                self.reader.push(&remaining_bytes);
                self.connect();
            }
            Err(error) => return Err(SessionError::Handshake(error.to_string())),
        }
        Ok(())
    }

    fn connect(&mut self) {
        self.state = State::Connecting;
        self.control(kind::SET_CHUNK_SIZE, &(CHUNK_SIZE as u32).to_be_bytes());
        self.writer.set_chunk_size(CHUNK_SIZE);
        self.control(kind::WINDOW_SIZE, &WINDOW.to_be_bytes());
        let login = self.login.query();
        let properties = [
            ("app", format!("{}{login}", self.address.app())),
            ("type", "nonprivate".to_owned()),
            ("flashVer", format!("FMLE/3.0 (compatible; Pushbox/{})", env!("CARGO_PKG_VERSION"))),
            ("tcUrl", format!("{}{login}", self.address.tc_url())),
        ];
        let properties = properties.into_iter().map(|(name, value)| (name.to_owned(), Value::Text(value)));
        self.command("connect", CONNECT, 0, [Value::Object(properties.collect())]);
    }

    fn handle(&mut self, message: &Message) {
        match message.kind {
            kind::COMMAND => self.command_from_server(&message.payload),
            // AMF3 commands hold AMF0 behind a format byte (RTMP section 7.1.1).
            kind::COMMAND_AMF3 => self.command_from_server(message.payload.get(1..).unwrap_or_default()),
            kind::ACKNOWLEDGEMENT | kind::USER_CONTROL | kind::WINDOW_SIZE | kind::PEER_BANDWIDTH => {
                self.control_from_server(message);
            }
            // Media, data, shared objects and aggregates mean nothing to a publisher.
            _ => {}
        }
    }

    /// What can't be read is ignored: it is advice at the most.
    fn control_from_server(&mut self, message: &Message) {
        match (message.kind, &message.payload[..]) {
            (kind::ACKNOWLEDGEMENT, [a, b, c, d, ..]) => {
                self.server_received = Some(u32::from_be_bytes([*a, *b, *c, *d]));
            }
            (kind::WINDOW_SIZE, [a, b, c, d, ..]) => self.window = u32::from_be_bytes([*a, *b, *c, *d]),
            (kind::PEER_BANDWIDTH, [a, b, c, d, limit, ..]) if *limit != DYNAMIC => {
                self.control(kind::WINDOW_SIZE, &[*a, *b, *c, *d]);
            }
            (kind::USER_CONTROL, [0, PING_REQUEST, a, b, c, d, ..]) => {
                self.control(kind::USER_CONTROL, &[0, PING_RESPONSE, *a, *b, *c, *d]);
            }
            _ => {}
        }
    }

    fn command_from_server(&mut self, payload: &[u8]) {
        let values = amf::decode(payload);
        let Some(Value::Text(name)) = values.first() else {
            return;
        };
        let transaction = match values.get(1) {
            Some(Value::Number(number)) => *number,
            _ => 0.0,
        };
        let info = values.iter().skip(2).find(|value| matches!(value, Value::Object(_)));
        match (name.as_str(), self.state) {
            ("_result", State::Connecting) if transaction == CONNECT => self.create_stream(),
            ("_result", State::CreatingStream) if transaction == CREATE_STREAM => {
                if let Some(Value::Number(id)) = values.get(3) {
                    self.stream_id = *id as u32;
                    self.publish();
                }
            }
            ("_error", State::Connecting) if transaction == CONNECT => self.refused(info),
            ("_error", State::CreatingStream) if transaction == CREATE_STREAM => self.refused(info),
            ("_error", State::StartingToPublish) if transaction == PUBLISH => self.refused(info),
            ("onStatus", _) => self.status(info),
            _ => {}
        }
    }

    fn create_stream(&mut self) {
        self.state = State::CreatingStream;
        let stream = Value::text(self.address.stream());
        // Some servers want these two; the answers of those that don't are ignored.
        self.command("releaseStream", 2.0, 0, [Value::Null, stream.clone()]);
        self.command("FCPublish", 3.0, 0, [Value::Null, stream]);
        self.command("createStream", CREATE_STREAM, 0, [Value::Null]);
    }

    fn publish(&mut self) {
        self.state = State::StartingToPublish;
        let stream = Value::text(self.address.stream());
        self.command("publish", PUBLISH, self.stream_id, [Value::Null, stream, Value::text("live")]);
    }

    fn status(&mut self, info: Option<&Value>) {
        let text = |name| info.map_or("", |info| info.property(name)).to_owned();
        let code = text("code");
        let ends = ENDS.contains(&code.as_str());
        match self.state {
            State::StartingToPublish if code == "NetStream.Publish.Start" => {
                self.state = State::Publishing;
                self.events.push_back(Event::Publishing);
            }
            State::Publishing if ends || text("level") == "error" => {
                self.state = State::Ended;
                self.events.push_back(Event::Closed { code, description: text("description") });
            }
            State::Ended | State::Publishing => {}
            _ if ends || text("level") == "error" || code == "NetStream.Publish.BadName" => {
                self.refused(info);
            }
            _ => {}
        }
    }

    /// An error in place of a step's answer.
    fn refused(&mut self, info: Option<&Value>) {
        let step = self.step();
        self.state = State::Ended;
        let text = |name| info.map_or("", |info| info.property(name)).to_owned();
        let (code, description) = (text("code"), text("description"));
        let last = code.rsplit('.').next().unwrap_or_default();
        let refuses = REFUSALS.iter().any(|word| last.eq_ignore_ascii_case(word));
        self.events.push_back(if refuses || ENDS.contains(&code.as_str()) {
            Event::Refused { code, description }
        } else {
            Event::Failed { step, code, description }
        });
    }

    /// Ends the stream in order: FCUnpublish, deleteStream (spec 10.6).
    pub fn close(&mut self) {
        if matches!(self.state, State::StartingToPublish | State::Publishing) {
            let stream = Value::text(self.address.stream());
            self.command("FCUnpublish", 6.0, 0, [Value::Null, stream]);
            let id = Value::Number(f64::from(self.stream_id));
            self.command("deleteStream", 7.0, 0, [Value::Null, id]);
        }
        self.state = State::Ended;
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

    fn control(&mut self, kind: u8, payload: &[u8]) {
        self.send(Head { chunk_stream: CONTROL, kind, stream_id: 0, timestamp: 0 }, payload);
    }

    fn command<const N: usize>(&mut self, name: &str, transaction: f64, stream_id: u32, rest: [Value; N]) {
        let mut values = vec![Value::text(name), Value::Number(transaction)];
        values.extend(rest);
        let head = Head { chunk_stream: COMMANDS, kind: kind::COMMAND, stream_id, timestamp: 0 };
        self.send(head, &amf::encode(&values));
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
