use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::encode::Context;
use super::{Counts, Faults, Live, Rates};
use crate::{VABufferType, VACodedBufferSegment, VAStatus};

/// Rows of a surface of its own are a multiple of so many bytes apart.
const PITCH: usize = 128;

pub(super) struct Surface {
    pub(super) width: usize,
    pub(super) height: usize,
    memory: Memory,
    pub(super) pitch: usize,
    /// Byte where chroma begins.
    pub(super) chroma: usize,
    pub(super) is_mapped: bool,
    /// When the hardware is done with it.
    pub(super) done: Option<Instant>,
}

enum Memory {
    Own(Vec<u8>),
    /// A mapping, and its size.
    Imported(*mut c_void, usize),
}

// SAFETY: the memory is a mapping of the whole process.
unsafe impl Send for Memory {}

pub(super) struct Buffer {
    pub(super) kind: VABufferType,
    pub(super) data: Vec<u8>,
    pub(super) is_mapped: bool,
    /// When the hardware is done with it, where it is a coded buffer in use.
    pub(super) done: Option<Instant>,
    /// What the map of a coded buffer gives.
    pub(super) segment: Box<VACodedBufferSegment>,
    /// The surface that an image's buffer is.
    pub(super) surface: Option<u32>,
}

// SAFETY: the segment's pointers lead to `data`.
unsafe impl Send for Buffer {}

/// All objects of the driver.
#[derive(Default)]
pub(super) struct State {
    last: u32,
    pub(super) displays: usize,
    pub(super) configs: HashMap<u32, super::encode::Config>,
    pub(super) contexts: HashMap<u32, Context>,
    pub(super) surfaces: HashMap<u32, Surface>,
    pub(super) buffers: HashMap<u32, Buffer>,
    /// Images with their buffers.
    pub(super) images: HashMap<u32, u32>,
    pub(super) faults: Faults,
    pub(super) counts: Counts,
    pub(super) rates: Rates,
    pub(super) misuses: Vec<String>,
}

static STATE: LazyLock<Mutex<State>> = LazyLock::new(Mutex::default);

pub(super) fn lock() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// A number for a new object.
    pub(super) fn number(&mut self) -> u32 {
        self.last += 1;
        self.last
    }

    /// Notes a misuse, and gives the error for it.
    pub(super) fn misuse(&mut self, what: impl Into<String>) -> VAStatus {
        self.misuses.push(what.into());
        crate::VA_STATUS_ERROR_INVALID_PARAMETER as VAStatus
    }

    pub(super) fn live(&self) -> Live {
        Live {
            displays: self.displays,
            configs: self.configs.len(),
            contexts: self.contexts.len(),
            surfaces: self.surfaces.len(),
            buffers: self.buffers.len(),
            images: self.images.len(),
        }
    }

    pub(super) fn add_buffer(&mut self, kind: VABufferType, data: Vec<u8>, surface: Option<u32>) -> u32 {
        let number = self.number();
        let (is_mapped, done, segment) = (false, None, Box::default());
        self.buffers.insert(number, Buffer { kind, data, is_mapped, done, segment, surface });
        number
    }
}

impl Surface {
    pub(super) fn new(width: usize, height: usize) -> Self {
        let pitch = width.next_multiple_of(PITCH);
        let chroma = pitch * height.next_multiple_of(32);
        let memory = Memory::Own(vec![0; chroma + pitch * height.div_ceil(2)]);
        Self { width, height, memory, pitch, chroma, is_mapped: false, done: None }
    }

    /// In the memory behind a descriptor; `None` where it can't be mapped.
    pub(super) fn import(
        (width, height): (usize, usize),
        (fd, size): (c_int, usize),
        (pitch, chroma): (usize, usize),
    ) -> Option<Self> {
        // SAFETY: a new mapping; nothing in use is touched; a bad descriptor makes it fail.
        let memory = unsafe { libc::mmap(ptr::null_mut(), size, libc::PROT_READ, libc::MAP_SHARED, fd, 0) };
        if memory == libc::MAP_FAILED {
            return None;
        }
        let memory = Memory::Imported(memory, size);
        Some(Self { width, height, memory, pitch, chroma, is_mapped: false, done: None })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match &self.memory {
            Memory::Own(bytes) => bytes,
            // SAFETY: a mapping of that size that lives as long as `self`.
            Memory::Imported(memory, size) => unsafe {
                std::slice::from_raw_parts(memory.cast::<u8>().cast_const(), *size)
            },
        }
    }

    /// Where the processor may write; none in foreign memory.
    pub(super) fn own(&mut self) -> Option<&mut [u8]> {
        match &mut self.memory {
            Memory::Own(bytes) => Some(bytes),
            Memory::Imported(..) => None,
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Self::Imported(memory, size) = *self {
            // SAFETY: the mapping was made in `import` and is not used after this.
            unsafe { libc::munmap(memory, size) };
        }
    }
}
