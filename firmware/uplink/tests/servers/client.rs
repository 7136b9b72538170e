//! The publisher under test, in a thread of its own.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use uplink::{Address, Options, Packet, PublishError, Published, SendQueue, Track, publish};

use crate::peer::SOON;

/// Limits of a second, so that nobody waits for long.
pub(crate) fn impatient() -> Options {
    let second = Duration::from_secs(1);
    Options { resolve: second, connect: second, handshake: second, write_stall: second, ..Options::default() }
}

/// As it is, for a server that may be slow to answer.
pub(crate) fn patient() -> Options {
    Options { handshake: SOON, write_stall: SOON, ..Options::default() }
}

pub(crate) struct Client {
    pub(crate) queue: Arc<SendQueue<Vec<u8>>>,
    progress: Receiver<Published>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Result<(), PublishError>>,
}

impl Client {
    pub(crate) fn start(url: &str, options: Options) -> Self {
        let queue = SendQueue::new(Duration::from_secs(1));
        queue.set_configuration(Track::Video, &[1, 2, 3, 4]);
        Self::with(url, options, Arc::new(queue))
    }

    pub(crate) fn with(url: &str, options: Options, queue: Arc<SendQueue<Vec<u8>>>) -> Self {
        let address = Address::parse(url).unwrap();
        let (stop, stopped) = oneshot::channel();
        let (report, progress) = channel();
        let sent = Arc::clone(&queue);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let shutdown = async {
                let _ = stopped.await;
            };
            let report = |step| {
                let _ = report.send(step);
            };
            let observe = |_: &_| Duration::from_millis(20);
            runtime.block_on(publish(&address, &options, &sent, shutdown, report, observe))
        });
        Self { queue, progress, stop, thread }
    }

    /// Waits for the permission to publish.
    pub(crate) fn wait_for_start(&self) {
        self.wait_for(Published::Permitted);
    }

    pub(crate) fn wait_for(&self, progress: Published) {
        while self.progress.recv_timeout(SOON).expect("not published") != progress {}
    }

    /// Sends a picture of `size` bytes.
    pub(crate) fn picture(&self, milliseconds: i64, sync: bool, size: usize) {
        let time = milliseconds * 1000;
        self.queue.push(Packet { track: Track::Video, sync, time, data: vec![7; size] });
    }

    /// Waits until the network has taken what was given.
    pub(crate) fn wait_until_sent(&self) {
        let deadline = Instant::now() + SOON;
        let mut sent = 0;
        while self.queue.waiting() != [0; 2] || self.queue.sent() != sent {
            sent = self.queue.sent();
            assert!(Instant::now() < deadline, "it is not taken");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Fills the queue.
    pub(crate) fn flood(&self) {
        for number in 0..30 {
            self.picture(number * 30, number == 0, 1 << 20);
        }
    }

    /// Waits for the end that comes by itself; returns how far it came: 1001, 1002.
    pub(crate) fn end(self) -> (Result<(), PublishError>, Vec<u16>) {
        let deadline = Instant::now() + SOON;
        while !self.thread.is_finished() {
            assert!(Instant::now() < deadline, "it goes on");
            thread::sleep(Duration::from_millis(2));
        }
        let result = self.thread.join().unwrap();
        let progress = self.progress.try_iter().filter_map(|progress| match progress {
            Published::Connected(_) => Some(1001),
            Published::Permitted => None,
            Published::Started => Some(1002),
        });
        (result, progress.collect())
    }

    /// Stops it; returns how long that took.
    pub(crate) fn stop(self) -> Duration {
        let started = Instant::now();
        let _ = self.stop.send(());
        let result = self.thread.join().unwrap();
        assert!(result.is_ok(), "{result:?}");
        started.elapsed()
    }
}

/// Publishes until it ends by itself; returns the failure.
pub(crate) fn attempt(url: &str, options: Options) -> PublishError {
    let client = Client::start(url, options);
    client.end().0.unwrap_err()
}
