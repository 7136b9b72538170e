use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::time::Instant;

use serde_json::{Map, Value};

use crate::bank::{Image, LIMIT};
use crate::pace::{PAUSE, Pace, RETRY};
use crate::{Damage, Damaged, Files, Folder, Found, Origin, Schema, StoreError};

/// A bank that is being written.
const NEW: &str = "new";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bank {
    A,
    B,
}

impl Bank {
    fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    /// Where its bytes go when it can't be used.
    fn aside(self) -> &'static str {
        match self {
            Self::A => "a.corrupt",
            Self::B => "b.corrupt",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// What the store wrote since it was opened, for the wear of the flash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Writes {
    pub commits: u64,
    /// Contents of files, also of writes that failed.
    pub bytes: u64,
}

/// A document that is kept in two banks of a folder. See the crate's documentation for what it guarantees.
pub struct Store<F = Folder> {
    files: F,
    schema: Schema,
    document: Map<String, Value>,
    version: u32,
    /// What the newest bank gives, unless a failed write has left that open.
    saved: Option<Map<String, Value>>,
    /// Which bank is written next, and as which generation.
    next: (Bank, u64),
    /// Can't be used and are not set aside yet.
    damaged: Vec<Bank>,
    pace: Pace,
    writes: Writes,
}

impl Store {
    /// Never fails: `Found` tells what was there.
    pub fn open(folder: impl Into<PathBuf>, schema: Schema) -> (Self, Found) {
        Self::open_in(Folder::new(folder), schema)
    }
}

impl<F: Files> Store<F> {
    /// The same with other files.
    pub fn open_in(files: F, schema: Schema) -> (Self, Found) {
        // What is read must stay even if the process that wrote it ended before it had synced the folder.
        let _ = files.sync_folder();
        let (mut images, mut damages) = (Vec::new(), Vec::new());
        for bank in [Bank::A, Bank::B] {
            match read(&files, bank.name()) {
                Ok(Some(image)) => images.push((bank, image)),
                Ok(None) => {}
                Err(damage) => damages.push((bank, damage)),
            }
        }
        let newest =
            images.into_iter().reduce(|one, other| if other.1.is_after(&one.1) { other } else { one });
        let origin = match (&newest, damages.is_empty()) {
            (Some(_), _) => Origin::Saved,
            (None, true) => Origin::Factory,
            (None, false) => Origin::Lost,
        };
        let (next, version, document) = match newest {
            Some((bank, image)) => {
                ((bank.other(), image.generation.wrapping_add(1)), image.version, image.document)
            }
            None => ((Bank::A, 1), schema.version(), Map::new()),
        };
        let (version, document) = schema.migrate(version, document);
        let mut store = Self {
            files,
            schema,
            saved: Some(document.clone()),
            document,
            version,
            next,
            damaged: damages.iter().map(|(bank, _)| *bank).collect(),
            pace: Pace::default(),
            writes: Writes::default(),
        };
        store.set_damaged_aside();
        let damaged = damages.into_iter().map(|(bank, damage)| store.describe(bank, damage)).collect();
        (store, Found { origin, damaged })
    }

    pub fn document(&self) -> &Map<String, Value> {
        &self.document
    }

    /// Replaces the document, except for keys that the schema does not know: these can be overwritten, not removed.
    pub fn set(&mut self, now: Instant, mut document: Map<String, Value>) {
        self.schema.keep_unknown(&self.document, &mut document);
        if document == self.document {
            return;
        }
        self.document = document;
        if self.is_saved() { self.pace.settled() } else { self.pace.changed(now) }
    }

    /// When [`Store::commit_due`] will have something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.pace.deadline()
    }

    /// Saves the document if it is time to. True if something was written. Waits for the flash.
    pub fn commit_due(&mut self, now: Instant) -> Result<bool, StoreError> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Ok(false);
        }
        let result = self.flush();
        self.pace.tried(now, if result.is_ok() { PAUSE } else { RETRY });
        result
    }

    /// Saves the document at once if it is not saved, as before the end of the process.
    pub fn flush(&mut self) -> Result<bool, StoreError> {
        if self.is_saved() {
            return Ok(false);
        }
        self.commit()?;
        self.pace.settled();
        Ok(true)
    }

    /// How much was written since the store was opened.
    pub fn writes(&self) -> Writes {
        self.writes
    }

    fn is_saved(&self) -> bool {
        self.saved.as_ref() == Some(&self.document)
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        let (bank, generation) = self.next;
        let image = Image { generation, version: self.version, document: self.document.clone() };
        let bytes = image.encode()?;
        self.set_damaged_aside();
        // If this fails, the bank may have its new contents nevertheless.
        self.saved = None;
        self.replace(bank.name(), &bytes)?;
        self.saved = Some(image.document);
        self.damaged.retain(|damaged| *damaged != bank);
        self.next = (bank.other(), generation.wrapping_add(1));
        self.writes.commits += 1;
        Ok(())
    }

    /// A bank that can't be used must not be taken for the newer one if it can be read again later; a person may want it.
    fn set_damaged_aside(&mut self) {
        let mut damaged = std::mem::take(&mut self.damaged);
        damaged.retain(|bank| self.set_aside(*bank).is_err());
        self.damaged = damaged;
    }

    fn set_aside(&mut self, bank: Bank) -> Result<(), StoreError> {
        match self.files.read(bank.name(), LIMIT + 1) {
            Ok(bytes) if bytes.len() > LIMIT => {
                self.replace(bank.aside(), bytes.get(..LIMIT).unwrap_or(&bytes))?;
                self.files.remove(bank.name()).map_err(self.failed("remove", bank.name()))
            }
            _ => self.files.rename(bank.name(), bank.aside()).map_err(self.failed("rename", bank.name())),
        }
    }

    /// Gives a file new contents, all or nothing.
    fn replace(&mut self, name: &'static str, bytes: &[u8]) -> Result<(), StoreError> {
        let result = self.write(bytes).and_then(|()| {
            self.files.rename(NEW, name).map_err(self.failed("replace", name))?;
            self.files.sync_folder().map_err(self.failed("sync the folder of", name))
        });
        if result.is_err() {
            // A full disk is no fuller for having tried.
            let _ = self.files.remove(NEW);
        }
        result
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let mut file = self.files.create(NEW).map_err(self.failed("make", NEW))?;
        self.writes.bytes += bytes.len() as u64;
        file.write_all(bytes).map_err(self.failed("write", NEW))?;
        self.files.sync(&file).map_err(self.failed("sync", NEW))
    }

    fn failed(&self, step: &'static str, name: &str) -> impl FnOnce(io::Error) -> StoreError {
        let path = self.files.path(name);
        move |cause| StoreError::Write { step, path, cause }
    }

    fn describe(&self, bank: Bank, damage: Damage) -> Damaged {
        let is_aside = self.damaged.iter().all(|damaged| *damaged != bank);
        let aside = self.files.path(if is_aside { bank.aside() } else { bank.name() });
        Damaged { path: self.files.path(bank.name()), damage, aside }
    }
}

/// Nothing of what the document holds, such as stream keys.
impl<F> fmt::Debug for Store<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("keys", &self.document.len())
            .field("version", &self.version)
            .field("next", &self.next)
            .field("pace", &self.pace)
            .field("writes", &self.writes)
            .finish_non_exhaustive()
    }
}

fn read(files: &impl Files, name: &str) -> Result<Option<Image>, Damage> {
    match files.read(name, LIMIT + 1) {
        Ok(bytes) if bytes.len() > LIMIT => Err(Damage::Length),
        Ok(bytes) => Image::decode(&bytes).map(Some),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Damage::Unreadable(error.to_string())),
    }
}
