//! Surfaces, and images of them.

use std::ffi::{c_int, c_uint};
use std::slice;

use super::state::{self, Surface};
#[allow(clippy::wildcard_imports)] // C's names
use crate::*;

const OK: VAStatus = VA_STATUS_SUCCESS as VAStatus;

pub(super) unsafe extern "C" fn create_surfaces(
    _: VADriverContextP,
    format: c_uint,
    width: c_uint,
    height: c_uint,
    ids: *mut VASurfaceID,
    count: c_uint,
    list: *mut VASurfaceAttrib,
    attributes: c_uint,
) -> VAStatus {
    let mut state = state::lock();
    // SAFETY: the caller has so many attributes and places there.
    let (list, ids) = unsafe {
        (slice::from_raw_parts(list, attributes as usize), slice::from_raw_parts_mut(ids, count as usize))
    };
    let find = |kind| list.iter().find(|it| it.type_ == kind).map(|it| it.value.value);
    // SAFETY: the members are those of the attributes' types.
    let (pixels, memory, descriptor) = unsafe {
        (
            find(VASurfaceAttribPixelFormat).map(|it| it.i as u32),
            find(VASurfaceAttribMemoryType).map(|it| it.i as u32),
            find(VASurfaceAttribExternalBufferDescriptor)
                .map(|it| it.p.cast::<VADRMPRIMESurfaceDescriptor>()),
        )
    };
    if format != VA_RT_FORMAT_YUV420 || pixels != Some(VA_FOURCC_NV12) {
        return state.misuse("surfaces of another format than NV12");
    }
    let size = (width as usize, height as usize);
    for id in ids {
        let surface = match (memory, descriptor) {
            (None, None) => {
                if let Some(status) = state.faults.allocate {
                    return status;
                }
                state.counts.surfaces += 1;
                Some(Surface::new(size.0, size.1))
            }
            (Some(VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2), Some(descriptor)) => {
                if let Some(status) = state.faults.import {
                    return status;
                }
                state.counts.imports += 1;
                // SAFETY: the attribute points to a descriptor that lives as long as the call.
                import(size, unsafe { &*descriptor })
            }
            _ => None,
        };
        let Some(surface) = surface else {
            return state.misuse("an import without all that it needs");
        };
        *id = state.number();
        state.surfaces.insert(*id, surface);
    }
    OK
}

fn import(size: (usize, usize), descriptor: &VADRMPRIMESurfaceDescriptor) -> Option<Surface> {
    let (object, layer) = (&descriptor.objects[0], &descriptor.layers[0]);
    let is_plain = (descriptor.num_objects, descriptor.num_layers, layer.num_planes) == (1, 1, 2)
        && descriptor.fourcc == VA_FOURCC_NV12
        && (descriptor.width as usize, descriptor.height as usize) == size
        && object.drm_format_modifier == 0
        && layer.pitch[0] == layer.pitch[1]
        && layer.offset[0] == 0;
    let memory = (object.fd, object.size as usize);
    let place = (layer.pitch[0] as usize, layer.offset[1] as usize);
    is_plain.then(|| Surface::import(size, memory, place)).flatten()
}

pub(super) unsafe extern "C" fn destroy_surfaces(
    _: VADriverContextP,
    ids: *mut VASurfaceID,
    count: c_int,
) -> VAStatus {
    let mut state = state::lock();
    // SAFETY: the caller has so many there.
    for id in unsafe { slice::from_raw_parts(ids, count as usize) } {
        match state.surfaces.remove(id) {
            Some(surface) if surface.is_mapped => return state.misuse("a mapped surface destroyed"),
            Some(_) => {}
            None => return state.misuse("a surface destroyed once too often"),
        }
    }
    OK
}

pub(super) unsafe extern "C" fn derive_image(
    _: VADriverContextP,
    id: VASurfaceID,
    place: *mut VAImage,
) -> VAStatus {
    let mut state = state::lock();
    let Some(surface) = state.surfaces.get(&id) else {
        return state.misuse("an image of a surface that is gone");
    };
    let mut image = VAImage {
        width: surface.width as u16,
        height: surface.height as u16,
        data_size: surface.bytes().len() as u32,
        num_planes: 2,
        pitches: [surface.pitch as u32, surface.pitch as u32, 0],
        offsets: [0, surface.chroma as u32, 0],
        ..Default::default()
    };
    image.format.fourcc = VA_FOURCC_NV12;
    image.buf = state.add_buffer(VAImageBufferType, Vec::new(), Some(id));
    image.image_id = state.number();
    state.images.insert(image.image_id, image.buf);
    // SAFETY: the place is the caller's.
    unsafe { *place = image };
    OK
}

pub(super) unsafe extern "C" fn destroy_image(_: VADriverContextP, id: VAImageID) -> VAStatus {
    let mut state = state::lock();
    let Some(buffer) = state.images.remove(&id) else {
        return state.misuse("an image destroyed once too often");
    };
    match state.buffers.remove(&buffer) {
        Some(buffer) if !buffer.is_mapped => OK,
        _ => state.misuse("an image destroyed while it is mapped"),
    }
}
