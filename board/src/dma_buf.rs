//! Keeps caches and devices of one mind about memory that both see: whatever the processor does with a DMA-BUF that goes to a
//! device stands between the two calls (kernel: driver-api/dma-buf, `DMA_BUF_IOCTL_SYNC`).

use std::ffi::{c_int, c_ulong};
use std::io;

/// `struct dma_buf_sync` and its ioctl, `linux/dma-buf.h`.
const DMA_BUF_IOCTL_SYNC: c_ulong = 0x4008_6200;
const DMA_BUF_SYNC_RW: u64 = 1 | 2;
const DMA_BUF_SYNC_END: u64 = 4;

/// Before the processor reads or writes a DMA-BUF.
pub(crate) fn begin_access(fd: c_int) {
    sync(fd, DMA_BUF_SYNC_RW);
}

/// After that, before a device reads or writes it.
pub(crate) fn end_access(fd: c_int) {
    sync(fd, DMA_BUF_SYNC_RW | DMA_BUF_SYNC_END);
}

/// Memory that needs no care of its kind, or is no DMA-BUF, gives an error, and that is well.
fn sync(fd: c_int, flags: u64) {
    loop {
        // SAFETY: the ioctl reads eight bytes of flags; a bad descriptor makes it fail.
        let code = unsafe { libc::ioctl(fd, DMA_BUF_IOCTL_SYNC as _, &raw const flags) };
        let interrupted =
            code < 0 && matches!(io::Error::last_os_error().raw_os_error(), Some(libc::EINTR | libc::EAGAIN));
        if !interrupted {
            break;
        }
    }
}
