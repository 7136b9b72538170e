//! The real board's parts, against a pseudo-terminal and a scripted power command.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rig::{Bench, Board, Part, RealBoard, Stage};
use tempfile::TempDir;

/// The other end of the serial line: while its power file is there, it boots and runs a shell.
struct FakeBoard {
    folder: TempDir,
    gone: Arc<AtomicBool>,
    life: Option<JoinHandle<()>>,
    /// Keeps the line up while the rig has let go of it.
    slave: OwnedFd,
}

impl FakeBoard {
    /// `stages` is what it says before its shell.
    fn new(stages: &'static str) -> Self {
        let folder = TempDir::new().unwrap();
        let (master, slave) = pseudo_terminal();
        let gone = Arc::<AtomicBool>::default();
        let (power, ends) = (folder.path().join("power"), Arc::clone(&gone));
        let life = thread::spawn(move || {
            let mut shell: Option<Child> = None;
            while !ends.load(Ordering::Relaxed) {
                match (power.exists(), &mut shell) {
                    (true, None) => shell = Some(boot(&master, stages)),
                    (false, Some(running)) => {
                        end(running);
                        shell = None;
                    }
                    _ => thread::sleep(Duration::from_millis(5)),
                }
            }
            shell.iter_mut().for_each(end);
        });
        Self { folder, gone, life: Some(life), slave }
    }

    fn device(&self) -> PathBuf {
        fs::read_link(format!("/proc/self/fd/{}", self.slave.as_raw_fd())).unwrap()
    }

    /// A description of it, with `change` made to the text.
    fn describe(&self, change: impl FnOnce(String) -> String) -> PathBuf {
        let file = self.folder.path().join("board.toml");
        let (device, power) = (self.device(), self.folder.path().join("power"));
        let (device, power) = (device.display(), power.display());
        let text = format!(
            "host = '127.0.0.1'\nparts = ['camera', 'boot-loader']
            serial = {{ device = '{device}', baud = 115200 }}
            power = {{ on = 'touch {power}', off = 'rm -f {power}' }}
            [stages]\nboot-loader = 'Loader'\nkernel = 'Booting'\nprompt = 'fake# '\nlimit-seconds = 3"
        );
        fs::write(&file, change(text)).unwrap();
        file
    }

    fn bench(&self) -> Bench {
        Bench::new(Box::new(RealBoard::read(&self.describe(|text| text)).unwrap()), None).unwrap()
    }
}

impl Drop for FakeBoard {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
        self.life.take().unwrap().join().unwrap();
    }
}

fn pseudo_terminal() -> (File, OwnedFd) {
    let (mut master, mut slave) = (0, 0);
    // SAFETY: both descriptors are written before they are read, and nobody else owns them.
    unsafe {
        let null = std::ptr::null_mut();
        assert_eq!(libc::openpty(&raw mut master, &raw mut slave, null, null.cast(), null.cast()), 0);
        (File::from_raw_fd(master), OwnedFd::from_raw_fd(slave))
    }
}

fn boot(mut line: &File, stages: &str) -> Child {
    line.write_all(stages.as_bytes()).unwrap();
    let end = || Stdio::from(line.try_clone().unwrap());
    // Without job control and in a session of its own, or it would reach for the terminal of whoever runs the tests.
    let mut shell = Command::new("setsid");
    shell.args(["sh", "-i", "+m"]).env("PS1", "fake# ").stdin(end()).stdout(end()).stderr(end());
    shell.spawn().unwrap()
}

fn end(shell: &mut Child) {
    // Its children read the line too.
    let _ = Command::new("pkill").args(["-KILL", "-P", &shell.id().to_string()]).status();
    shell.kill().unwrap();
    shell.wait().unwrap();
}

const BOOTS: &str = "Loader 1.0\r\nBooting the kernel\r\n";

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn a_board_is_switched_on_driven_and_switched_off_again_and_again() {
    let fake = FakeBoard::new(BOOTS);
    let mut bench = fake.bench();
    let mut before = 0;
    for round in 0..5 {
        bench.reach(Stage::System, "").unwrap();
        assert_eq!(bench.run("echo $((6 * 7))").unwrap(), "42");
        assert!(bench.log().contains("Loader 1.0"));
        bench.power_off();
        assert!(!fake.folder.path().join("power").exists());
        // The reader of the line sees within a moment that it is off.
        let settled = || {
            (0..100).any(|_| {
                thread::sleep(Duration::from_millis(20));
                open_files() <= before
            })
        };
        if round == 0 {
            thread::sleep(Duration::from_millis(500));
            before = open_files();
        } else {
            assert!(settled(), "{} files are open, {before} before", open_files());
        }
    }
}

#[test]
fn a_board_that_stops_is_named_with_its_stage_and_its_log() {
    let fake = FakeBoard::new("Loader 1.0\r\nbad magic\r\n");
    let stuck = fake.bench().reach(Stage::System, "").unwrap_err();
    assert_eq!(stuck.reached, Stage::BootLoader);
    let text = stuck.to_string();
    assert!(text.contains("bad magic") && text.contains("\"Booting\""), "{text}");
}

#[test]
fn power_that_can_not_be_switched_is_named_with_what_the_command_said() {
    let fake = FakeBoard::new(BOOTS);
    let file = fake.describe(|text| text.replace("touch", "echo no such relay; false"));
    let error = RealBoard::read(&file).unwrap().power_on().err().unwrap();
    let text = format!("{error:#}");
    assert!(text.contains("power on") && text.contains("no such relay"), "{text}");
}

#[test]
fn a_serial_port_that_is_not_there_is_named() {
    let fake = FakeBoard::new(BOOTS);
    let device = fake.device().display().to_string();
    let file = fake.describe(|text| text.replace(&device, "/dev/no-such-port"));
    let error = RealBoard::read(&file).unwrap().power_on().err().unwrap();
    assert!(format!("{error:#}").contains("/dev/no-such-port"), "{error:#}");
}

#[test]
fn mistakes_in_its_description_are_named() {
    let fake = FakeBoard::new(BOOTS);
    let cases = [
        ("'camera'", "'camra'", "unknown variant `camra`"),
        ("'camera'", "'buttons'", "no hand for buttons"),
        ("'camera'", "'serial-line'", "takes [serial-line]"),
        ("boot-loader = 'Loader'\n", "", "takes stages.boot-loader"),
        ("host", "hots", "unknown field `hots`"),
    ];
    for (right, wrong, message) in cases {
        let file = fake.describe(|text| text.replacen(right, wrong, 1));
        let text = format!("{:#}", RealBoard::read(&file).err().unwrap());
        assert!(text.contains(message) && text.contains("board.toml"), "{text}");
    }
}

#[test]
fn the_example_is_a_description() {
    let board = RealBoard::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("boards/example.toml")).unwrap();
    assert!(board.has(Part::Camera) && !board.has(Part::Oled));
}
