//! An uplink that takes less than the box would send.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use receiver::Receiver;
use serde_json::json;

use crate::control::Boxed;
use crate::support::{SOON, publish};

/// Passes what comes on to a server, so many bytes a second of it, with little room for what waits.
struct Narrow {
    address: SocketAddr,
    bytes_a_second: Arc<AtomicU64>,
}

impl Narrow {
    fn start(server: SocketAddr, bytes_a_second: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let rate = Arc::new(AtomicU64::new(bytes_a_second));
        let bytes_a_second = Arc::clone(&rate);
        thread::spawn(move || {
            let mut client = listener.accept().unwrap().0;
            socket2::SockRef::from(&client).set_recv_buffer_size(8 << 10).unwrap();
            let mut server = TcpStream::connect(server).unwrap();
            let (mut answers, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut answers, &mut back));
            let (mut buffer, mut due) = ([0; 1024], Instant::now());
            while let Ok(count @ 1..) = client.read(&mut buffer) {
                if server.write_all(&buffer[..count]).is_err() {
                    return;
                }
                due = due.max(Instant::now())
                    + Duration::from_secs_f64(count as f64 / rate.load(Relaxed) as f64);
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        });
        Self { address, bytes_a_second }
    }

    fn url(&self) -> String {
        format!("rtmp://{}/live/key", self.address)
    }
}

#[test]
fn n4_a_narrow_uplink_is_told_and_followed_down_and_up_again() {
    let receiver = Receiver::bind("127.0.0.1:0", None).unwrap();
    let narrow = Narrow::start(receiver.address(), 1_000_000);
    let boxed = Boxed::start();
    let mut client = boxed.connect();
    client.result("subscribe", json!({}));
    client.result(
        "props.set",
        json!({"url": narrow.url(), "mode": "SD", "min-bitrate": 50, "max-bitrate": 400}),
    );
    client.result("start", json!({}));
    client.status(1002);
    narrow.bytes_a_second.store(25_000, Relaxed);
    client.status(1101);
    let lowered = client.status(1006);
    assert_eq!(lowered["params"]["cause"], "adapt");
    assert!(lowered["params"]["kbps"].as_u64().unwrap() < 200, "{lowered}");
    narrow.bytes_a_second.store(1_000_000, Relaxed);
    // It is heard of every two seconds at the most, until it is what it was.
    while client.status(1006)["params"]["kbps"].as_u64().unwrap() < 360 {}
    assert_eq!(receiver.report().faults, [""; 0]);
}

#[test]
fn n4_in_rtc_a_picture_that_is_too_large_for_its_rate_gets_smaller_until_the_rate_suffices() {
    let receiver = Receiver::bind("127.0.0.1:0", None).unwrap();
    let boxed = Boxed::start();
    let mut client = boxed.connect();
    client.result("subscribe", json!({}));
    let size = json!({"video-width": 720, "video-height": 1280, "max-bitrate": 300, "fps": 30});
    client.result("props.set", size);
    client.result("props.set", json!({"url": receiver.url(), "mode": "RTC"}));
    client.result("start", json!({}));
    let mut changed = || {
        let status = client.status(1005);
        ["width", "height", "cause"].map(|name| status["params"][name].clone())
    };
    assert_eq!(changed(), [json!(540), json!(960), json!("adapt")]);
    assert_eq!(changed(), [json!(404), json!(720), json!("adapt")]);
    // The user's wish for another mode ends it.
    client.result("props.set", json!({"mode": "HD"}));
    let back = client.status(1005);
    assert_eq!((&back["params"]["width"], &back["params"]["cause"]), (&json!(720), &json!("property")));
    let report = receiver.report();
    assert_eq!(report.faults, [""; 0]);
}

#[test]
fn n4_a_picture_gets_smaller_in_a_live_mode_too_where_an_option_says_so() {
    let receiver = Receiver::bind("127.0.0.1:0", None).unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let properties = "mode = 'HD'\nvideo-width = 720\nvideo-height = 1280\nmax-bitrate = 300\nfps = 30\n\
                      [options]\nadapt-resolution = 'always'";
    let _running = publish(&receiver.url(), properties, folder.path());
    let log = || std::fs::read_to_string(folder.path().join("pushbox.log")).unwrap();
    let deadline = Instant::now() + SOON;
    while !log().lines().any(|line| line.contains("code=1005") && line.contains("540")) {
        assert!(Instant::now() < deadline, "{}", log());
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(receiver.report().faults, [""; 0]);
}
