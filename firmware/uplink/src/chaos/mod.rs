//! A bad network for days, in simulated time: the connection's own code on a simulated line, begun and ended by the live pusher's
//! machine as in the product; a server that checks all it gets; and a seeded row of cuts, silences, refusals and changes of the
//! network. After each of them pictures must come again in time, and no memory grows.

mod boxed;
mod line;
mod memory;
mod server;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use live_pusher::Input;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use self::boxed::Boxed;
pub(crate) use self::line::Line;
use self::line::Shared;
use self::server::Server;
use crate::{Metadata, Options, Packet, PublishError, SendQueue, Track};

/// How long it is simulated, and from one picture to the next.
const DURATION: Duration = Duration::from_secs(4000 * 60);
const PICTURE: Duration = Duration::from_millis(500);
/// From fair weather to a picture: the longest limit of a step that is under way, the time to the next attempt, a picture's
/// time and the way there (spec 10.4). A box that had given up takes as much from the moment on at which it begins again.
const RECOVERY: Duration = Duration::from_secs(10 + 3 + 1);
/// What the memory in use may differ by from the first tenth to the last.
const MEMORY: isize = 16 << 10;

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

/// The network with the server behind it.
struct World {
    weather: Mutex<Weather>,
    line: Mutex<Option<Arc<Shared>>>,
    server: tokio::sync::Mutex<Option<JoinHandle<()>>>,
    pictures: Mutex<u64>,
    arrived: Notify,
    told: Mutex<Told>,
}

/// What the box has told.
#[derive(Default)]
struct Told {
    codes: BTreeSet<i32>,
    /// How often all its retries had failed, and when it begins again by itself.
    given_up: u32,
    begins_again: Option<Instant>,
}

impl World {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap()
    }

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
            // It ends with the line.
            let _ = Server::new(far, world).run().await;
        }));
        Ok(near)
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

#[tokio::test(start_paused = true)]
async fn n3_pictures_come_again_in_time_after_each_fault_for_days() {
    let mut dice = Dice(7);
    let world = Arc::new(World {
        weather: Mutex::new(Weather::Fair),
        line: Mutex::default(),
        server: tokio::sync::Mutex::default(),
        pictures: Mutex::default(),
        arrived: Notify::new(),
        told: Mutex::default(),
    });
    let queue = Arc::new(SendQueue::new(Duration::from_secs(3)));
    queue.set_metadata(&Metadata::default());
    queue.set_configuration(Track::Video, &[1, 2, 3]);
    tokio::spawn(encode(Arc::clone(&queue), Dice(8)));
    let (inputs, given) = mpsc::channel(16);
    tokio::spawn(Boxed::new(Arc::clone(&world), queue, inputs.clone()).run(given));
    let (begin, mut faults, mut slowest) = (Instant::now(), 0, [Duration::ZERO; 2]);
    // The least memory that was in use between two faults of the first tenth, and of the last.
    let mut memory = [isize::MAX; 2];
    while begin.elapsed() < DURATION {
        let weather = [Weather::Cut, Weather::Silent, Weather::NameInUse][dice.below(3) as usize];
        world.set(weather);
        for _ in 0..3 {
            sleep(dice.milliseconds(16_000)).await;
            if dice.below(3) == 0 {
                inputs.send(Input::RouteChanged).await.unwrap();
            }
        }
        world.set(Weather::Fair);
        let is_told = dice.below(2) == 0;
        if is_told {
            inputs.send(Input::RouteChanged).await.unwrap();
        }
        let took = recovery(&world, is_told).await;
        let took = took.unwrap_or_else(|| panic!("no picture after {weather:?} at {:?}", begin.elapsed()));
        let slowest = &mut slowest[usize::from(is_told)];
        *slowest = took.max(*slowest);
        faults += 1;
        sleep(dice.milliseconds(60_000)).await;
        let tenth = 10 * begin.elapsed().as_secs() / DURATION.as_secs();
        if tenth == 0 {
            memory[0] = memory[0].min(memory::in_use());
        } else if tenth >= 9 {
            memory[1] = memory[1].min(memory::in_use());
        }
    }
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let (pictures, told) = (*world.pictures.lock().unwrap(), world.told());
    println!(
        "{faults} faults in {DURATION:?}: {pictures} pictures; to the next one {:?} at the most, told of the network {:?}; given up \
         {} times; {tasks} tasks, {memory:?} bytes",
        slowest[0], slowest[1], told.given_up,
    );
    // The encoder, the box, its connection and the server, and one that may not have noticed its end.
    assert!(tasks <= 5, "{tasks} tasks are left");
    assert!(memory[1] <= memory[0] + MEMORY, "{memory:?} bytes in use");
    assert!(pictures > 100_000, "{pictures}");
    assert!(told.given_up > 100, "{}", told.given_up);
    assert_eq!(told.codes, BTreeSet::from([-1307, 1001, 1002, 1003, 1007, 1102, 3002, 3003, 3004, 3005]));
}

/// How long it takes from now on to the next picture; none where that is too long. A box that `is_told` of the network does not give
/// up any more.
async fn recovery(world: &World, is_told: bool) -> Option<Duration> {
    let (restored, given_up) = (Instant::now(), world.told().given_up);
    loop {
        let begins = world.told().begins_again.filter(|_| !is_told);
        let limit = begins.map_or(restored, |again| again.max(restored)) + RECOVERY;
        if timeout_at(limit, world.arrived.notified()).await.is_ok() {
            return Some(restored.elapsed());
        }
        let times = world.told().given_up - given_up;
        // The attempt that was under way may have been the last one.
        let may_go_on = world.told().begins_again.is_some_and(|again| again + RECOVERY > limit);
        if is_told || times > 1 || !may_go_on {
            return None;
        }
    }
}
