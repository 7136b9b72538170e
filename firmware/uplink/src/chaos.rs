//! A bad network for days, in simulated time: the connection's own code on a simulated line, a server that checks all it gets,
//! and a seeded row of cuts, silences and refusals. After each of them pictures must come again in time.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::amf::{self, Value};
use crate::auth::Login;
use crate::chunk::{ChunkReader, ChunkWriter, Chunks, Head, Message, kind};
use crate::publish::{Connection, End};
use crate::socket::Socket;
use crate::{Address, Metadata, Options, Packet, PublishError, SendQueue, Track};

/// How long it is simulated, and from one picture to the next.
const DURATION: Duration = Duration::from_secs(4000 * 60);
const PICTURE: Duration = Duration::from_millis(500);
/// Between two attempts (spec 10.4).
const RETRY: Duration = Duration::from_secs(3);
/// From fair weather to a picture: the longest limit of a step that is under way, the time to the next attempt, a picture's
/// time and the way there.
const RECOVERY: Duration = Duration::from_secs(10 + 3 + 1);
/// Bytes under way in one direction.
const CAPACITY: usize = 16 << 10;

/// What the network and the server do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weather {
    Fair,
    /// Connections are refused, and those that are there reset.
    Cut,
    /// Nothing moves and nobody answers.
    Silent,
    /// The server ends the connection and refuses the name on the next ones.
    NameInUse,
}

/// One end of a line.
pub(crate) struct Line {
    shared: Arc<Shared>,
    side: usize,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// By the side that writes.
    pipes: [VecDeque<u8>; 2],
    closed: [bool; 2],
    is_reset: bool,
    is_frozen: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_waiters();
    }

    async fn until(&self, holds: impl Fn(&State) -> bool) -> io::Result<()> {
        while !holds(&self.lock()) {
            self.changed.notified().await;
        }
        Ok(())
    }
}

impl Line {
    fn pair() -> [Self; 2] {
        let shared = Arc::<Shared>::default();
        [0, 1].map(|side| Self { shared: Arc::clone(&shared), side })
    }

    pub(crate) async fn readable(&self) -> io::Result<()> {
        let from = 1 - self.side;
        let holds = |state: &State| {
            state.is_reset || (!state.is_frozen && (!state.pipes[from].is_empty() || state.closed[from]))
        };
        self.shared.until(holds).await
    }

    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.shared.until(|state| state.is_reset || state.pipes[self.side].len() < CAPACITY).await
    }

    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let (mut count, from) = (0, 1 - self.side);
        self.shared.change(|state| {
            if !state.is_frozen {
                count = state.pipes[from].len().min(buffer.len());
                for (to, byte) in buffer.iter_mut().zip(state.pipes[from].drain(..count)) {
                    *to = byte;
                }
            }
        });
        let state = self.shared.lock();
        match count {
            0 if state.is_reset => Err(io::ErrorKind::ConnectionReset.into()),
            0 if state.is_frozen || !state.closed[from] => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }

    pub(crate) fn try_write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut count = 0;
        self.shared.change(|state| {
            for piece in pieces {
                let room = CAPACITY - state.pipes[self.side].len();
                let part = &piece[..piece.len().min(room)];
                state.pipes[self.side].extend(part);
                count += part.len();
            }
        });
        match count {
            _ if self.shared.lock().is_reset => Err(io::ErrorKind::ConnectionReset.into()),
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }

    pub(crate) fn close(&self) {
        self.shared.change(|state| state.closed[self.side] = true);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.close();
    }
}

/// The network with the server behind it.
struct World {
    weather: Mutex<Weather>,
    line: Mutex<Option<Arc<Shared>>>,
    server: tokio::sync::Mutex<Option<JoinHandle<()>>>,
    pictures: Mutex<u64>,
    arrived: Notify,
}

impl World {
    fn weather(&self) -> Weather {
        *self.weather.lock().unwrap()
    }

    fn set(&self, weather: Weather) {
        *self.weather.lock().unwrap() = weather;
        if let Some(line) = &*self.line.lock().unwrap() {
            line.change(|state| {
                state.is_reset |= matches!(weather, Weather::Cut | Weather::NameInUse);
                state.is_frozen = weather == Weather::Silent;
            });
        }
    }

    async fn dial(self: &Arc<Self>, options: &Options) -> Result<Line, PublishError> {
        let failed = |cause: &str| PublishError::Connect { host: "host".into(), cause: cause.into() };
        match self.weather() {
            Weather::Cut => {
                sleep(Duration::from_millis(50)).await;
                return Err(failed("refused"));
            }
            Weather::Silent => {
                sleep(options.connect).await;
                return Err(failed("silent"));
            }
            Weather::Fair | Weather::NameInUse => {}
        }
        let mut server = self.server.lock().await;
        if let Some(before) = server.take() {
            before.await.unwrap();
        }
        let [near, far] = Line::pair();
        *self.line.lock().unwrap() = Some(Arc::clone(&near.shared));
        let world = Arc::clone(self);
        *server = Some(tokio::spawn(async move {
            let mut server = Server { line: far, world, writer: ChunkWriter::new(), seen: Seen::default() };
            // It ends with the line.
            let _ = server.run().await;
        }));
        Ok(near)
    }
}

struct Server {
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
    async fn run(&mut self) -> io::Result<()> {
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

/// A row of numbers that looks random and is always the same (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % bound
    }

    fn milliseconds(&mut self, bound: u64) -> Duration {
        Duration::from_millis(self.below(bound))
    }
}

/// The encoder: an IDR picture where one is asked for, else every tenth.
async fn encode(queue: Arc<SendQueue<Vec<u8>>>, mut dice: Dice) {
    let begin = Instant::now();
    for number in 0_u32.. {
        let sync = queue.wants_idr() || number % 10 == 0;
        let mut data = vec![7; 100 + dice.below(6000) as usize];
        data[..4].copy_from_slice(&number.to_be_bytes());
        queue.push(Packet { track: Track::Video, sync, time: begin.elapsed().as_micros() as i64, data });
        assert!(queue.queued() <= Duration::from_secs(3) && queue.waiting()[0] <= 7);
        sleep(PICTURE).await;
    }
}

/// One connection after the other; keeps the codes of their ends (spec 7.3).
async fn connect(world: Arc<World>, queue: Arc<SendQueue<Vec<u8>>>, codes: Arc<Mutex<BTreeSet<u16>>>) {
    let (options, login) = (Options::default(), Login::default());
    let address = Address::parse("rtmp://host/live/key").unwrap();
    loop {
        let error = match world.dial(&options).await {
            Ok(line) => {
                let socket = Socket::Simulated(line);
                let mut connection = Connection::new(&address, &options, &login, socket, &queue).unwrap();
                let ended = connection.run(std::future::pending(), &mut |_| {}, &mut |_| RETRY).await;
                queue.disconnect();
                match ended {
                    Err(End::Failed(error)) => error,
                    _ => panic!("it ended without a reason"),
                }
            }
            Err(error) => error,
        };
        codes.lock().unwrap().insert(error.code());
        sleep(RETRY).await;
    }
}

#[tokio::test(start_paused = true)]
async fn n3_pictures_come_again_in_time_after_each_fault_for_days() {
    let mut dice = Dice(7);
    let world = Arc::new(World {
        weather: Mutex::new(Weather::Fair),
        line: Mutex::default(),
        server: tokio::sync::Mutex::default(),
        pictures: Mutex::default(),
        arrived: Notify::new(),
    });
    let queue = Arc::new(SendQueue::new(Duration::from_secs(3)));
    queue.set_metadata(&Metadata::default());
    queue.set_configuration(Track::Video, &[1, 2, 3]);
    let codes = Arc::<Mutex<BTreeSet<u16>>>::default();
    tokio::spawn(encode(Arc::clone(&queue), Dice(8)));
    tokio::spawn(connect(Arc::clone(&world), Arc::clone(&queue), Arc::clone(&codes)));
    let (begin, mut faults, mut slowest) = (Instant::now(), 0, Duration::ZERO);
    while begin.elapsed() < DURATION {
        let weather = [Weather::Cut, Weather::Silent, Weather::NameInUse][dice.below(3) as usize];
        world.set(weather);
        sleep(dice.milliseconds(40_000)).await;
        world.set(Weather::Fair);
        let restored = Instant::now();
        let arrived = timeout(RECOVERY, world.arrived.notified()).await;
        assert!(arrived.is_ok(), "no picture {RECOVERY:?} after {weather:?} at {:?}", begin.elapsed());
        slowest = slowest.max(restored.elapsed());
        faults += 1;
        sleep(dice.milliseconds(60_000)).await;
    }
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let pictures = *world.pictures.lock().unwrap();
    println!(
        "{faults} faults in {DURATION:?}: {pictures} pictures, {slowest:?} to the next one, {tasks} tasks"
    );
    // The encoder, the client and its server, and one that may not have noticed its end.
    assert!(tasks <= 4, "{tasks} tasks are left");
    assert!(pictures > 100_000, "{pictures}");
    assert_eq!(*codes.lock().unwrap(), BTreeSet::from([3002, 3003, 3004, 3005]));
}
