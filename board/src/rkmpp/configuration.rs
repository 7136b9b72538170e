use std::ffi::{CStr, c_int};
use std::ptr;

use media::{EncodeError, EncoderSettings, H264Profile};
use rkmpp_sys as mpp;
use rkmpp_sys::{MppEncCfg, MppEncHeaderMode, MppEncSeiMode};

use super::context::{Context, check};
use super::size_refused;

/// The encoder's settings: one object for its whole life, by which the library takes over what was changed in it.
pub(super) struct Configuration {
    cfg: MppEncCfg,
    /// Bytes from one row to the next, and rows from luma to chroma.
    strides: (usize, usize),
    changed: bool,
}

impl Configuration {
    /// Tells the encoder all that it has to know before the first picture.
    pub(super) fn new(
        context: &Context,
        settings: &EncoderSettings,
        strides: (usize, usize),
    ) -> Result<Self, EncodeError> {
        let mut this = Self { cfg: ptr::null_mut(), strides: (0, 0), changed: false };
        // SAFETY: `cfg` is a place for what the call makes.
        check("mpp_enc_cfg_init", unsafe { mpp::mpp_enc_cfg_init(&raw mut this.cfg) })?;
        // SAFETY: the command fills a configuration.
        unsafe { context.control("MPP_ENC_GET_CFG", mpp::MPP_ENC_GET_CFG, this.cfg)? };
        this.describe_pictures(settings)?;
        this.set_strides(strides)?;
        this.apply_size(context, settings)?;
        this.describe_stream(settings)?;
        this.set_bitrate(settings.bitrate)?;
        this.set_rate(settings.fps, settings.gop)?;
        this.apply(context)?;
        let mut headers: MppEncHeaderMode = mpp::MPP_ENC_HEADER_MODE_EACH_IDR;
        let mut messages: MppEncSeiMode = mpp::MPP_ENC_SEI_MODE_DISABLE;
        // SAFETY: both commands read an enumeration.
        unsafe {
            let (headers, messages) = ((&raw mut headers).cast(), (&raw mut messages).cast());
            context.control("MPP_ENC_SET_HEADER_MODE", mpp::MPP_ENC_SET_HEADER_MODE, headers)?;
            context.control("MPP_ENC_SET_SEI_CFG", mpp::MPP_ENC_SET_SEI_CFG, messages)?;
        }
        Ok(this)
    }

    fn describe_pictures(&mut self, settings: &EncoderSettings) -> Result<(), EncodeError> {
        self.set(c"prep:width", settings.width as c_int)?;
        self.set(c"prep:height", settings.height as c_int)?;
        self.set(c"prep:format", mpp::MPP_FMT_YUV420SP)?;
        // Without a word players take small pictures for BT.601 and large ones for BT.709. Cameras deliver BT.601.
        self.set(c"prep:range", mpp::MPP_FRAME_RANGE_MPEG)?;
        self.set(c"prep:colorprim", mpp::MPP_FRAME_PRI_BT709)?;
        self.set(c"prep:colortrc", mpp::MPP_FRAME_TRC_BT709)?;
        self.set(c"prep:colorspace", mpp::MPP_FRAME_SPC_SMPTE170M)
    }

    fn describe_stream(&mut self, settings: &EncoderSettings) -> Result<(), EncodeError> {
        // Without CABAC the library wants no table for it, and complains of one.
        let (profile_idc, cabac, table) = match settings.profile {
            H264Profile::ConstrainedBaseline => (66, 0, -1),
            H264Profile::Main => (77, 1, 0),
        };
        self.set(c"h264:profile", profile_idc)?;
        self.set(c"h264:level", settings.level_idc().into())?;
        self.set(c"h264:cabac_en", cabac)?;
        self.set(c"h264:cabac_idc", table)?;
        self.set(c"h264:trans8x8", 0)?;
        self.set(c"rc:mode", mpp::MPP_ENC_RC_MODE_CBR)?;
        // Rate control looks back over whole seconds, three of its own accord. Old versions keep to these.
        let seconds = settings.vbv.as_secs().max(1);
        let _ = self.set(c"rc:stats_time", seconds as c_int);
        Ok(())
    }

    /// The encoder goes by these strides, not by what a frame says of itself. A change makes the next picture an IDR
    /// picture.
    pub(super) fn set_strides(&mut self, strides: (usize, usize)) -> Result<(), EncodeError> {
        if strides == self.strides {
            return Ok(());
        }
        self.set(c"prep:hor_stride", strides.0 as c_int)?;
        self.set(c"prep:ver_stride", strides.1 as c_int)?;
        self.strides = strides;
        Ok(())
    }

    /// Bits a second. The bounds are those that the library's own tools use with a constant bitrate.
    pub(super) fn set_bitrate(&mut self, bitrate: u32) -> Result<(), EncodeError> {
        let bits = |bits: u64| c_int::try_from(bits).unwrap_or(c_int::MAX);
        let target = u64::from(bitrate);
        self.set(c"rc:bps_target", bits(target))?;
        self.set(c"rc:bps_max", bits(target * 17 / 16))?;
        self.set(c"rc:bps_min", bits(target * 15 / 16))
    }

    /// Pictures a second, and from one IDR picture to the next. A change makes the next picture an IDR picture. Their
    /// denominators are 1 from the start; versions of the library differ in these names.
    pub(super) fn set_rate(&mut self, fps: u32, gop: u32) -> Result<(), EncodeError> {
        for (name, value) in [
            (c"rc:fps_in_flex", 0),
            (c"rc:fps_in_num", fps),
            (c"rc:fps_out_flex", 0),
            (c"rc:fps_out_num", fps),
            (c"rc:gop", gop),
        ] {
            self.set(name, value as c_int)?;
        }
        Ok(())
    }

    fn set(&mut self, name: &CStr, value: c_int) -> Result<(), EncodeError> {
        // SAFETY: the configuration lives as long as `self`; the name is a C string.
        let code = unsafe { mpp::mpp_enc_cfg_set_s32(self.cfg, name.as_ptr(), value) };
        self.changed = true;
        if code < 0 { check(&format!("{} = {value}", name.to_string_lossy()), code) } else { Ok(()) }
    }

    /// Hands over the size before all else: the library says of whatever it refuses only that a value is out of its range,
    /// and what goes with the size here is constant.
    fn apply_size(&mut self, context: &Context, settings: &EncoderSettings) -> Result<(), EncodeError> {
        // SAFETY: the command reads a configuration.
        match unsafe { context.send(mpp::MPP_ENC_SET_CFG, self.cfg) } {
            mpp::MPP_ERR_VALUE => Err(size_refused(settings)),
            code => {
                self.changed = false;
                check("MPP_ENC_SET_CFG", code)
            }
        }
    }

    /// Hands what was changed to the encoder, which must have no picture. What it refuses once it is not told again: it has to
    /// be opened anew.
    pub(super) fn apply(&mut self, context: &Context) -> Result<(), EncodeError> {
        if self.changed {
            // SAFETY: the command reads a configuration.
            unsafe { context.control("MPP_ENC_SET_CFG", mpp::MPP_ENC_SET_CFG, self.cfg)? };
            self.changed = false;
        }
        Ok(())
    }
}

impl Drop for Configuration {
    fn drop(&mut self) {
        if !self.cfg.is_null() {
            // SAFETY: it was made by mpp_enc_cfg_init and is released here, once.
            unsafe { mpp::mpp_enc_cfg_deinit(self.cfg) };
        }
    }
}
