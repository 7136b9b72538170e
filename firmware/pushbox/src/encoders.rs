//! Which of the board's encoders works: each is tried in its turn, and given up for the session once it fails for good.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use board::EncoderConfig;
use media::{EncodeError, EncoderSettings, VideoEncoder};
use tracing::warn;

/// An encoder that fails more often within so long is given up (spec 7.3, code 1104).
const RESTARTS: usize = 3;
const WITHIN: Duration = Duration::from_secs(30);

/// What comes of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is opened anew (1104).
    Restart,
    /// The next one takes over; hardware was given up (1103).
    Next,
    /// None is left (-1303).
    Exhausted,
}

/// The encoders of a board in the order in which they are tried.
pub(crate) struct Encoders {
    configs: Vec<EncoderConfig>,
    session: Option<u32>,
    /// The first that is not given up, by its number.
    first: Arc<AtomicUsize>,
    restarts: VecDeque<Instant>,
    /// Those that are still being closed, by number, in threads of their own.
    closing: Vec<(usize, JoinHandle<()>)>,
}

impl Encoders {
    pub(crate) fn new(configs: Vec<EncoderConfig>, first: Arc<AtomicUsize>) -> Self {
        Self {
            configs,
            session: None,
            first,
            restarts: VecDeque::with_capacity(RESTARTS + 1),
            closing: Vec::new(),
        }
    }

    /// Each session tries all of them.
    pub(crate) fn begin(&mut self, session: Option<u32>) {
        if session != self.session {
            self.session = session;
            self.first.store(0, Relaxed);
            self.restarts.clear();
        }
    }

    /// Opens the first that can be opened for a picture of that size. `given_up` is told of each that can't, but the last.
    /// Where there is another size to try, one that only refuses this size is not given up (spec 4.28).
    pub(crate) fn open(
        &mut self,
        settings: EncoderSettings,
        has_other_size: bool,
        mut given_up: impl FnMut(&EncoderConfig, &EncodeError),
    ) -> Result<Box<dyn VideoEncoder>, EncodeError> {
        loop {
            let first = self.first.load(Relaxed);
            let config = self.configs.get(first);
            let Some(config) = config else {
                let cause = "each of the board's encoders failed".to_owned();
                return Err(EncodeError::Open { encoder: "the encoder".into(), cause });
            };
            self.closing.retain(|(_, closing)| !closing.is_finished());
            let opened = if self.closing.iter().any(|(number, _)| *number == first) {
                let cause = "it is still being closed".to_owned();
                Err(EncodeError::Open { encoder: config.to_string(), cause })
            } else {
                board::open_encoder(config, settings)
            };
            match opened {
                Ok(encoder) => return Ok(encoder),
                Err(error @ EncodeError::Size { .. }) if has_other_size => return Err(error),
                Err(error) if first + 1 < self.configs.len() => {
                    given_up(config, &error);
                    self.give_up();
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The one that was opened last is closed by that thread, which takes long. It is not opened anew until then.
    pub(crate) fn still_closes(&mut self, closing: JoinHandle<()>) {
        self.closing.push((self.first.load(Relaxed), closing));
    }

    /// The one that was opened failed while it worked. One that can't be closed can't be opened anew.
    pub(crate) fn failed(&mut self, now: Instant, is_closed: bool) -> Verdict {
        while self.restarts.front().is_some_and(|then| now - *then >= WITHIN) {
            self.restarts.pop_front();
        }
        if is_closed && self.restarts.len() < RESTARTS {
            self.restarts.push_back(now);
            return Verdict::Restart;
        }
        if is_closed {
            warn!("it failed {} times within {} s and is given up", RESTARTS + 1, WITHIN.as_secs());
        } else {
            warn!("it can't be closed and is given up");
        }
        self.give_up();
        if self.first.load(Relaxed) < self.configs.len() { Verdict::Next } else { Verdict::Exhausted }
    }

    fn give_up(&mut self) {
        self.first.fetch_add(1, Relaxed);
        self.restarts.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use board::SoftwareEncoderConfig;
    use media::H264Profile;

    use super::*;

    #[test]
    fn d3_an_encoder_is_restarted_three_times_in_half_a_minute_then_the_next_takes_over() {
        let software = EncoderConfig::Software(SoftwareEncoderConfig::default());
        let mut encoders = Encoders::new(vec![software.clone(), software], Arc::default());
        encoders.begin(Some(1));
        let start = Instant::now();
        let mut after = |seconds| encoders.failed(start + Duration::from_secs(seconds), true);
        assert_eq!([0, 10, 20].map(&mut after), [Verdict::Restart; 3]);
        assert_eq!(after(30), Verdict::Restart, "the first was half a minute ago");
        assert_eq!(after(31), Verdict::Next);
        assert_eq!([32, 33, 34, 35].map(&mut after)[2..], [Verdict::Restart, Verdict::Exhausted]);
        encoders.begin(Some(2));
        assert_eq!(encoders.failed(start, true), Verdict::Restart, "a session tries all of them");
        assert_eq!(encoders.failed(start, false), Verdict::Next, "it can't be closed");
    }

    #[test]
    fn one_that_is_still_being_closed_is_opened_in_a_later_session() {
        let (width, height, fps, bitrate, vbv) = (96, 96, 15, 100_000, Duration::from_secs(1));
        let profile = H264Profile::ConstrainedBaseline;
        let settings = EncoderSettings { width, height, fps, bitrate, vbv, gop: 45, profile, source: None };
        let software = EncoderConfig::Software(SoftwareEncoderConfig::default());
        let mut encoders = Encoders::new(vec![software.clone(), software], Arc::default());
        let (closes, waits) = mpsc::channel::<()>();
        let given_up = |encoders: &mut Encoders, session| {
            let mut told = Vec::new();
            encoders.begin(Some(session));
            encoders.open(settings, false, |_, error| told.push(error.to_string())).unwrap();
            told.len()
        };
        assert_eq!(given_up(&mut encoders, 1), 0);
        encoders.still_closes(thread::spawn(move || waits.recv().unwrap_or_default()));
        assert_eq!([1, 1, 2].map(|session| given_up(&mut encoders, session)), [1, 0, 1]);
        drop(closes);
        let end = Instant::now() + Duration::from_secs(60);
        let mut session = 3;
        while given_up(&mut encoders, session) > 0 {
            assert!(Instant::now() < end, "it is closed by now");
            session += 1;
            thread::yield_now();
        }
    }
}
