use crate::{
    MPP_RET, MpiCmd, MppBufferMode, MppBufferType, MppCodingType, MppCtxType, MppEncHeaderMode,
    MppEncSeiMode, MppFrameFormat, MppMetaKey, MppPollType, MppPortType,
};

// mpp_err.h
pub const MPP_OK: MPP_RET = 0;
pub const MPP_NOK: MPP_RET = -1;
pub const MPP_ERR_UNKNOW: MPP_RET = -2;
pub const MPP_ERR_NULL_PTR: MPP_RET = -3;
pub const MPP_ERR_MALLOC: MPP_RET = -4;
pub const MPP_ERR_OPEN_FILE: MPP_RET = -5;
pub const MPP_ERR_VALUE: MPP_RET = -6;
pub const MPP_ERR_READ_BIT: MPP_RET = -7;
pub const MPP_ERR_TIMEOUT: MPP_RET = -8;
pub const MPP_ERR_PERM: MPP_RET = -9;
pub const MPP_ERR_INIT: MPP_RET = -1002;
pub const MPP_ERR_VPU_CODEC_INIT: MPP_RET = -1003;
pub const MPP_ERR_FATAL_THREAD: MPP_RET = -1005;
pub const MPP_ERR_NOMEM: MPP_RET = -1006;
pub const MPP_ERR_VPUHW: MPP_RET = -1009;
pub const MPP_ERR_BUFFER_FULL: MPP_RET = -1012;

// rk_type.h
pub const MPP_CTX_ENC: MppCtxType = 1;
pub const MPP_VIDEO_CodingAVC: MppCodingType = 7;

// mpp_task.h
pub const MPP_PORT_INPUT: MppPortType = 0;
pub const MPP_PORT_OUTPUT: MppPortType = 1;
pub const MPP_POLL_BLOCK: MppPollType = -1;
pub const MPP_POLL_NON_BLOCK: MppPollType = 0;
pub const MPP_POLL_MAX: MppPollType = 8000;

// mpp_meta.h
/// The frame in a task of the input port.
pub const KEY_INPUT_FRAME: MppMetaKey = MppMetaKey::from_be_bytes(*b"ifrm");
/// The packet in a task of the output port.
pub const KEY_OUTPUT_PACKET: MppMetaKey = MppMetaKey::from_be_bytes(*b"opkt");

// mpp_frame.h
/// NV12.
pub const MPP_FMT_YUV420SP: MppFrameFormat = 0;
/// I420.
pub const MPP_FMT_YUV420P: MppFrameFormat = 4;
/// NV21.
pub const MPP_FMT_YUV420SP_VU: MppFrameFormat = 5;
/// For `prep:range`: luma from 16 to 235.
pub const MPP_FRAME_RANGE_MPEG: i32 = 1;
/// For `prep:colorprim`, `prep:colortrc` and `prep:colorspace`: the numbers of H.264 tables E-3 to E-5.
pub const MPP_FRAME_PRI_BT709: i32 = 1;
pub const MPP_FRAME_TRC_BT709: i32 = 1;
pub const MPP_FRAME_SPC_SMPTE170M: i32 = 6;

// mpp_buffer.h
pub const MPP_BUFFER_INTERNAL: MppBufferMode = 0;
pub const MPP_BUFFER_EXTERNAL: MppBufferMode = 1;
pub const MPP_BUFFER_TYPE_NORMAL: MppBufferType = 0;
pub const MPP_BUFFER_TYPE_ION: MppBufferType = 1;
/// A DMA-BUF of someone else.
pub const MPP_BUFFER_TYPE_EXT_DMA: MppBufferType = 2;
/// Memory of the kernel; which of its allocators gives it is the library's choice.
pub const MPP_BUFFER_TYPE_DRM: MppBufferType = 3;
pub const MPP_BUFFER_TYPE_DMA_HEAP: MppBufferType = 4;
pub const MPP_BUFFER_FLAGS_CACHABLE: MppBufferType = 0x0002_0000;

// rk_venc_rc.h, for `rc:mode`
pub const MPP_ENC_RC_MODE_VBR: i32 = 0;
pub const MPP_ENC_RC_MODE_CBR: i32 = 1;
pub const MPP_ENC_RC_MODE_FIXQP: i32 = 2;

// rk_venc_cmd.h
/// Parameter sets before the first picture only.
pub const MPP_ENC_HEADER_MODE_DEFAULT: MppEncHeaderMode = 0;
/// Parameter sets before each IDR picture.
pub const MPP_ENC_HEADER_MODE_EACH_IDR: MppEncHeaderMode = 1;
pub const MPP_ENC_SEI_MODE_DISABLE: MppEncSeiMode = 0;
pub const MPP_ENC_SEI_MODE_ONE_SEQ: MppEncSeiMode = 1;
pub const MPP_ENC_SEI_MODE_ONE_FRAME: MppEncSeiMode = 2;

// rk_mpi_cmd.h
const CMD_MODULE_MPP: MpiCmd = 0x0020_0000;
const CMD_MODULE_CODEC: MpiCmd = 0x0030_0000;
const CMD_CTX_ID_ENC: MpiCmd = 0x0002_0000;
const CMD_ENC_CFG_MISC: MpiCmd = 0x0000_8000;
const MPP_ENC_CMD_BASE: MpiCmd = CMD_MODULE_CODEC | CMD_CTX_ID_ENC;

/// Parameter: a pointer to [`MppPollType`].
pub const MPP_SET_INPUT_TIMEOUT: MpiCmd = CMD_MODULE_MPP + 6;
/// Parameter: a pointer to [`MppPollType`].
pub const MPP_SET_OUTPUT_TIMEOUT: MpiCmd = CMD_MODULE_MPP + 7;
/// Parameter: [`crate::MppEncCfg`].
pub const MPP_ENC_SET_CFG: MpiCmd = MPP_ENC_CMD_BASE + 1;
/// Parameter: [`crate::MppEncCfg`].
pub const MPP_ENC_GET_CFG: MpiCmd = MPP_ENC_CMD_BASE + 2;
/// No parameter: the next picture becomes an IDR picture.
pub const MPP_ENC_SET_IDR_FRAME: MpiCmd = MPP_ENC_CMD_BASE + 9;
/// Parameter: [`crate::MppPacket`], into which the parameter sets are copied.
pub const MPP_ENC_GET_HDR_SYNC: MpiCmd = MPP_ENC_CMD_BASE + 13;
/// Deprecated for [`MPP_ENC_GET_HDR_SYNC`]. Parameter: a pointer to [`crate::MppPacket`].
pub const MPP_ENC_GET_EXTRA_INFO: MpiCmd = MPP_ENC_CMD_BASE + 14;
/// Parameter: a pointer to [`MppEncSeiMode`].
pub const MPP_ENC_SET_SEI_CFG: MpiCmd = MPP_ENC_CMD_BASE + 15;
/// Parameter: a pointer to [`MppEncHeaderMode`].
pub const MPP_ENC_SET_HEADER_MODE: MpiCmd = (MPP_ENC_CMD_BASE | CMD_ENC_CFG_MISC) + 1;
