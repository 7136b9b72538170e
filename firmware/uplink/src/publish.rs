//! One connection's life over TCP.

use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use crate::chunk::{Chunks, PIECES, kind};
use crate::rate::Sample;
use crate::{Address, Event, Media, SendQueue, Session, SessionError, Track, flv, socket};

/// Limits of the steps (spec 10.4).
const RESOLVE: Duration = Duration::from_secs(5);
const CONNECT: Duration = Duration::from_secs(5);
const HANDSHAKE: Duration = Duration::from_secs(8);
const WRITE_STALL: Duration = Duration::from_secs(10);
/// From one sample for rate control to the next.
const SAMPLING: Duration = Duration::from_millis(20);
/// For unpublishing and the last bytes.
const FAREWELL: Duration = Duration::from_millis(400);

/// Why a connection ended. Each kind belongs to one status code of spec 7.3.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// 3001
    #[error("no address found for host {host}: {cause}")]
    Resolve { host: String, cause: String },
    /// 3002
    #[error("no connection to {host}: {cause}")]
    Connect { host: String, cause: String },
    /// 3003
    #[error("{step} went wrong: {cause}")]
    Protocol { step: &'static str, cause: String },
    /// 3004
    #[error("the server refused: {code} {description}")]
    Refused { code: String, description: String },
    /// 3004
    #[error("the server closed the connection: {0}")]
    Closed(String),
    /// 3005
    #[error("the connection broke: {0}")]
    Broken(String),
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Published {
    /// 1001
    Connected(SocketAddr),
    /// 1002
    Started,
    /// What the connection shows, every 20 ms from then on.
    Sample(Sample),
}

/// Publishes what comes through `queue` until `shutdown` is ready, which unpublishes in order, or the connection ends.
/// `report` is told how far it has come.
pub async fn publish<P: AsRef<[u8]> + Send>(
    address: &Address,
    queue: &SendQueue<P>,
    shutdown: impl Future<Output = ()>,
    mut report: impl FnMut(Published),
) -> Result<(), PublishError> {
    tokio::pin!(shutdown);
    let stream = tokio::select! {
        biased;
        () = &mut shutdown => return Ok(()),
        stream = connect(address) => stream?,
    };
    if let Ok(peer) = stream.peer_addr() {
        report(Published::Connected(peer));
    }
    let mut connection = Connection::new(address, stream, queue)?;
    let result = connection.run(&mut shutdown, &mut report).await;
    queue.disconnect();
    if result.is_ok() {
        // The server's answer doesn't matter any more.
        let _ = timeout(FAREWELL, connection.close()).await;
    }
    result
}

async fn connect(address: &Address) -> Result<TcpStream, PublishError> {
    let host = || address.host().to_owned();
    let resolve = |cause: String| PublishError::Resolve { host: host(), cause };
    let candidates: Vec<SocketAddr> =
        match timeout(RESOLVE, lookup_host((address.host(), address.port()))).await {
            Ok(found) => found.map_err(|error| resolve(error.to_string()))?.collect(),
            Err(_) => return Err(resolve("no answer within 5 s".into())),
        };
    let mut last = "no address".to_owned();
    let deadline = Instant::now() + CONNECT;
    for candidate in candidates {
        match tokio::time::timeout_at(deadline, TcpStream::connect(candidate)).await {
            Ok(Ok(stream)) => {
                socket::prepare(&stream);
                return Ok(stream);
            }
            Ok(Err(error)) => last = error.to_string(),
            Err(_) => last = "no answer within 5 s".into(),
        }
    }
    Err(PublishError::Connect { host: host(), cause: last })
}

struct Connection<'a, P> {
    address: &'a Address,
    stream: TcpStream,
    session: Session,
    queue: &'a SendQueue<P>,
    outgoing: Outgoing<P>,
    chunks: Chunks,
    clock: Clock,
    /// When bytes that wait must have moved.
    deadline: Instant,
}

/// The message that is being written.
enum Outgoing<P> {
    None,
    Shared(Arc<[u8]>),
    Packet(P),
}

impl<P: AsRef<[u8]>> Outgoing<P> {
    fn payload(&self) -> &[u8] {
        match self {
            Self::None => &[],
            Self::Shared(bytes) => bytes,
            Self::Packet(data) => data.as_ref(),
        }
    }
}

/// RTMP time: milliseconds from the first packet, never backwards on a track.
#[derive(Default)]
struct Clock {
    first: Option<i64>,
    last: [u32; 2],
}

impl Clock {
    /// `None` for sound that is older than the first packet: it began before the stream did. Pictures that are older come
    /// at its beginning: later ones refer to them.
    fn timestamp(&mut self, track: Track, time: i64) -> Option<u32> {
        let since_first = time - *self.first.get_or_insert(time);
        if since_first < 0 && track == Track::Audio {
            return None;
        }
        let since_first = since_first.max(0);
        // Modulo 2^32, as in RTMP (section 3).
        let timestamp = (since_first / 1000) as u32;
        let last = &mut self.last[track as usize];
        let backwards = timestamp.wrapping_sub(*last) > u32::MAX / 2;
        *last = if backwards { *last } else { timestamp };
        Some(*last)
    }
}

impl<'a, P: AsRef<[u8]> + Send> Connection<'a, P> {
    fn new(address: &'a Address, stream: TcpStream, queue: &'a SendQueue<P>) -> Result<Self, PublishError> {
        let session = Session::new(address.clone())
            .map_err(|error| PublishError::Protocol { step: "handshake", cause: error.to_string() })?;
        Ok(Self {
            address,
            stream,
            session,
            queue,
            outgoing: Outgoing::None,
            chunks: Chunks::default(),
            clock: Clock::default(),
            deadline: Instant::now() + HANDSHAKE,
        })
    }

    async fn run(
        &mut self,
        mut shutdown: impl Future<Output = ()> + Unpin,
        report: &mut impl FnMut(Published),
    ) -> Result<(), PublishError> {
        let mut buffer = vec![0; 16 << 10];
        let mut samples = interval(SAMPLING);
        samples.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let blocked = self.write()?;
            let live = self.session.is_publishing();
            tokio::select! {
                biased;
                () = &mut shutdown => return Ok(()),
                ready = self.stream.readable() => {
                    ready.map_err(broken)?;
                    self.read(&mut buffer, report)?;
                }
                ready = self.stream.writable(), if blocked => ready.map_err(broken)?,
                _ = samples.tick(), if live => self.sample(report),
                media = self.queue.next(), if live && !blocked => self.start(media),
                () = sleep_until(self.deadline), if blocked || !live => return Err(self.late()),
            }
        }
    }

    fn sample(&self, report: &mut impl FnMut(Published)) {
        if let Ok(socket) = socket::state(self.stream.as_fd()) {
            report(Published::Sample(Sample { queue: self.queue.what_waits(), socket }));
        }
    }

    fn read(&mut self, buffer: &mut [u8], report: &mut impl FnMut(Published)) -> Result<(), PublishError> {
        let count = match self.stream.try_read(buffer) {
            Ok(0) => return Err(self.closed("end of stream".into())),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(self.lost(&error)),
        };
        let step = self.session.step();
        let protocol = |error: SessionError| PublishError::Protocol { step, cause: error.to_string() };
        self.session.receive(&buffer[..count]).map_err(protocol)?;
        while let Some(event) = self.session.next_event() {
            match event {
                Event::Publishing => {
                    self.queue.connect();
                    report(Published::Started);
                }
                Event::Refused { code, description } => {
                    let (code, description) = (self.address.mask(&code), self.address.mask(&description));
                    return Err(PublishError::Refused { code, description });
                }
                Event::Closed { code, description } => {
                    return Err(PublishError::Closed(self.address.mask(&format!("{code} {description}"))));
                }
            }
        }
        Ok(())
    }

    fn start(&mut self, media: Media<P>) {
        let (kind, timestamp, (prefix, length), outgoing) = match media {
            Media::Metadata(body) => {
                // "@setDataFrame" has the server keep the metadata for those who join later.
                let name = *b"\x02\x00\x0d@setDataFrame";
                let body: Arc<[u8]> = [&name[..], &body].concat().into();
                (kind::DATA, 0, ([0; 5], 0), Outgoing::Shared(body))
            }
            Media::Configuration(track, configuration) => {
                let timestamp = self.clock.last[track as usize];
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
        let payload = outgoing.payload().len();
        self.session.media(kind, timestamp, &prefix[..length], payload, &mut self.chunks);
        self.outgoing = outgoing;
        self.deadline = Instant::now() + WRITE_STALL;
    }

    /// Writes what is under way: the message, then the session's own bytes. Returns whether some must wait.
    fn write(&mut self) -> Result<bool, PublishError> {
        loop {
            let written = if self.chunks.is_done() {
                self.outgoing = Outgoing::None;
                if self.session.output().is_empty() {
                    return Ok(false);
                }
                self.stream.try_write(self.session.output())
            } else {
                let mut pieces = [IoSlice::new(&[]); PIECES];
                let count = self.chunks.pieces(self.outgoing.payload(), &mut pieces);
                self.stream.try_write_vectored(&pieces[..count])
            };
            match written {
                Ok(count) => {
                    self.queue.add_sent(count);
                    if self.chunks.is_done() {
                        self.session.output().drain(..count);
                    } else {
                        self.chunks.advance(count, self.outgoing.payload());
                    }
                    if self.session.is_publishing() {
                        self.deadline = Instant::now() + WRITE_STALL;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(self.lost(&error)),
            }
        }
    }

    /// Finishes the message under way, unpublishes, and closes the socket.
    async fn close(&mut self) -> io::Result<()> {
        let _ = self.session.close();
        while self.write().map_err(io::Error::other)? {
            self.stream.writable().await?;
        }
        self.stream.shutdown().await?;
        // What the server still says must be read, or closing would reset the connection and lose the last bytes.
        let mut rest = [0; 1024];
        while self.stream.read(&mut rest).await? > 0 {}
        Ok(())
    }

    fn late(&self) -> PublishError {
        if self.session.is_publishing() {
            return PublishError::Broken(format!("nothing could be written for {} s", WRITE_STALL.as_secs()));
        }
        let cause = format!("no answer within {} s", HANDSHAKE.as_secs());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_that_began_before_the_stream_is_left_out_and_pictures_come_at_its_beginning() {
        let mut clock = Clock::default();
        let stamps = [
            (Track::Video, 5_000_000),
            (Track::Audio, 4_979_000),
            (Track::Audio, 5_000_500),
            (Track::Audio, 5_021_900),
            (Track::Video, 5_033_000),
            (Track::Audio, 5_010_000),
        ]
        .map(|(track, time)| clock.timestamp(track, time));
        // The last one would go back: it keeps the time of the one before.
        assert_eq!(stamps, [Some(0), None, Some(0), Some(21), Some(33), Some(21)]);
        let mut clock = Clock::default();
        let stamps = [(Track::Audio, 5_000_000), (Track::Video, 4_700_000), (Track::Video, 5_040_000)]
            .map(|(track, time)| clock.timestamp(track, time));
        assert_eq!(stamps, [Some(0), Some(0), Some(40)]);
    }
}
