use std::io::{self, ErrorKind};
use std::path::PathBuf;

use crate::Unfit;

/// The document is not on flash; it stays in use and is tried again.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("settings are in use but not saved: can't {step} {path}: {cause}; {}", remedy(.cause.kind()))]
    Write { step: &'static str, path: PathBuf, cause: io::Error },
    #[error("settings are in use but can't be saved: {0}; make them smaller")]
    Document(#[from] Unfit),
}

fn remedy(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "delete files there to make room",
        ErrorKind::ReadOnlyFilesystem => {
            "remount it for writing; if the kernel made it read-only, check the file system first"
        }
        ErrorKind::PermissionDenied => "let the user of this program write to the folder",
        ErrorKind::NotFound => "mount or make the folder's parent",
        _ => "check the folder, the file system and the flash",
    }
}
