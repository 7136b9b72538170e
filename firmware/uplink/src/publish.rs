//! One connection's life, over TCP or TLS.

use std::future::{Future, pending};
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until, timeout};

use crate::auth::{Denied, Login};
use crate::chunk::{Chunks, PIECES, kind};
use crate::clock::Clock;
use crate::connect::{connect, no_answer};
use crate::error::{PublishError, Published};
use crate::flv;
use crate::http;
use crate::protocol::Protocol;
use crate::rate::{Acknowledged, Losses, Sample};
use crate::socket::Socket;
use crate::{Address, Event, Media, Options, Payload, Routes, SendQueue, SessionError, kernel};

/// Until the next look at a connection that takes nothing more, at the most.
const BLOCKED: Duration = Duration::from_millis(20);
/// Until the next look at a connection of which the kernel tells nothing.
const UNOBSERVED: Duration = Duration::from_secs(1);
/// For unpublishing and the last bytes: a stop is done within half a second.
const FAREWELL: Duration = Duration::from_millis(300);
/// Addresses that a server may send the client to, one after the other (spec 10.7).
const REDIRECTS: u32 = 3;
/// Answers that wait for the server. One that leaves so many is not listened to until it takes some.
const BACKLOG: usize = 64 << 10;

/// Publishes what comes through `queue` until `shutdown` is ready, which unpublishes in order, or the connection ends.
/// `report` is told how far it has come; `observe` sees what the connection shows, and says when it wants to see it again.
pub async fn publish<P: Payload + Send>(
    address: &Address,
    options: &Options,
    queue: &SendQueue<P>,
    shutdown: impl Future<Output = ()>,
    mut report: impl FnMut(Published),
    mut observe: impl FnMut(&Sample) -> Duration,
) -> Result<(), PublishError> {
    tokio::pin!(shutdown);
    let (mut target, mut login) = (address.clone(), Login::default());
    let (mut connected, mut moves) = (false, 0);
    loop {
        let socket = tokio::select! {
            biased;
            () = &mut shutdown => return Ok(()),
            connected = connect(&target, options) => connected?,
        };
        let ends = socket.tcp().local_addr().and_then(|own| Ok((own.ip(), socket.tcp().peer_addr()?)));
        if let (false, Ok((_, peer))) = (connected, &ends) {
            connected = true;
            report(Published::Connected(*peer));
        }
        let mut connection = Connection::new(&target, options, &login, socket, queue)?;
        let result = tokio::select! {
            biased;
            result = connection.run(&mut shutdown, &mut report, &mut observe) => result,
            own = address_loss(ends) => Err(End::Failed(PublishError::AddressLost(own))),
        };
        queue.disconnect();
        match result {
            Ok(()) => {
                // The server's answer doesn't matter any more.
                let _ = timeout(FAREWELL, connection.close()).await;
                return Ok(());
            }
            Err(End::Failed(error)) => return Err(error),
            Err(End::Asked(next)) => login = next,
            Err(End::Moved(next)) if moves < REDIRECTS => (target, moves) = (*next, moves + 1),
            Err(End::Moved(_)) => {
                let cause = format!("more than {REDIRECTS} redirects");
                return Err(PublishError::Protocol { step: http::STEP, cause });
            }
        }
    }
}

/// Waits until the address that a connection uses is gone; for ever where the kernel does not tell.
async fn address_loss(ends: io::Result<(IpAddr, SocketAddr)>) -> IpAddr {
    if let (Ok((own, peer)), Ok(mut routes)) = (ends, Routes::watch())
        && routes.lost(own, peer).await.is_ok()
    {
        return own;
    }
    pending().await
}

/// Why a connection ends that nobody stopped.
pub(crate) enum End {
    Failed(PublishError),
    /// The server wants to know on the next one who it is.
    Asked(Login),
    /// The server is somewhere else.
    Moved(Box<Address>),
}

impl From<PublishError> for End {
    fn from(error: PublishError) -> Self {
        Self::Failed(error)
    }
}

pub(crate) struct Connection<'a, P> {
    address: &'a Address,
    options: &'a Options,
    login: &'a Login,
    socket: Socket,
    session: Protocol,
    queue: &'a SendQueue<P>,
    outgoing: Outgoing<P>,
    chunks: Chunks,
    clock: Clock,
    begun: Instant,
    written: u64,
    /// Whether the socket took a packet.
    has_sent: bool,
    losses: Losses,
    disregards_losses: bool,
    /// When bytes that wait must have moved.
    deadline: Instant,
}

/// The message that is being written.
enum Outgoing<P> {
    None,
    Shared(Arc<[u8]>),
    Packet(P),
}

impl<P: Payload> Outgoing<P> {
    fn payload(&self) -> [&[u8]; 2] {
        match self {
            Self::None => [&[], &[]],
            Self::Shared(bytes) => [&[], bytes],
            Self::Packet(data) => data.parts(),
        }
    }
}

impl<'a, P: Payload + Send> Connection<'a, P> {
    pub(crate) fn new(
        address: &'a Address,
        options: &'a Options,
        login: &'a Login,
        socket: Socket,
        queue: &'a SendQueue<P>,
    ) -> Result<Self, PublishError> {
        let session = Protocol::new(address, login)
            .map_err(|error| PublishError::Protocol { step: "handshake", cause: error.to_string() })?;
        Ok(Self {
            address,
            options,
            login,
            socket,
            deadline: Instant::now() + session.patience(options.handshake),
            session,
            queue,
            outgoing: Outgoing::None,
            chunks: Chunks::default(),
            clock: Clock::default(),
            begun: Instant::now(),
            written: 0,
            has_sent: false,
            losses: Losses::default(),
            disregards_losses: false,
        })
    }

    pub(crate) async fn run(
        &mut self,
        mut shutdown: impl Future<Output = ()> + Unpin,
        report: &mut impl FnMut(Published),
        observe: &mut impl FnMut(&Sample) -> Duration,
    ) -> Result<(), End> {
        let (mut buffer, mut has_told) = (vec![0; 16 << 10], false);
        let mut sampling = pin!(sleep_until(Instant::now()));
        loop {
            let blocked = match self.write() {
                Ok(blocked) => blocked,
                Err(error) => return Err(self.last_words(&mut buffer, report, error).await),
            };
            if self.has_sent && !std::mem::replace(&mut has_told, true) {
                report(Published::Started);
            }
            let live = self.session.is_publishing();
            let soon = Instant::now() + BLOCKED;
            if blocked && sampling.deadline() > soon {
                sampling.as_mut().reset(soon);
            }
            let listens = self.session.output().len() < BACKLOG;
            tokio::select! {
                // A server that never stops talking comes last, and lets others on this thread have their turn.
                biased;
                () = &mut shutdown => return Ok(()),
                () = sleep_until(self.deadline), if blocked || !live => {
                    if live || !self.session.begin() {
                        return Err(self.late().into());
                    }
                    self.hear(report)?;
                }
                () = &mut sampling, if live => sampling.as_mut().reset(self.sample(observe)),
                ready = self.socket.writable(), if blocked => ready.map_err(broken)?,
                media = self.queue.next(), if live && !blocked => self.start(media),
                ready = self.socket.readable(), if listens => {
                    ready.map_err(broken)?;
                    self.read(&mut buffer, report)?;
                    yield_now().await;
                }
            }
        }
    }

    /// Shows how it is, and tells when to do so again.
    fn sample(&mut self, observe: &mut impl FnMut(&Sample) -> Duration) -> Instant {
        let now = Instant::now();
        let Some(socket) = self.socket.state() else {
            return now + UNOBSERVED;
        };
        let server = Acknowledged { written: self.written, number: self.session.acknowledged() };
        let sample = Sample { queue: self.queue.what_waits(), socket, server };
        // Once: a kernel without BBR may look for its module each time, and lets this thread wait.
        if !self.disregards_losses && self.losses.observe(now - self.begun, &sample) {
            self.disregards_losses = true;
            kernel::disregard_losses(self.socket.tcp());
        }
        now + observe(&sample)
    }

    /// A server that goes may have said why.
    async fn last_words(
        &mut self,
        buffer: &mut [u8],
        report: &mut impl FnMut(Published),
        error: PublishError,
    ) -> End {
        let _ = timeout(FAREWELL, self.socket.readable()).await;
        match self.read(buffer, report) {
            Err(End::Failed(said)) if said.status().is_some() => said.into(),
            _ => error.into(),
        }
    }

    fn read(&mut self, buffer: &mut [u8], report: &mut impl FnMut(Published)) -> Result<(), End> {
        let count = match self.socket.try_read(buffer) {
            Ok(0) => return Err(self.closed("end of stream".into()).into()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(self.lost(&error).into()),
        };
        let step = self.session.step();
        let protocol = |error: SessionError| PublishError::Protocol { step, cause: error.to_string() };
        self.session.receive(&buffer[..count]).map_err(protocol)?;
        self.hear(report)
    }

    /// What the server's bytes meant.
    fn hear(&mut self, report: &mut impl FnMut(Published)) -> Result<(), End> {
        while let Some(event) = self.session.next_event() {
            match event {
                Event::Publishing => {
                    self.queue.connect();
                    self.deadline = Instant::now() + self.options.write_stall;
                    report(Published::Permitted);
                }
                Event::Refused { code, description } => return Err(self.refused(&code, &description)),
                Event::Failed { step, code, description } => {
                    let (code, description) = (self.address.mask(&code), self.address.mask(&description));
                    return Err(PublishError::Failed { step, code, description }.into());
                }
                Event::Moved(location) => {
                    let refused = || PublishError::Refused {
                        code: "HTTP redirect".into(),
                        description: "to where nothing can be published, or not over TLS".into(),
                    };
                    let target = self.address.moved(&location).ok_or_else(refused)?;
                    return Err(End::Moved(Box::new(target)));
                }
                Event::Closed { code, description } => {
                    let (code, description) = (self.address.mask(&code), self.address.mask(&description));
                    return Err(PublishError::Ended { code, description }.into());
                }
            }
        }
        Ok(())
    }

    /// A refusal may be a question.
    fn refused(&self, code: &str, description: &str) -> End {
        let hint = match self.login.after(description, self.address) {
            Ok(login) => return End::Asked(login),
            Err(Denied::Otherwise) => "",
            Err(Denied::NoUser) => "; it wants a user: give rtmp://user:password@host/app/stream",
            Err(Denied::Wrong) => "; check user and password in the address",
        };
        let (code, description) = (self.address.mask(code), self.address.mask(description) + hint);
        End::Failed(PublishError::Refused { code, description })
    }

    fn start(&mut self, media: Media<P>) {
        let (kind, timestamp, (prefix, length), outgoing) = match media {
            Media::Metadata(body) => {
                let timestamp = self.clock.latest();
                (kind::DATA, timestamp, ([0; 5], 0), Outgoing::Shared(self.session.metadata(body)))
            }
            Media::Configuration(track, configuration) => {
                let timestamp = self.clock.last(track);
                (
                    flv::message_kind(track),
                    timestamp,
                    flv::prefix(track, true, true),
                    Outgoing::Shared(configuration),
                )
            }
            Media::Packet(packet) => {
                let Some(timestamp) = self.clock.timestamp(packet.track, packet.time) else {
                    return;
                };
                let prefix = flv::prefix(packet.track, packet.sync, false);
                (flv::message_kind(packet.track), timestamp, prefix, Outgoing::Packet(packet.data))
            }
        };
        let payload = outgoing.payload().iter().map(|part| part.len()).sum();
        self.session.media(kind, timestamp, &prefix[..length], payload, &mut self.chunks);
        self.outgoing = outgoing;
        self.deadline = Instant::now() + self.options.write_stall;
    }

    /// Writes what is under way: the message, then the session's own bytes. Returns whether some must wait.
    fn write(&mut self) -> Result<bool, PublishError> {
        loop {
            let written = if self.chunks.is_done() {
                self.has_sent |= matches!(self.outgoing, Outgoing::Packet(_));
                self.outgoing = Outgoing::None;
                if self.session.output().is_empty() {
                    return self.socket.flush().map_err(|error| self.lost(&error));
                }
                self.socket.try_write_vectored(&[IoSlice::new(self.session.output())])
            } else {
                let mut pieces = [IoSlice::new(&[]); PIECES];
                let count = self.chunks.pieces(self.outgoing.payload(), &mut pieces);
                self.socket.try_write_vectored(&pieces[..count])
            };
            match written {
                Ok(count) => {
                    self.queue.add_sent(count);
                    self.written += count as u64;
                    if self.chunks.is_done() {
                        self.session.output().drain(..count);
                    } else {
                        self.chunks.advance(count);
                    }
                    if self.session.is_publishing() {
                        self.deadline = Instant::now() + self.options.write_stall;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(self.lost(&error)),
            }
        }
    }

    /// Finishes the message under way, unpublishes, and closes the socket.
    pub(crate) async fn close(&mut self) -> io::Result<()> {
        self.session.close();
        while self.write().map_err(io::Error::other)? {
            self.socket.writable().await?;
        }
        self.socket.shutdown().await?;
        // What the server still says must be read, or closing would reset the connection and lose the last bytes.
        let mut rest = [0; 1024];
        loop {
            self.socket.readable().await?;
            match self.socket.try_read(&mut rest) {
                Ok(0) => return Ok(()),
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => yield_now().await,
            }
        }
    }

    fn late(&self) -> PublishError {
        if self.session.is_publishing() {
            let limit = self.options.write_stall.as_secs();
            return PublishError::Broken(format!("nothing could be written for {limit} s"));
        }
        let cause = no_answer(self.options.handshake);
        PublishError::Protocol { step: self.session.step(), cause }
    }

    /// A server that closes before the handshake is done speaks no RTMP; afterwards it has its reasons (spec 7.3).
    fn closed(&self, cause: String) -> PublishError {
        match self.session.step() {
            step @ "handshake" => PublishError::Protocol { step, cause },
            step => PublishError::Closed(format!("{cause} during {step}")),
        }
    }

    fn lost(&self, error: &io::Error) -> PublishError {
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => self.closed(error.to_string()),
            _ => PublishError::Broken(error.to_string()),
        }
    }
}

fn broken(error: io::Error) -> PublishError {
    PublishError::Broken(error.to_string())
}
