//! Bindings to Rockchip's Media Process Platform (librockchip_mpp), as far as an H.264 encoder needs it.
//!
//! Names are C's. The facts are those of the public headers in `inc/` of rockchip-linux/mpp (2024-03) and of
//! nyanmisaka/mpp (2025-02), which agree in all that is bound here; the header is named at each item.
//! `tests/layout.rs` holds sizes, offsets and values against them.
//!
//! How one picture goes through an encoder (`mpp_task.h`, "Advanced task flow"): poll the input port, dequeue its task,
//! take the last picture's frame out of it, put the next one's in, enqueue it; poll the output port, dequeue its
//! task, take the packet out, enqueue the empty task again.

#![allow(non_camel_case_types, non_upper_case_globals)] // C's names

mod api;
mod constants;
mod functions;
#[cfg(feature = "testlib")]
pub mod testlib;

pub use api::{MppApi, MppBufferInfo};
pub use constants::*;
pub use functions::*;

use std::ffi::{c_int, c_void};

// Enumerations are plain numbers: a library may hand out ones that its headers of today don't know.

/// `rk_type.h`: objects are known by their pointers only.
pub type MppCtx = *mut c_void;
pub type MppParam = *mut c_void;
pub type MppFrame = *mut c_void;
pub type MppPacket = *mut c_void;
pub type MppBuffer = *mut c_void;
pub type MppBufferGroup = *mut c_void;
pub type MppTask = *mut c_void;
/// `rk_venc_cfg.h`.
pub type MppEncCfg = *mut c_void;

/// `mpp_err.h`: 0 or positive for success, negative for failure.
pub type MPP_RET = c_int;
/// `rk_mpi_cmd.h`.
pub type MpiCmd = c_int;
/// `rk_type.h`.
pub type MppCtxType = c_int;
/// `rk_type.h`.
pub type MppCodingType = c_int;
/// `mpp_task.h`.
pub type MppPortType = c_int;
/// `mpp_task.h`: milliseconds up to [`MPP_POLL_MAX`], [`MPP_POLL_NON_BLOCK`] or [`MPP_POLL_BLOCK`].
pub type MppPollType = c_int;
/// `mpp_meta.h`: four characters.
pub type MppMetaKey = c_int;
/// `mpp_frame.h`.
pub type MppFrameFormat = c_int;
/// `mpp_buffer.h`: a type, with `MPP_BUFFER_FLAGS_*` in its upper half.
pub type MppBufferType = c_int;
/// `mpp_buffer.h`.
pub type MppBufferMode = c_int;
/// `rk_venc_cmd.h`: the parameter of [`MPP_ENC_SET_HEADER_MODE`].
pub type MppEncHeaderMode = c_int;
/// `rk_venc_cmd.h`: the parameter of [`MPP_ENC_SET_SEI_CFG`].
pub type MppEncSeiMode = c_int;
