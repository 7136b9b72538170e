//! What a person gives on the command line, and what is answered.

use std::fs;
use std::path::Path;

use crate::support::{Running, SOON, board, publish, pushbox};

/// Exit code and standard error of `pushbox run` with these files.
fn run(board: &Path, props: &str, url: &str) -> (i32, String) {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("props.toml");
    fs::write(&path, props).unwrap();
    let mut command = pushbox();
    command.arg("run").arg("--board").arg(board).arg("--props").arg(path).args(["--url", url]);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap().replace(&folder.path().display().to_string(), "DIR");
    (output.status.code().unwrap(), text)
}

#[test]
fn mistakes_are_one_clear_error_and_exit_code_2() {
    let sim = board("sim.toml");
    let url = "rtmp://127.0.0.1:1/live/key";
    let cases = [
        (
            run(Path::new("/nonexistent.toml"), "", url),
            "pushbox: board file /nonexistent.toml: No such file or directory (os error 2); give a readable TOML file\n",
        ),
        (
            run(&sim, "fps = 15\nmode = 'XL'", url),
            "pushbox: property file DIR/props.toml, line 2, mode: give one of QVGA, HVGA, SD, HD, FHD, RTC\n",
        ),
        (
            run(&sim, "", "ftp://host/live/key"),
            "pushbox: --url: address without rtmp://, rtmps://, http:// or https://: give rtmp://host/app/stream\n",
        ),
        (run(&sim, "", ""), "pushbox: --url: no address: give rtmp://host/app/stream\n"),
    ];
    for ((code, text), expected) in cases {
        assert_eq!((code, text.as_str()), (2, expected));
    }
}

#[test]
fn a_secret_in_an_address_never_shows() {
    let folder = tempfile::TempDir::new().unwrap();
    let receiver = receiver::Receiver::bind("127.0.0.1:0", None).unwrap();
    let url = receiver.url().replace("key", "topsecret?token=hidden");
    let mut pushbox = publish(&url, "", folder.path());
    receiver.wait(SOON, |report| report.frames > 5).unwrap();
    assert!(pushbox.terminate().0.success());
    let log = fs::read_to_string(folder.path().join("pushbox.log")).unwrap();
    assert!(log.contains("/live/***") && !log.contains("topsecret") && !log.contains("hidden"), "{log}");
    for (properties, url) in [
        ("", "ftp://user:topsecret@host/live/hidden"),
        ("url = 7 # topsecret", ""),
        ("url: rtmp://host/live/topsecret?sign=hidden", ""),
    ] {
        let (code, text) = run(&board("sim.toml"), properties, url);
        assert_eq!(code, 2, "{text}");
        assert!(!text.contains("topsecret") && !text.contains("hidden"), "{text}");
    }
}

#[test]
fn the_simulated_board_passes_its_selftest() {
    let output = pushbox().arg("selftest").arg("--board").arg(board("sim.toml")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("ok    front camera simulated  NV12 1280x720 30.00 fps"), "{text}");
    assert!(text.contains("48000 Hz, 1 channel"), "{text}");
}

#[test]
fn a_server_that_is_not_there_ends_it_after_the_retries() {
    let folder = tempfile::TempDir::new().unwrap();
    let url = format!("rtmp://127.0.0.1:{}/live/key", crate::support::free_port());
    let mut pushbox: Running = publish(&url, "", folder.path());
    assert_eq!(pushbox.wait(SOON).code(), Some(1));
    let log = fs::read_to_string(folder.path().join("pushbox.log")).unwrap();
    assert_eq!(log.matches("code=3002").count(), 4, "{log}");
    assert!(log.contains("-1307"), "{log}");
}
