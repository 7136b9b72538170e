use std::ffi::{c_char, c_int, c_void};

use crate::{
    MPP_RET, MppApi, MppBuffer, MppBufferGroup, MppBufferInfo, MppBufferMode, MppBufferType, MppCodingType,
    MppCtx, MppCtxType, MppEncCfg, MppFrame, MppFrameFormat, MppMetaKey, MppPacket, MppTask,
};

// `tag` and `caller` are for the library's log, which keeps the pointers: C strings that stay. A null caller makes it complain.
unsafe extern "C" {
    // rk_mpi.h
    pub fn mpp_create(ctx: *mut MppCtx, mpi: *mut *mut MppApi) -> MPP_RET;
    pub fn mpp_init(ctx: MppCtx, r#type: MppCtxType, coding: MppCodingType) -> MPP_RET;
    /// Waits for the end of the encoder's thread.
    pub fn mpp_destroy(ctx: MppCtx) -> MPP_RET;

    // mpp_frame.h
    pub fn mpp_frame_init(frame: *mut MppFrame) -> MPP_RET;
    pub fn mpp_frame_deinit(frame: *mut MppFrame) -> MPP_RET;
    pub fn mpp_frame_set_width(frame: MppFrame, width: u32);
    pub fn mpp_frame_set_height(frame: MppFrame, height: u32);
    /// Bytes from one row to the next.
    pub fn mpp_frame_set_hor_stride(frame: MppFrame, hor_stride: u32);
    /// Rows from the start of luma to that of chroma.
    pub fn mpp_frame_set_ver_stride(frame: MppFrame, ver_stride: u32);
    pub fn mpp_frame_set_fmt(frame: MppFrame, fmt: MppFrameFormat);
    pub fn mpp_frame_set_pts(frame: MppFrame, pts: i64);
    /// Takes a reference to `buffer`, which may be null, and drops the one to the buffer before.
    pub fn mpp_frame_set_buffer(frame: MppFrame, buffer: MppBuffer);

    // mpp_buffer.h
    /// `mpp_buffer_import`, where `group` is null.
    pub fn mpp_buffer_import_with_tag(
        group: MppBufferGroup,
        info: *mut MppBufferInfo,
        buffer: *mut MppBuffer,
        tag: *const c_char,
        caller: *const c_char,
    ) -> MPP_RET;
    /// `mpp_buffer_get`: an unused buffer of the group, or a new one.
    pub fn mpp_buffer_get_with_tag(
        group: MppBufferGroup,
        buffer: *mut MppBuffer,
        size: usize,
        tag: *const c_char,
        caller: *const c_char,
    ) -> MPP_RET;
    /// `mpp_buffer_put`: drops a reference.
    pub fn mpp_buffer_put_with_caller(buffer: MppBuffer, caller: *const c_char) -> MPP_RET;
    pub fn mpp_buffer_get_ptr_with_caller(buffer: MppBuffer, caller: *const c_char) -> *mut c_void;
    pub fn mpp_buffer_get_fd_with_caller(buffer: MppBuffer, caller: *const c_char) -> c_int;
    pub fn mpp_buffer_get_size_with_caller(buffer: MppBuffer, caller: *const c_char) -> usize;
    pub fn mpp_buffer_group_get(
        group: *mut MppBufferGroup,
        r#type: MppBufferType,
        mode: MppBufferMode,
        tag: *const c_char,
        caller: *const c_char,
    ) -> MPP_RET;
    pub fn mpp_buffer_group_put(group: MppBufferGroup) -> MPP_RET;

    // mpp_packet.h
    pub fn mpp_packet_deinit(packet: *mut MppPacket) -> MPP_RET;
    pub fn mpp_packet_get_pos(packet: MppPacket) -> *mut c_void;
    pub fn mpp_packet_get_length(packet: MppPacket) -> usize;
    /// That of the frame.
    pub fn mpp_packet_get_pts(packet: MppPacket) -> i64;
    /// No reference is taken.
    pub fn mpp_packet_get_buffer(packet: MppPacket) -> MppBuffer;

    // mpp_task.h
    pub fn mpp_task_meta_set_frame(task: MppTask, key: MppMetaKey, frame: MppFrame) -> MPP_RET;
    /// Takes the frame out of the task; null where there is none.
    pub fn mpp_task_meta_get_frame(task: MppTask, key: MppMetaKey, frame: *mut MppFrame) -> MPP_RET;
    /// Takes the packet out of the task; null where there is none.
    pub fn mpp_task_meta_get_packet(task: MppTask, key: MppMetaKey, packet: *mut MppPacket) -> MPP_RET;

    // rk_venc_cfg.h. A name that the library does not know, or knows with another type, gives MPP_NOK.
    pub fn mpp_enc_cfg_init(cfg: *mut MppEncCfg) -> MPP_RET;
    pub fn mpp_enc_cfg_deinit(cfg: MppEncCfg) -> MPP_RET;
    pub fn mpp_enc_cfg_set_s32(cfg: MppEncCfg, name: *const c_char, val: i32) -> MPP_RET;
    pub fn mpp_enc_cfg_set_u32(cfg: MppEncCfg, name: *const c_char, val: u32) -> MPP_RET;
    pub fn mpp_enc_cfg_get_s32(cfg: MppEncCfg, name: *const c_char, val: *mut i32) -> MPP_RET;
}
