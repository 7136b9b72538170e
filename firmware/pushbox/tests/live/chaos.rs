//! Ten real minutes with a real server that is killed, stopped and started.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::{Server, free_port, publish};

const DURATION: Duration = Duration::from_secs(600);
/// From the server's return to moving media: the longest step that may be under way (10.4), the time to the next attempt, and
/// as much for a machine that is busy.
const RECOVERY: Duration = Duration::from_secs(2 * (10 + 3));
/// How long a fault lasts: short ones are survived by the connection. Fair weather lasts long enough to give the retries back.
const FAULTS: [u64; 6] = [2, 19, 6, 12, 1, 15];
const FAIR: [u64; 4] = [12, 20, 14, 16];
/// Resident memory may grow by a twentieth and a megabyte after the first minute.
const KILOBYTES: u64 = 1024;

/// Whether media move: the recording grows three times in a row, which no backlog does.
fn wait_for_media(server: &Server, limit: Duration) -> Option<Duration> {
    let (begin, mut size, mut grown) = (Instant::now(), server.recorded(), 0);
    while grown < 3 {
        if begin.elapsed() > limit {
            return None;
        }
        sleep(Duration::from_millis(300));
        let now = server.recorded();
        grown = if now > size { grown + 1 } else { 0 };
        size = now;
    }
    Some(begin.elapsed())
}

fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
#[ignore = "takes ten minutes: scripts/test --long"]
fn n3_media_come_again_in_time_whatever_happens_to_a_real_server_and_memory_does_not_grow() {
    let (folder, port) = (tempfile::TempDir::new().unwrap(), free_port());
    let mut server = Server::nginx_at(port);
    let mut pushbox = publish(&server.url(), "[options]\nretry-count = 10", folder.path());
    let pid = pushbox.0.id();
    let log = || fs::read_to_string(folder.path().join("pushbox.log")).unwrap();
    assert!(wait_for_media(&server, RECOVERY).is_some(), "{}", log());
    let (begin, mut slowest, mut faults, mut early) = (Instant::now(), Duration::ZERO, 0, None);
    while begin.elapsed() < DURATION {
        sleep(Duration::from_secs(FAIR[faults % FAIR.len()]));
        if begin.elapsed() > DURATION / 10 {
            early.get_or_insert_with(|| resident(pid));
        }
        let lasts = Duration::from_secs(FAULTS[faults % FAULTS.len()]);
        let fault = if faults % 2 == 0 { "stopped" } else { "killed" };
        if fault == "stopped" {
            server.signal("STOP");
            sleep(lasts);
            server.signal("CONT");
        } else {
            drop(server);
            sleep(lasts);
            server = Server::nginx_at(port);
        }
        let took = wait_for_media(&server, RECOVERY);
        let took = took
            .unwrap_or_else(|| panic!("no media {RECOVERY:?} after it was {fault} for {lasts:?}: {}", log()));
        println!("{fault} for {lasts:?}: media after {took:.1?}, {} kB resident", resident(pid));
        (slowest, faults) = (slowest.max(took), faults + 1);
    }
    let (early, late) = (early.unwrap(), resident(pid));
    println!("{faults} faults, {slowest:.1?} to media at the most, {early} then {late} kB resident");
    assert!(late <= early + early / 20 + KILOBYTES, "{early} kB of memory became {late} kB");
    assert!(pushbox.terminate().0.success(), "{}", log());
}
