//! The local socket.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::net::UnixListener;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tracing::debug;

use super::{Manner, serve};
use crate::engine::Handle;

/// Who may speak with the box: its user and its group.
const MODE: u32 = 0o660;
/// Clients at the same time.
const CLIENTS: usize = 32;

/// The listening socket; its name goes with it.
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    pub(crate) fn bind(path: &Path) -> Result<Self> {
        let name = || format!("control socket {}", path.display());
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(name)?;
        }
        // What a program that was killed has left; one that lives answers.
        match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => bail!("{}: another pushbox listens there; end it, or give --control", name()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused && is_socket(path) => {
                fs::remove_file(path)?;
            }
            Err(_) => {}
        }
        let listener = UnixListener::bind(path)
            .with_context(|| format!("{}; give a path that can be written with --control", name()))?;
        fs::set_permissions(path, fs::Permissions::from_mode(MODE)).with_context(name)?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Serves each client in a task of its own.
    pub(crate) async fn serve(&self, handle: &Handle) {
        let places = Arc::new(Semaphore::new(CLIENTS));
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                        debug!("more than {CLIENTS} control clients");
                        continue;
                    };
                    let handle = handle.clone();
                    tokio::spawn(async move {
                        let (reader, writer) = stream.into_split();
                        if let Err(error) = serve(reader, writer, &handle, Manner::Plain).await {
                            debug!(%error, "a control client is gone");
                        }
                        drop(place);
                    });
                }
                // Out of files, perhaps: later there may be some.
                Err(error) => {
                    debug!(%error, "no control client");
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

impl Drop for Socket {
    fn drop(&mut self) {
        // A path that is gone already is as good.
        let _ = fs::remove_file(&self.path);
    }
}
