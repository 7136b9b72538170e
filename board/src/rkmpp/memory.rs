//! Memory for pictures that no device has filled.

use std::ffi::c_int;
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use media::{Buffer, EncodeError, Pooled, Recycle};
use rkmpp_sys as mpp;
use rkmpp_sys::{MppBuffer, MppBufferGroup};

use super::TAG;
use super::context::check;
use crate::dma_buf;

/// One that is encoded, one that is filled, and one that waits in between.
const BUFFERS: usize = 3;

/// Buffers of one size, made when they are first needed and kept.
pub(super) struct InputMemory {
    size: usize,
    buffers: Mutex<Buffers>,
}

#[derive(Default)]
struct Buffers {
    group: Option<Arc<Group>>,
    free: Vec<Box<dyn Buffer>>,
    /// By their index.
    all: Vec<Handle>,
}

#[derive(Clone, Copy)]
struct Handle {
    buffer: MppBuffer,
    fd: c_int,
}

// SAFETY: the library counts references to a buffer under a lock, for any thread.
unsafe impl Send for Handle {}

struct Group(MppBufferGroup);

// SAFETY: the library locks a group.
unsafe impl Send for Group {}
// SAFETY: as above.
unsafe impl Sync for Group {}

struct InputBuffer {
    handle: Handle,
    memory: *mut u8,
    size: usize,
    index: u32,
    /// Lives as long as its buffers.
    _group: Arc<Group>,
}

// SAFETY: the memory is a mapping of the whole process that this value alone gives access to.
unsafe impl Send for InputBuffer {}

impl InputMemory {
    /// Room for pictures of so many bytes a row and so many rows of luma.
    pub(super) fn new((stride, rows): (usize, usize)) -> Arc<Self> {
        // Some encoders read past the last row; the library's own tools leave as much room.
        let size = stride.next_multiple_of(64) * rows.next_multiple_of(64) * 3 / 2;
        Arc::new(Self { size, buffers: Mutex::default() })
    }

    /// A buffer that the processor may fill; none where all are on loan.
    pub(super) fn take(self: &Arc<Self>) -> Result<Option<Pooled<Box<dyn Buffer>>>, EncodeError> {
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        if buffers.free.is_empty() && buffers.all.len() < BUFFERS {
            let group = match &buffers.group {
                Some(group) => Arc::clone(group),
                None => Arc::clone(buffers.group.insert(Arc::new(Group::new()?))),
            };
            let buffer = InputBuffer::new(group, self.size, buffers.all.len() as u32)?;
            buffers.all.push(buffer.handle);
            buffers.free.push(Box::new(buffer));
        }
        let Some(buffer) = buffers.free.pop() else {
            return Ok(None);
        };
        if let Some(handle) = buffers.all.get(buffer.index() as usize) {
            dma_buf::begin_access(handle.fd);
        }
        drop(buffers);
        Ok(Some(Pooled::new(buffer, self.home())))
    }

    /// The library's handle of a buffer of this memory, ready for the hardware; none of another one's.
    pub(super) fn handle(self: &Arc<Self>, buffer: &Pooled<Box<dyn Buffer>>) -> Option<MppBuffer> {
        if !buffer.belongs_to(&self.home()) {
            return None;
        }
        let buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        let handle = *buffers.all.get(buffer.index() as usize)?;
        dma_buf::end_access(handle.fd);
        Some(handle.buffer)
    }

    fn home(self: &Arc<Self>) -> Arc<dyn Recycle<Box<dyn Buffer>>> {
        Arc::clone(self) as Arc<dyn Recycle<Box<dyn Buffer>>>
    }
}

impl Recycle<Box<dyn Buffer>> for InputMemory {
    fn recycle(&self, buffer: Box<dyn Buffer>) {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner).free.push(buffer);
    }
}

impl Group {
    fn new() -> Result<Self, EncodeError> {
        let mut group = ptr::null_mut();
        let kind = mpp::MPP_BUFFER_TYPE_DRM | mpp::MPP_BUFFER_FLAGS_CACHABLE;
        // SAFETY: `group` is a place for what the call makes; the names are C strings that stay.
        let code = unsafe {
            let group = &raw mut group;
            mpp::mpp_buffer_group_get(group, kind, mpp::MPP_BUFFER_INTERNAL, TAG, TAG)
        };
        check("mpp_buffer_group_get", code)?;
        Ok(Self(group))
    }
}

impl InputBuffer {
    fn new(group: Arc<Group>, size: usize, index: u32) -> Result<Self, EncodeError> {
        let mut buffer = ptr::null_mut();
        // SAFETY: the group lives; `buffer` is a place for what the call makes.
        let code = unsafe { mpp::mpp_buffer_get_with_tag(group.0, &raw mut buffer, size, TAG, TAG) };
        check(&format!("mpp_buffer_get of {size} bytes"), code)?;
        // SAFETY: the buffer was just made.
        let (fd, memory) = unsafe {
            let memory = mpp::mpp_buffer_get_ptr_with_caller(buffer, TAG);
            (mpp::mpp_buffer_get_fd_with_caller(buffer, TAG), memory.cast::<u8>())
        };
        let size = if memory.is_null() { 0 } else { size };
        Ok(Self { handle: Handle { buffer, fd }, memory, size, index, _group: group })
    }
}

impl Buffer for InputBuffer {
    fn plane(&self, index: usize) -> &[u8] {
        if index > 0 || self.size == 0 {
            return &[];
        }
        // SAFETY: the library mapped `size` bytes there until the buffer is put, in `drop`; the hardware only reads.
        unsafe { std::slice::from_raw_parts(self.memory, self.size) }
    }

    fn plane_mut(&mut self, index: usize) -> &mut [u8] {
        if index > 0 || self.size == 0 {
            return &mut [];
        }
        // SAFETY: as above, and `&mut self` makes it the only access.
        unsafe { std::slice::from_raw_parts_mut(self.memory, self.size) }
    }

    fn index(&self) -> u32 {
        self.index
    }
}

impl Drop for InputBuffer {
    fn drop(&mut self) {
        // SAFETY: the reference that mpp_buffer_get gave is dropped here, once.
        unsafe { mpp::mpp_buffer_put_with_caller(self.handle.buffer, TAG) };
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // SAFETY: it was made by mpp_buffer_group_get and is released here, once, after its buffers.
        unsafe { mpp::mpp_buffer_group_put(self.0) };
    }
}
