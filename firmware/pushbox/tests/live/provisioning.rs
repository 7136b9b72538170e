//! A box that is provisioned over a serial line and by a file, and keeps what it was told.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

use receiver::Receiver;
use tempfile::TempDir;

use crate::support::{Running, SOON, board, pushbox};

/// The simulated board with flash and a serial line.
struct Provisioned {
    folder: TempDir,
    /// The far end of the line; the near end is open too, so that the line is never without one.
    terminal: fs::File,
    _line: OwnedFd,
}

impl Provisioned {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let (terminal, line) = pseudo_terminal();
        let device =
            fs::read_link(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&line.as_fd())))
                .unwrap();
        let sim = fs::read_to_string(board("sim.toml")).unwrap();
        let more = format!(
            "[flash]\nfolder = '{}'\n[serial-line]\ndevice = '{}'\n",
            folder.path().display(),
            device.display()
        );
        fs::write(folder.path().join("board.toml"), format!("{sim}\n{more}")).unwrap();
        Self { folder, terminal, _line: line }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self) -> Running {
        let log = fs::File::options().append(true).create(true).open(self.path("pushbox.log")).unwrap();
        let mut command = pushbox();
        command.arg("run").arg("--board").arg(self.path("board.toml"));
        command.arg("--props").arg(self.path("pushbox.toml")).arg("--control").arg(self.path("control"));
        let running = Running::start(command.stderr(log));
        let deadline = Instant::now() + SOON;
        while !self.path("control").exists() {
            assert!(Instant::now() < deadline, "{}", fs::read_to_string(self.path("pushbox.log")).unwrap());
            std::thread::sleep(Duration::from_millis(10));
        }
        running
    }

    fn ctl(&self, words: &[&str]) -> Output {
        pushbox().arg("ctl").arg("--control").arg(self.path("control")).args(words).output().unwrap()
    }

    fn told(&self, words: &[&str]) -> String {
        let output = self.ctl(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Types a line and reads on until `answer` comes.
    fn type_in(&mut self, text: &str, answer: &str) -> String {
        self.terminal.write_all(text.as_bytes()).unwrap();
        let (mut seen, mut buffer, deadline) = (String::new(), [0; 4096], Instant::now() + SOON);
        while !seen.contains(answer) {
            assert!(Instant::now() < deadline, "no {answer:?} in {seen:?}");
            let count = self.terminal.read(&mut buffer).unwrap();
            seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        seen
    }
}

fn pseudo_terminal() -> (fs::File, OwnedFd) {
    let (mut master, mut slave) = (0, 0);
    // SAFETY: both descriptors are written before they are read, and nobody else owns them.
    unsafe {
        let null = std::ptr::null_mut();
        assert_eq!(libc::openpty(&raw mut master, &raw mut slave, null, null.cast(), null.cast()), 0);
        (fs::File::from_raw_fd(master), OwnedFd::from_raw_fd(slave))
    }
}

fn end(running: &mut Running) {
    assert!(running.terminate().0.success());
}

#[test]
fn a_person_provisions_it_with_a_terminal_program() {
    let mut board = Provisioned::new();
    let server = Receiver::bind("127.0.0.1:0", None).unwrap();
    let mut running = board.run();
    board.type_in("\r", "pushbox> ");
    // A slip of the finger, and noise on the line.
    let typed = board.type_in("set moed\x7f\x7fde HD\r", "ok");
    assert!(typed.contains("set moed\u{8} \u{8}\u{8} \u{8}de HD\r\n"), "{typed:?}");
    board.terminal.write_all(b"\x00\xff\xfe\x1b[A\r\n").unwrap();
    board.type_in("", "no text");
    board.type_in(&format!("set url {}\n", server.url()), "ok");
    board.type_in("start\r\n", "ok");
    server.wait(SOON, |report| report.frames > 5 && report.width == 540).unwrap();
    // A program on the same line.
    let answer = board.type_in("{\"id\":1,\"method\":\"status\"}\n", "}\n");
    assert!(
        answer.contains("\"state\":\"pushing\"") && !answer.contains("{\"id\":1,\"method\""),
        "{answer:?}"
    );
    end(&mut running);
    // It comes back as it was told, without having to be told again.
    let mut running = board.run();
    assert_eq!(board.told(&["get", "mode"]), "mode  HD\n");
    end(&mut running);
}

#[test]
fn a_property_file_is_taken_over_once_and_its_result_is_told() {
    let board = Provisioned::new();
    let (file, result) = (board.path("pushbox.toml"), board.path("pushbox.result.txt"));
    fs::write(&file, "mode = 'SD'\nfps = 20\n").unwrap();
    let mut running = board.run();
    assert_eq!(board.told(&["get", "mode"]), "mode  SD\n");
    assert_eq!(fs::read_to_string(&result).unwrap(), "taken over\n");
    board.told(&["set", "mode=HD"]);
    end(&mut running);
    let mut running = board.run();
    assert_eq!(board.told(&["get", "mode", "fps"]), "fps   20\nmode  HD\n", "the file is as it was");
    end(&mut running);
    fs::write(&file, "mode = 'XL'\nfps = 'many'\n").unwrap();
    let mut running = board.run();
    assert_eq!(board.told(&["get", "mode"]), "mode  HD\n", "a file with a mistake changes nothing");
    let told = fs::read_to_string(&result).unwrap();
    assert!(told.starts_with("not taken over: ") && told.contains("line 2, fps: give a number"), "{told}");
    assert!(told.contains("; mode: give one of"), "{told}");
    end(&mut running);
    // Options are looked at too, and act.
    fs::write(&file, "autopush = true\nurl = 'nowhere'\n[options]\nretry-count = 11\n").unwrap();
    end(&mut board.run());
    assert!(
        fs::read_to_string(&result).unwrap().contains("options: retry-count: give a number from 1 to 10")
    );
    fs::write(&file, "autopush = true\nurl = 'nowhere'\n[options]\nprofile = 'wechat-strict'\n").unwrap();
    end(&mut board.run());
    let told = fs::read_to_string(&result).unwrap();
    assert!(told.starts_with("taken over, but url: it can't be published to: address without"), "{told}");
    let before = fs::read_to_string(board.path("pushbox.log")).unwrap().matches("-1313").count();
    end(&mut board.run());
    let after = fs::read_to_string(board.path("pushbox.log")).unwrap().matches("-1313").count();
    assert_eq!((before, after), (0, 0), "an extended code in the strict profile");
}

/// Power goes right after the box has said that it is saved.
#[test]
fn what_is_saved_survives_that_moment() {
    let provisioned = Provisioned::new();
    for fps in ["11", "12", "13"] {
        let mut running = provisioned.run();
        provisioned.told(&["set", &format!("fps={fps}"), "max-bitrate=300", "min-bitrate=200"]);
        provisioned.told(&["set", "min-bitrate=500"]);
        assert_eq!(provisioned.told(&["save"]), "ok\n");
        running.0.kill().unwrap();
        running.wait(SOON);
        fs::remove_file(provisioned.path("control")).unwrap();
        let mut running = provisioned.run();
        assert_eq!(provisioned.told(&["get", "fps"]), format!("fps  {fps}\n"));
        end(&mut running);
    }
}

#[test]
fn camera_and_volume_come_back_as_they_were() {
    let board = Provisioned::new();
    let mut running = board.run();
    board.told(&["switchCamera"]);
    board.told(&["setMICVolume", "volume=0.5"]);
    end(&mut running);
    let mut running = board.run();
    assert!(board.told(&["status"]).contains("devicePosition  back"));
    assert_eq!(board.told(&["get", "device-position"]), "device-position  front\n");
    end(&mut running);
    // Another file has the last word.
    fs::write(board.path("pushbox.toml"), "device-position = 'front'").unwrap();
    let mut running = board.run();
    assert!(board.told(&["status"]).contains("devicePosition  front"));
    end(&mut running);
}

#[test]
fn settings_are_for_their_owner_only_and_ruined_ones_do_not_stop_it() {
    use std::os::unix::fs::PermissionsExt;
    let board = Provisioned::new();
    let mut running = board.run();
    board.told(&["set", "mode=HD"]);
    end(&mut running);
    let banks = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    for bank in banks(&board.path("settings")) {
        assert_eq!(fs::metadata(&bank).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&bank, [0x5a; 4000]).unwrap();
    }
    let mut running = board.run();
    assert_eq!(board.told(&["get", "mode"]), "mode  RTC\n");
    end(&mut running);
    let log = fs::read_to_string(board.path("pushbox.log")).unwrap();
    assert!(log.contains("corrupt"), "{log}");
}

#[test]
fn ctl_answers_with_lines_json_and_exit_codes() {
    let board = Provisioned::new();
    let nobody = board.ctl(&["status"]);
    let text = String::from_utf8_lossy(&nobody.stderr).into_owned();
    assert!(nobody.status.code() == Some(1) && text.contains("no pushbox listens at"), "{text}");
    let mut running = board.run();
    assert!(board.told(&[]).contains("state           idle"));
    assert!(board.told(&["--json", "status"]).contains("\"state\":\"idle\""));
    assert_eq!(board.told(&["set", "mode=HD", "fps=25"]), "ok\n");
    let wrong = board.ctl(&["set", "mode=XL"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&wrong.stderr),
        "pushbox: mode: give one of QVGA, HVGA, SD, HD, FHD, RTC\n"
    );
    let several = board.ctl(&["set", "fps=abc", "mode=XX", "nosuch=1"]);
    let told = String::from_utf8_lossy(&several.stderr).into_owned();
    assert_eq!(told.lines().count(), 3, "{told}");
    assert!(told.lines().all(|line| line.starts_with("pushbox: ")), "{told}");
    for command in [&["--json", "set", "fps=abc"][..], &["--json", "pause"], &["--json", "nosuch"]] {
        let output = board.ctl(command);
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(answer["error"]["code"].is_i64() || answer["result"]["refused"][0]["property"] == "fps");
        assert_eq!((output.status.code(), output.stderr.len()), (Some(1), 0), "{command:?}");
    }
    assert_eq!(board.ctl(&["pause"]).status.code(), Some(1));
    let completions = pushbox().args(["completions", "bash"]).output().unwrap();
    assert!(String::from_utf8_lossy(&completions.stdout).contains("selftest"));
    end(&mut running);
}

/// The script of a PC's side, over a cable: two pseudo-terminals back to back.
#[test]
fn scripts_provision_sets_properties_and_checks_the_answers() {
    let box_side = Provisioned::new();
    let (mut far, near) = pseudo_terminal();
    let device = fs::read_link(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&near))).unwrap();
    let (mut from_box, mut to_far) = (box_side.terminal.try_clone().unwrap(), far.try_clone().unwrap());
    let mut to_box = box_side.terminal.try_clone().unwrap();
    std::thread::spawn(move || std::io::copy(&mut from_box, &mut to_far));
    std::thread::spawn(move || std::io::copy(&mut far, &mut to_box));
    let mut running = box_side.run();
    let provision = |words: &[&str]| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/provision");
        std::process::Command::new(script).args(words).output().unwrap()
    };
    let device = device.to_str().unwrap();
    let done = provision(&["--serial", device, "mode=HD", "url=rtmp://host/live/topsecret?a=b"]);
    let told = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert_eq!(
        (done.status.code(), told.as_str()),
        (Some(0), "mode is set\nurl is set\nall is on the flash\n")
    );
    assert_eq!(box_side.told(&["get", "mode", "url"]), "mode  HD\nurl   rtmp://host:1935/live/***\n");
    let wrong = provision(&["--serial", device, "mode=XL"]);
    assert_eq!(wrong.status.code(), Some(1));
    let told = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(told.starts_with("mode: give one of QVGA"), "{told}");
    let doubtful =
        provision(&["--serial", device, "url=rtmp:/oops", "waiting-image=/data/a picture.png", "fps=20"]);
    let told = String::from_utf8_lossy(&doubtful.stderr).into_owned();
    assert!(doubtful.status.code() == Some(1) && told.starts_with("url is set, but"), "{told}");
    assert_eq!(box_side.told(&["get", "waiting-image"]), "waiting-image  /data/a picture.png\n");
    assert_eq!(provision(&["--serial", device, "waiting-image="]).status.code(), Some(0));
    assert_eq!(box_side.told(&["get", "waiting-image", "fps"]), "fps            20\nwaiting-image  \n");
    let nowhere = box_side.path("nope");
    assert_eq!(provision(&["--serial", nowhere.to_str().unwrap(), "fps=20"]).status.code(), Some(1));
    assert!(!nowhere.exists());
    end(&mut running);
    let card = box_side.folder.path().to_str().unwrap();
    assert!(provision(&["--card", card, "mode=SD", "autopush=false"]).status.success());
    let mut running = box_side.run();
    assert_eq!(box_side.told(&["get", "mode", "url"]), "mode  SD\nurl   \n");
    end(&mut running);
}
