//! Packets on loan: the library's own memory, for as long as somebody reads it.

use std::ffi::c_int;
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use media::{Buffer, Bytes, EncodeError, Pool, Pooled, Recycle, Timestamp};
use rkmpp_sys as mpp;
use rkmpp_sys::{MppPacket, MppTask};

use super::context::Context;
use super::{TAG, failed};
use crate::dma_buf;

/// Packets that are lent. Each holds a buffer of a byte for each pixel, which is much memory, and the library goes wrong at some
/// fifty of them (mpp#939); where a slow network keeps more, they are copied.
const LENT: usize = 8;
/// Copies that may be on loan to a send queue before memory grows, and bytes that one has from the start.
const COPIES: usize = 128;
const COPY: usize = 32 << 10;

/// An access unit of the library.
pub(super) struct Packet {
    packet: MppPacket,
    fd: c_int,
    memory: *mut u8,
    length: usize,
    /// Bytes from there to the end of the buffer.
    room: usize,
}

// SAFETY: the packet is this value's alone, and the library counts references to its buffer under a lock, for any thread.
unsafe impl Send for Packet {}

impl Packet {
    /// Takes over a packet; its bytes may be read from now on.
    ///
    /// # Safety
    /// The packet is the library's, and nobody else releases it.
    pub(super) unsafe fn new(packet: MppPacket) -> Self {
        // SAFETY: the packet lives; so does its buffer, which has its memory as long as it does.
        unsafe {
            let memory = mpp::mpp_packet_get_pos(packet).cast::<u8>();
            let length = if memory.is_null() { 0 } else { mpp::mpp_packet_get_length(packet) };
            let mut this = Self { packet, fd: -1, memory, length, room: length };
            let buffer = mpp::mpp_packet_get_buffer(packet);
            if !buffer.is_null() {
                let start = mpp::mpp_buffer_get_ptr_with_caller(buffer, TAG).addr();
                let end = start + mpp::mpp_buffer_get_size_with_caller(buffer, TAG);
                this.room = end.checked_sub(memory.addr()).filter(|room| *room >= length).unwrap_or(length);
                this.fd = mpp::mpp_buffer_get_fd_with_caller(buffer, TAG);
                dma_buf::begin_access(this.fd);
            }
            this
        }
    }

    pub(super) fn captured(&self) -> Timestamp {
        // SAFETY: the packet lives as long as `self`.
        Timestamp::from_micros(unsafe { mpp::mpp_packet_get_pts(self.packet) })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        if self.length == 0 {
            return &[];
        }
        // SAFETY: the library has so many bytes there as long as the packet lives.
        unsafe { std::slice::from_raw_parts(self.memory, self.length) }
    }
}

/// Takes the packet out of a task of the output port.
pub(super) fn take(task: MppTask) -> Result<Packet, EncodeError> {
    let mut packet = ptr::null_mut();
    // SAFETY: the task is the caller's; `packet` is a place for the result.
    let code = unsafe { mpp::mpp_task_meta_get_packet(task, mpp::KEY_OUTPUT_PACKET, &raw mut packet) };
    if packet.is_null() {
        return Err(failed(format!("a task without a packet, code {code}")));
    }
    // SAFETY: it was just taken out, so that nobody else has it.
    Ok(unsafe { Packet::new(packet) })
}

impl Drop for Packet {
    fn drop(&mut self) {
        if self.fd >= 0 {
            dma_buf::end_access(self.fd);
        }
        // SAFETY: the packet is this value's and is released here, once.
        unsafe { mpp::mpp_packet_deinit(&raw mut self.packet) };
    }
}

type Slot = Mutex<Option<Packet>>;

/// Lends packets, and takes them back from whatever thread reads them last.
pub(super) struct Lender {
    slots: [Arc<Slot>; LENT],
    free: Mutex<Vec<Box<dyn Buffer>>>,
    copies: Arc<Pool<Vec<u8>>>,
    /// Outlives its packets.
    _context: Arc<Context>,
}

impl Lender {
    pub(super) fn new(context: Arc<Context>) -> Arc<Self> {
        let slots: [Arc<Slot>; LENT] = std::array::from_fn(|_| Arc::default());
        let lent = |(index, slot): (usize, &Arc<Slot>)| -> Box<dyn Buffer> {
            Box::new(Lent { slot: Arc::clone(slot), index: index as u32 })
        };
        let free = Mutex::new(slots.iter().enumerate().map(lent).collect());
        let copies = Pool::new(COPIES, || Vec::with_capacity(COPY));
        Arc::new(Self { slots, free, copies, _context: context })
    }

    /// The bytes of a packet: themselves, or a copy where too many are out.
    pub(super) fn lend(self: &Arc<Self>, packet: Packet) -> Bytes {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some(buffer) = free else {
            let mut copy = self.copies.take();
            copy.clear();
            copy.extend_from_slice(packet.bytes());
            return copy.into();
        };
        let length = packet.length;
        if let Some(slot) = self.slots.get(buffer.index() as usize) {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(packet);
        }
        let home = Arc::clone(self) as Arc<dyn Recycle<Box<dyn Buffer>>>;
        Bytes::of_driver(Pooled::new(buffer, home), 0..length).unwrap_or_default()
    }
}

impl Recycle<Box<dyn Buffer>> for Lender {
    fn recycle(&self, buffer: Box<dyn Buffer>) {
        if let Some(slot) = self.slots.get(buffer.index() as usize) {
            slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
    }
}

/// The packet in a slot, as memory. The slot changes only while this is with the lender.
struct Lent {
    slot: Arc<Slot>,
    index: u32,
}

impl Lent {
    /// Where the packet's memory begins, and its bytes up to the end of the buffer.
    fn memory(&self) -> Option<(*mut u8, usize)> {
        let slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        slot.as_ref().map(|packet| (packet.memory, packet.room)).filter(|(_, room)| *room > 0)
    }
}

impl Buffer for Lent {
    fn plane(&self, index: usize) -> &[u8] {
        match self.memory() {
            // SAFETY: the packet in the slot has so many bytes, and stays there until this value is given back.
            Some((memory, room)) if index == 0 => unsafe { std::slice::from_raw_parts(memory, room) },
            _ => &[],
        }
    }

    fn plane_mut(&mut self, index: usize) -> &mut [u8] {
        match self.memory() {
            // SAFETY: as above; the hardware is done with a packet that came out, and `&mut self` makes it the only
            // access.
            Some((memory, room)) if index == 0 => unsafe { std::slice::from_raw_parts_mut(memory, room) },
            _ => &mut [],
        }
    }

    fn index(&self) -> u32 {
        self.index
    }
}
