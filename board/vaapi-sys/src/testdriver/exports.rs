//! The driver's table of functions.

use std::ffi::{c_int, c_uint, c_void};
use std::time::{Duration, Instant};
use std::{mem, ptr, slice, thread};

use super::encode::{Config, Context};
use super::state::{self, State};
use super::surfaces::{create_surfaces, derive_image, destroy_image, destroy_surfaces};
use super::Headers;
#[allow(clippy::wildcard_imports)] // C's names
use crate::*;

const OK: VAStatus = VA_STATUS_SUCCESS as VAStatus;
const UNSUPPORTED_PROFILE: VAStatus = VA_STATUS_ERROR_UNSUPPORTED_PROFILE as VAStatus;

/// What is in the table for no more than that libva wants something there.
unsafe extern "C" fn unimplemented() -> VAStatus {
    VA_STATUS_ERROR_UNIMPLEMENTED as VAStatus
}

/// The driver's `__vaDriverInit`.
pub(super) unsafe extern "C" fn initialize(driver: VADriverContextP) -> VAStatus {
    let mut state = state::lock();
    if let Some(status) = state.faults.initialize {
        return status;
    }
    state.displays += 1;
    // SAFETY: libva made the context and its table, which are filled here.
    let (driver, table) = unsafe { (&mut *driver, &mut *(*driver).vtable) };
    driver.version_major = VA_MAJOR_VERSION as c_int;
    driver.version_minor = VA_MINOR_VERSION as c_int;
    driver.max_profiles = 2;
    driver.max_entrypoints = 2;
    driver.max_attributes = 8;
    driver.max_image_formats = 1;
    driver.max_subpic_formats = 1;
    let vendor =
        if state.faults.tells_no_status { c"Mesa Gallium driver 20.3.5, of tests" } else { c"test driver" };
    driver.str_vendor = vendor.as_ptr();
    let functions = mem::offset_of!(VADriverVTable, reserved) / size_of::<fn()>();
    // SAFETY: before `reserved` the table is made of pointers to functions. None of those that stay is called, and this one would
    // take no heed of its arguments.
    unsafe {
        slice::from_raw_parts_mut((&raw mut *table).cast(), functions)
            .fill(Some(unimplemented as unsafe extern "C" fn() -> VAStatus));
    }
    table.vaTerminate = Some(terminate);
    table.vaQueryConfigEntrypoints = Some(query_entrypoints);
    table.vaGetConfigAttributes = Some(attributes);
    table.vaCreateConfig = Some(create_config);
    table.vaDestroyConfig = Some(destroy_config);
    table.vaCreateSurfaces2 = Some(create_surfaces);
    table.vaDestroySurfaces = Some(destroy_surfaces);
    table.vaCreateContext = Some(create_context);
    table.vaDestroyContext = Some(destroy_context);
    table.vaCreateBuffer = Some(create_buffer);
    table.vaMapBuffer = Some(map);
    table.vaUnmapBuffer = Some(unmap);
    table.vaDestroyBuffer = Some(destroy_buffer);
    table.vaBeginPicture = Some(begin);
    table.vaRenderPicture = Some(render);
    table.vaEndPicture = Some(end);
    table.vaSyncSurface = Some(sync_surface);
    table.vaQuerySurfaceStatus = Some(surface_status);
    table.vaDeriveImage = Some(derive_image);
    table.vaDestroyImage = Some(destroy_image);
    table.vaSyncBuffer = (!state.faults.no_sync_buffer).then_some(sync_buffer as _);
    OK
}

unsafe extern "C" fn terminate(_: VADriverContextP) -> VAStatus {
    state::lock().displays -= 1;
    OK
}

unsafe extern "C" fn query_entrypoints(
    _: VADriverContextP,
    profile: VAProfile,
    list: *mut VAEntrypoint,
    count: *mut c_int,
) -> VAStatus {
    if ![VAProfileH264ConstrainedBaseline, VAProfileH264Main].contains(&profile) {
        return UNSUPPORTED_PROFILE;
    }
    let offered = if state::lock().faults.decodes { VAEntrypointVLD } else { VAEntrypointEncSlice };
    // SAFETY: both places are the caller's, with room for as many as `max_entrypoints` says.
    unsafe { (*list, *count) = (offered, 1) };
    OK
}

unsafe extern "C" fn attributes(
    _: VADriverContextP,
    _: VAProfile,
    _: VAEntrypoint,
    list: *mut VAConfigAttrib,
    count: c_int,
) -> VAStatus {
    let faults = state::lock().faults;
    // SAFETY: the caller has so many attributes there.
    for attribute in unsafe { slice::from_raw_parts_mut(list, count as usize) } {
        attribute.value = match attribute.type_ {
            VAConfigAttribRTFormat => VA_RT_FORMAT_YUV420,
            VAConfigAttribRateControl if faults.varies => VA_RC_CQP | VA_RC_VBR,
            VAConfigAttribRateControl => VA_RC_CQP | VA_RC_CBR | VA_RC_VBR,
            VAConfigAttribEncPackedHeaders if faults.headers == Headers::Taken => {
                VA_ENC_PACKED_HEADER_SEQUENCE | VA_ENC_PACKED_HEADER_SLICE | VA_ENC_PACKED_HEADER_RAW_DATA
            }
            VAConfigAttribMaxPictureWidth | VAConfigAttribMaxPictureHeight => 4096,
            _ => VA_ATTRIB_NOT_SUPPORTED,
        };
    }
    OK
}

unsafe extern "C" fn create_config(
    _: VADriverContextP,
    profile: VAProfile,
    entrypoint: VAEntrypoint,
    list: *mut VAConfigAttrib,
    count: c_int,
    id: *mut VAConfigID,
) -> VAStatus {
    let mut state = state::lock();
    if let Some(status) = state.faults.configure {
        return status;
    }
    // SAFETY: the caller has so many attributes there.
    let list = unsafe { slice::from_raw_parts(list, count as usize) };
    let value = |kind| list.iter().find(|it| it.type_ == kind).map(|it| it.value);
    let rate = if state.faults.varies { VA_RC_VBR } else { VA_RC_CBR };
    let is_known = entrypoint == VAEntrypointEncSlice && value(VAConfigAttribRateControl) == Some(rate);
    let packed_headers = value(VAConfigAttribEncPackedHeaders).unwrap_or(0);
    if !is_known || (packed_headers != 0 && state.faults.headers != Headers::Taken) {
        return state.misuse("a configuration that was not offered");
    }
    let number = state.number();
    state.configs.insert(number, Config { cabac: profile == VAProfileH264Main, packed_headers });
    // SAFETY: the place is the caller's.
    unsafe { *id = number };
    OK
}

unsafe extern "C" fn destroy_config(_: VADriverContextP, id: VAConfigID) -> VAStatus {
    let mut state = state::lock();
    match state.configs.remove(&id) {
        Some(_) => OK,
        None => state.misuse("a configuration destroyed once too often"),
    }
}

unsafe extern "C" fn create_context(
    _: VADriverContextP,
    config: VAConfigID,
    _width: c_int,
    _height: c_int,
    _flag: c_int,
    targets: *mut VASurfaceID,
    count: c_int,
    id: *mut VAContextID,
) -> VAStatus {
    let mut state = state::lock();
    if let Some(status) = state.faults.context {
        return status;
    }
    // SAFETY: the caller has so many there.
    let decoded = unsafe { slice::from_raw_parts(targets, count as usize) }.to_vec();
    let Some(config) = state.configs.get(&config).copied() else {
        return state.misuse("a context of no configuration");
    };
    if !decoded.iter().all(|id| state.surfaces.contains_key(id)) {
        return state.misuse("a context of no surfaces");
    }
    let number = state.number();
    state.contexts.insert(number, Context::new(config, decoded));
    // SAFETY: the place is the caller's.
    unsafe { *id = number };
    OK
}

unsafe extern "C" fn destroy_context(_: VADriverContextP, id: VAContextID) -> VAStatus {
    let mut state = state::lock();
    match state.contexts.remove(&id) {
        Some(_) => OK,
        None => state.misuse("a context destroyed once too often"),
    }
}

unsafe extern "C" fn create_buffer(
    _: VADriverContextP,
    context: VAContextID,
    kind: VABufferType,
    size: c_uint,
    count: c_uint,
    data: *mut c_void,
    id: *mut VABufferID,
) -> VAStatus {
    let mut state = state::lock();
    if let Some(status) = state.faults.lost {
        return status;
    }
    if !state.contexts.contains_key(&context) || count != 1 {
        return state.misuse("a buffer of no context");
    }
    let bytes = if data.is_null() {
        vec![0; size as usize]
    } else {
        // SAFETY: the caller has so many bytes there.
        unsafe { slice::from_raw_parts(data.cast::<u8>(), size as usize) }.to_vec()
    };
    let number = state.add_buffer(kind, bytes, None);
    // SAFETY: the place is the caller's.
    unsafe { *id = number };
    OK
}

unsafe extern "C" fn map(_: VADriverContextP, id: VABufferID, place: *mut *mut c_void) -> VAStatus {
    let mut guard = state::lock();
    let state = &mut *guard;
    let Some(buffer) = state.buffers.get_mut(&id).filter(|it| !it.is_mapped) else {
        return state.misuse("a map of a buffer that is gone or mapped");
    };
    let memory = match buffer.surface {
        Some(surface) => match state.surfaces.get_mut(&surface) {
            Some(surface) if State::left(surface.done).is_none() => {
                surface.is_mapped = true;
                surface.own().map_or(ptr::null_mut(), |bytes| bytes.as_mut_ptr().cast())
            }
            _ => return state.misuse("a map of a surface that is gone or read"),
        },
        None if buffer.done.is_none() || State::left(buffer.done).is_some() => {
            return state.misuse("a map of a buffer that is not coded");
        }
        None => {
            buffer.done = None;
            (&raw mut *buffer.segment).cast()
        }
    };
    buffer.is_mapped = true;
    // SAFETY: the place is the caller's.
    unsafe { *place = memory };
    OK
}

unsafe extern "C" fn unmap(_: VADriverContextP, id: VABufferID) -> VAStatus {
    let mut guard = state::lock();
    let state = &mut *guard;
    let Some(buffer) = state.buffers.get_mut(&id).filter(|it| it.is_mapped) else {
        return state.misuse("an unmap of a buffer that is not mapped");
    };
    buffer.is_mapped = false;
    if let Some(surface) = buffer.surface.and_then(|id| state.surfaces.get_mut(&id)) {
        surface.is_mapped = false;
    }
    OK
}

unsafe extern "C" fn destroy_buffer(_: VADriverContextP, id: VABufferID) -> VAStatus {
    let mut state = state::lock();
    match state.buffers.remove(&id) {
        Some(buffer) if buffer.is_mapped => state.misuse("a mapped buffer destroyed"),
        Some(_) => OK,
        None => state.misuse("a buffer destroyed once too often"),
    }
}

unsafe extern "C" fn begin(_: VADriverContextP, context: VAContextID, surface: VASurfaceID) -> VAStatus {
    let mut state = state::lock();
    if let Some(status) = state.faults.lost {
        return status;
    }
    match state.contexts.get_mut(&context) {
        Some(context) if context.begun.is_none() => {
            context.begun = Some((surface, Vec::new()));
            OK
        }
        _ => state.misuse("a picture begun within another"),
    }
}

unsafe extern "C" fn render(
    _: VADriverContextP,
    context: VAContextID,
    ids: *mut VABufferID,
    count: c_int,
) -> VAStatus {
    let mut state = state::lock();
    // SAFETY: the caller has so many there.
    let ids = unsafe { slice::from_raw_parts(ids, count as usize) };
    match state.contexts.get_mut(&context).and_then(|context| context.begun.as_mut()) {
        Some((_, buffers)) => {
            buffers.extend_from_slice(ids);
            OK
        }
        None => state.misuse("parameters of no picture"),
    }
}

unsafe extern "C" fn end(_: VADriverContextP, context: VAContextID) -> VAStatus {
    state::lock().encode(context)
}

/// Waits up to `wait` until the hardware is done with what `done` looks up; `None` from that is a misuse.
fn wait_for(done: impl Fn(&State) -> Option<Option<Instant>>, wait: Duration) -> VAStatus {
    let deadline = Instant::now().checked_add(wait);
    loop {
        let mut state = state::lock();
        if let Some(status) = state.faults.lost {
            return status;
        }
        let Some(done) = done(&state) else {
            return state.misuse("a wait for what is gone");
        };
        let Some(left) = State::left(done) else {
            return OK;
        };
        drop(state);
        let rest = deadline.map_or(left, |deadline| deadline.saturating_duration_since(Instant::now()));
        if rest.is_zero() {
            return VA_STATUS_ERROR_TIMEDOUT as VAStatus;
        }
        thread::sleep(left.min(rest));
    }
}

unsafe extern "C" fn sync_buffer(_: VADriverContextP, id: VABufferID, nanoseconds: u64) -> VAStatus {
    wait_for(|state| state.buffers.get(&id).map(|it| it.done), Duration::from_nanos(nanoseconds))
}

unsafe extern "C" fn sync_surface(_: VADriverContextP, id: VASurfaceID) -> VAStatus {
    let status = wait_for(|state| state.surfaces.get(&id).map(|it| it.done), Duration::MAX);
    if let Some(surface) = state::lock().surfaces.get_mut(&id).filter(|_| status == OK) {
        surface.done = None;
    }
    status
}

unsafe extern "C" fn surface_status(
    _: VADriverContextP,
    id: VASurfaceID,
    place: *mut VASurfaceStatus,
) -> VAStatus {
    let mut state = state::lock();
    if let Some(status) = state.faults.lost {
        return status;
    }
    let Some(surface) = state.surfaces.get(&id) else {
        return state.misuse("the state of a surface that is gone");
    };
    let is_rendering =
        State::left(surface.done).is_some() || (state.faults.tells_no_status && surface.done.is_some());
    let status = if is_rendering { VASurfaceRendering } else { VASurfaceReady };
    // SAFETY: the place is the caller's.
    unsafe { *place = status };
    OK
}
