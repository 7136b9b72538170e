//! What an encoder is told by controls (kernel: ext-ctrls-codec). Drivers have some of them, each with a range of its own.

use std::io;

use media::{EncoderSettings, H264Profile};
use v4l::v4l_sys as sys;

use super::device::Device;

/// Sets what the driver has of all that the stream needs; the rest is the driver's own choice.
pub(super) fn configure(device: &Device, settings: &EncoderSettings) {
    let profile = match settings.profile {
        H264Profile::ConstrainedBaseline => {
            sys::v4l2_mpeg_video_h264_profile_V4L2_MPEG_VIDEO_H264_PROFILE_CONSTRAINED_BASELINE
        }
        H264Profile::Main => sys::v4l2_mpeg_video_h264_profile_V4L2_MPEG_VIDEO_H264_PROFILE_MAIN,
    };
    let joined = sys::v4l2_mpeg_video_header_mode_V4L2_MPEG_VIDEO_HEADER_MODE_JOINED_WITH_1ST_FRAME;
    // The pipeline asks for each IDR picture. Where the driver counts too, it must not come first.
    let gop = i64::from(settings.gop) * 2;
    let wanted = [
        (sys::V4L2_CID_MPEG_VIDEO_FRAME_RC_ENABLE, 1),
        (
            sys::V4L2_CID_MPEG_VIDEO_BITRATE_MODE,
            sys::v4l2_mpeg_video_bitrate_mode_V4L2_MPEG_VIDEO_BITRATE_MODE_CBR.into(),
        ),
        (sys::V4L2_CID_MPEG_VIDEO_BITRATE, settings.bitrate.into()),
        (sys::V4L2_CID_MPEG_VIDEO_GOP_SIZE, gop),
        (sys::V4L2_CID_MPEG_VIDEO_H264_I_PERIOD, gop),
        (sys::V4L2_CID_MPEG_VIDEO_B_FRAMES, 0),
        (sys::V4L2_CID_MPEG_VIDEO_HEADER_MODE, joined.into()),
        (sys::V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER, 1),
        (sys::V4L2_CID_MPEG_VIDEO_PREPEND_SPSPPS_TO_IDR, 1),
        (sys::V4L2_CID_MPEG_VIDEO_H264_PROFILE, profile.into()),
        (sys::V4L2_CID_MPEG_VIDEO_H264_LEVEL, level(settings).into()),
    ];
    for (control, value) in wanted {
        if let Err(error) = set(device, control, value) {
            tracing::debug!(control = format_args!("{control:#x}"), value, %error, "not taken");
        }
    }
}

/// Sets a control, if the driver has it, to the nearest that it takes.
pub(super) fn set(device: &Device, control: u32, value: i64) -> io::Result<()> {
    match device.control(control) {
        Some(range) => device.set_control(control, value.clamp(range.min, range.max.max(range.min)) as i32),
        None => Ok(()),
    }
}

/// Asks for an IDR picture.
pub(super) fn force_key_frame(device: &Device) -> io::Result<()> {
    device.set_control(sys::V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME, 1)
}

/// Of H.264 table A-1: the control's value, macroblocks a second and a picture, 1000 bits a second in Baseline and Main.
const LEVELS: [(u32, u32, u32, u32); 12] = [
    (2, 3_000, 396, 192),
    (3, 6_000, 396, 384),
    (4, 11_880, 396, 768),
    (5, 11_880, 396, 2_000),
    (6, 19_800, 792, 4_000),
    (7, 20_250, 1_620, 4_000),
    (8, 40_500, 1_620, 10_000),
    (9, 108_000, 3_600, 14_000),
    (10, 216_000, 5_120, 20_000),
    (11, 245_760, 8_192, 20_000),
    (12, 245_760, 8_192, 50_000),
    (13, 522_240, 8_704, 50_000),
];

/// The lowest level that holds the stream, as `V4L2_CID_MPEG_VIDEO_H264_LEVEL` counts them.
fn level(settings: &EncoderSettings) -> u32 {
    let picture = settings.width.div_ceil(16) * settings.height.div_ceil(16);
    let second = picture * settings.fps;
    let holds = |(_, seconds, pictures, kbps): &&(u32, u32, u32, u32)| {
        second <= *seconds && picture <= *pictures && settings.bitrate <= kbps * 1000
    };
    LEVELS.iter().find(holds).map_or(LEVELS[LEVELS.len() - 1].0, |(level, ..)| *level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_is_the_lowest_that_holds_the_stream() {
        let level = |width, height, fps, bitrate| {
            let profile = H264Profile::Main;
            level(&EncoderSettings { width, height, fps, bitrate, gop: 90, profile, source: None })
        };
        assert_eq!(
            level(360, 640, 15, 1_000_000),
            sys::v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_2_2
        );
        assert_eq!(
            level(1280, 720, 30, 2_000_000),
            sys::v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_3_1
        );
        assert_eq!(
            level(1920, 1080, 30, 4_000_000),
            sys::v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_4_0
        );
        assert_eq!(
            level(1920, 1080, 60, 4_000_000),
            sys::v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_4_2
        );
    }
}
