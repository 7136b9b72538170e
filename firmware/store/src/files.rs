//! The file system, as far as the store needs it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A folder of files. What was written, renamed or removed is durable only after the matching sync.
pub trait Files {
    type File: Write;

    /// The first bytes of a regular file, at most `limit`.
    fn read(&self, name: &str, limit: usize) -> io::Result<Vec<u8>>;
    /// A new file in place of what had this name; only its owner may read it.
    fn create(&self, name: &str) -> io::Result<Self::File>;
    /// Makes the contents durable, not the name.
    fn sync(&self, file: &Self::File) -> io::Result<()>;
    /// Atomic; replaces what was there.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes names durable.
    fn sync_folder(&self) -> io::Result<()>;
    /// Where a file is, for a person.
    fn path(&self, name: &str) -> PathBuf;
}

/// A folder of the file system. It is made with the first write.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    fn make(&self) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(&self.0) {
            Ok(()) => sync_folder(self.0.parent().unwrap_or(&self.0)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Files for Folder {
    type File = File;

    fn read(&self, name: &str, limit: usize) -> io::Result<Vec<u8>> {
        let path = self.path(name);
        // Opening a pipe would wait for its other end.
        if !fs::symlink_metadata(&path)?.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file"));
        }
        let mut bytes = Vec::new();
        File::open(path)?.take(limit as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn create(&self, name: &str) -> io::Result<File> {
        if !self.0.is_dir() {
            self.make()?;
        }
        // Opened for writing, a file that is there would keep its mode, and a link would be followed.
        match self.remove(name) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.path(name))
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    fn sync_folder(&self) -> io::Result<()> {
        sync_folder(&self.0)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    match File::open(path)?.sync_all() {
        // What a file system answers that has no sync for folders.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_without_sync_for_folders_will_do() {
        assert!(File::open("/proc").unwrap().sync_all().is_err());
        assert!(sync_folder(Path::new("/proc")).is_ok());
        assert!(sync_folder(Path::new("")).is_ok());
        assert!(sync_folder(Path::new("/not there")).is_err());
    }
}
