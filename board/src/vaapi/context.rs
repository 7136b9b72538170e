use std::ptr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use media::EncoderSettings;
use vaapi_sys as va;
use vaapi_sys::{VABufferID, VACodedBufferSegment, VAContextID, VAStatus, VASurfaceID};

use super::display::{Config, Display, Surfaces, check, check_size};
use super::{DEPTH, Refusal};

/// Pictures as they are decoded: those that are encoded, and the one that the first of them refers to.
const DECODED: usize = DEPTH + 1;
/// From one look at a surface to the next.
const LOOK: Duration = Duration::from_millis(1);

/// An encoder of the driver, with the memory that it works in.
pub(super) struct Context {
    display: Arc<Display>,
    pub(super) id: VAContextID,
    pub(super) coded: [VABufferID; DEPTH],
    decoded: Surfaces<DECODED>,
    pub(super) config: Config,
    /// Whether the driver waits for a coded buffer, with an end to the waiting.
    waits_for_buffers: bool,
}

impl Context {
    pub(super) fn new(display: &Arc<Display>, settings: &EncoderSettings) -> Result<Self, Refusal> {
        let config = Config::new(display, settings)?;
        let (width, height) = (settings.width.next_multiple_of(16), settings.height.next_multiple_of(16));
        let mut decoded = Surfaces::new(display, (width, height), &[])?;
        let mut id = 0;
        // SAFETY: display, configuration and surfaces live; `id` is a place for the result.
        let status = unsafe {
            let (ids, count, id) = (decoded.ids.as_mut_ptr(), DECODED as i32, &raw mut id);
            let (width, height, flag) = (width as i32, height as i32, va::VA_PROGRESSIVE as i32);
            va::vaCreateContext(display.handle(), config.id, width, height, flag, ids, count, id)
        };
        check_size("vaCreateContext", status)?;
        let coded = [va::VA_INVALID_ID; DEPTH];
        let display = Arc::clone(display);
        let mut this = Self { display, id, coded, decoded, config, waits_for_buffers: true };
        // No macroblock has more than 3200 bits (A.3.1); 64 KiB are for headers.
        let size = width / 16 * (height / 16) * 400 + (64 << 10);
        for coded in &mut this.coded {
            // SAFETY: display and context live; `coded` is a place for the result.
            let status = unsafe {
                let (handle, kind) = (this.display.handle(), va::VAEncCodedBufferType);
                va::vaCreateBuffer(handle, id, kind, size, 1, ptr::null_mut(), &raw mut *coded)
            };
            check("vaCreateBuffer for coded pictures", status)?;
        }
        Ok(this)
    }

    /// Where picture `number` is decoded to, and where the one before was.
    pub(super) fn decoded(&self, number: usize) -> (VASurfaceID, VASurfaceID) {
        (self.decoded.ids[number % DECODED], self.decoded.ids[(number + DECODED - 1) % DECODED])
    }

    /// Whether the picture on a surface is in its coded buffer. Waits up to `wait` for that.
    pub(super) fn is_done(
        &mut self,
        surface: VASurfaceID,
        coded: VABufferID,
        wait: Duration,
    ) -> Result<bool, String> {
        const BUSY: [VAStatus; 2] =
            [va::VA_STATUS_ERROR_TIMEDOUT as VAStatus, va::VA_STATUS_ERROR_HW_BUSY as VAStatus];
        let handle = self.display.handle();
        if self.waits_for_buffers {
            let wait = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
            // SAFETY: display and buffer live.
            match unsafe { va::vaSyncBuffer(handle, coded, wait) } {
                status if BUSY.contains(&status) => return Ok(false),
                status if status == va::VA_STATUS_ERROR_UNIMPLEMENTED as VAStatus => {
                    self.waits_for_buffers = false;
                }
                status => return check("vaSyncBuffer", status).map(|()| true),
            }
        }
        let start = Instant::now();
        loop {
            let mut state = va::VASurfaceRendering;
            // SAFETY: display and surface live; `state` is a place for the result.
            let status = unsafe { va::vaQuerySurfaceStatus(handle, surface, &raw mut state) };
            if !BUSY.contains(&status) {
                check("vaQuerySurfaceStatus", status)?;
                if state & va::VASurfaceRendering == 0 {
                    return Ok(true);
                }
            }
            let left = wait.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(false);
            }
            if self.display.is_mesa() {
                // Its older ones say that a surface is rendering until it was waited for; that has no limit.
                // SAFETY: display and surface live.
                return check("vaSyncSurface", unsafe { va::vaSyncSurface(handle, surface) }).map(|()| true);
            }
            std::thread::sleep(LOOK.min(left));
        }
    }

    /// Appends what is in a coded buffer to `out`. Returns whether the driver stands for it.
    pub(super) fn read(&self, coded: VABufferID, out: &mut Vec<u8>) -> Result<bool, String> {
        const BAD: u32 = va::VA_CODED_BUF_STATUS_BAD_BITSTREAM
            | va::VA_CODED_BUF_STATUS_SLICE_OVERFLOW_MASK
            | va::VA_CODED_BUF_STATUS_FRAME_SIZE_OVERFLOW;
        let handle = self.display.handle();
        let mut segment = ptr::null_mut();
        // SAFETY: display and buffer live; `segment` is a place for the result.
        check("vaMapBuffer of a coded picture", unsafe { va::vaMapBuffer(handle, coded, &raw mut segment) })?;
        let mut segment = segment.cast::<VACodedBufferSegment>();
        let mut is_good = true;
        // SAFETY: the mapped buffer is a list of segments with as many bytes as each says, until it is unmapped.
        while let Some(part) = unsafe { segment.as_ref() } {
            is_good &= part.status & BAD == 0;
            if !part.buf.is_null() {
                // SAFETY: as above.
                out.extend_from_slice(unsafe {
                    std::slice::from_raw_parts(part.buf.cast::<u8>(), part.size as usize)
                });
            }
            segment = part.next.cast();
        }
        // SAFETY: it was mapped above, and nobody refers to it any more.
        check("vaUnmapBuffer of a coded picture", unsafe { va::vaUnmapBuffer(handle, coded) })?;
        Ok(is_good)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let handle = self.display.handle();
        for coded in self.coded.into_iter().filter(|coded| *coded != va::VA_INVALID_ID) {
            // SAFETY: it was made by vaCreateBuffer and is destroyed here, once.
            unsafe { va::vaDestroyBuffer(handle, coded) };
        }
        // SAFETY: the context was made by vaCreateContext and is destroyed here, once, before what it was made of.
        unsafe { va::vaDestroyContext(handle, self.id) };
    }
}
