//! The torch (spec 12.9), in a thread of its own: it goes out in private and once its time is over, whatever hangs.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use board::{OpenError, TorchSource};
use live_pusher::{CallId, Failure, Input, Reply};
use media::DropOldest;
use serde_json::json;
use tracing::warn;

use crate::news::{News, Reporter};
use crate::privacy::Privacy;

/// From one look at the privacy switch to the next while it is lit.
const GLANCE: Duration = Duration::from_millis(100);
const IDLE: Duration = Duration::from_secs(60);
/// From one try to put it out to the next.
const RETRY: Duration = Duration::from_secs(1);
/// Orders that may wait; the newest counts.
const ORDERS: usize = 4;
/// How long the end waits for it to be put out.
const FAREWELL: Duration = Duration::from_millis(300);

enum Order {
    /// For so long at the most.
    Light(Duration, CallId),
    PutOut(Option<CallId>),
    End(SyncSender<()>),
}

/// The torch, from outside.
pub(crate) struct Torch(Arc<DropOldest<Order>>);

impl Torch {
    /// None where it can't be used.
    pub(crate) fn start(source: &TorchSource, privacy: Privacy, reporter: Reporter) -> Option<Self> {
        let mut torch = board::Torch::open(source).inspect_err(|error| warn!(%error, "torch")).ok()?;
        Self::drive(move |lit| torch.light(lit), privacy, reporter)
    }

    fn drive(
        light: impl FnMut(bool) -> Result<(), OpenError> + Send + 'static,
        privacy: Privacy,
        reporter: Reporter,
    ) -> Option<Self> {
        let orders = Arc::new(DropOldest::new(ORDERS));
        let worker = Worker {
            light,
            orders: Arc::clone(&orders),
            privacy,
            reporter,
            lit: None,
            retry: None,
            is_untold: false,
        };
        let thread = thread::Builder::new().name("torch".into()).spawn(move || worker.run());
        thread.inspect_err(|error| warn!(%error, "torch")).ok().map(|_| Self(orders))
    }

    /// Lights it for `limit` at the most, or puts it out; the machine is told what became of it.
    pub(crate) fn perform(&self, limit: Option<Duration>, call: CallId) {
        self.0.push(limit.map_or(Order::PutOut(Some(call)), |limit| Order::Light(limit, call)));
    }

    pub(crate) fn put_out(&self) {
        self.0.push(Order::PutOut(None));
    }
}

impl Drop for Torch {
    /// It is not left lit.
    fn drop(&mut self) {
        let (sender, ended) = sync_channel(1);
        self.0.push(Order::End(sender));
        // One that hangs must not keep the program.
        let _ = ended.recv_timeout(FAREWELL);
    }
}

struct Worker<F> {
    light: F,
    orders: Arc<DropOldest<Order>>,
    privacy: Privacy,
    reporter: Reporter,
    /// Since when it is lit, and for how long it may be.
    lit: Option<(Instant, Duration)>,
    /// When it is tried again to put it out.
    retry: Option<Instant>,
    /// Whether it went out, and the machine was not told yet.
    is_untold: bool,
}

impl<F: FnMut(bool) -> Result<(), OpenError>> Worker<F> {
    fn run(mut self) {
        loop {
            let is_idle = self.lit.is_none() && !self.is_untold;
            match self.orders.pop(if is_idle { IDLE } else { GLANCE }) {
                Some(Order::Light(limit, call)) => {
                    let result = self.kindle(limit);
                    self.answer(call, true, result);
                }
                Some(Order::PutOut(call)) => {
                    let result = self.put_out();
                    if let Some(call) = call {
                        self.answer(call, false, result);
                    }
                }
                Some(Order::End(sender)) => {
                    let _ = self.put_out();
                    let _ = sender.try_send(());
                    return;
                }
                None => {}
            }
            self.watch();
        }
    }

    fn kindle(&mut self, limit: Duration) -> Result<(), Failure> {
        if self.privacy.is_closed() {
            return Err(Failure::InvalidState("in private"));
        }
        let lit = (self.light)(true);
        (self.lit, self.retry) = (Some((Instant::now(), limit)), None);
        lit.map_err(|error| {
            warn!(%error, "torch");
            // It may have been lit nevertheless.
            let _ = self.put_out();
            Failure::Device
        })
    }

    /// One that can't be put out counts as lit.
    fn put_out(&mut self) -> Result<(), Failure> {
        match (self.light)(false) {
            Ok(()) => {
                (self.lit, self.retry) = (None, None);
                Ok(())
            }
            Err(error) => {
                if self.retry.replace(Instant::now() + RETRY).is_none() {
                    warn!(%error, "the torch can't be put out: tried again and again");
                }
                Err(Failure::Device)
            }
        }
    }

    /// Puts it out where it must not be lit.
    fn watch(&mut self) {
        let now = Instant::now();
        let must_be_out = match (self.lit, self.retry) {
            (None, _) => false,
            (Some(_), Some(retry)) => retry <= now,
            (Some(_), None) if self.privacy.is_closed() => true,
            (Some((since, limit)), None) => {
                let is_over = now.duration_since(since) >= limit;
                if is_over {
                    warn!(
                        seconds = limit.as_secs(),
                        "the torch was lit for as long as it may be: it is put out"
                    );
                }
                is_over
            }
        };
        if must_be_out {
            let _ = self.put_out();
            self.is_untold = true;
        }
        if self.is_untold {
            self.is_untold = !self.reporter.try_tell(News::Input(Input::TorchOut));
        }
    }

    /// Never waits: who is not heard in time has failed.
    fn answer(&self, id: CallId, lit: bool, result: Result<(), Failure>) {
        let result = result.map(|()| Reply::from_iter([("torch".to_owned(), json!(lit))]));
        self.reporter.try_tell(News::Input(Input::Performed { id, result }));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    use tokio::sync::mpsc;

    use super::*;
    use crate::news::channel;

    const LONG: Duration = Duration::from_secs(3600);
    const SOON: Duration = Duration::from_secs(60);

    #[derive(Default)]
    struct Lamp {
        lit: AtomicBool,
        is_broken: AtomicBool,
    }

    struct Bench {
        torch: Torch,
        lamp: Arc<Lamp>,
        privacy: Privacy,
        news: mpsc::Receiver<News>,
    }

    impl Bench {
        fn new() -> Self {
            let (lamp, privacy, (reporter, news)) = (Arc::<Lamp>::default(), Privacy::default(), channel());
            let driven = Arc::clone(&lamp);
            let light = move |lit| {
                if driven.is_broken.load(Relaxed) {
                    return Err(OpenError::failed("lamp", "broken", "buy another"));
                }
                driven.lit.store(lit, Relaxed);
                Ok(())
            };
            let torch = Torch::drive(light, privacy.clone(), reporter).unwrap();
            Self { torch, lamp, privacy, news }
        }

        fn hears(&mut self) -> Input {
            let deadline = Instant::now() + SOON;
            loop {
                match self.news.try_recv() {
                    Ok(News::Input(input)) => return input,
                    _ => assert!(Instant::now() < deadline, "nothing is told"),
                }
                thread::sleep(Duration::from_millis(5));
            }
        }

        fn asks(&mut self, limit: Option<Duration>) -> Result<Reply, Failure> {
            self.torch.perform(limit, 7);
            match self.hears() {
                Input::Performed { id: 7, result } => result,
                other => panic!("{other:?}"),
            }
        }

        fn is_lit(&self) -> bool {
            self.lamp.lit.load(Relaxed)
        }

        /// Though nobody hears it.
        fn goes_out(&self) {
            let deadline = Instant::now() + SOON;
            while self.is_lit() {
                assert!(Instant::now() < deadline, "it stays lit");
                thread::sleep(Duration::from_millis(5));
            }
        }
    }

    #[test]
    fn it_is_lit_and_put_out_and_both_are_answered() {
        let mut bench = Bench::new();
        assert_eq!(bench.asks(Some(LONG)).unwrap()["torch"], true);
        assert!(bench.is_lit());
        assert_eq!(bench.asks(None).unwrap()["torch"], false);
        assert!(!bench.is_lit());
        bench.asks(Some(LONG)).unwrap();
        drop(bench.torch);
        assert!(!bench.lamp.lit.load(Relaxed), "the program has ended");
    }

    #[test]
    fn while_all_else_hangs_it_goes_out_in_private_and_is_not_lit_again() {
        let mut bench = Bench::new();
        bench.asks(Some(LONG)).unwrap();
        bench.privacy.set(true);
        bench.goes_out();
        assert_eq!(bench.hears(), Input::TorchOut);
        assert_eq!(bench.asks(Some(LONG)), Err(Failure::InvalidState("in private")));
        assert!(!bench.is_lit());
    }

    #[test]
    fn while_all_else_hangs_it_goes_out_once_its_time_is_over() {
        let mut bench = Bench::new();
        bench.asks(Some(Duration::from_millis(50))).unwrap();
        bench.goes_out();
        assert_eq!(bench.hears(), Input::TorchOut);
    }

    #[test]
    fn one_that_fails_is_told_and_one_that_stays_lit_is_tried_again() {
        let mut bench = Bench::new();
        bench.lamp.is_broken.store(true, Relaxed);
        assert_eq!(bench.asks(Some(LONG)), Err(Failure::Device));
        bench.lamp.is_broken.store(false, Relaxed);
        bench.asks(Some(LONG)).unwrap();
        bench.lamp.is_broken.store(true, Relaxed);
        assert_eq!(bench.asks(None), Err(Failure::Device));
        assert!(bench.is_lit());
        bench.lamp.is_broken.store(false, Relaxed);
        bench.goes_out();
    }
}
