//! Files in memory that forget what was not synced when power goes, and that can fail at any call.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::rc::Rc;

use store::Files;

const SECTOR: usize = 512;
/// A call takes no more than this, so that power can go between the calls that write a bank.
const AT_ONCE: usize = 1200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Create,
    Write,
    Sync,
    Rename,
    Remove,
    SyncFolder,
}

/// What happens at a call that fails.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Power goes: this call and all that follow do nothing.
    Power,
    /// The call does nothing, or does its work all the same, and says this.
    Error { kind: ErrorKind, works: bool },
}

#[derive(Clone, Default)]
struct Content {
    seen: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Clone, Copy)]
enum NameChange {
    Link(&'static str, usize),
    Unlink(&'static str),
    Rename(&'static str, &'static str, usize),
}

type Names = BTreeMap<&'static str, usize>;

#[derive(Clone, Default)]
struct State {
    contents: Vec<Content>,
    names: Names,
    durable_names: Names,
    pending: Vec<NameChange>,
    calls: usize,
    fault: Option<(usize, Fault)>,
    /// These do nothing and say that it went well.
    idle: &'static [Call],
    read_only: bool,
    unreadable: bool,
    room: Option<usize>,
}

/// A folder on a disk; clones are the same folder.
#[derive(Clone, Default)]
pub(crate) struct Disk(Rc<RefCell<State>>);

pub(crate) struct Open {
    disk: Disk,
    content: usize,
}

impl Disk {
    /// How many calls were made that change something or sync.
    pub(crate) fn calls(&self) -> usize {
        self.0.borrow().calls
    }

    /// Lets the call with this number fail.
    pub(crate) fn fail_at(&self, number: usize, fault: Fault) {
        self.0.borrow_mut().fault = Some((number, fault));
    }

    pub(crate) fn set_idle(&self, calls: &'static [Call]) {
        self.0.borrow_mut().idle = calls;
    }

    pub(crate) fn set_read_only(&self, read_only: bool) {
        self.0.borrow_mut().read_only = read_only;
    }

    pub(crate) fn set_unreadable(&self, unreadable: bool) {
        self.0.borrow_mut().unreadable = unreadable;
    }

    /// How many bytes can still be written.
    pub(crate) fn set_room(&self, room: Option<usize>) {
        self.0.borrow_mut().room = room;
    }

    /// All that was written becomes durable, as after some seconds.
    pub(crate) fn settle(&self) {
        let mut state = self.0.borrow_mut();
        for content in &mut state.contents {
            content.durable.clone_from(&content.seen);
        }
        state.durable_names = state.names.clone();
        state.pending.clear();
    }

    pub(crate) fn get(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.0.borrow();
        state.names.get(name).map(|content| state.contents[*content].seen.clone())
    }

    /// Puts a file there as if it had always been there.
    pub(crate) fn put(&self, name: &'static str, bytes: &[u8]) {
        let mut state = self.0.borrow_mut();
        let content = state.add(bytes);
        state.names.insert(name, content);
        drop(state);
        self.settle();
    }

    /// A separate disk with the same state and no fault to come.
    pub(crate) fn copy(&self) -> Self {
        let state = State { fault: None, ..self.0.borrow().clone() };
        Self(Rc::new(RefCell::new(state)))
    }

    /// A disk as it can be after power has gone.
    pub(crate) fn after_power_cut(&self, chance: &mut Chance) -> Self {
        let mut state = self.0.borrow().clone();
        let until = chance.below(state.pending.len() + 1);
        // Journals keep an order, other file systems need not.
        let in_order = chance.one_in(2);
        for (number, change) in state.pending.drain(..).enumerate() {
            let lasts = if in_order { number < until } else { chance.one_in(2) };
            if lasts {
                apply(&mut state.durable_names, change);
            }
        }
        state.names = state.durable_names.clone();
        for content in &mut state.contents {
            content.seen = chance.mix(&content.durable, &content.seen);
        }
        let disk = Self(Rc::new(RefCell::new(State { fault: None, idle: &[], ..state })));
        disk.settle();
        disk
    }

    fn act(&self, call: Call, work: impl FnOnce(&mut State) -> io::Result<usize>) -> io::Result<usize> {
        let mut state = self.0.borrow_mut();
        let number = state.calls;
        state.calls += 1;
        match state.fault {
            Some((at, Fault::Power)) if number >= at => {
                return Err(io::Error::other("power is gone"));
            }
            Some((at, Fault::Error { kind, works })) if number == at => {
                if works {
                    work(&mut state)?;
                }
                return Err(kind.into());
            }
            _ => {}
        }
        let is_sync = matches!(call, Call::Sync | Call::SyncFolder);
        if state.read_only && !is_sync {
            return Err(ErrorKind::ReadOnlyFilesystem.into());
        }
        if state.idle.contains(&call) { Ok(0) } else { work(&mut state) }
    }
}

impl State {
    fn add(&mut self, bytes: &[u8]) -> usize {
        self.contents.push(Content { seen: bytes.to_vec(), durable: bytes.to_vec() });
        self.contents.len() - 1
    }

    fn change(&mut self, change: NameChange) {
        apply(&mut self.names, change);
        self.pending.push(change);
    }
}

fn apply(names: &mut Names, change: NameChange) {
    match change {
        NameChange::Link(name, content) => {
            names.insert(name, content);
        }
        NameChange::Unlink(name) => {
            names.remove(name);
        }
        NameChange::Rename(from, to, content) => {
            if names.get(from) == Some(&content) {
                names.remove(from);
            }
            names.insert(to, content);
        }
    }
}

fn known(name: &str) -> &'static str {
    let names = ["a", "b", "new", "a.corrupt", "b.corrupt"];
    names.into_iter().find(|known| *known == name).expect("a file of the store")
}

impl Files for Disk {
    type File = Open;

    fn read(&self, name: &str, limit: usize) -> io::Result<Vec<u8>> {
        let mut bytes = self.get(name).ok_or(ErrorKind::NotFound)?;
        if self.0.borrow().unreadable {
            return Err(io::Error::other("input/output error"));
        }
        bytes.truncate(limit);
        Ok(bytes)
    }

    fn create(&self, name: &str) -> io::Result<Open> {
        let name = known(name);
        let content = self.act(Call::Create, |state| {
            if state.names.contains_key(name) {
                state.change(NameChange::Unlink(name));
            }
            let content = state.add(&[]);
            state.change(NameChange::Link(name, content));
            Ok(content)
        })?;
        Ok(Open { disk: self.clone(), content })
    }

    fn sync(&self, file: &Open) -> io::Result<()> {
        let work = |state: &mut State| {
            let content = &mut state.contents[file.content];
            content.durable.clone_from(&content.seen);
            Ok(0)
        };
        self.act(Call::Sync, work).map(drop)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let work = |state: &mut State| {
            let content = *state.names.get(from).ok_or(ErrorKind::NotFound)?;
            state.change(NameChange::Rename(known(from), known(to), content));
            Ok(0)
        };
        self.act(Call::Rename, work).map(drop)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let work = |state: &mut State| {
            state.names.get(name).ok_or(ErrorKind::NotFound)?;
            state.change(NameChange::Unlink(known(name)));
            Ok(0)
        };
        self.act(Call::Remove, work).map(drop)
    }

    fn sync_folder(&self) -> io::Result<()> {
        let work = |state: &mut State| {
            state.durable_names = state.names.clone();
            state.pending.clear();
            Ok(0)
        };
        self.act(Call::SyncFolder, work).map(drop)
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("/disk").join(name)
    }
}

impl Write for Open {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let content = self.content;
        self.disk.act(Call::Write, |state| {
            let length = bytes.len().min(AT_ONCE).min(state.room.unwrap_or(usize::MAX));
            if length == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            state.room = state.room.map(|room| room - length);
            state.contents[content].seen.extend(&bytes[..length]);
            Ok(length)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Numbers that look random and are the same in each run (SplitMix64).
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// Contents of which each sector is old, new, torn or rubbish.
    fn mix(&mut self, durable: &[u8], seen: &[u8]) -> Vec<u8> {
        if durable == seen {
            return durable.to_vec();
        }
        let mut bytes = durable.to_vec();
        bytes.resize(durable.len().max(seen.len()), 0);
        for start in (0..seen.len()).step_by(SECTOR) {
            let end = seen.len().min(start + SECTOR);
            match self.below(8) {
                0..4 => bytes[start..end].copy_from_slice(&seen[start..end]),
                4 => {
                    let torn = start + self.below(end - start);
                    bytes[start..torn].copy_from_slice(&seen[start..torn]);
                }
                5 => bytes[start..end].fill_with(|| self.next() as u8),
                _ => {}
            }
        }
        let length = match self.below(4) {
            0 => durable.len(),
            1 => self.below(bytes.len() + 1),
            _ => seen.len(),
        };
        bytes.truncate(length);
        bytes
    }
}
