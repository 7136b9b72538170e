//! The binary under test and the servers that it publishes to, each with a port and a folder of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long anything may take that takes a moment.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A command that runs the binary: the one that was built for this test, or another that `PUSHBOX` names, such as one
/// for ARM under an emulator.
pub(crate) fn pushbox() -> Command {
    let line = std::env::var("PUSHBOX").unwrap_or_else(|_| env!("CARGO_BIN_EXE_pushbox").into());
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).env_remove("RUST_LOG").env_remove("JOURNAL_STREAM");
    command
}

pub(crate) fn board(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../board/boards").join(name)
}

/// A child that does not outlive its test.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    /// Asks it to end, and tells how and after how long it did.
    pub(crate) fn terminate(&mut self) -> (ExitStatus, Duration) {
        let started = Instant::now();
        let pid = self.0.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        (self.wait(SOON), started.elapsed())
    }

    pub(crate) fn wait(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it goes on after {limit:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The simulated board publishing with these properties.
pub(crate) fn publish(url: &str, properties: &str, folder: &Path) -> Running {
    let props = folder.join("props.toml");
    fs::write(&props, properties).unwrap();
    let log = fs::File::create(folder.join("pushbox.log")).unwrap();
    let mut command = pushbox();
    command.arg("run").arg("--board").arg(board("sim.toml")).arg("--props").arg(props).args(["--url", url]);
    Running::start(command.stderr(log))
}

/// How many pictures the box says that it dropped before the encoder.
pub(crate) fn dropped_pictures(log: &str) -> u64 {
    let Some(last) = log.lines().rfind(|line| line.contains("dropped so far")) else {
        return 0;
    };
    let told = |word: &str| {
        ["sensor=", "waiting=", "skipped="].iter().find_map(|key| word.strip_prefix(key)?.parse::<u64>().ok())
    };
    last.split_whitespace().filter_map(told).sum()
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A real server that records what is published to it.
pub(crate) enum Server {
    Nginx { process: Running, folder: TempDir, port: u16 },
    Ffmpeg { process: Running, folder: TempDir, port: u16, scheme: &'static str },
}

impl Server {
    /// nginx with its RTMP module.
    pub(crate) fn nginx() -> Self {
        Self::nginx_at(free_port())
    }

    pub(crate) fn nginx_at(port: u16) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().display();
        let module =
            ["/usr/lib/nginx/modules/ngx_rtmp_module.so", "/usr/share/nginx/modules/ngx_rtmp_module.so"];
        let module =
            module.iter().find(|path| Path::new(path).exists()).expect("nginx without its RTMP module");
        // Workers of another user could not write to the folder.
        let user =
            if fs::metadata("/proc/self").map(|m| std::os::unix::fs::MetadataExt::uid(&m)).unwrap() == 0 {
                "user root;"
            } else {
                ""
            };
        let configuration = format!(
            "load_module {module}; {user} daemon off; master_process off; pid {path}/pid; error_log {path}/error.log info;
             events {{}}
             rtmp {{ server {{ listen 127.0.0.1:{port}; chunk_size 4096;
               application live {{ live on; record all; record_path {path}; record_suffix .flv; }} }} }}"
        );
        fs::write(folder.path().join("nginx.conf"), configuration).unwrap();
        let mut command = Command::new("nginx");
        command
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(folder.path().join("nginx.conf"))
            .arg("-e")
            .arg("stderr");
        let process = Running::start(command.stderr(Stdio::null()));
        let deadline = Instant::now() + SOON;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "nginx does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self::Nginx { process, folder, port }
    }

    /// FFmpeg, which listens for one publisher.
    pub(crate) fn ffmpeg() -> Self {
        Self::ffmpeg_of("rtmp")
    }

    /// The same for FLV over HTTP.
    pub(crate) fn ffmpeg_http() -> Self {
        Self::ffmpeg_of("http")
    }

    fn ffmpeg_of(scheme: &'static str) -> Self {
        let folder = TempDir::new().unwrap();
        let port = free_port();
        let url = format!("{scheme}://127.0.0.1:{port}/live/key");
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-loglevel", "error", "-y", "-listen", "1", "-f", "flv", "-i", &url]);
        command.args(["-c", "copy"]);
        let process = Running::start(command.arg(folder.path().join("key.flv")).stderr(Stdio::null()));
        // It takes one connection only, so that its port can't be tried by connecting.
        let deadline = Instant::now() + SOON;
        while !is_listening(port) {
            assert!(Instant::now() < deadline, "ffmpeg does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self::Ffmpeg { process, folder, port, scheme }
    }

    fn port(&self) -> u16 {
        match self {
            Self::Nginx { port, .. } | Self::Ffmpeg { port, .. } => *port,
        }
    }

    pub(crate) fn url(&self) -> String {
        let scheme = match self {
            Self::Nginx { .. } => "rtmp",
            Self::Ffmpeg { scheme, .. } => scheme,
        };
        format!("{scheme}://127.0.0.1:{}/live/key", self.port())
    }

    /// Whether something is recorded.
    pub(crate) fn has_recording(&self) -> bool {
        self.recorded() > 0
    }

    /// Bytes of the recording so far.
    pub(crate) fn recorded(&self) -> u64 {
        let (Self::Nginx { folder, .. } | Self::Ffmpeg { folder, .. }) = self;
        folder.path().join("key.flv").metadata().map_or(0, |file| file.len())
    }

    /// Sends its process a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let (Self::Nginx { process, .. } | Self::Ffmpeg { process, .. }) = self;
        let pid = process.0.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
    }

    /// The recording, once the publisher is gone.
    pub(crate) fn recording(&mut self) -> PathBuf {
        match self {
            // nginx closes the file when the stream is deleted.
            Self::Nginx { folder, .. } => folder.path().join("key.flv"),
            Self::Ffmpeg { process, folder, .. } => {
                process.wait(SOON);
                folder.path().join("key.flv")
            }
        }
    }
}

/// Whether a local port listens (kernel: networking/proc_net_tcp, state 0A).
fn is_listening(port: u16) -> bool {
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().any(|line| {
        let mut words = line.split_whitespace().skip(1);
        words.next().is_some_and(|local| local.ends_with(&format!(":{port:04X}")))
            && words.nth(1) == Some("0A")
    })
}

/// The recording's pictures as FFmpeg decodes them: the number that each carries.
pub(crate) fn decode(recording: &Path, width: u32, height: u32) -> Vec<u32> {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-loglevel", "error", "-i"]).arg(recording);
    command.args(["-f", "rawvideo", "-pix_fmt", "gray", "-fps_mode", "passthrough"]);
    // In milliseconds, as FLV has them: whole pictures of a guessed rate may fall together.
    command.args(["-enc_time_base", "-1", "-"]);
    let mut ffmpeg = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    let complaints = ffmpeg.0.stderr.take().unwrap();
    let complaints = std::thread::spawn(move || {
        BufReader::new(complaints).lines().map(Result::unwrap).collect::<Vec<_>>()
    });
    let mut pictures = BufReader::new(ffmpeg.0.stdout.take().unwrap());
    let (mut picture, mut reader, mut numbers) =
        (vec![0; (width * height) as usize], media::mark::Reader::default(), Vec::new());
    while pictures.read_exact(&mut picture).is_ok() {
        let plane = media::Plane { data: &picture, stride: width as usize };
        numbers.push(reader.read(plane, width, height).expect("a picture without a mark").frame);
    }
    assert_eq!(complaints.join().unwrap(), [""; 0], "ffmpeg complains of the recording");
    numbers
}
