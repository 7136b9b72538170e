//! What an encoder is told by controls (kernel: ext-ctrls-codec). Drivers have some of them, each with a range of its own.

use std::io;
use std::sync::Once;

use media::{EncoderSettings, H264Profile};
use v4l::v4l_sys as sys;

use super::device::{ControlRange, Device};

/// Sets what the driver has of all that the stream needs; the rest is the driver's own choice.
pub(super) fn configure(device: &Device, settings: &EncoderSettings) {
    static PROFILE: Once = Once::new();
    static B_FRAMES: Once = Once::new();
    prefer(device, "profile", sys::V4L2_CID_MPEG_VIDEO_H264_PROFILE, profiles(settings.profile), &PROFILE);
    prefer(device, "B-frames", sys::V4L2_CID_MPEG_VIDEO_B_FRAMES, &[0], &B_FRAMES);
    let joined = sys::v4l2_mpeg_video_header_mode_V4L2_MPEG_VIDEO_HEADER_MODE_JOINED_WITH_1ST_FRAME;
    let wanted = [
        (sys::V4L2_CID_MPEG_VIDEO_FRAME_RC_ENABLE, 1),
        (
            sys::V4L2_CID_MPEG_VIDEO_BITRATE_MODE,
            sys::v4l2_mpeg_video_bitrate_mode_V4L2_MPEG_VIDEO_BITRATE_MODE_CBR.into(),
        ),
        (sys::V4L2_CID_MPEG_VIDEO_BITRATE, settings.bitrate.into()),
        (sys::V4L2_CID_MPEG_VIDEO_HEADER_MODE, joined.into()),
        (sys::V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER, 1),
        (sys::V4L2_CID_MPEG_VIDEO_PREPEND_SPSPPS_TO_IDR, 1),
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

/// That profile, and those that come nearest: a menu may lack it, and begin with High.
fn profiles(wanted: H264Profile) -> &'static [u32] {
    const CONSTRAINED: u32 =
        sys::v4l2_mpeg_video_h264_profile_V4L2_MPEG_VIDEO_H264_PROFILE_CONSTRAINED_BASELINE;
    const BASELINE: u32 = sys::v4l2_mpeg_video_h264_profile_V4L2_MPEG_VIDEO_H264_PROFILE_BASELINE;
    const MAIN: u32 = sys::v4l2_mpeg_video_h264_profile_V4L2_MPEG_VIDEO_H264_PROFILE_MAIN;
    match wanted {
        H264Profile::ConstrainedBaseline => &[CONSTRAINED, BASELINE, MAIN],
        H264Profile::Main => &[MAIN, CONSTRAINED, BASELINE],
    }
}

/// Sets a control, if the driver has it, to the first of `wanted` that it takes. `told` that it does not take what is wanted
/// most: the stream differs.
fn prefer(device: &Device, what: &str, control: u32, wanted: &[u32], told: &Once) {
    let Some(range) = device.control(control) else {
        return;
    };
    let taken = first_taken(&range, wanted, |value| device.set_control(control, value as i32));
    if taken != wanted.first().copied() {
        let instead = taken.map_or_else(|| "its own".into(), |value| value.to_string());
        told.call_once(|| tracing::warn!(what, ?wanted, instead, "the driver does not take it"));
    }
}

/// Of a menu's entries within its range some may be refused (kernel: `VIDIOC_QUERYCTRL`, `V4L2_CTRL_TYPE_MENU`).
fn first_taken(
    range: &ControlRange,
    wanted: &[u32],
    mut set: impl FnMut(u32) -> io::Result<()>,
) -> Option<u32> {
    let mut is_taken =
        |value: &u32| (range.min..=range.max).contains(&i64::from(*value)) && set(*value).is_ok();
    wanted.iter().copied().find(|value| is_taken(value))
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
    fn the_nearest_profile_that_a_menu_has_is_taken() {
        let range = |min, max| ControlRange { min, max };
        let taken = |range, wanted, menu: &[u32]| {
            let refused = || io::Error::from_raw_os_error(libc::EINVAL);
            first_taken(&range, profiles(wanted), |value| {
                menu.contains(&value).then_some(()).ok_or_else(refused)
            })
        };
        // By number: Baseline, Constrained Baseline, Main, Extended, High.
        let baseline = H264Profile::ConstrainedBaseline;
        assert_eq!(taken(range(0, 4), baseline, &[0, 1, 2, 4]), Some(1));
        assert_eq!(taken(range(0, 4), baseline, &[0, 2, 4]), Some(0));
        assert_eq!(taken(range(0, 4), baseline, &[2, 4]), Some(2));
        assert_eq!(taken(range(2, 4), baseline, &[0, 1, 2, 4]), Some(2), "out of range is not asked for");
        assert_eq!(taken(range(0, 4), H264Profile::Main, &[0, 1, 4]), Some(1));
        assert_eq!(taken(range(4, 4), H264Profile::Main, &[4]), None);
    }

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
