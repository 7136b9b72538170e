//! Pictures on their way into an encoder: its `OUTPUT` queue.

use std::array;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use media::{Buffer, Frame, Layout, Pooled, Recycle};
use v4l::v4l_sys as sys;

use super::queue::{Filled, Memory, PLANES, Queue};
use super::stream::Mapped;
use crate::dma_buf;

/// Buffers of the encoder's own memory.
const OWN: u32 = 4;
/// Buffers of the queue where it imports them, for an encoder that keeps none: each of a camera's and of its own finds the one
/// that it had before.
const SLOTS: u32 = 12;
/// Pictures that may be with the driver at once, besides those that it keeps: a camera needs the rest of its buffers.
const DEPTH: usize = 3;

/// The queue and what is with the driver.
pub(super) struct Pictures {
    queue: Queue,
    memory: Memory,
    layout: Layout,
    depth: usize,
    /// By the driver's number.
    slots: Vec<Slot>,
    own: Arc<Own>,
    home: Arc<dyn Recycle<Box<dyn Buffer>>>,
    /// Whether memory of other devices goes in as it is, as far as is known.
    pub(super) imports: bool,
}

#[derive(Default)]
struct Slot {
    frame: Option<Frame>,
    /// The memory that was here last: the driver needs not map it again (kernel: videobuf2).
    dma_bufs: Option<[(RawFd, usize); PLANES]>,
}

/// Memory of the encoder's own that is free.
struct Own {
    free: Mutex<Vec<Box<dyn Buffer>>>,
    /// Keeps the driver's side of it.
    _queue: Queue,
}

impl Own {
    fn lock(&self) -> MutexGuard<'_, Vec<Box<dyn Buffer>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recycle<Box<dyn Buffer>> for Own {
    fn recycle(&self, buffer: Box<dyn Buffer>) {
        self.lock().push(buffer);
    }
}

impl Pictures {
    /// Pictures of `layout` on a queue whose format is set. `other` is the same queue of another context of the device,
    /// with the same format: memory of its own that the encoder imports like a camera's comes from there. Without it, or
    /// where the driver imports nothing, the queue's own memory is used.
    /// `latency` pictures stay inside.
    pub(super) fn new(
        queue: Queue,
        other: Option<Queue>,
        layout: Layout,
        latency: usize,
    ) -> io::Result<Self> {
        let buffers = OWN + latency as u32;
        let imported = other.and_then(|other| {
            let own = allocate(&other, buffers).ok()?;
            let exports = own.iter().all(|buffer| buffer.dma_buf(0).is_some());
            let slots = if exports {
                queue.request_buffers(SLOTS + 2 * latency as u32, Memory::DmaBuf).ok()?
            } else {
                0
            };
            (slots > 0).then_some((other, own, slots))
        });
        let (memory, source, own, slots) = if let Some((other, own, slots)) = imported {
            (Memory::DmaBuf, other, own, slots)
        } else {
            let own = allocate(&queue, buffers)?;
            let slots = own.len() as u32;
            (Memory::Mmap, queue.clone(), own, slots)
        };
        let own = Arc::new(Own { free: Mutex::new(own), _queue: source });
        let home = Arc::clone(&own) as Arc<dyn Recycle<Box<dyn Buffer>>>;
        let slots = (0..slots).map(|_| Slot::default()).collect();
        let depth = DEPTH + latency;
        Ok(Self { queue, memory, layout, depth, slots, own, home, imports: memory == Memory::DmaBuf })
    }

    pub(super) fn start(&self) -> io::Result<()> {
        self.queue.start()
    }

    pub(super) fn stop(&mut self) {
        let _ = self.queue.stop();
        self.slots.iter_mut().for_each(|slot| slot.frame = None);
    }

    pub(super) fn set_rate(&self, fps: u32) {
        self.queue.set_rate(fps.into());
    }

    pub(super) fn has_room(&self) -> bool {
        let inside = self.slots.iter().filter(|slot| slot.frame.is_some()).count();
        inside < self.depth.min(self.slots.len()) && !self.own.lock().is_empty()
    }

    /// A buffer that the processor may fill.
    pub(super) fn take_own(&self) -> Option<Pooled<Box<dyn Buffer>>> {
        let buffer = self.own.lock().pop()?;
        self.exported(&*buffer).for_each(dma_buf::begin_access);
        Some(Pooled::new(buffer, Arc::clone(&self.home)))
    }

    /// The DMA-BUFs of a buffer of the encoder's own memory. Only for those must caches be cared for here: where a queue has
    /// buffers of its own, and at the camera, `VIDIOC_QBUF` and `VIDIOC_DQBUF` do it (kernel: videobuf2).
    fn exported<'a>(&self, buffer: &'a dyn Buffer) -> impl Iterator<Item = RawFd> + use<'a> {
        let planes = if self.memory == Memory::DmaBuf { PLANES } else { 0 };
        (0..planes).map_while(|plane| Some(buffer.dma_buf(plane)?.as_raw_fd()))
    }

    /// Hands a picture to the driver, as it is or copied; returns the bytes that were copied.
    pub(super) fn submit(&mut self, frame: Frame) -> io::Result<usize> {
        let is_own = frame.buffer().belongs_to(&self.home);
        let fits = frame.layout == self.layout;
        let is_importable = self.imports && frame.buffer().dma_buf(0).is_some();
        if fits && (is_own || is_importable) {
            match self.fill(&frame) {
                Ok(slot) => {
                    self.keep(slot, frame);
                    return Ok(0);
                }
                // Memory that this device can't reach: its pages lie apart, or too high.
                Err(error) if !is_own && is_out_of_reach(&error) => {
                    tracing::info!(%error, "the camera's memory is not imported: pictures are copied");
                    self.imports = false;
                }
                Err(error) => return Err(error),
            }
        }
        let full = || io::Error::other("no memory is free");
        let other = || io::Error::other(format!("{frame:?} is not what it takes"));
        let copy = frame.copy_to(self.take_own().ok_or_else(full)?, self.layout).ok_or_else(other)?;
        let slot = self.fill(&copy)?;
        self.keep(slot, copy);
        Ok(self.layout.pixel_bytes())
    }

    /// Queues a picture; returns the number of its buffer.
    fn fill(&self, frame: &Frame) -> io::Result<u32> {
        let is_own = frame.buffer().belongs_to(&self.home);
        if is_own {
            self.exported(&***frame.buffer()).for_each(dma_buf::end_access);
        }
        // Drivers take no picture that is shorter than their format, with the rows that are cropped.
        let used =
            if is_own { array::from_fn(|plane| frame.buffer().plane(plane).len()) } else { frame.used() };
        let dma_bufs = self.dma_bufs(frame);
        let index = if dma_bufs.is_some() {
            let known = self.slots.iter().map(|slot| (slot.frame.is_none(), slot.dma_bufs));
            slot_for(dma_bufs, known).ok_or_else(|| io::Error::other("no buffer is free"))? as u32
        } else {
            frame.buffer().index()
        };
        let filled = Filled { index, timestamp: frame.captured.micros(), used, dma_bufs };
        self.queue.fill(&filled)?;
        Ok(index)
    }

    fn keep(&mut self, index: u32, frame: Frame) {
        let dma_bufs = self.dma_bufs(&frame);
        if let Some(slot) = self.slots.get_mut(index as usize) {
            *slot = Slot { frame: Some(frame), dma_bufs };
        }
    }

    fn dma_bufs(&self, frame: &Frame) -> Option<[(RawFd, usize); PLANES]> {
        let buffer = frame.buffer();
        let plane = |plane| {
            let fd = buffer.dma_buf(plane).map_or(-1, |fd| fd.as_raw_fd());
            (fd, buffer.plane(plane).len())
        };
        (self.memory == Memory::DmaBuf).then(|| [plane(0), plane(1), plane(2)])
    }

    /// Gives the pictures back that the driver is done with; tells whether it failed with one.
    pub(super) fn reclaim(&mut self) -> io::Result<bool> {
        let mut failed = false;
        loop {
            match self.queue.dequeue(self.memory) {
                Ok(done) => {
                    failed |= done.flags & sys::V4L2_BUF_FLAG_ERROR != 0;
                    if let Some(slot) = self.slots.get_mut(done.index as usize) {
                        slot.frame = None;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(failed),
                Err(error) => return Err(error),
            }
        }
    }
}

/// The buffer of the queue that had this memory last, else one that had none yet, else any. Of each is given whether it is free
/// and what it had.
fn slot_for<T: PartialEq>(
    memory: Option<T>,
    slots: impl Iterator<Item = (bool, Option<T>)>,
) -> Option<usize> {
    let free = slots.enumerate().filter(|(_, (is_free, _))| *is_free);
    let (index, _) = free.min_by_key(|(_, (_, had))| (*had != memory, had.is_some()))?;
    Some(index)
}

fn is_out_of_reach(error: &io::Error) -> bool {
    let codes = [libc::EINVAL, libc::EFAULT, libc::ENOTTY, libc::ENOMEM];
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

fn allocate(queue: &Queue, count: u32) -> io::Result<Vec<Box<dyn Buffer>>> {
    let count = queue.request_buffers(count, Memory::Mmap)?;
    (0..count).map(|index| Ok(Box::new(Mapped::new(queue, index)?) as Box<dyn Buffer>)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// A camera's eight buffers in their turn, two of them with the driver.
    #[test]
    fn each_memory_finds_the_buffer_that_it_had() {
        let mut slots = [(true, None); SLOTS as usize];
        let mut inside = VecDeque::<usize>::new();
        let mut mapped = 0;
        for memory in (0..8).cycle().take(40) {
            if inside.len() == 2 {
                slots[inside.pop_front().unwrap()].0 = true;
            }
            let index = slot_for(Some(memory), slots.into_iter()).unwrap();
            mapped += usize::from(slots[index].1 != Some(memory));
            slots[index] = (false, Some(memory));
            inside.push_back(index);
        }
        assert_eq!(mapped, 8, "each once");
        assert_eq!(slot_for(Some(9), [(false, None), (true, Some(3))].into_iter()), Some(1));
        assert_eq!(slot_for(Some(9), [(false, Some(9))].into_iter()), None);
    }
}
