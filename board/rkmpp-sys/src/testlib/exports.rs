//! The functions on frames, buffers, packets, tasks and configurations.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use super::config::{Config, Kind};
use super::state::{self, Frame, Handle};
use crate::{
    KEY_INPUT_FRAME, KEY_OUTPUT_PACKET, MPP_BUFFER_TYPE_EXT_DMA, MPP_ERR_MALLOC, MPP_ERR_NULL_PTR, MPP_NOK,
    MPP_OK, MPP_RET, MppBuffer, MppBufferGroup, MppBufferInfo, MppBufferMode, MppBufferType, MppEncCfg,
    MppFrame, MppFrameFormat, MppMetaKey, MppPacket, MppTask,
};

/// Writes a result to where C wants it.
pub(super) fn give<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: the headers ask for a place that is null or valid for writing.
        unsafe { place.write(value) };
    }
}

/// Reads what C points at.
pub(super) fn take<T: Copy>(place: *const T) -> Option<T> {
    // SAFETY: the headers ask for a place that is null or valid for reading.
    (!place.is_null()).then(|| unsafe { place.read() })
}

pub(super) fn pointer(number: Handle) -> *mut c_void {
    ptr::without_provenance_mut(number)
}

pub(super) fn handle(pointer: *const c_void) -> Handle {
    pointer.addr()
}

fn code(done: bool) -> MPP_RET {
    if done { MPP_OK } else { MPP_NOK }
}

#[unsafe(no_mangle)]
extern "C" fn mpp_frame_init(frame: *mut MppFrame) -> MPP_RET {
    let mut state = state::lock();
    let number = state.number();
    state.frames.insert(number, Frame::default());
    give(frame, pointer(number));
    MPP_OK
}

#[unsafe(no_mangle)]
extern "C" fn mpp_frame_deinit(frame: *mut MppFrame) -> MPP_RET {
    let Some(number) = take(frame) else { return MPP_ERR_NULL_PTR };
    give(frame, ptr::null_mut());
    code(state::lock().drop_frame(handle(number)))
}

fn frame(number: MppFrame, change: impl FnOnce(&mut Frame)) {
    let mut state = state::lock();
    match state.frames.get_mut(&handle(number)) {
        Some(frame) => change(frame),
        None => state.misuse("a frame used that is gone"),
    }
}

// What a frame says of itself has to be what the configuration says: the real one's drivers go by either.

#[unsafe(no_mangle)]
extern "C" fn mpp_frame_set_width(number: MppFrame, width: u32) {
    frame(number, |frame| frame.shape[0] = width);
}

#[unsafe(no_mangle)]
extern "C" fn mpp_frame_set_height(number: MppFrame, height: u32) {
    frame(number, |frame| frame.shape[1] = height);
}

#[unsafe(no_mangle)]
extern "C" fn mpp_frame_set_hor_stride(number: MppFrame, stride: u32) {
    frame(number, |frame| frame.shape[2] = stride);
}

#[unsafe(no_mangle)]
extern "C" fn mpp_frame_set_ver_stride(number: MppFrame, stride: u32) {
    frame(number, |frame| frame.shape[3] = stride);
}

#[unsafe(no_mangle)]
extern "C" fn mpp_frame_set_fmt(number: MppFrame, _format: MppFrameFormat) {
    frame(number, |_| ());
}

#[unsafe(no_mangle)]
extern "C" fn mpp_frame_set_pts(number: MppFrame, pts: i64) {
    frame(number, |frame| frame.pts = pts);
}

#[unsafe(no_mangle)]
extern "C" fn mpp_frame_set_buffer(number: MppFrame, buffer: MppBuffer) {
    let buffer = handle(buffer);
    if buffer != 0 {
        state::lock().refer(buffer);
    }
    let mut before = 0;
    frame(number, |frame| before = std::mem::replace(&mut frame.buffer, buffer));
    if before != 0 {
        state::lock().put_buffer(before);
    }
}

#[unsafe(no_mangle)]
extern "C" fn mpp_buffer_import_with_tag(
    _group: MppBufferGroup,
    info: *mut MppBufferInfo,
    buffer: *mut MppBuffer,
    _tag: *const c_char,
    _caller: *const c_char,
) -> MPP_RET {
    let Some(info) = take(info) else { return MPP_ERR_NULL_PTR };
    let mut state = state::lock();
    if let Some(code) = state.faults.import {
        return code;
    }
    if info.r#type != MPP_BUFFER_TYPE_EXT_DMA || info.fd < 0 || info.size == 0 || !info.ptr.is_null() {
        return MPP_ERR_MALLOC;
    }
    give(buffer, pointer(state.import(info.fd, info.size)));
    MPP_OK
}

#[unsafe(no_mangle)]
extern "C" fn mpp_buffer_get_with_tag(
    group: MppBufferGroup,
    buffer: *mut MppBuffer,
    size: usize,
    _tag: *const c_char,
    _caller: *const c_char,
) -> MPP_RET {
    let mut state = state::lock();
    if let Some(code) = state.faults.allocate {
        return code;
    }
    if !state.groups.contains(&handle(group)) {
        state.misuse("a buffer of a group that is gone");
        return MPP_NOK;
    }
    state.counts.allocations += 1;
    let Some(number) = state.allocate(size) else { return MPP_NOK };
    give(buffer, pointer(number));
    MPP_OK
}

#[unsafe(no_mangle)]
extern "C" fn mpp_buffer_put_with_caller(buffer: MppBuffer, _caller: *const c_char) -> MPP_RET {
    code(state::lock().put_buffer(handle(buffer)))
}

/// What a buffer says of itself.
fn buffer<T>(number: MppBuffer, none: T, read: impl FnOnce(&mut state::Buffer) -> T) -> T {
    let mut state = state::lock();
    if let Some(buffer) = state.buffers.get_mut(&handle(number)) {
        return read(buffer);
    }
    state.misuse("a buffer used that is gone");
    none
}

#[unsafe(no_mangle)]
extern "C" fn mpp_buffer_get_ptr_with_caller(number: MppBuffer, _caller: *const c_char) -> *mut c_void {
    buffer(number, ptr::null_mut(), state::Buffer::memory)
}

#[unsafe(no_mangle)]
extern "C" fn mpp_buffer_get_fd_with_caller(number: MppBuffer, _caller: *const c_char) -> c_int {
    buffer(number, -1, |buffer| buffer.fd)
}

#[unsafe(no_mangle)]
extern "C" fn mpp_buffer_get_size_with_caller(number: MppBuffer, _caller: *const c_char) -> usize {
    buffer(number, 0, |buffer| buffer.size)
}

#[unsafe(no_mangle)]
extern "C" fn mpp_buffer_group_get(
    group: *mut MppBufferGroup,
    _type: MppBufferType,
    _mode: MppBufferMode,
    _tag: *const c_char,
    caller: *const c_char,
) -> MPP_RET {
    let mut state = state::lock();
    if caller.is_null() {
        state.misuse("a group for nobody");
    }
    let number = state.number();
    state.groups.insert(number);
    give(group, pointer(number));
    MPP_OK
}

#[unsafe(no_mangle)]
extern "C" fn mpp_buffer_group_put(group: MppBufferGroup) -> MPP_RET {
    let mut state = state::lock();
    let known = state.groups.remove(&handle(group));
    if !known {
        state.misuse("a group released once too often");
    }
    code(known)
}

#[unsafe(no_mangle)]
extern "C" fn mpp_packet_deinit(packet: *mut MppPacket) -> MPP_RET {
    let Some(number) = take(packet) else { return MPP_ERR_NULL_PTR };
    give(packet, ptr::null_mut());
    code(state::lock().drop_packet(handle(number)))
}

/// What a packet says of itself.
fn packet<T>(number: MppPacket, none: T, read: impl FnOnce(&state::Packet) -> T) -> T {
    let mut state = state::lock();
    if let Some(packet) = state.packets.get(&handle(number)) {
        return read(packet);
    }
    state.misuse("a packet used that is gone");
    none
}

#[unsafe(no_mangle)]
extern "C" fn mpp_packet_get_pos(number: MppPacket) -> *mut c_void {
    let memory = packet(number, 0, |packet| packet.buffer);
    buffer(pointer(memory), ptr::null_mut(), state::Buffer::memory)
}

#[unsafe(no_mangle)]
extern "C" fn mpp_packet_get_length(number: MppPacket) -> usize {
    packet(number, 0, |packet| packet.length)
}

#[unsafe(no_mangle)]
extern "C" fn mpp_packet_get_pts(number: MppPacket) -> i64 {
    packet(number, 0, |packet| packet.pts)
}

#[unsafe(no_mangle)]
extern "C" fn mpp_packet_get_buffer(number: MppPacket) -> MppBuffer {
    pointer(packet(number, 0, |packet| packet.buffer))
}

#[unsafe(no_mangle)]
extern "C" fn mpp_task_meta_set_frame(task: MppTask, key: MppMetaKey, frame: MppFrame) -> MPP_RET {
    let mut state = state::lock();
    match state.tasks.get_mut(&handle(task)) {
        Some(task) if key == KEY_INPUT_FRAME => {
            task.frame = handle(frame);
            MPP_OK
        }
        _ => MPP_NOK,
    }
}

#[unsafe(no_mangle)]
extern "C" fn mpp_task_meta_get_frame(task: MppTask, key: MppMetaKey, frame: *mut MppFrame) -> MPP_RET {
    let mut state = state::lock();
    let taken = match state.tasks.get_mut(&handle(task)) {
        Some(task) if key == KEY_INPUT_FRAME => std::mem::take(&mut task.frame),
        _ => 0,
    };
    give(frame, pointer(taken));
    code(taken != 0)
}

#[unsafe(no_mangle)]
extern "C" fn mpp_task_meta_get_packet(task: MppTask, key: MppMetaKey, packet: *mut MppPacket) -> MPP_RET {
    let mut state = state::lock();
    let taken = match state.tasks.get_mut(&handle(task)) {
        Some(task) if key == KEY_OUTPUT_PACKET => std::mem::take(&mut task.packet),
        _ => 0,
    };
    give(packet, pointer(taken));
    code(taken != 0)
}

#[unsafe(no_mangle)]
extern "C" fn mpp_enc_cfg_init(cfg: *mut MppEncCfg) -> MPP_RET {
    let mut state = state::lock();
    let number = state.number();
    state.configs.insert(number, Config::default());
    give(cfg, pointer(number));
    MPP_OK
}

#[unsafe(no_mangle)]
extern "C" fn mpp_enc_cfg_deinit(cfg: MppEncCfg) -> MPP_RET {
    let mut state = state::lock();
    let known = state.configs.remove(&handle(cfg)).is_some();
    if !known {
        state.misuse("a configuration released once too often");
    }
    code(known)
}

fn config(cfg: MppEncCfg, name: *const c_char, work: impl FnOnce(&mut Config, &str) -> MPP_RET) -> MPP_RET {
    if name.is_null() {
        return MPP_ERR_NULL_PTR;
    }
    // SAFETY: the header asks for a C string.
    let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
    let mut state = state::lock();
    match state.configs.get_mut(&handle(cfg)) {
        Some(config) => work(config, &name),
        None => MPP_ERR_NULL_PTR,
    }
}

#[unsafe(no_mangle)]
extern "C" fn mpp_enc_cfg_set_s32(cfg: MppEncCfg, name: *const c_char, value: i32) -> MPP_RET {
    config(cfg, name, |config, name| config.set(name, Kind::S32, value.into()))
}

#[unsafe(no_mangle)]
extern "C" fn mpp_enc_cfg_set_u32(cfg: MppEncCfg, name: *const c_char, value: u32) -> MPP_RET {
    config(cfg, name, |config, name| config.set(name, Kind::U32, value.into()))
}

#[unsafe(no_mangle)]
extern "C" fn mpp_enc_cfg_get_s32(cfg: MppEncCfg, name: *const c_char, value: *mut i32) -> MPP_RET {
    config(cfg, name, |config, name| match config.get(name).and_then(|value| i32::try_from(value).ok()) {
        Some(number) => {
            give(value, number);
            MPP_OK
        }
        None => MPP_NOK,
    })
}
