//! Lines of a GPIO controller (VIRTIO 1.2, clause 5.18): buttons that the host presses, lamps that it sees.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::daemon::{Device, Request, lock};

/// Direction of a line, as on the wire.
const OUTPUT: u8 = 1;
const INPUT: u8 = 2;
/// Statuses: of a request, and of an interrupt.
const FAILED: u8 = 1;
const INTERRUPT_WITHDRAWN: u8 = 0;
const INTERRUPT: u8 = 1;

/// The host's end of the lines.
#[derive(Clone)]
pub struct Lines {
    pub(crate) controller: Arc<Mutex<Controller>>,
    changed: Arc<Condvar>,
}

/// From letting a button go to its next press, at the least.
const LIFT: Duration = Duration::from_millis(100);

/// One line, as a person would see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LineState {
    pub name: &'static str,
    /// By the guest.
    pub driven: bool,
    pub high: bool,
}

pub(crate) struct Controller {
    lines: Vec<Line>,
    changed: Arc<Condvar>,
}

struct Line {
    name: &'static str,
    direction: u8,
    high: bool,
    /// Bits 0 and 1: interrupt at the rising, at the falling edge.
    edges: u8,
    /// An edge that found no request to answer.
    latched: bool,
    waiting: Option<Request>,
}

impl Lines {
    /// All are inputs at high level, as if pulled up.
    pub fn new(names: &[&'static str]) -> Self {
        let lines = names.iter().map(|name| Line {
            name,
            direction: INPUT,
            high: true,
            edges: 0,
            latched: false,
            waiting: None,
        });
        let changed = Arc::<Condvar>::default();
        let controller = Controller { lines: lines.collect(), changed: Arc::clone(&changed) };
        Self { controller: Arc::new(Mutex::new(controller)), changed }
    }

    /// What the controller is like after power was away. What the host drives stays.
    pub(crate) fn power_on(&self) {
        for line in &mut lock(&self.controller).lines {
            (line.direction, line.edges, line.latched, line.waiting) = (INPUT, 0, false, None);
        }
    }

    /// Drives an input.
    pub fn drive(&self, name: &str, high: bool) -> Result<()> {
        lock(&self.controller).line(name)?.drive(high);
        Ok(())
    }

    /// Presses a button that pulls its line low, for `length`. No finger presses it again sooner than [`LIFT`] later.
    pub fn press(&self, name: &str, length: Duration) -> Result<()> {
        self.drive(name, false)?;
        std::thread::sleep(length);
        self.drive(name, true)?;
        std::thread::sleep(LIFT);
        Ok(())
    }

    /// What they are like now.
    pub fn states(&self) -> Vec<LineState> {
        let controller = lock(&self.controller);
        let state =
            |line: &Line| LineState { name: line.name, driven: line.direction == OUTPUT, high: line.high };
        controller.lines.iter().map(state).collect()
    }

    /// Waits until the guest lets a lamp blink: until it was lit and out, twice.
    pub fn wait_for_blinking(&self, name: &str, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        for high in [true, false, true, false] {
            let left = deadline.saturating_duration_since(Instant::now());
            self.wait_for(name, high, left).context("it does not blink")?;
        }
        Ok(())
    }

    /// Waits until the guest drives a line so, and has let it be for `length`.
    pub fn wait_for_steady(&self, name: &str, high: bool, length: Duration, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            self.wait_for(name, high, left)?;
            if self.wait_for(name, !high, length).is_err() {
                return Ok(());
            }
        }
    }

    /// Waits until the guest drives a line so.
    pub fn wait_for(&self, name: &str, high: bool, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        let mut controller = lock(&self.controller);
        loop {
            let line = controller.line(name)?;
            if line.direction == OUTPUT && line.high == high {
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("{name} did not go {} within {limit:?}", if high { "high" } else { "low" });
            }
            controller = self
                .changed
                .wait_timeout(controller, left)
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .0;
        }
    }
}

impl Controller {
    fn line(&mut self, name: &str) -> Result<&mut Line> {
        self.lines.iter_mut().find(|line| line.name == name).with_context(|| format!("no line {name}"))
    }

    /// Answers a request of the first queue.
    fn execute(&mut self, kind: u16, number: u16, value: u32) -> Vec<u8> {
        const GET_NAMES: u16 = 1;
        if kind == GET_NAMES {
            return std::iter::once(0).chain(self.names()).collect();
        }
        let Some(line) = self.lines.get_mut(usize::from(number)) else {
            return vec![FAILED, 0];
        };
        let value = value as u8;
        match kind {
            2 => return vec![0, line.direction],
            3 => line.direction = value,
            4 => return vec![0, u8::from(line.high)],
            5 => line.high = value != 0,
            6 => line.set_edges(value),
            _ => return vec![FAILED, 0],
        }
        self.changed.notify_all();
        vec![0, 0]
    }

    fn names(&self) -> Vec<u8> {
        self.lines.iter().flat_map(|line| line.name.bytes().chain([0])).collect()
    }
}

impl Line {
    fn drive(&mut self, high: bool) {
        let edge = if high { 1 } else { 2 };
        let fires = self.high != high && self.edges & edge != 0;
        self.high = high;
        if fires {
            self.latched = true;
            self.interrupt();
        }
    }

    fn interrupt(&mut self) {
        if self.latched
            && let Some(request) = self.waiting.take()
        {
            self.latched = false;
            request.answer(&[INTERRUPT]);
        }
    }

    fn set_edges(&mut self, edges: u8) {
        (self.edges, self.latched) = (edges, false);
        if edges == 0
            && let Some(request) = self.waiting.take()
        {
            request.answer(&[INTERRUPT_WITHDRAWN]);
        }
    }
}

impl Device for Controller {
    const NAME: &'static str = "gpio";
    const QUEUES: usize = 2;
    /// VIRTIO_GPIO_F_IRQ.
    const FEATURES: u64 = 1;

    fn configuration(&self) -> Vec<u8> {
        let count = (self.lines.len() as u16).to_le_bytes();
        let names = (self.names().len() as u32).to_le_bytes();
        [&count[..], &[0, 0], &names].concat()
    }

    fn take(&mut self, queue: usize, written: &[u8], request: Request) -> Option<(Request, Vec<u8>)> {
        let failed = vec![FAILED, 0];
        match (queue, written) {
            (0, [k0, k1, n0, n1, v0, v1, v2, v3]) => {
                let (kind, number) = (u16::from_le_bytes([*k0, *k1]), u16::from_le_bytes([*n0, *n1]));
                let answer = self.execute(kind, number, u32::from_le_bytes([*v0, *v1, *v2, *v3]));
                Some((request, answer))
            }
            (1, [n0, n1]) => {
                let number = usize::from(u16::from_le_bytes([*n0, *n1]));
                let Some(line) = self.lines.get_mut(number) else {
                    return Some((request, failed));
                };
                line.waiting = Some(request);
                line.interrupt();
                None
            }
            _ => Some((request, failed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(lines: &Lines, kind: u16, number: u16, value: u32) -> Vec<u8> {
        lock(&lines.controller).execute(kind, number, value)
    }

    #[test]
    fn names_and_configuration_agree() {
        let lines = Lines::new(&["button", "lamp"]);
        assert_eq!(ask(&lines, 1, 0, 0), b"\0button\0lamp\0");
        assert_eq!(lock(&lines.controller).configuration(), [2, 0, 0, 0, 12, 0, 0, 0]);
    }

    #[test]
    fn the_host_sees_what_the_guest_drives_and_the_guest_what_the_host_does() {
        let lines = Lines::new(&["button", "lamp"]);
        ask(&lines, 5, 1, 0);
        assert!(lines.wait_for("lamp", false, Duration::ZERO).is_err(), "it is no output yet");
        ask(&lines, 3, 1, 1);
        lines.wait_for("lamp", false, Duration::ZERO).unwrap();
        ask(&lines, 5, 1, 1);
        lines.wait_for("lamp", true, Duration::ZERO).unwrap();
        lines.drive("button", false).unwrap();
        assert_eq!(ask(&lines, 4, 0, 0), [0, 0]);
        assert!(lines.drive("no such", true).is_err());
        assert!(lines.wait_for("lamp", false, Duration::from_millis(5)).is_err());
    }

    #[test]
    fn a_lamp_that_blinks_is_told_from_one_that_is_lit_or_out() {
        const SHORT: Duration = Duration::from_millis(50);
        let lines = Lines::new(&["lamp"]);
        ask(&lines, 3, 0, 1);
        lines.wait_for_steady("lamp", true, SHORT, 10 * SHORT).unwrap();
        assert!(lines.wait_for_blinking("lamp", SHORT).is_err(), "it is lit");
        let (blinking, stop) = (lines.clone(), Arc::<std::sync::atomic::AtomicBool>::default());
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            for phase in (0..).take_while(|_| !stopped.load(std::sync::atomic::Ordering::Relaxed)) {
                ask(&blinking, 5, 0, phase % 2);
                std::thread::sleep(SHORT / 5);
            }
        });
        lines.wait_for_blinking("lamp", Duration::from_secs(30)).unwrap();
        assert!(lines.wait_for_steady("lamp", true, Duration::from_secs(5), SHORT).is_err(), "it blinks");
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        thread.join().unwrap();
    }

    #[test]
    fn an_edge_before_the_guest_asks_is_kept_until_it_does() {
        let lines = Lines::new(&["button"]);
        ask(&lines, 6, 0, 2);
        lines.drive("button", false).unwrap();
        assert!(lock(&lines.controller).lines[0].latched);
        ask(&lines, 6, 0, 0);
        assert!(!lock(&lines.controller).lines[0].latched);
    }

    #[test]
    fn requests_for_lines_that_are_not_there_fail() {
        let lines = Lines::new(&["button"]);
        assert_eq!(ask(&lines, 4, 7, 0), [FAILED, 0]);
        assert_eq!(ask(&lines, 99, 0, 0), [FAILED, 0]);
    }
}
