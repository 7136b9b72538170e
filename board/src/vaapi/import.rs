use std::os::fd::AsRawFd;
use std::sync::Arc;

use media::{Frame, Layout};
use vaapi_sys as va;
use vaapi_sys::{VADRMPRIMESurfaceDescriptor, VASurfaceAttrib};

use super::display::{Display, Surfaces, integer, pointer};

/// `DRM_FORMAT_NV12` and `DRM_FORMAT_MOD_LINEAR`, `drm_fourcc.h`.
const NV12: u32 = u32::from_le_bytes(*b"NV12");
const LINEAR: u64 = 0;

/// A surface in the DMA-BUFs of an NV12 picture; none where it has none. The driver takes descriptors of its own.
pub(super) fn import(display: &Arc<Display>, picture: &Frame) -> Option<Result<Surfaces<1>, String>> {
    let Layout { width, height, planes, .. } = picture.layout;
    let mut descriptor =
        VADRMPRIMESurfaceDescriptor { fourcc: va::VA_FOURCC_NV12, width, height, ..Default::default() };
    let memory = [planes[0].memory, planes[1].memory];
    let objects = if memory[0] == memory[1] { 1 } else { 2 };
    descriptor.num_objects = objects as u32;
    for (object, memory) in descriptor.objects.iter_mut().zip(&memory[..objects]) {
        object.fd = picture.buffer().dma_buf(*memory)?.as_raw_fd();
        object.size = picture.buffer().plane(*memory).len() as u32;
        object.drm_format_modifier = LINEAR;
    }
    descriptor.num_layers = 1;
    let layer = &mut descriptor.layers[0];
    (layer.drm_format, layer.num_planes) = (NV12, 2);
    for (index, plane) in planes[..2].iter().enumerate() {
        layer.object_index[index] = if index < objects { index as u32 } else { 0 };
        layer.offset[index] = plane.offset as u32;
        layer.pitch[index] = plane.stride as u32;
    }
    let attributes: [VASurfaceAttrib; 2] = [
        integer(va::VASurfaceAttribMemoryType, va::VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2),
        pointer(va::VASurfaceAttribExternalBufferDescriptor, (&raw mut descriptor).cast()),
    ];
    Some(Surfaces::new(display, (width, height), &attributes).map_err(|refusal| refusal.to_string()))
}
