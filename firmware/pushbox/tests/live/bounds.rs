//! What a client asks for in excess costs the box neither threads, memory nor time.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::control::{live, png};

#[test]
fn of_many_waiting_images_only_the_last_is_loaded() {
    let (boxed, mut client, _server) = live();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = listener.local_addr().unwrap();
    // It takes requests and answers none.
    std::thread::spawn(move || listener.incoming().map(Result::unwrap).collect::<Vec<_>>());
    let threads = format!("/proc/{}/task", boxed.running.0.id());
    let threads = || fs::read_dir(&threads).unwrap().count();
    let before = threads();
    let mut most = 0;
    for number in 0..1000 {
        client.result("props.set", json!({"waiting-image": format!("http://{silent}/{number}")}));
        most = most.max(threads());
    }
    assert!(most < before + 12, "{before} threads became {most}");
    client.result("pause", json!({}));
    client.result("props.set", json!({"waiting-image": png(boxed.folder.path(), 200)}));
    let deadline = Instant::now() + Duration::from_secs(5);
    while client.snapshot("raw").0.abs_diff(188) > 4 {
        assert!(Instant::now() < deadline, "the last picture is not shown");
    }
    assert!(!boxed.log().contains("no waiting image"), "{}", boxed.log());
}
