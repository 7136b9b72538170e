//! The box: the product's machine, which says when a connection is made, and what becomes of each.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use live_pusher::{
    Code, ConnectionId, Device, DeviceEvent, DevicePosition, Hardware, Input, Machine, NetworkEvent, Output,
    State, Status, Store,
};
use serde_json::{Map, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::World;
use crate::auth::Login;
use crate::publish::{Connection, End};
use crate::socket::Socket;
use crate::{Address, Options, Published, SendQueue};

const URL: &str = "rtmp://host/live/key";
/// From one observation of a connection to the next.
const OBSERVATION: Duration = Duration::from_secs(3);
/// The longest pause before a restart that nobody asks for (spec 4.3).
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

pub(super) struct Boxed {
    world: Arc<World>,
    queue: Arc<SendQueue<Vec<u8>>>,
    inputs: mpsc::Sender<Input>,
    machine: Machine,
    born: Instant,
    connection: Option<JoinHandle<()>>,
}

impl Boxed {
    pub(super) fn new(
        world: Arc<World>,
        queue: Arc<SendQueue<Vec<u8>>>,
        inputs: mpsc::Sender<Input>,
    ) -> Self {
        let mut store = Store::default();
        let properties = json!({"url": URL, "autopush": true});
        store.update(properties.as_object().unwrap());
        let options = live_pusher::Options { unattended_restart: true, ..live_pusher::Options::default() };
        let cameras = vec![DevicePosition::Front];
        let hardware = Hardware { cameras, torch: None, music: false, preview: false };
        let machine = Machine::new(store, options, hardware, |_| Ok(()));
        Self { world, queue, inputs, machine, born: Instant::now(), connection: None }
    }

    pub(super) async fn run(mut self, mut inputs: mpsc::Receiver<Input>) {
        self.give(Input::Attach);
        loop {
            let deadline = self.machine.deadline().map(|time| self.born + time);
            let timer = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => pending().await,
                }
            };
            let input = tokio::select! {
                Some(input) = inputs.recv() => input,
                () = timer => Input::Timer,
            };
            self.give(input);
            let next = self.machine.deadline();
            assert!(next.is_none_or(|next| next > self.born.elapsed()), "a timer stays due");
        }
    }

    fn give(&mut self, input: Input) {
        let outputs = self.machine.handle(self.born.elapsed(), input);
        for output in outputs {
            self.obey(output);
        }
        let waits = self.machine.state() == State::Previewing;
        let deadline = self.machine.deadline().filter(|_| waits);
        if let Some(deadline) = deadline {
            assert!(deadline <= self.born.elapsed() + LONGEST_PAUSE, "it begins again at {deadline:?}");
        }
        self.world.told().begins_again = deadline.map(|time| self.born + time);
    }

    fn obey(&mut self, output: Output) {
        match output {
            Output::Open(device) => {
                self.give(Input::Device { device, event: DeviceEvent::Opened(Map::new()) });
                if device == Device::Camera {
                    self.give(Input::Device { device, event: DeviceEvent::FirstFrame(Map::new()) });
                }
            }
            Output::Connect { connection, url } => {
                assert!(self.connection.as_ref().is_none_or(JoinHandle::is_finished), "two connections");
                assert_eq!(url, URL);
                let (world, queue) = (Arc::clone(&self.world), Arc::clone(&self.queue));
                self.connection = Some(tokio::spawn(connect(connection, world, queue, self.inputs.clone())));
            }
            Output::Disconnect { .. } => panic!("nobody asked it to stop"),
            Output::Status(status) => self.told(&status),
            _ => {}
        }
    }

    fn told(&mut self, status: &Status) {
        let mut told = self.world.told();
        told.codes.insert(status.code.number());
        match status.code {
            Code::Reconnecting => {
                let retry = status.params["retry"].as_u64().unwrap();
                assert!((1..=3).contains(&retry), "retry {retry}");
            }
            Code::Disconnected => told.given_up += 1,
            _ => {}
        }
    }
}

async fn connect(
    connection: ConnectionId,
    world: Arc<World>,
    queue: Arc<SendQueue<Vec<u8>>>,
    inputs: mpsc::Sender<Input>,
) {
    let tell = |event| inputs.try_send(Input::Network { connection, event }).unwrap();
    let (options, login) = (Options::default(), Login::default());
    let address = Address::parse(URL).unwrap();
    let error = match world.dial(&options).await {
        Ok(line) => {
            tell(NetworkEvent::Connected(Map::new()));
            let socket = Socket::Simulated(line);
            let mut connection = Connection::new(&address, &options, &login, socket, &queue).unwrap();
            let mut report = |progress| {
                if progress == Published::Started {
                    tell(NetworkEvent::Published(Map::new()));
                }
            };
            let ended = connection.run(pending(), &mut report, &mut |_| OBSERVATION).await;
            queue.disconnect();
            match ended {
                Err(End::Failed(error)) => error,
                _ => panic!("it ended without a reason"),
            }
        }
        Err(error) => error,
    };
    let code = Code::ALL.into_iter().find(|code| code.number() == i32::from(error.code())).unwrap();
    let params = Map::from_iter([("reason".to_owned(), json!(error.to_string()))]);
    tell(NetworkEvent::Failed { code, params });
}
