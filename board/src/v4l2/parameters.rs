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
    let wanted = [
        (sys::V4L2_CID_MPEG_VIDEO_FRAME_RC_ENABLE, 1),
        (
            sys::V4L2_CID_MPEG_VIDEO_BITRATE_MODE,
            sys::v4l2_mpeg_video_bitrate_mode_V4L2_MPEG_VIDEO_BITRATE_MODE_CBR.into(),
        ),
        (sys::V4L2_CID_MPEG_VIDEO_BITRATE, settings.bitrate.into()),
        (sys::V4L2_CID_MPEG_VIDEO_B_FRAMES, 0),
        (sys::V4L2_CID_MPEG_VIDEO_HEADER_MODE, joined.into()),
        (sys::V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER, 1),
        (sys::V4L2_CID_MPEG_VIDEO_PREPEND_SPSPPS_TO_IDR, 1),
        (sys::V4L2_CID_MPEG_VIDEO_H264_PROFILE, profile.into()),
        (sys::V4L2_CID_MPEG_VIDEO_H264_LEVEL, level(settings).into()),
    ];
    set_all(device, &wanted);
    set_vbv(device, settings, settings.bitrate);
    set_gop(device, settings);
}

/// The buffer has so many milliseconds of any bitrate.
fn set_vbv(device: &Device, settings: &EncoderSettings, bitrate: u32) {
    let kilobytes = (settings.vbv_bits(bitrate) / 8000) as i64;
    set_all(
        device,
        &[
            (sys::V4L2_CID_MPEG_VIDEO_H264_CPB_SIZE, kilobytes),
            (sys::V4L2_CID_MPEG_VIDEO_VBV_SIZE, kilobytes),
        ],
    );
}

/// The pipeline asks for each IDR picture. Where the driver counts too, in pictures, it must not come first.
pub(super) fn set_gop(device: &Device, settings: &EncoderSettings) {
    let gop = i64::from(settings.gop) * 2;
    set_all(
        device,
        &[(sys::V4L2_CID_MPEG_VIDEO_GOP_SIZE, gop), (sys::V4L2_CID_MPEG_VIDEO_H264_I_PERIOD, gop)],
    );
}

fn set_all(device: &Device, wanted: &[(u32, i64)]) {
    for (control, value) in wanted {
        if let Err(error) = set(device, *control, *value) {
            tracing::debug!(control = format_args!("{control:#x}"), value, %error, "not taken");
        }
    }
}

/// Sets a control, if the driver has it, to the nearest that it takes.
fn set(device: &Device, control: u32, value: i64) -> io::Result<()> {
    match device.control(control) {
        Some(range) => device.set_control(control, value.clamp(range.min, range.max.max(range.min)) as i32),
        None => Ok(()),
    }
}

pub(super) fn has_bitrate(device: &Device) -> bool {
    device.control(sys::V4L2_CID_MPEG_VIDEO_BITRATE).is_some()
}

pub(super) fn set_bitrate(device: &Device, settings: &EncoderSettings, bitrate: u32) -> io::Result<()> {
    set(device, sys::V4L2_CID_MPEG_VIDEO_BITRATE, bitrate.into())?;
    set_vbv(device, settings, bitrate);
    Ok(())
}

pub(super) fn has_force_key_frame(device: &Device) -> bool {
    device.control(sys::V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME).is_some()
}

/// Asks for an IDR picture.
pub(super) fn force_key_frame(device: &Device) -> io::Result<()> {
    device.set_control(sys::V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME, 1)
}

/// By level_idc, in the order of `V4L2_CID_MPEG_VIDEO_H264_LEVEL`; level 1b has no number of its own.
const LEVELS: [u8; 17] = [10, 0, 11, 12, 13, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51, 52];

fn level(settings: &EncoderSettings) -> u32 {
    let level_idc = settings.level_idc();
    LEVELS.iter().position(|level| *level == level_idc).unwrap_or(LEVELS.len() - 1) as u32
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn levels_are_counted_as_the_kernel_does() {
        let level = |width, height, fps| {
            let (bitrate, profile, vbv) = (2_000_000, H264Profile::Main, Duration::from_secs(1));
            level(&EncoderSettings { width, height, fps, bitrate, vbv, gop: 90, profile, source: None })
        };
        assert_eq!(level(360, 640, 15), sys::v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_2_2);
        assert_eq!(level(1280, 720, 30), sys::v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_3_1);
        assert_eq!(level(1920, 1080, 30), sys::v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_4_0);
        assert_eq!(level(1920, 1080, 60), sys::v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_4_2);
    }
}
