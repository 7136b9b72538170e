//! A link between two network namespaces of this machine, packet by packet: what a kernel's TCP meets on a real one.
//!
//! Each end is a TUN interface (kernel: networking/tuntap). Between them a thread takes packets towards the server into a
//! drop-tail queue, lets as many bytes a millisecond go as the trace says, loses some, and delays all by half the round
//! trip each way. It needs the capability `CAP_NET_ADMIN`, which `unshare --map-root-user --net` gives to anyone.

use std::collections::VecDeque;
use std::ffi::c_short;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, RawFd};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::PathModel;
use crate::random::Random;

/// Of the server's end and of the sender's.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const SENDER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

pub struct Emulator {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    commands: Option<mpsc::Sender<Job>>,
    sender: Option<JoinHandle<()>>,
}

/// A command to start in the sender's namespace.
type Job = (Command, mpsc::Sender<io::Result<Child>>);

#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    /// Microseconds from the emulator's start to that of its trace, plus one; zero while it has not begun.
    begin: AtomicU64,
    /// Packets that the queue had no room for, or that got lost on the way.
    dropped: AtomicU64,
}

impl Emulator {
    /// Makes the link. The server's end is in the namespace of the calling thread, which should be one of its own.
    pub fn start(path: PathModel, seed: u64) -> io::Result<Self> {
        let server = open_tun("server", SERVER)?;
        let (opened, tun) = mpsc::channel();
        let (commands, jobs) = mpsc::channel::<Job>();
        let sender = thread::Builder::new().name("sender's namespace".into()).spawn(move || {
            // SAFETY: plain system call; it moves this thread alone, and those it starts.
            let moved = unsafe { libc::unshare(libc::CLONE_NEWNET) };
            let end = if moved == 0 { open_tun("sender", SENDER) } else { Err(io::Error::last_os_error()) };
            let _ = opened.send(end);
            for (mut command, answer) in jobs {
                let _ = answer.send(command.spawn());
            }
        })?;
        let sender_end = tun.recv().map_err(io::Error::other)??;
        let shared = Arc::new(Shared::default());
        let mut forwarder = Forwarder::new(path, seed, server, sender_end, Arc::clone(&shared));
        let thread = thread::Builder::new().name("link".into()).spawn(move || forwarder.run())?;
        Ok(Self { shared, thread: Some(thread), commands: Some(commands), sender: Some(sender) })
    }

    /// Starts a program behind the link.
    pub fn spawn(&self, command: Command) -> io::Result<Child> {
        let (answer, child) = mpsc::channel();
        let commands = self.commands.as_ref().ok_or_else(|| io::Error::other("the link is gone"))?;
        commands.send((command, answer)).map_err(io::Error::other)?;
        child.recv().map_err(io::Error::other)?
    }

    /// The trace begins; until then the mean of its first second holds.
    pub fn begin(&self) {
        self.shared.begin.store(1, Relaxed);
    }

    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Relaxed)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Relaxed);
        self.commands = None;
        for thread in [self.thread.take(), self.sender.take()].into_iter().flatten() {
            let _ = thread.join();
        }
    }
}

struct Forwarder {
    path: PathModel,
    random: Random,
    server: File,
    sender: File,
    shared: Arc<Shared>,
    /// Before the bottleneck.
    queue: VecDeque<Vec<u8>>,
    queued: usize,
    credit: f64,
    /// Behind it, and on the way back: when they come.
    forth: VecDeque<(Instant, Vec<u8>)>,
    back: VecDeque<(Instant, Vec<u8>)>,
}

impl Forwarder {
    fn new(path: PathModel, seed: u64, server: File, sender: File, shared: Arc<Shared>) -> Self {
        Self {
            path,
            random: Random::new(seed),
            server,
            sender,
            shared,
            queue: VecDeque::new(),
            queued: 0,
            credit: 0.0,
            forth: VecDeque::new(),
            back: VecDeque::new(),
        }
    }

    fn run(&mut self) {
        let mut begun: Option<Instant> = None;
        let mut last = Instant::now();
        let mut done = 0;
        while !self.shared.is_over.load(Relaxed) {
            wait(&[self.sender.as_raw_fd(), self.server.as_raw_fd()], Duration::from_millis(1));
            let now = Instant::now();
            if begun.is_none() && self.shared.begin.load(Relaxed) > 0 {
                (begun, done) = (Some(now), 0);
            }
            let half = Duration::from_millis(self.path.rtt) / 2;
            while let Some(packet) = read(&mut self.sender) {
                self.take(packet);
            }
            while let Some(packet) = read(&mut self.server) {
                self.back.push_back((now + half, packet));
            }
            let elapsed = now.duration_since(*begun.as_ref().unwrap_or(&last)).as_millis() as u64;
            while done < elapsed {
                let trace = &self.path.trace;
                let is_begun = begun.is_some();
                self.credit +=
                    if is_begun { f64::from(trace.bytes_at(done)) } else { trace.mean(0, 1000) / 8000.0 };
                done += 1;
            }
            if begun.is_none() {
                (last, done) = if elapsed > 0 { (now, 0) } else { (last, done) };
            }
            self.release(now + half);
            deliver(&mut self.forth, &mut self.server, now);
            deliver(&mut self.back, &mut self.sender, now);
        }
    }

    fn take(&mut self, packet: Vec<u8>) {
        let is_lost = self.random.uniform() < self.path.loss;
        if is_lost || self.queued + packet.len() > self.path.buffer {
            self.shared.dropped.fetch_add(1, Relaxed);
        } else {
            self.queued += packet.len();
            self.queue.push_back(packet);
        }
    }

    fn release(&mut self, due: Instant) {
        while let Some(length) = self.queue.front().map(Vec::len)
            && length as f64 <= self.credit
        {
            self.credit -= length as f64;
            self.queued -= length;
            self.forth.extend(self.queue.pop_front().map(|packet| (due, packet)));
        }
        if self.queue.is_empty() {
            self.credit = self.credit.min(1500.0);
        }
    }
}

fn deliver(packets: &mut VecDeque<(Instant, Vec<u8>)>, to: &mut File, now: Instant) {
    while packets.front().is_some_and(|(due, _)| *due <= now)
        && let Some((_, packet)) = packets.pop_front()
    {
        // An interface that is going away takes none.
        let _ = to.write(&packet);
    }
}

fn read(from: &mut File) -> Option<Vec<u8>> {
    let mut packet = vec![0; 2048];
    let length = from.read(&mut packet).ok()?;
    packet.truncate(length);
    Some(packet)
}

/// Until one of them can be read, or so long.
fn wait(descriptors: &[RawFd; 2], limit: Duration) {
    let mut polled = descriptors.map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
    // SAFETY: `polled` is an array of as many entries as told.
    unsafe {
        libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, limit.as_millis() as libc::c_int)
    };
}

/// A TUN interface with an address in a network of two, in the namespace of the calling thread.
fn open_tun(name: &str, address: Ipv4Addr) -> io::Result<File> {
    let tun = OpenOptions::new().read(true).write(true).open("/dev/net/tun")?;
    // SAFETY: a request of zeros is one without a name.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as c_short;
    // SAFETY: the request takes an ifreq, which lives through the call; fcntl takes plain numbers.
    let failed = unsafe {
        libc::ioctl(tun.as_raw_fd(), libc::TUNSETIFF as _, &raw mut request) < 0
            || libc::fcntl(tun.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) < 0
    };
    if failed {
        return Err(io::Error::last_os_error());
    }
    let ip = |arguments: &str| -> io::Result<()> {
        let status = Command::new("ip").args(arguments.split_whitespace()).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("ip {arguments} failed"))) }
    };
    ip("link set lo up")?;
    ip(&format!("address add {address}/30 dev {name}"))?;
    ip(&format!("link set {name} up"))?;
    Ok(tun)
}

#[cfg(test)]
mod tests {
    use std::io::BufRead;
    use std::net::TcpListener;
    use std::process::Stdio;

    use super::*;
    use crate::Trace;

    /// Runs in a namespace of its own where that is allowed; says so where not.
    #[test]
    fn a_kernels_connection_gets_the_rate_and_the_round_trip_of_the_link() {
        // SAFETY: plain system call; it moves this thread alone, and those it starts.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
            return eprintln!("skipped: no right to make a network namespace");
        }
        let trace = Trace::steps(&[(1000, 8e6)]);
        let link = Emulator::start(PathModel { trace, buffer: 100_000, rtt: 60, loss: 0.0 }, 1).unwrap();
        let listener = TcpListener::bind((SERVER, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut command = Command::new("bash");
        command.args(["-c", &format!("exec 3<>/dev/tcp/{SERVER}/{port}; head -c 1000000 /dev/zero >&3")]);
        let started = Instant::now();
        link.begin();
        let mut child = link
            .spawn({
                command.stdin(Stdio::null());
                command
            })
            .unwrap();
        let mut stream = io::BufReader::new(listener.accept().unwrap().0);
        assert!(started.elapsed() >= Duration::from_millis(60), "{:?}", started.elapsed());
        let mut bytes = 0;
        loop {
            let length = stream.fill_buf().unwrap().len();
            if length == 0 {
                break;
            }
            bytes += length;
            stream.consume(length);
        }
        assert_eq!(bytes, 1_000_000);
        let seconds = started.elapsed().as_secs_f64();
        assert!(seconds > 1.0, "8 Mbit over 8 Mb/s in {seconds} s");
        child.wait().unwrap();
    }
}
