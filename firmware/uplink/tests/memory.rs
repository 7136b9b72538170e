//! What servers can make a connection hold, measured at the allocator: bounded, whatever they send and for however long.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
#[path = "servers/client.rs"]
mod client;
#[allow(dead_code)]
#[path = "servers/peer.rs"]
mod peer;

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use client::{Client, patient};
use peer::{COMMAND, Peer, SOON, message, null, number, serve, server, text};

/// Counts the bytes of this process that are in use.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all is handed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let in_use = IN_USE.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(in_use, Relaxed);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a server sends in one go, at the least.
const PORTION: usize = 256 << 10;
/// A message of a megabyte may be read, and one of as much be under way on another chunk stream.
const BOUND: usize = 6 << 20;

struct Attack {
    name: &'static str,
    /// Once, and then again and again.
    first: Vec<u8>,
    again: Vec<u8>,
    reads: bool,
}

fn attacks() -> Vec<Attack> {
    let size = message(2, 1, 0, &(1_u32 << 20).to_be_bytes(), 128);
    // All but the last byte of a message, which is then called off, on one chunk stream after the other.
    let most = (1 << 20) - 1;
    let aborted = (10..22).flat_map(|stream| {
        let begun = message(stream, 9, 1, &vec![0; 1 << 20], most)[..12 + most].to_vec();
        [begun, message(2, 2, 0, &u32::from(stream).to_be_bytes(), most)].concat()
    });
    let huge = |kind: u8, body: &[u8]| message(3, kind, 0, body, 1 << 20);
    let name = text("onStatus");
    let status = [&name[..], &number(0.0), &null()].concat();
    let fill = |unit: &[u8]| unit.repeat(((1 << 20) - 100) / unit.len());
    let attack = |name, first: &[u8], again, reads| Attack { name, first: first.to_vec(), again, reads };
    vec![
        attack("pings that are answered", &[], message(2, 4, 0, &[0, 6, 0, 0, 0, 1], 128), true),
        attack("pings whose answers are not read", &[], message(2, 4, 0, &[0, 6, 0, 0, 0, 1], 128), false),
        attack("bandwidths", &[], message(2, 6, 0, &[0, 0, 0, 1, 0], 128), false),
        attack("a window of one byte", &message(2, 5, 0, &[0, 0, 0, 1], 128), vec![0xc3; 4096], false),
        attack("commands of a megabyte of nulls", &size, huge(COMMAND, &[name, fill(&[5])].concat()), true),
        attack(
            "commands of a megabyte of properties",
            &size,
            huge(COMMAND, &[&status[..], &[3], &fill(&[0, 1, b'a', 5])].concat()),
            true,
        ),
        attack(
            "statuses of a megabyte that is no text",
            &size,
            huge(
                COMMAND,
                &[&status[..], &[3], &text("code")[1..], &[12, 0, 0xf, 0xf0, 0], &fill(&[0xff])].concat(),
            ),
            true,
        ),
        attack(
            "pictures that are called off",
            &message(2, 1, 0, &(most as u32).to_be_bytes(), 128),
            aborted.collect(),
            true,
        ),
        attack("pictures of a megabyte", &size, huge(9, &fill(&[0])), true),
        attack("data in chunks of 128 bytes", &[], message(5, 18, 1, &fill(&[1])[..100_000], 128), true),
        attack("empty messages", &[], message(5, 9, 1, &[], 128), true),
    ]
}

/// How much more memory was in use at the most than before.
fn during(work: impl FnOnce()) -> usize {
    let before = IN_USE.load(Relaxed);
    MOST.store(before, Relaxed);
    work();
    MOST.load(Relaxed) - before
}

/// All of the process is counted, so that only one test may run at a time.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn no_server_makes_a_connection_hold_more_than_a_few_messages() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for Attack { name, first, again, reads } in attacks() {
        let (sent, total) = std::sync::mpsc::channel();
        let portion = again.repeat(PORTION.div_ceil(again.len()));
        let url = server(move |mut peer: Peer| {
            peer.accept();
            if reads {
                let mut input = peer.socket.try_clone().unwrap();
                std::thread::spawn(move || std::io::copy(&mut input, &mut std::io::sink()));
            }
            peer.send(&first);
            let mut count = 0_usize;
            // Portions that the client does not listen to wait; the stop ends that.
            while peer.wire.write_all(&portion).is_ok() {
                count += portion.len();
                let _ = sent.send(count);
            }
        });
        let client = Client::start(&url, patient());
        client.wait_for_start();
        let mut came = 0;
        let held = during(|| {
            let deadline = Instant::now() + Duration::from_secs(2);
            while came < 64 << 20 && Instant::now() < deadline {
                came = total.recv_timeout(Duration::from_millis(100)).unwrap_or(came);
            }
            assert!(client.stop() < SOON);
        });
        println!("{name}: {} kB held, of {} kB that came", held >> 10, came >> 10);
        assert!(held < BOUND, "{name}: {held} bytes held");
    }
}

#[test]
fn connections_leave_nothing_behind() {
    const CONNECTIONS: usize = 300;
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let port = serve(vec![Peer::accept_and_close; CONNECTIONS]);
    let url = format!("rtmp://localhost:{port}/live/key");
    let queue = Arc::new(uplink::SendQueue::new(Duration::from_secs(1)));
    let mut warm = 0;
    for number in 0..CONNECTIONS {
        let client = Client::with(&url, patient(), Arc::clone(&queue));
        assert!(client.end().0.is_err());
        if number == CONNECTIONS / 10 {
            warm = IN_USE.load(Relaxed);
        }
    }
    let left = IN_USE.load(Relaxed).saturating_sub(warm);
    println!("{left} bytes more after {CONNECTIONS} connections");
    assert!(left < 64 << 10, "{left} bytes left");
}
