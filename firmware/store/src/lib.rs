//! A JSON document on flash, such as the settings of a box, that survives power cuts, bad sectors and full disks.
//!
//! ```
//! # use std::time::Instant;
//! # use store::{Schema, Store};
//! # let folder = tempfile::tempdir()?;
//! let schema = Schema { migrations: &[], knows: |key| key == "mode" };
//! let (mut store, found) = Store::open(folder.path(), schema);
//! println!("{found}");
//! let mut document = store.document().clone();
//! document.insert("mode".into(), "HD".into());
//! store.set(Instant::now(), document);
//! // At store.deadline() and again after an error:
//! store.commit_due(Instant::now())?;
//! // At the end:
//! store.flush()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is guaranteed
//!
//! - [`Store::open`] never fails and never panics, whatever is in the folder. It gives the document that was saved last. Only if
//!   the flash lost or changed what it had said it holds, it gives the one before, and if that is gone too an empty one;
//!   [`Found`] says so. It never gives a mixture.
//! - A bank that can't be used is set aside as `a.corrupt` or `b.corrupt`: only the newest, 256 KiB of it at most.
//! - Once a commit has returned, power may go. If it goes before, the document is the old or the new one.
//! - A commit that fails changes nothing that is in use: the document stays as it was set and is tried again ([`RETRY`]); the
//!   error says what to do.
//! - Nothing is written without a change, a change is written once it has settled ([`SETTLE`], [`LATEST`]), and between two
//!   writes that are due there is a [`PAUSE`]: some 8600 a day at the very most. [`Store::writes`] counts them.
//! - Files are for their owner only (0600). Neither errors nor `Debug` show contents.
//! - One process at a time may have a folder open. A commit waits for the flash: call it where that disturbs nobody.
//!
//! # A bank
//!
//! The folder has two banks, the files `a` and `b`. A commit writes the one that is older: as `new`, which is synced, renamed and
//! made durable by a sync of the folder. The other stays as it was. Numbers are little-endian.
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `BANK` |
//! | 4 | 4 | format of the bank, 1 |
//! | 8 | 8 | generation: one more with each commit, the bank with the higher one counts; wraps around |
//! | 16 | 4 | version of the document |
//! | 20 | 4 | length of the payload |
//! | 24 | 4 | CRC-32 (ISO-HDLC, as of zlib) of bytes 0 to 23 and the payload |
//! | 28 | | payload: a JSON object, to the end of the file; the whole is at most 256 KiB |
//!
//! So `tail -c +29 a` shows the document.
//!
//! # Versions
//!
//! [`Schema::migrations`] brings an older document to the present version. It is written so with the next change only:
//! firmware that is tried and rolled back finds its own. A newer document keeps its version and the keys that the present
//! firmware does not know ([`Schema::knows`]), and gives them back to the newer firmware.
//!
//! # How it is tested
//!
//! The store works on [`Files`]: a [`Folder`], or in the tests a disk in memory that keeps apart what was synced and what was
//! not. Its power goes at each call; then each name that was not synced is old or new, in order or not, each sector old, new,
//! torn or rubbish, each length anything: 18,000 cuts of commits one after another, 9,600 with flash that lies about
//! its syncs, 600 random rows of cuts, ends of the process and errors. Another test leaves out one sync or rename after the
//! other and sees that this would be found. Banks are opened with each bit flipped, cut at each length, mixed with each other,
//! and with random contents under a right checksum.

mod bank;
mod error;
mod files;
mod found;
mod pace;
mod schema;
mod store;

pub use bank::{Damage, Unfit};
pub use error::StoreError;
pub use files::{Files, Folder};
pub use found::{Damaged, Found, Origin};
pub use pace::{LATEST, PAUSE, RETRY, SETTLE};
pub use schema::{Migration, Schema};
pub use store::{Store, Writes};
