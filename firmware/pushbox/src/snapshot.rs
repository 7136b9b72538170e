//! Still pictures of what is published (spec 6.5).

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::time::{Duration, SystemTime};

use live_pusher::{Failure, Reply, SnapshotQuality};
use media::{Frame, still};
use serde_json::json;
use tracing::warn;

/// Files that are kept; the oldest go first.
const KEPT: usize = 64;
const LIMIT: Duration = Duration::from_secs(2);

/// Writes the next picture to a file and tells its path and size.
pub(crate) fn take(picture: &Receiver<Frame>, quality: SnapshotQuality) -> Result<Reply, Failure> {
    let frame = picture.recv_timeout(LIMIT).map_err(|_| Failure::Timeout)?;
    let jpeg = still::jpeg(&frame, quality.jpeg()).map_err(|error| {
        warn!(%error, "no snapshot");
        Failure::NotSupported
    })?;
    let path = keep(&jpeg, "jpg").map_err(|error| {
        warn!(%error, folder = %folder().display(), "the snapshot can't be written");
        Failure::Internal
    })?;
    let reply = [
        ("tempImagePath", json!(path)),
        ("width", json!(frame.layout.width)),
        ("height", json!(frame.layout.height)),
    ];
    Ok(reply.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn folder() -> PathBuf {
    std::env::temp_dir().join("pushbox-snapshots")
}

/// Writes a picture to a file of its own, and removes the oldest where there are too many.
pub(crate) fn keep(picture: &[u8], extension: &str) -> io::Result<PathBuf> {
    let folder = folder();
    fs::create_dir_all(&folder)?;
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)?.filter_map(|it| Some(it.ok()?.path())).collect();
    files.sort();
    for old in files.iter().take((files.len() + 1).saturating_sub(KEPT)) {
        fs::remove_file(old)?;
    }
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let path = folder.join(format!("{:020}.{extension}", time.as_micros()));
    fs::write(&path, picture)?;
    Ok(path)
}
