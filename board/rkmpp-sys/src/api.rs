use std::ffi::{c_int, c_void};

use crate::{
    MPP_RET, MpiCmd, MppBufferType, MppCtx, MppFrame, MppPacket, MppParam, MppPollType, MppPortType, MppTask,
};

type Call<A> = Option<unsafe extern "C" fn(MppCtx, A) -> MPP_RET>;
type Call2<A, B> = Option<unsafe extern "C" fn(MppCtx, A, B) -> MPP_RET>;

/// The functions of a context, `rk_mpi.h`.
#[repr(C)]
pub struct MppApi {
    /// Bytes of this table.
    pub size: u32,
    pub version: u32,
    pub decode: Call2<MppPacket, *mut MppFrame>,
    pub decode_put_packet: Call<MppPacket>,
    pub decode_get_frame: Call<*mut MppFrame>,
    pub encode: Call2<MppFrame, *mut MppPacket>,
    /// Returns when the picture is encoded. It is an enqueue to the input port and a poll of it without end.
    pub encode_put_frame: Call<MppFrame>,
    pub encode_get_packet: Call<*mut MppPacket>,
    pub isp: Call2<MppFrame, MppFrame>,
    pub isp_put_frame: Call<MppFrame>,
    pub isp_get_frame: Call<*mut MppFrame>,
    /// Waits for a task at a port. Negative where there is none in time.
    pub poll: Call2<MppPortType, MppPollType>,
    pub dequeue: Call2<MppPortType, *mut MppTask>,
    pub enqueue: Call2<MppPortType, MppTask>,
    pub reset: Option<unsafe extern "C" fn(MppCtx) -> MPP_RET>,
    /// Most commands wait until the encoder is done with the picture that it has.
    pub control: Call2<MpiCmd, MppParam>,
    pub reserv: [u32; 16],
}

/// A piece of memory to import, `mpp_buffer.h`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct MppBufferInfo {
    pub r#type: MppBufferType,
    pub size: usize,
    pub ptr: *mut c_void,
    pub hnd: *mut c_void,
    /// Stays the caller's, who keeps it open until the buffer is put.
    pub fd: c_int,
    pub index: c_int,
}
