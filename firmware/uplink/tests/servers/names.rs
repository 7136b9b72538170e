//! Names, and name servers that do not answer.

use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;

use rustix::thread::{UnshareFlags, unshare_unsafe};
use uplink::Options;

use crate::client::{Client, attempt, patient};

/// In a network with nothing but this machine, where the file `path` reads as `content`: which needs root.
pub(crate) fn isolated(path: &'static str, content: &'static str, test: impl FnOnce() + Send + 'static) {
    let isolated = std::thread::spawn(move || {
        // SAFETY: this thread, and those that it starts, get a network and mounts of their own; they share no memory by it.
        let namespaces = unsafe { unshare_unsafe(UnshareFlags::NEWNET | UnshareFlags::NEWNS) };
        if namespaces.is_err() {
            eprintln!("skipped: no right to make namespaces");
            return;
        }
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, content).unwrap();
        let run = |line: &str| {
            assert!(Command::new("sh").args(["-c", line]).status().unwrap().success(), "{line}");
        };
        run("ip link set lo up && mount --make-rprivate /");
        run(&format!("mount --bind {} {path}", file.display()));
        test();
    });
    isolated.join().unwrap();
}

#[test]
fn n1_a_resolution_that_hangs_ends_at_its_limit_and_holds_up_no_stop() {
    isolated("/etc/resolv.conf", "nameserver 127.0.0.1\n", || {
        let _silent = UdpSocket::bind("127.0.0.1:53").unwrap();

        let options = Options { resolve: Duration::from_secs(1), ..patient() };
        let error = attempt("rtmp://ingest.example.com/live/key", options);
        assert_eq!(error.code(), 3001, "{error}");
        assert!(error.to_string().ends_with("no answer within 1 s"), "{error}");

        let client = Client::start("rtmp://ingest.example.com/live/key", patient());
        std::thread::sleep(Duration::from_millis(200));
        let took = client.stop();
        assert!(took < Duration::from_millis(500), "{took:?}");
    });
}
