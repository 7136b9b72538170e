//! Sizes, offsets and values of the binary interface, against those of the public headers (rockchip-linux/mpp
//! 2024-03 and nyanmisaka/mpp 2025-02; the header is named at each table). Taken down from the declarations there, for
//! pointers of 8 and of 4 bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::mem::{offset_of, size_of};

use rkmpp_sys as mpp;
use rkmpp_sys::{MppApi, MppBufferInfo};

/// Of the two, the one that holds for this target's pointers.
fn here(wide: usize, narrow: usize) -> usize {
    if size_of::<usize>() == 8 { wide } else { narrow }
}

#[test]
fn structs_lie_as_c_lays_them_out() {
    // rk_mpi.h, MppApi_t
    let api = [
        ("size", offset_of!(MppApi, size), 0, 0),
        ("version", offset_of!(MppApi, version), 4, 4),
        ("decode", offset_of!(MppApi, decode), 8, 8),
        ("decode_put_packet", offset_of!(MppApi, decode_put_packet), 16, 12),
        ("decode_get_frame", offset_of!(MppApi, decode_get_frame), 24, 16),
        ("encode", offset_of!(MppApi, encode), 32, 20),
        ("encode_put_frame", offset_of!(MppApi, encode_put_frame), 40, 24),
        ("encode_get_packet", offset_of!(MppApi, encode_get_packet), 48, 28),
        ("isp", offset_of!(MppApi, isp), 56, 32),
        ("isp_put_frame", offset_of!(MppApi, isp_put_frame), 64, 36),
        ("isp_get_frame", offset_of!(MppApi, isp_get_frame), 72, 40),
        ("poll", offset_of!(MppApi, poll), 80, 44),
        ("dequeue", offset_of!(MppApi, dequeue), 88, 48),
        ("enqueue", offset_of!(MppApi, enqueue), 96, 52),
        ("reset", offset_of!(MppApi, reset), 104, 56),
        ("control", offset_of!(MppApi, control), 112, 60),
        ("reserv", offset_of!(MppApi, reserv), 120, 64),
        ("MppApi", size_of::<MppApi>(), 184, 128),
    ];
    // mpp_buffer.h, MppBufferInfo_t
    let buffer_info = [
        ("type", offset_of!(MppBufferInfo, r#type), 0, 0),
        ("size", offset_of!(MppBufferInfo, size), 8, 4),
        ("ptr", offset_of!(MppBufferInfo, ptr), 16, 8),
        ("hnd", offset_of!(MppBufferInfo, hnd), 24, 12),
        ("fd", offset_of!(MppBufferInfo, fd), 32, 16),
        ("index", offset_of!(MppBufferInfo, index), 36, 20),
        ("MppBufferInfo", size_of::<MppBufferInfo>(), 40, 24),
    ];
    for (name, ours, wide, narrow) in api.into_iter().chain(buffer_info) {
        assert_eq!(ours, here(wide, narrow), "{name}");
    }
}

#[test]
fn commands_are_those_of_rk_mpi_cmd_h() {
    let commands = [
        (mpp::MPP_SET_INPUT_TIMEOUT, 0x20_0006),
        (mpp::MPP_SET_OUTPUT_TIMEOUT, 0x20_0007),
        (mpp::MPP_ENC_SET_CFG, 0x32_0001),
        (mpp::MPP_ENC_GET_CFG, 0x32_0002),
        (mpp::MPP_ENC_SET_IDR_FRAME, 0x32_0009),
        (mpp::MPP_ENC_GET_HDR_SYNC, 0x32_000d),
        (mpp::MPP_ENC_GET_EXTRA_INFO, 0x32_000e),
        (mpp::MPP_ENC_SET_SEI_CFG, 0x32_000f),
        (mpp::MPP_ENC_SET_HEADER_MODE, 0x32_8001),
    ];
    for (ours, fact) in commands {
        assert_eq!(ours, fact);
    }
}

#[test]
fn enumerations_have_their_values() {
    let values = [
        // mpp_err.h
        (mpp::MPP_OK, 0),
        (mpp::MPP_NOK, -1),
        (mpp::MPP_ERR_UNKNOW, -2),
        (mpp::MPP_ERR_NULL_PTR, -3),
        (mpp::MPP_ERR_MALLOC, -4),
        (mpp::MPP_ERR_OPEN_FILE, -5),
        (mpp::MPP_ERR_VALUE, -6),
        (mpp::MPP_ERR_READ_BIT, -7),
        (mpp::MPP_ERR_TIMEOUT, -8),
        (mpp::MPP_ERR_PERM, -9),
        (mpp::MPP_ERR_INIT, -1002),
        (mpp::MPP_ERR_VPU_CODEC_INIT, -1003),
        (mpp::MPP_ERR_FATAL_THREAD, -1005),
        (mpp::MPP_ERR_NOMEM, -1006),
        (mpp::MPP_ERR_VPUHW, -1009),
        (mpp::MPP_ERR_BUFFER_FULL, -1012),
        // rk_type.h
        (mpp::MPP_CTX_ENC, 1),
        (mpp::MPP_VIDEO_CodingAVC, 7),
        // mpp_task.h
        (mpp::MPP_PORT_INPUT, 0),
        (mpp::MPP_PORT_OUTPUT, 1),
        (mpp::MPP_POLL_BLOCK, -1),
        (mpp::MPP_POLL_NON_BLOCK, 0),
        (mpp::MPP_POLL_MAX, 8000),
        // mpp_meta.h
        (mpp::KEY_INPUT_FRAME, 0x6966_726d),
        (mpp::KEY_OUTPUT_PACKET, 0x6f70_6b74),
        // mpp_frame.h
        (mpp::MPP_FMT_YUV420SP, 0),
        (mpp::MPP_FMT_YUV420P, 4),
        (mpp::MPP_FMT_YUV420SP_VU, 5),
        (mpp::MPP_FRAME_RANGE_MPEG, 1),
        (mpp::MPP_FRAME_PRI_BT709, 1),
        (mpp::MPP_FRAME_TRC_BT709, 1),
        (mpp::MPP_FRAME_SPC_SMPTE170M, 6),
        // mpp_buffer.h
        (mpp::MPP_BUFFER_INTERNAL, 0),
        (mpp::MPP_BUFFER_EXTERNAL, 1),
        (mpp::MPP_BUFFER_TYPE_NORMAL, 0),
        (mpp::MPP_BUFFER_TYPE_ION, 1),
        (mpp::MPP_BUFFER_TYPE_EXT_DMA, 2),
        (mpp::MPP_BUFFER_TYPE_DRM, 3),
        (mpp::MPP_BUFFER_TYPE_DMA_HEAP, 4),
        (mpp::MPP_BUFFER_FLAGS_CACHABLE, 0x2_0000),
        // rk_venc_rc.h
        (mpp::MPP_ENC_RC_MODE_VBR, 0),
        (mpp::MPP_ENC_RC_MODE_CBR, 1),
        (mpp::MPP_ENC_RC_MODE_FIXQP, 2),
        // rk_venc_cmd.h
        (mpp::MPP_ENC_HEADER_MODE_DEFAULT, 0),
        (mpp::MPP_ENC_HEADER_MODE_EACH_IDR, 1),
        (mpp::MPP_ENC_SEI_MODE_DISABLE, 0),
        (mpp::MPP_ENC_SEI_MODE_ONE_SEQ, 1),
        (mpp::MPP_ENC_SEI_MODE_ONE_FRAME, 2),
    ];
    for (ours, fact) in values {
        assert_eq!(ours, fact);
    }
}
