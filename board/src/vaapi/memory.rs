//! Memory for pictures that no device has filled: surfaces of the driver, mapped while somebody fills them.

use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use media::{Buffer, Layout, PixelFormat, PlaneLayout, Pooled, Recycle};
use vaapi_sys as va;
use vaapi_sys::{VAImage, VASurfaceID};

use super::display::{Display, Surfaces, check};
use super::{DEPTH, Refusal};

/// Those that are encoded, one that is filled, and one that waits in between.
const BUFFERS: usize = DEPTH + 2;

/// Surfaces of one size, made when they are first needed and kept.
pub(super) struct InputMemory {
    display: Arc<Display>,
    pub(super) layout: Layout,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    free: Vec<Box<dyn Buffer>>,
    /// By their index.
    all: Vec<Arc<Slot>>,
}

struct Slot {
    display: Arc<Display>,
    surface: Surfaces<1>,
    mapping: Mutex<Option<Mapping>>,
}

#[derive(Clone, Copy)]
struct Mapping {
    image: VAImage,
    memory: *mut u8,
}

// SAFETY: the memory is a mapping of the whole process, to which the buffer alone gives access.
unsafe impl Send for Mapping {}

struct SurfaceBuffer {
    slot: Arc<Slot>,
    index: u32,
}

impl InputMemory {
    pub(super) fn new(display: &Arc<Display>, size: (u32, u32)) -> Result<Arc<Self>, Refusal> {
        let slot = Slot::new(display, size)?;
        let layout = layout(&slot.map()?.image, size);
        slot.unmap()?;
        let state = Mutex::new(State { free: vec![SurfaceBuffer::boxed(&slot, 0)], all: vec![slot] });
        Ok(Arc::new(Self { display: Arc::clone(display), layout, state }))
    }

    /// A buffer that the processor may fill; none where all are on loan.
    pub(super) fn take(self: &Arc<Self>) -> Result<Option<Pooled<Box<dyn Buffer>>>, String> {
        let size = (self.layout.width, self.layout.height);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.free.is_empty() && state.all.len() < BUFFERS {
            let slot = Slot::new(&self.display, size).map_err(|refusal| refusal.to_string())?;
            let buffer = SurfaceBuffer::boxed(&slot, state.all.len() as u32);
            state.all.push(slot);
            state.free.push(buffer);
        }
        let Some(buffer) = state.free.last() else {
            return Ok(None);
        };
        let mapped = match state.all.get(buffer.index() as usize) {
            Some(slot) => layout(&slot.map()?.image, size),
            None => return Ok(None),
        };
        if mapped != self.layout {
            return Err("its surfaces are laid out in more than one way".into());
        }
        let buffer = state.free.pop();
        drop(state);
        Ok(buffer.map(|buffer| Pooled::new(buffer, self.home())))
    }

    /// The surface behind a buffer of this memory, which is not filled any more; none behind another one's.
    pub(super) fn surface(
        self: &Arc<Self>,
        buffer: &Pooled<Box<dyn Buffer>>,
    ) -> Result<Option<VASurfaceID>, String> {
        if !buffer.belongs_to(&self.home()) {
            return Ok(None);
        }
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(slot) = state.all.get(buffer.index() as usize) else {
            return Ok(None);
        };
        slot.unmap()?;
        Ok(Some(slot.surface.ids[0]))
    }

    fn home(self: &Arc<Self>) -> Arc<dyn Recycle<Box<dyn Buffer>>> {
        Arc::clone(self) as Arc<dyn Recycle<Box<dyn Buffer>>>
    }
}

impl Recycle<Box<dyn Buffer>> for InputMemory {
    fn recycle(&self, buffer: Box<dyn Buffer>) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).free.push(buffer);
    }
}

/// How an image lies in the memory that is mapped.
fn layout(image: &VAImage, (width, height): (u32, u32)) -> Layout {
    let plane = |index: usize| PlaneLayout {
        memory: 0,
        offset: image.offsets[index] as usize,
        stride: image.pitches[index] as usize,
    };
    let planes = [plane(0), plane(1), PlaneLayout::default()];
    Layout { format: PixelFormat::Nv12, width, height, planes }
}

impl Slot {
    fn new(display: &Arc<Display>, size: (u32, u32)) -> Result<Arc<Self>, Refusal> {
        let surface = Surfaces::new(display, size, &[])?;
        Ok(Arc::new(Self { display: Arc::clone(display), surface, mapping: Mutex::default() }))
    }

    /// Maps the surface where it is not.
    fn map(&self) -> Result<Mapping, String> {
        let mut mapping = self.mapping.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mapping) = *mapping {
            return Ok(mapping);
        }
        let mut image = VAImage::default();
        let handle = self.display.handle();
        // SAFETY: the surface lives; `image` is a place for the result.
        let status = unsafe { va::vaDeriveImage(handle, self.surface.ids[0], &raw mut image) };
        check("vaDeriveImage", status)?;
        let mut memory = ptr::null_mut();
        let mapped = if image.format.fourcc == va::VA_FOURCC_NV12 {
            // SAFETY: the image's buffer lives; `memory` is a place for the result.
            check("vaMapBuffer of a surface", unsafe { va::vaMapBuffer(handle, image.buf, &raw mut memory) })
        } else {
            Err("the processor can't fill its surfaces as NV12".into())
        };
        if let Err(cause) = mapped {
            // SAFETY: the image was just made and is destroyed once.
            unsafe { va::vaDestroyImage(handle, image.image_id) };
            return Err(cause);
        }
        Ok(*mapping.insert(Mapping { image, memory: memory.cast() }))
    }

    /// Unmaps the surface where it is mapped, so that the device may read it.
    fn unmap(&self) -> Result<(), String> {
        let mapping = self.mapping.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Mapping { image, .. }) = mapping else {
            return Ok(());
        };
        let handle = self.display.handle();
        // SAFETY: image and mapping were made in `map` and end here, once; the mapping is not used after this.
        unsafe {
            let unmapped = va::vaUnmapBuffer(handle, image.buf);
            let destroyed = va::vaDestroyImage(handle, image.image_id);
            check("vaUnmapBuffer of a surface", unmapped).and(check("vaDestroyImage", destroyed))
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Err(cause) = self.unmap() {
            tracing::debug!(cause, "a surface");
        }
    }
}

impl SurfaceBuffer {
    fn boxed(slot: &Arc<Slot>, index: u32) -> Box<dyn Buffer> {
        Box::new(Self { slot: Arc::clone(slot), index })
    }

    /// Where the mapped picture begins, and its bytes.
    fn memory(&self) -> Option<(*mut u8, usize)> {
        let mapping = self.slot.mapping.lock().unwrap_or_else(PoisonError::into_inner);
        mapping.filter(|it| !it.memory.is_null()).map(|it| (it.memory, it.image.data_size as usize))
    }
}

impl Buffer for SurfaceBuffer {
    fn plane(&self, index: usize) -> &[u8] {
        match self.memory() {
            // SAFETY: the driver mapped so many bytes there until the picture is submitted or this value is dropped.
            Some((memory, size)) if index == 0 => unsafe { std::slice::from_raw_parts(memory, size) },
            _ => &[],
        }
    }

    fn plane_mut(&mut self, index: usize) -> &mut [u8] {
        match self.memory() {
            // SAFETY: as above; `&mut self` makes it the only access.
            Some((memory, size)) if index == 0 => unsafe { std::slice::from_raw_parts_mut(memory, size) },
            _ => &mut [],
        }
    }

    fn index(&self) -> u32 {
        self.index
    }
}
