//! The contestants' command lines.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::feed::{self, Pipe};

/// Pictures a second.
pub(crate) const RATE: u32 = 30;
/// Video rate of all that encode, at so many pictures a second.
pub(crate) const KBPS: u32 = 2000;

pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    /// What it encodes with.
    pub(crate) what: &'static str,
    /// Where it wants raw pictures.
    pub(crate) pipe: Option<Pipe>,
    pub(crate) command: Start,
}

/// Makes the command for an address.
type Start = Box<dyn Fn(&str) -> Command>;

/// How a program is started: by its own name, or as an argument of an emulator.
#[derive(Clone)]
pub(crate) struct Program {
    pub(crate) name: OsString,
    /// What stands before its arguments.
    pub(crate) prefix: Vec<OsString>,
}

impl Program {
    pub(crate) fn native(name: impl Into<OsString>) -> Self {
        Self { name: name.into(), prefix: Vec::new() }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.name);
        command.args(&self.prefix);
        command
    }

    fn words(&self, line: &str) -> Command {
        let mut command = self.command();
        command.args(line.split_whitespace());
        command
    }
}

pub(crate) struct Programs {
    pub(crate) pushbox: Program,
    pub(crate) ffmpeg: Program,
}

/// Pushbox with a file or pipe as its camera; its own files go beside that.
fn pushbox(program: &Program, camera: &Path, pixels: &str, rate: u32, properties: &str) -> Result<Start> {
    let beside = |end: &str| camera.with_extension(format!("{pixels}.{end}.toml"));
    let (board, props) = (beside("board"), beside("props"));
    let source = format!(
        "name = 'bench'\n[[camera]]\nposition = 'front'\n\
         source.file = {{ path = '{}', width = 1280, height = 720, rate = {rate}, pixels = '{pixels}' }}\n",
        camera.display()
    );
    fs::write(&board, source)?;
    fs::write(&props, properties)?;
    let program = program.clone();
    Ok(Box::new(move |url| {
        let mut command = program.command();
        command.arg("run").arg("--board").arg(&board).arg("--props").arg(&props).args(["--url", url]);
        command
    }))
}

/// Raw pictures in, `rate` a second, encoded by each with the same bits for a picture at any rate.
pub(crate) fn encoding(programs: &Programs, folder: &Path, rate: u32) -> Result<Vec<Contestant>> {
    let pipe = Pipe { path: folder.join("pictures.i420"), size: (1280, 720), is_noisy: false, rate };
    let kbps = KBPS * rate / RATE;
    let gop = 3 * rate;
    let properties = format!(
        "mode = 'QVGA'\nvideo-width = 1280\nvideo-height = 720\norientation = 'horizontal'\nfps = {rate}\n\
         min-bitrate = {kbps}\nmax-bitrate = {kbps}\nenable-mic = false\n"
    );
    let pushbox = pushbox(&programs.pushbox, &pipe.path, "i420", rate, &properties)?;
    let ffmpeg = programs.ffmpeg.clone();
    let path = pipe.path.display().to_string();
    let gst_path = path.clone();
    Ok(vec![
        Contestant {
            name: "pushbox",
            what: "OpenH264, baseline; a silent AAC track",
            pipe: Some(pipe.clone()),
            command: pushbox,
        },
        Contestant {
            name: "ffmpeg",
            what: "libx264 ultrafast zerolatency baseline (Debian's has no OpenH264); a silent AAC track",
            pipe: Some(pipe.clone()),
            command: Box::new(move |url| {
                let line = format!(
                    "-nostdin -loglevel error -f rawvideo -pix_fmt yuv420p -s 1280x720 -r {rate} -i {path} \
                     -f lavfi -i anullsrc=r=48000:cl=mono -c:a aac -b:a 64k -c:v libx264 -preset ultrafast -tune zerolatency -profile:v baseline -threads 1 -g {gop} \
                     -b:v {kbps}k -maxrate {kbps}k -bufsize {kbps}k -f flv {url}"
                );
                ffmpeg.words(&line)
            }),
        },
        Contestant {
            name: "gstreamer",
            what: "openh264enc, baseline; a silent AAC track",
            pipe: Some(pipe),
            command: Box::new(move |url| {
                let bits = kbps * 1000;
                let line = format!(
                    "-q filesrc location={gst_path} do-timestamp=true ! \
                     rawvideoparse format=i420 width=1280 height=720 framerate={rate}/1 ! \
                     openh264enc bitrate={bits} max-bitrate={bits} rate-control=bitrate complexity=low gop-size={gop} \
                     scene-change-detection=false multi-thread=1 ! \
                     h264parse ! flvmux name=mux streamable=true ! rtmp2sink location={url} sync=false \
                     audiotestsrc is-live=true wave=silence ! audio/x-raw,rate=48000,channels=1 ! \
                     voaacenc bitrate=64000 ! aacparse ! mux."
                );
                Program::native("gst-launch-1.0").words(&line)
            }),
        },
    ])
}

/// Access units in, passed on; there are some for so many seconds.
pub(crate) fn passing(programs: &Programs, folder: &Path, seconds: u64) -> Result<Vec<Contestant>> {
    let file = feed::record(folder, seconds)?;
    let stream = folder.join("pictures.h264");
    let status = Program::native("ffmpeg")
        .words("-nostdin -loglevel error -i")
        .arg(&file)
        .args(["-c", "copy", "-bsf:v", "h264_mp4toannexb", "-f", "h264"])
        .arg(&stream)
        .status()?;
    ensure!(status.success(), "ffmpeg could not unpack the pictures");
    let pushbox = pushbox(&programs.pushbox, &stream, "h264", RATE, "enable-mic = false\n")?;
    let ffmpeg = programs.ffmpeg.clone();
    let file = file.display().to_string();
    let gst_file = file.clone();
    Ok(vec![
        Contestant {
            name: "pushbox",
            what: "passed on; a silent AAC track of its own",
            pipe: None,
            command: pushbox,
        },
        Contestant {
            name: "ffmpeg",
            what: "-c copy, with the file's silent AAC track",
            pipe: None,
            command: Box::new(move |url| {
                ffmpeg.words(&format!("-nostdin -loglevel error -re -i {file} -c copy -f flv {url}"))
            }),
        },
        Contestant {
            name: "gstreamer",
            what: "flvdemux ! parsers ! flvmux, with the file's silent AAC track",
            pipe: None,
            command: Box::new(move |url| {
                let line = format!(
                    "-q filesrc location={gst_file} ! flvdemux name=demux demux.video ! queue ! h264parse ! \
                     flvmux name=mux streamable=true ! rtmp2sink location={url} sync=true \
                     demux.audio ! queue ! aacparse ! mux."
                );
                Program::native("gst-launch-1.0").words(&line)
            }),
        },
    ])
}
