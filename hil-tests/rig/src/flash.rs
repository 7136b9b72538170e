//! What a board wrote to its flash, write by write, and what a power cut could have left of it.

use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::Flash;

/// Format of the kernel's dm-log-writes, which QEMU writes too (Documentation/admin-guide/device-mapper/log-writes.rst).
const MAGIC: u64 = 0x006a_7366_7773_6872;
const SECTOR: usize = 512;
const FLUSH: u64 = 1;
const DISCARD: u64 = 4;

/// The writes since power on, in their order.
pub struct WriteLog {
    before: Vec<u8>,
    entries: Vec<Entry>,
}

struct Entry {
    offset: u64,
    data: Vec<u8>,
    flush: bool,
}

impl WriteLog {
    /// Reads the log up to where the power cut ended it.
    pub fn read(flash: &Flash) -> Result<Self> {
        let log = fs::read(&flash.log).context("write log")?;
        ensure!(number(&log, 0) == Some(MAGIC), "no write log: {}", flash.log.display());
        let (mut entries, mut rest) = (Vec::new(), log.get(SECTOR..).unwrap_or_default());
        while let Some((entry, length)) = entry(rest) {
            entries.push(entry);
            rest = &rest[length..];
        }
        Ok(Self { before: fs::read(&flash.before)?, entries })
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The writes before number `at` that the flash had not promised to keep: those since the last flush.
    pub fn pending(&self, at: usize) -> Range<usize> {
        let flush = self.entries[..at].iter().rposition(|entry| entry.flush);
        flush.map_or(0, |flush| flush + 1)..at
    }

    /// Writes to `image` what the flash holds when power goes before write number `at` and `lost` of the pending writes
    /// had not arrived.
    pub fn cut(&self, at: usize, lost: impl Fn(usize) -> bool, image: &Path) -> Result<()> {
        fs::write(image, &self.before)?;
        let file = File::options().write(true).open(image)?;
        let pending = self.pending(at);
        for (number, entry) in self.entries[..at].iter().enumerate() {
            if !(pending.contains(&number) && lost(number)) {
                file.write_all_at(&entry.data, entry.offset)?;
            }
        }
        Ok(())
    }
}

/// The entry at the beginning of `log`, and its length there.
fn entry(log: &[u8]) -> Option<(Entry, usize)> {
    let (sector, sectors, flags) = (number(log, 0)?, number(log, 8)?, number(log, 16)?);
    // Space that was claimed and not yet written.
    if (sectors, flags) == (0, 0) {
        return None;
    }
    let length = usize::try_from(sectors).ok()?.checked_mul(SECTOR)?;
    let logged = if flags & DISCARD == 0 { length } else { 0 };
    let end = SECTOR.checked_add(logged)?;
    let data = if flags & DISCARD == 0 { log.get(SECTOR..end)?.to_vec() } else { Vec::new() };
    let offset = sector.checked_mul(SECTOR as u64)?;
    Some((Entry { offset, data, flush: flags & FLUSH != 0 }, end)).filter(|_| log.len() >= end)
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log of these entries: sector, flags, data.
    fn log(folder: &Path, entries: &[(u64, u64, &[u8])]) -> Flash {
        let mut log = [&MAGIC.to_le_bytes()[..], &[0; SECTOR - 8]].concat();
        for (sector, flags, data) in entries {
            let header = [*sector, (data.len() / SECTOR) as u64, *flags, 0].map(u64::to_le_bytes).concat();
            log.extend([&header[..], &[0; SECTOR - 32], data].concat());
        }
        let flash = Flash { before: folder.join("before"), log: folder.join("log") };
        fs::write(&flash.before, [0; 4 * SECTOR]).unwrap();
        fs::write(&flash.log, log).unwrap();
        flash
    }

    #[test]
    fn a_cut_loses_only_what_was_not_flushed() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two, three) = ([1; SECTOR], [2; SECTOR], [3; 2 * SECTOR]);
        let flash = log(folder.path(), &[(0, 0, &one), (0, FLUSH, &[]), (1, 0, &two), (2, 0, &three)]);
        let log = WriteLog::read(&flash).unwrap();
        assert_eq!((log.len(), log.pending(4), log.pending(1)), (4, 2..4, 0..1));
        let image = folder.path().join("image");
        let sectors = |at, lost: usize| {
            log.cut(at, |number| number == lost, &image).unwrap();
            fs::read(&image).unwrap().chunks(SECTOR).map(|sector| sector[0]).collect::<Vec<_>>()
        };
        assert_eq!(sectors(4, 9), [1, 2, 3, 3]);
        assert_eq!(sectors(3, 9), [1, 2, 0, 0]);
        assert_eq!(sectors(4, 2), [1, 0, 3, 3], "what came later may have arrived");
        assert_eq!(sectors(4, 0), [1, 2, 3, 3], "what was flushed stays");
    }

    #[test]
    fn a_log_that_ends_in_the_middle_of_an_entry_is_read_up_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let flash = log(folder.path(), &[(0, 0, &[1; SECTOR]), (1, 0, &[2; SECTOR])]);
        let whole = fs::read(&flash.log).unwrap();
        for length in 0..whole.len() {
            fs::write(&flash.log, &whole[..length]).unwrap();
            let read = WriteLog::read(&flash).map(|log| log.len());
            match length {
                0..8 => assert!(read.is_err()),
                _ => assert_eq!(read.unwrap(), usize::from(length >= 3 * SECTOR)),
            }
        }
    }
}
