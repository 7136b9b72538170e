//! Pictures in real time through a named pipe, as a capture program would write them.

use std::ffi::CString;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, ensure};
use board::{CameraConfig, CameraSource, Position, SimCamera};
use media::PixelFormat;

pub(crate) fn make_pipe(path: &Path) -> Result<()> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: `name` is a C string.
    let made = unsafe { libc::mkfifo(name.as_ptr(), 0o600) };
    ensure!(made == 0, "mkfifo {}: {}", path.display(), std::io::Error::last_os_error());
    Ok(())
}

/// Writes marked 720p30 pictures until the reader goes.
pub(crate) fn start(path: &Path) -> Result<JoinHandle<()>> {
    let path = path.to_owned();
    let config = CameraConfig {
        position: Position::Front,
        source: CameraSource::Sim(SimCamera {
            width: 1280,
            height: 720,
            rate: 30,
            pixels: PixelFormat::I420,
        }),
        mount_rotation: board::MountRotation::default(),
    };
    let work = move || -> Result<()> {
        let mut pipe = OpenOptions::new().write(true).open(&path)?;
        // The clock begins when the reader has come.
        let mut camera = board::open_camera(&config)?;
        loop {
            let frame = camera.next()?;
            for plane in 0..3 {
                pipe.write_all(frame.plane(plane).data)?;
            }
        }
    };
    thread::Builder::new()
        .name("feed".into())
        .spawn(move || {
            // A reader that goes is how each feed ends.
            let _ = work();
        })
        .context("feed")
}
