//! A running `CAPTURE` queue: its buffers go out filled, and back to the driver when they are dropped.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use media::{Buffer, Pooled, Recycle};

use super::queue::{Mapping, Memory, Queue};

/// What buffers on loan keep alive: the node and the buffers that are with the driver.
pub(super) struct Stream {
    pub(super) queue: Queue,
    buffers: Mutex<Buffers>,
}

struct Buffers {
    /// By number; `None` while on loan.
    with_driver: Vec<Option<Box<dyn Buffer>>>,
    streaming: bool,
}

/// A buffer of a driver's memory.
pub(super) struct Mapped {
    index: u32,
    planes: Vec<Mapping>,
    /// One a plane, where the driver exports its memory.
    dma_bufs: Vec<OwnedFd>,
}

impl Mapped {
    pub(super) fn new(queue: &Queue, index: u32) -> io::Result<Self> {
        let planes = queue.map(index)?;
        let dma_bufs: io::Result<_> = (0..planes.len()).map(|plane| queue.export(index, plane)).collect();
        Ok(Self { index, planes, dma_bufs: dma_bufs.unwrap_or_default() })
    }
}

impl Buffer for Mapped {
    fn plane(&self, index: usize) -> &[u8] {
        self.planes.get(index).map_or(&[], Mapping::bytes)
    }

    fn plane_mut(&mut self, index: usize) -> &mut [u8] {
        self.planes.get_mut(index).map_or(&mut [], Mapping::bytes_mut)
    }

    fn index(&self) -> u32 {
        self.index
    }

    fn dma_buf(&self, plane: usize) -> Option<BorrowedFd<'_>> {
        self.dma_bufs.get(plane).map(AsFd::as_fd)
    }
}

impl Stream {
    /// Maps the buffers, hands them to the driver and starts it.
    pub(super) fn start(queue: Queue, buffers: u32) -> io::Result<Arc<Self>> {
        let count = queue.request_buffers(buffers, Memory::Mmap)?;
        let mut with_driver = Vec::with_capacity(count as usize);
        for index in 0..count {
            let mapped: Box<dyn Buffer> = Box::new(Mapped::new(&queue, index)?);
            queue.queue(index)?;
            with_driver.push(Some(mapped));
        }
        queue.start()?;
        Ok(Arc::new(Self { queue, buffers: Mutex::new(Buffers { with_driver, streaming: true }) }))
    }

    /// Takes a buffer that was dequeued, on loan.
    pub(super) fn take(self: &Arc<Self>, index: u32) -> Option<Pooled<Box<dyn Buffer>>> {
        let buffer = self.lock().with_driver.get_mut(index as usize).and_then(Option::take)?;
        Some(Pooled::new(buffer, Arc::clone(self) as Arc<dyn Recycle<Box<dyn Buffer>>>))
    }

    /// Buffers that the driver has to fill.
    pub(super) fn left(&self) -> usize {
        self.lock().with_driver.iter().flatten().count()
    }

    /// Gives the driver no buffer any more: who drops one from now on does not wait for the driver's lock, which the kernel
    /// holds in each call to a queue (kernel: videobuf2, `vb2_queue.lock`).
    pub(super) fn keep(&self) {
        self.lock().streaming = false;
    }

    /// Stops the driver. A device that is gone has stopped already.
    pub(super) fn stop(&self) {
        self.keep();
        let _ = self.queue.stop();
    }

    /// Stops the driver for good. Others may use the node from now on: the memory of buffers on loan stays until they are
    /// dropped, but belongs to the node no longer (kernel: `VIDIOC_REQBUFS`, orphaned buffers).
    pub(super) fn end(&self) {
        self.stop();
        if let Err(error) = self.queue.request_buffers(0, Memory::Mmap) {
            tracing::debug!(%error, "the node stays in use until the last buffer comes back");
        }
    }

    /// Starts the driver again, with all buffers that are not on loan.
    pub(super) fn restart(&self) -> io::Result<()> {
        let mut buffers = self.lock();
        for (index, _) in buffers.with_driver.iter().enumerate().filter(|(_, buffer)| buffer.is_some()) {
            self.queue.queue(index as u32)?;
        }
        buffers.streaming = true;
        self.queue.start()
    }

    fn lock(&self) -> MutexGuard<'_, Buffers> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recycle<Box<dyn Buffer>> for Stream {
    fn recycle(&self, buffer: Box<dyn Buffer>) {
        let index = buffer.index();
        let mut buffers = self.lock();
        let streaming = buffers.streaming;
        if let Some(place) = buffers.with_driver.get_mut(index as usize) {
            *place = Some(buffer);
            // Where the device is gone this fails, and the next dequeue tells.
            if streaming && let Err(error) = self.queue.queue(index) {
                tracing::debug!(index, %error, "buffer not queued");
            }
        }
    }
}
