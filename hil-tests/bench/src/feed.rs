//! What goes in: pictures in real time through a named pipe, as a capture program would write them, or a file of access
//! units.

use std::ffi::CString;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, ensure};
use board::{CameraConfig, CameraSource, Position, SimCamera};
use media::PixelFormat;

use crate::peers::{KBPS, RATE};

/// A named pipe.
#[derive(Clone)]
pub(crate) struct Pipe {
    pub(crate) path: PathBuf,
    /// Width and height.
    pub(crate) size: (u32, u32),
    /// Whether noise lies over all but the mark, so that an encoder needs whatever bits it may have.
    pub(crate) is_noisy: bool,
    /// Pictures a second.
    pub(crate) rate: u32,
}

impl Pipe {
    /// Makes it anew and writes marked pictures until the reader goes.
    pub(crate) fn feed(&self) -> Result<JoinHandle<()>> {
        let _ = fs::remove_file(&self.path);
        let name = CString::new(self.path.as_os_str().as_bytes())?;
        // SAFETY: `name` is a C string.
        let made = unsafe { libc::mkfifo(name.as_ptr(), 0o600) };
        ensure!(made == 0, "mkfifo {}: {}", self.path.display(), std::io::Error::last_os_error());
        let pipe = self.clone();
        thread::Builder::new()
            .name("feed".into())
            .spawn(move || {
                // A reader that goes is how each feed ends.
                let _ = pipe.write();
            })
            .context("feed")
    }

    fn write(&self) -> Result<()> {
        let config = CameraConfig {
            position: Position::Front,
            source: CameraSource::Sim(SimCamera {
                width: self.size.0,
                height: self.size.1,
                rate: self.rate,
                pixels: PixelFormat::I420,
            }),
            mount_rotation: board::MountRotation::default(),
        };
        let mut pipe = OpenOptions::new().write(true).open(&self.path)?;
        // The clock begins when the reader has come.
        let mut camera = board::open_camera(&config, None)?;
        let (mut noise, mut luma) = (Noise::new(self.size), Vec::new());
        loop {
            let frame = camera.next()?;
            if self.is_noisy {
                luma.clear();
                luma.extend_from_slice(frame.plane(0).data);
                noise.lay_over(&mut luma);
                pipe.write_all(&luma)?;
            } else {
                pipe.write_all(frame.plane(0).data)?;
            }
            for plane in 1..3 {
                pipe.write_all(frame.plane(plane).data)?;
            }
        }
    }
}

/// Grain that is another in each picture: one field of it, begun elsewhere each time.
struct Noise {
    size: (usize, usize),
    field: Vec<u8>,
    state: u32,
}

impl Noise {
    fn new((width, height): (u32, u32)) -> Self {
        let mut noise = Self { size: (width as usize, height as usize), field: Vec::new(), state: 1 };
        noise.field = (0..2 * width * height).map(|_| (noise.next() >> 26) as u8).collect();
        noise
    }

    /// A linear congruential generator (Knuth and Lewis); its upper bits are used.
    fn next(&mut self) -> u32 {
        self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.state
    }

    fn lay_over(&mut self, luma: &mut [u8]) {
        let (width, height) = self.size;
        let (columns, rows) = media::mark::area(width as u32, height as u32);
        let start = self.next() as usize % (width * height);
        for (y, row) in luma.chunks_mut(width).take(height).enumerate() {
            let field = &self.field[start + y * width..][..width];
            for (x, (pixel, noise)) in row.iter_mut().zip(field).enumerate() {
                if !rows.contains(&y) || !columns.contains(&x) {
                    *pixel = pixel.saturating_add(*noise);
                }
            }
        }
    }
}

/// Access units for so many seconds, with a silent AAC track.
pub(crate) fn record(folder: &Path, seconds: u64) -> Result<PathBuf> {
    let file = folder.join("pictures.flv");
    let source = format!("testsrc2=size=1280x720:rate={RATE}:duration={seconds}");
    let rate = format!("{KBPS}k");
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", &source])
        .args(["-f", "lavfi", "-i", "anullsrc=r=48000:cl=mono", "-shortest"])
        .args(["-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "64k"])
        .args([
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-profile:v",
            "baseline",
            "-g",
            "90",
            "-b:v",
            &rate,
        ])
        .args(["-maxrate", &rate, "-bufsize", &rate])
        .arg(&file)
        .status()
        .context("ffmpeg")?;
    ensure!(status.success(), "ffmpeg could not make the pictures");
    Ok(file)
}
