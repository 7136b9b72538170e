//! What the box makes of servers that refuse.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Running, SOON, Server, publish};

#[test]
fn a_name_in_use_is_tried_again_on_a_new_connection() {
    let server = Server::nginx();
    let url = server.url();
    let mut other = Command::new("ffmpeg");
    other.args(["-nostdin", "-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=160x120"]);
    let mut other = Running::start(other.args(["-c:v", "flv", "-f", "flv", &url]).stderr(Stdio::null()));
    // It is there when nginx has a recording of it.
    let folder = tempfile::TempDir::new().unwrap();
    wait("the other publisher", || server.has_recording());
    let mut pushbox = publish(&url, "", folder.path());
    let log = || std::fs::read_to_string(folder.path().join("pushbox.log")).unwrap();
    wait("the refusal", || log().contains("code=3004"));
    let _ = other.0.kill();
    wait("the publication", || log().contains("code=1002"));
    let log = log();
    let refusal = log.lines().find(|line| line.contains("code=3004")).unwrap();
    for told in
        ["\"serverCode\":\"NetStream.Publish.BadName\"", "\"serverDescription\":\"Already publishing\""]
    {
        assert!(refusal.contains(told), "{refusal}");
    }
    assert!(pushbox.terminate().0.success());
}

fn wait(what: &str, mut is_there: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !is_there() {
        assert!(Instant::now() < deadline, "{what} does not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}
