//! The contestants' command lines.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

/// Video rate of all that encode.
pub(crate) const KBPS: u32 = 2000;
/// The named pipe with the raw pictures, in the folder of the run.
pub(crate) const PIPE: &str = "pictures.i420";

pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    /// What it encodes with.
    pub(crate) what: &'static str,
    /// Makes the command for an address.
    pub(crate) command: Box<dyn Fn(&str) -> Command>,
}

fn pushbox(program: &Path, board: &Path, props: &Path, url: &str) -> Command {
    let mut command = Command::new(program);
    command.arg("run").arg("--board").arg(board).arg("--props").arg(props).args(["--url", url]);
    command
}

fn words(program: &str, line: &str) -> Command {
    let mut command = Command::new(program);
    command.args(line.split_whitespace());
    command
}

/// Raw pictures in, encoded by each.
pub(crate) fn encoding(program: &Path, folder: &Path) -> Result<Vec<Contestant>> {
    let pipe = folder.join(PIPE);
    let (board, props) = (folder.join("raw.toml"), folder.join("props.toml"));
    let source = format!(
        "name = 'raw'\n[[camera]]\nposition = 'front'\n\
         source.file = {{ path = '{}', width = 1280, height = 720, rate = 30, pixels = 'i420' }}\n",
        pipe.display()
    );
    fs::write(&board, source)?;
    let properties = format!(
        "mode = 'QVGA'\nvideo-width = 1280\nvideo-height = 720\norientation = 'horizontal'\nfps = 30\n\
         min-bitrate = {KBPS}\nmax-bitrate = {KBPS}\nenable-mic = false\n"
    );
    fs::write(&props, properties)?;
    let (program, pipe) = (program.to_owned(), pipe.display().to_string());
    let gst_pipe = pipe.clone();
    Ok(vec![
        Contestant {
            name: "pushbox",
            what: "OpenH264, baseline; a silent AAC track",
            command: Box::new(move |url| pushbox(&program, &board, &props, url)),
        },
        Contestant {
            name: "ffmpeg",
            what: "libx264 ultrafast zerolatency baseline (Debian's has no OpenH264); a silent AAC track",
            command: Box::new(move |url| {
                let line = format!(
                    "-nostdin -loglevel error -f rawvideo -pix_fmt yuv420p -s 1280x720 -r 30 -i {pipe} \
                     -f lavfi -i anullsrc=r=48000:cl=mono -c:a aac -b:a 64k -c:v libx264 -preset ultrafast -tune zerolatency -profile:v baseline -threads 1 -g 90 \
                     -b:v {KBPS}k -maxrate {KBPS}k -bufsize {KBPS}k -f flv {url}"
                );
                words("ffmpeg", &line)
            }),
        },
        Contestant {
            name: "gstreamer",
            what: "openh264enc, baseline; a silent AAC track",
            command: Box::new(move |url| {
                let rate = KBPS * 1000;
                let line = format!(
                    "-q filesrc location={gst_pipe} do-timestamp=true ! \
                     rawvideoparse format=i420 width=1280 height=720 framerate=30/1 ! \
                     openh264enc bitrate={rate} max-bitrate={rate} rate-control=bitrate complexity=low gop-size=90 \
                     scene-change-detection=false multi-thread=1 ! \
                     h264parse ! flvmux name=mux streamable=true ! rtmp2sink location={url} sync=false \
                     audiotestsrc is-live=true wave=silence ! audio/x-raw,rate=48000,channels=1 ! \
                     voaacenc bitrate=64000 ! aacparse ! mux."
                );
                words("gst-launch-1.0", &line)
            }),
        },
    ])
}

/// Access units in, passed on.
pub(crate) fn passing(program: &Path, folder: &Path, file: &Path) -> Result<Vec<Contestant>> {
    let stream = folder.join("pictures.h264");
    let mut convert = words("ffmpeg", "-nostdin -loglevel error -i");
    convert
        .arg(file)
        .args(["-c", "copy", "-bsf:v", "h264_mp4toannexb", "-f", "h264"])
        .arg(&stream)
        .status()?;
    let (board, props) = (folder.join("units.toml"), folder.join("units-props.toml"));
    let source = format!(
        "name = 'units'\n[[camera]]\nposition = 'front'\n\
         source.file = {{ path = '{}', width = 1280, height = 720, rate = 30, pixels = 'h264' }}\n",
        stream.display()
    );
    fs::write(&board, source)?;
    fs::write(&props, "enable-mic = false\n")?;
    let (program, file) = (program.to_owned(), file.display().to_string());
    let gst_file = file.clone();
    Ok(vec![
        Contestant {
            name: "pushbox",
            what: "passed on; a silent AAC track of its own",
            command: Box::new(move |url| pushbox(&program, &board, &props, url)),
        },
        Contestant {
            name: "ffmpeg",
            what: "-c copy, with the file's silent AAC track",
            command: Box::new(move |url| {
                words("ffmpeg", &format!("-nostdin -loglevel error -re -i {file} -c copy -f flv {url}"))
            }),
        },
        Contestant {
            name: "gstreamer",
            what: "flvdemux ! parsers ! flvmux, with the file's silent AAC track",
            command: Box::new(move |url| {
                let line = format!(
                    "-q filesrc location={gst_file} ! flvdemux name=demux demux.video ! queue ! h264parse ! \
                     flvmux name=mux streamable=true ! rtmp2sink location={url} sync=true \
                     demux.audio ! queue ! aacparse ! mux."
                );
                words("gst-launch-1.0", &line)
            }),
        },
    ])
}
