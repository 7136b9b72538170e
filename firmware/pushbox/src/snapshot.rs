//! Still pictures of what is published or shown (spec 6.5).

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use live_pusher::{Failure, Reply, SnapshotQuality};
use media::{Frame, still};
use serde_json::json;
use tracing::warn;

/// Files that are kept; the oldest go first.
const KEPT: usize = 64;
/// Names of folders that are tried.
const NAMES: u32 = 100;
const LIMIT: Duration = Duration::from_secs(2);

/// Writes the next picture to a file and tells its path and size. There is none of a hidden view or of what a camera encodes.
pub(crate) fn take(picture: &Receiver<Frame>, quality: SnapshotQuality) -> Result<Reply, Failure> {
    let frame = picture.recv_timeout(LIMIT).map_err(|error| match error {
        RecvTimeoutError::Timeout => Failure::Timeout,
        RecvTimeoutError::Disconnected => Failure::NotSupported,
    })?;
    let jpeg = still::jpeg(&frame, quality.jpeg()).map_err(|error| {
        warn!(%error, "no snapshot");
        Failure::NotSupported
    })?;
    let path = keep(&jpeg, "jpg").map_err(|error| {
        let folder = std::env::temp_dir();
        warn!(%error, folder = %folder.display(), "the snapshot can't be written");
        Failure::Internal
    })?;
    let reply = [
        ("tempImagePath", json!(path)),
        ("width", json!(frame.layout.width)),
        ("height", json!(frame.layout.height)),
    ];
    Ok(reply.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// The folder of this process, for its user and its group, as the control socket is. It is made when it is needed first.
fn folder() -> io::Result<PathBuf> {
    static FOLDER: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut folder = FOLDER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(folder) = folder.as_ref().filter(|folder| folder.is_dir()) {
        return Ok(folder.clone());
    }
    // Never one that is there already: it may be another's.
    let names = (0..NAMES).map(|number| format!("pushbox-{}-{number}", process::id()));
    for path in names.map(|name| std::env::temp_dir().join(name)) {
        match fs::DirBuilder::new().mode(0o750).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| folder.insert(path).clone()),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Writes a picture to a file of its own, and removes the oldest where there are too many.
pub(crate) fn keep(picture: &[u8], extension: &str) -> io::Result<PathBuf> {
    let folder = folder()?;
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
