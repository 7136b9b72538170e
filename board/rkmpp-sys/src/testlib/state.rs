use std::collections::{HashMap, HashSet};
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use super::config::Config;
use super::context::Context;
use super::{Counts, Faults, Live};

/// An object's number; C sees it as a pointer.
pub(super) type Handle = usize;

#[derive(Default)]
pub(super) struct Frame {
    pub(super) pts: i64,
    pub(super) buffer: Handle,
    /// Width, height, bytes a row, rows.
    pub(super) shape: [u32; 4],
}

pub(super) struct Packet {
    pub(super) pts: i64,
    pub(super) buffer: Handle,
    pub(super) length: usize,
}

pub(super) struct Buffer {
    references: u32,
    pub(super) fd: c_int,
    pub(super) size: usize,
    imported: bool,
    /// Null before it is asked for.
    memory: *mut c_void,
}

// SAFETY: the memory is a mapping of the whole process.
unsafe impl Send for Buffer {}

pub(super) struct Task {
    pub(super) context: Handle,
    pub(super) frame: Handle,
    pub(super) packet: Handle,
}

/// All objects of the library.
#[derive(Default)]
pub(super) struct State {
    last: Handle,
    pub(super) contexts: HashMap<Handle, Context>,
    pub(super) frames: HashMap<Handle, Frame>,
    pub(super) packets: HashMap<Handle, Packet>,
    pub(super) buffers: HashMap<Handle, Buffer>,
    pub(super) groups: HashSet<Handle>,
    pub(super) configs: HashMap<Handle, Config>,
    pub(super) tasks: HashMap<Handle, Task>,
    pub(super) faults: Faults,
    pub(super) counts: Counts,
    pub(super) misuses: Vec<String>,
    pub(super) configured: Option<Config>,
}

static STATE: LazyLock<Mutex<State>> = LazyLock::new(Mutex::default);

pub(super) fn lock() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// A number for a new object.
    pub(super) fn number(&mut self) -> Handle {
        self.last += 1;
        self.last
    }

    pub(super) fn misuse(&mut self, what: impl Into<String>) {
        self.misuses.push(what.into());
    }

    pub(super) fn live(&self) -> Live {
        Live {
            contexts: self.contexts.len(),
            frames: self.frames.len(),
            packets: self.packets.len(),
            buffers: self.buffers.len(),
            groups: self.groups.len(),
            configs: self.configs.len(),
        }
    }

    /// A buffer of shared memory, as a DMA-BUF has a descriptor and is mapped when asked for.
    pub(super) fn allocate(&mut self, size: usize) -> Option<Handle> {
        // SAFETY: plain calls; the name is a C string.
        let fd = unsafe { libc::memfd_create(c"mpp".as_ptr(), libc::MFD_CLOEXEC) };
        // SAFETY: as above; a bad descriptor makes it fail.
        if unsafe { libc::ftruncate(fd, size as libc::off_t) } != 0 {
            return None;
        }
        Some(self.add_buffer(fd, size, false))
    }

    pub(super) fn import(&mut self, fd: c_int, size: usize) -> Handle {
        self.counts.imports += 1;
        self.add_buffer(fd, size, true)
    }

    fn add_buffer(&mut self, fd: c_int, size: usize, imported: bool) -> Handle {
        let number = self.number();
        self.buffers.insert(number, Buffer { references: 1, fd, size, imported, memory: ptr::null_mut() });
        number
    }

    pub(super) fn refer(&mut self, buffer: Handle) {
        match self.buffers.get_mut(&buffer) {
            Some(buffer) => buffer.references += 1,
            None => self.misuse("a reference to a buffer that is gone"),
        }
    }

    /// Drops a reference. The last one unmaps the memory.
    pub(super) fn put_buffer(&mut self, number: Handle) -> bool {
        let Some(buffer) = self.buffers.get_mut(&number) else {
            self.misuse("a buffer put once too often");
            return false;
        };
        buffer.references -= 1;
        if buffer.references == 0 {
            self.buffers.remove(&number);
        }
        true
    }

    pub(super) fn drop_frame(&mut self, number: Handle) -> bool {
        let Some(frame) = self.frames.remove(&number) else {
            self.misuse("a frame released once too often");
            return false;
        };
        if frame.buffer != 0 {
            self.put_buffer(frame.buffer);
        }
        true
    }

    pub(super) fn drop_packet(&mut self, number: Handle) -> bool {
        let Some(packet) = self.packets.remove(&number) else {
            self.misuse("a packet released once too often");
            return false;
        };
        self.put_buffer(packet.buffer)
    }
}

impl Buffer {
    /// The memory, mapped; null where it can't be.
    pub(super) fn memory(&mut self) -> *mut c_void {
        if self.memory.is_null() {
            let access = libc::PROT_READ | if self.imported { 0 } else { libc::PROT_WRITE };
            // SAFETY: a new mapping; nothing in use is touched.
            let memory =
                unsafe { libc::mmap(ptr::null_mut(), self.size, access, libc::MAP_SHARED, self.fd, 0) };
            if memory != libc::MAP_FAILED {
                self.memory = memory;
            }
        }
        self.memory
    }

    pub(super) fn bytes(&mut self) -> &[u8] {
        let memory = self.memory();
        if memory.is_null() {
            return &[];
        }
        // SAFETY: a mapping of that size that lives as long as `self`; nobody writes while the library has it.
        unsafe { std::slice::from_raw_parts(memory.cast(), self.size) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if !self.memory.is_null() {
            // SAFETY: the mapping was made in `memory` and is not used after this.
            unsafe { libc::munmap(self.memory, self.size) };
        }
        if !self.imported {
            // SAFETY: the descriptor was made in `allocate` and is closed here, once.
            unsafe { libc::close(self.fd) };
        }
    }
}
