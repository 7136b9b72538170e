//! A server that plays the part which a test gives it, a connection after the other.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use uplink::{ChunkReader, Message};

/// How long anything may take that takes a moment.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) const COMMAND: u8 = 20;

/// A way to the client: TCP, or TLS over it.
pub(crate) trait Wire: Read + Write + Send {}
impl<W: Read + Write + Send> Wire for W {}

/// One end of a connection, as a server has it.
pub(crate) struct Peer {
    pub(crate) wire: Box<dyn Wire>,
    /// The socket itself, for what goes past the wire.
    pub(crate) socket: TcpStream,
    reader: ChunkReader,
    chunk_size: usize,
}

/// A server that gives each connection to the next of `parts`; returns its port.
pub(crate) fn serve<F: FnOnce(Peer) + Send + 'static>(parts: Vec<F>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    serve_at(listener, parts);
    port
}

/// The same behind a listener of one's own.
pub(crate) fn serve_at<F: FnOnce(Peer) + Send + 'static>(listener: TcpListener, parts: Vec<F>) {
    thread::spawn(move || {
        for part in parts {
            let socket = listener.accept().unwrap().0;
            thread::spawn(move || part(Peer::new(socket)));
        }
    });
}

/// The address of a server with one connection.
pub(crate) fn server(part: impl FnOnce(Peer) + Send + 'static) -> String {
    format!("rtmp://127.0.0.1:{}/live/key", serve(vec![part]))
}

impl Peer {
    pub(crate) fn new(socket: TcpStream) -> Self {
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(SOON)).unwrap();
        let wire = Box::new(socket.try_clone().unwrap());
        Self { wire, socket, reader: ChunkReader::default(), chunk_size: 128 }
    }

    /// The plain handshake (RTMP section 5.2).
    pub(crate) fn shake_hands(&mut self) {
        let mut hello = [0; 1537];
        self.wire.read_exact(&mut hello).unwrap();
        self.send(&[&[3][..], &[0; 1536], &hello[1..]].concat());
        self.wire.read_exact(&mut hello[1..]).unwrap();
    }

    /// Fails softly: a client may be gone already.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self.wire.write_all(bytes).and_then(|()| self.wire.flush());
    }

    /// Sends a message on a chunk stream.
    pub(crate) fn message(&mut self, chunk_stream: u8, kind: u8, stream: u32, body: &[u8]) {
        let bytes = message(chunk_stream, kind, stream, body, self.chunk_size);
        self.send(&bytes);
    }

    pub(crate) fn command(&mut self, values: &[Vec<u8>]) {
        self.message(3, COMMAND, 0, &values.concat());
    }

    /// The next message; none at the end.
    pub(crate) fn receive(&mut self) -> Option<Message> {
        let mut buffer = [0; 16 << 10];
        loop {
            if let Some(message) = self.reader.next_message().unwrap() {
                return Some(message);
            }
            match self.wire.read(&mut buffer) {
                Ok(0) => return None,
                Ok(count) => self.reader.push(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("the client says nothing more"),
                Err(_) => return None,
            }
        }
    }

    /// Waits for a command of that name; returns its body.
    pub(crate) fn expect(&mut self, name: &str) -> Vec<u8> {
        loop {
            let message = self.receive().unwrap_or_else(|| panic!("the client went before {name}"));
            if message.kind == COMMAND && message.payload.starts_with(&text(name)) {
                return message.payload;
            }
        }
    }

    /// Answers as a friendly server up to the permission to publish.
    pub(crate) fn accept(&mut self) {
        self.shake_hands();
        self.expect("connect");
        self.command(&[
            text("_result"),
            number(1.0),
            null(),
            status("status", "NetConnection.Connect.Success", ""),
        ]);
        self.expect("createStream");
        self.command(&[text("_result"), number(4.0), null(), number(1.0)]);
        self.expect("publish");
        self.start();
    }

    /// Lets the client begin and ends the stream.
    pub(crate) fn accept_and_close(mut self) {
        self.accept();
    }

    pub(crate) fn start(&mut self) {
        self.status("status", "NetStream.Publish.Start", "");
    }

    pub(crate) fn status(&mut self, level: &str, code: &str, description: &str) {
        self.command(&[text("onStatus"), number(0.0), null(), status(level, code, description)]);
    }

    /// Reads until the client has gone.
    pub(crate) fn drain(&mut self) {
        let mut buffer = vec![0; 64 << 10];
        while self.wire.read(&mut buffer).is_ok_and(|count| count > 0) {}
    }

    /// Keeps the connection open without a word until the client has gone for good.
    pub(crate) fn hold(self) {
        thread::park_timeout(SOON);
        drop(self);
    }

    /// Resets the connection: a socket that lingers for no time (socket(7), `SO_LINGER`).
    pub(crate) fn reset(self) {
        let socket = socket2::Socket::from(self.socket);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// A message in chunks of `size` bytes.
pub(crate) fn message(chunk_stream: u8, kind: u8, stream: u32, body: &[u8], size: usize) -> Vec<u8> {
    let length = (body.len() as u32).to_be_bytes();
    let mut out = vec![chunk_stream, 0, 0, 0, length[1], length[2], length[3], kind];
    out.extend_from_slice(&stream.to_le_bytes());
    for (index, part) in body.chunks(size).enumerate() {
        if index > 0 {
            out.push(0xc0 | chunk_stream);
        }
        out.extend_from_slice(part);
    }
    out
}

/// Values of AMF0.
pub(crate) fn text(text: &str) -> Vec<u8> {
    [&[2][..], &(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()
}

pub(crate) fn number(number: f64) -> Vec<u8> {
    [&[0][..], &number.to_be_bytes()].concat()
}

pub(crate) fn null() -> Vec<u8> {
    vec![5]
}

pub(crate) fn object(properties: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut out = vec![3];
    for (name, value) in properties {
        out.extend_from_slice(&text(name)[1..]);
        out.extend_from_slice(value);
    }
    out.extend_from_slice(&[0, 0, 9]);
    out
}

pub(crate) fn status(level: &str, code: &str, description: &str) -> Vec<u8> {
    object(&[("level", text(level)), ("code", text(code)), ("description", text(description))])
}
