//! The software encoder x264, for programs under the GPL.

use std::ffi::{CStr, c_int};
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::time::Duration;

use media::{
    AccessUnit, AccessUnitKind, EncodeError, EncoderInput, EncoderSettings, Frame, H264Profile, Layout,
    PixelFormat, Pool, VideoEncoder,
};
use x264_sys as sys;

const NAME: &str = "x264";
/// The fastest, for boxes whose cores have more to do.
const PRESET: &CStr = c"ultrafast";
const TUNE: &CStr = c"zerolatency";
/// Access units that may be on loan to a send queue before memory grows.
const UNITS: usize = 128;
/// Memory that an access unit has from the start, in bytes; the pool keeps what one grew to.
const UNIT: usize = 32 << 10;
/// Colours as H.264 tables E-3 to E-5 number them.
const BT709: c_int = 1;
const SMPTE170M: c_int = 6;

/// An x264 encoder: NV12, NV21 or I420 in, no B-frames, one reference, one slice a picture.
pub(crate) struct X264 {
    encoder: *mut sys::x264_t,
    parameters: Box<sys::x264_param_t>,
    /// With which it was opened.
    settings: EncoderSettings,
    bitrate: u32,
    fps: u32,
    input: EncoderInput,
    /// Pictures so far.
    pictures: i64,
    pool: Arc<Pool<Vec<u8>>>,
    finished: Option<AccessUnit>,
}

// SAFETY: the encoder is owned by this value alone and has no ties to the thread that made it; calls need
// `&mut self`, so there is one at a time. The parameters hold pointers to constants only.
unsafe impl Send for X264 {}

impl X264 {
    pub(crate) fn new(settings: EncoderSettings) -> Result<Self, EncodeError> {
        let open = |cause: &str| EncodeError::Open { encoder: NAME.into(), cause: cause.into() };
        let EncoderSettings { width, height, .. } = settings;
        let mut parameters =
            parameters(&settings).ok_or_else(|| open("it does not know the preset or the profile"))?;
        // SAFETY: the parameters are a valid struct; the encoder copies them.
        let encoder = unsafe { sys::x264_encoder_open(&raw mut *parameters) };
        if encoder.is_null() {
            return Err(open(&format!("it refuses {width}x{height} at {} bit/s", settings.bitrate)));
        }
        let format =
            settings.source.map(|source| source.format).filter(|format| colour_space(*format).is_some());
        let input = EncoderInput::in_memory(format.unwrap_or(PixelFormat::Nv12), width, height);
        let pool = Pool::new(UNITS, || Vec::with_capacity(UNIT));
        let EncoderSettings { fps, bitrate, .. } = settings;
        Ok(Self { encoder, parameters, settings, bitrate, fps, input, pictures: 0, pool, finished: None })
    }

    /// Hands the rates on, for the next picture.
    fn reconfigure(&mut self) -> Result<(), EncodeError> {
        set_rates(&mut self.parameters, &self.settings, self.bitrate, self.fps);
        // SAFETY: encoder and parameters live; the encoder copies what it takes over.
        match unsafe { sys::x264_encoder_reconfig(self.encoder, &raw mut *self.parameters) } {
            0 => Ok(()),
            code => Err(failed(format!("x264_encoder_reconfig gave {code}"))),
        }
    }

    /// Encodes a picture and appends its NAL units to `out`. Returns whether it became an IDR picture.
    fn encode(&mut self, picture: &Frame, idr: bool, out: &mut Vec<u8>) -> Result<bool, EncodeError> {
        let mut input = source(picture).ok_or_else(|| failed(format!("{picture:?} is of no use")))?;
        input.i_type = if idr { sys::X264_TYPE_IDR } else { sys::X264_TYPE_AUTO } as c_int;
        input.i_pts = self.pictures;
        let (mut nals, mut count) = (std::ptr::null_mut(), 0);
        let mut output = MaybeUninit::uninit();
        // SAFETY: the planes of `input` are slices of `picture` that cover width and height at their strides and outlive
        // the call, which does not write to them; the others are places for results.
        let code = unsafe {
            let (nals, count) = (&raw mut nals, &raw mut count);
            sys::x264_encoder_encode(self.encoder, nals, count, &raw mut input, output.as_mut_ptr())
        };
        if code < 0 {
            return Err(failed(format!("x264_encoder_encode gave {code}")));
        }
        self.pictures += 1;
        let mut is_idr = false;
        for index in 0..usize::try_from(count).unwrap_or(0) {
            // SAFETY: the encoder has `count` NAL units at `nals`, each with `i_payload` bytes, until its next call.
            let (kind, bytes) = unsafe {
                let nal = &*nals.add(index);
                (nal.i_type as u32, std::slice::from_raw_parts(nal.p_payload, nal.i_payload as usize))
            };
            is_idr |= kind == sys::NAL_SLICE_IDR;
            // The one message is the library's word of itself and its settings, before the first picture.
            if kind != sys::NAL_SEI {
                out.extend_from_slice(bytes);
            }
        }
        Ok(is_idr)
    }
}

fn failed(cause: String) -> EncodeError {
    EncodeError::Failed { encoder: NAME.into(), cause }
}

fn colour_space(format: PixelFormat) -> Option<c_int> {
    let number = match format {
        PixelFormat::I420 => sys::X264_CSP_I420,
        PixelFormat::Nv12 => sys::X264_CSP_NV12,
        PixelFormat::Nv21 => sys::X264_CSP_NV21,
        _ => return None,
    };
    Some(number as c_int)
}

fn parameters(settings: &EncoderSettings) -> Option<Box<sys::x264_param_t>> {
    let EncoderSettings { width, height, fps, bitrate, profile, .. } = *settings;
    let mut memory = Box::new(MaybeUninit::uninit());
    // SAFETY: the call fills the struct or fails; both names are C strings.
    let mut parameters = unsafe {
        if sys::x264_param_default_preset(memory.as_mut_ptr(), PRESET.as_ptr(), TUNE.as_ptr()) < 0 {
            return None;
        }
        memory.assume_init()
    };
    parameters.i_log_level = sys::X264_LOG_NONE;
    parameters.i_threads = 1;
    (parameters.i_width, parameters.i_height) = (width as c_int, height as c_int);
    parameters.i_csp = sys::X264_CSP_I420 as c_int;
    parameters.i_level_idc = settings.level_idc().into();
    parameters.b_cabac = c_int::from(profile == H264Profile::Main);
    // IDR pictures are asked for one by one, so that their distance holds in seconds at any rate.
    parameters.i_keyint_max = sys::X264_KEYINT_MAX_INFINITE as c_int;
    parameters.i_scenecut_threshold = 0;
    parameters.b_repeat_headers = 1;
    parameters.b_annexb = 1;
    // Rates are by the number of pictures, so that the VUI tells how many a second there are.
    parameters.b_vfr_input = 0;
    (parameters.i_fps_num, parameters.i_fps_den) = (fps, 1);
    parameters.rc.i_rc_method = sys::X264_RC_ABR as c_int;
    set_rates(&mut parameters, settings, bitrate, fps);
    // Without a word players take small pictures for BT.601 and large ones for BT.709. Cameras deliver BT.601.
    parameters.vui.b_fullrange = 0;
    parameters.vui.i_colorprim = BT709;
    parameters.vui.i_transfer = BT709;
    parameters.vui.i_colmatrix = SMPTE170M;
    let name = match profile {
        H264Profile::ConstrainedBaseline => c"baseline",
        H264Profile::Main => c"main",
    };
    // SAFETY: the parameters are valid; the name is a C string.
    let code = unsafe { sys::x264_param_apply_profile(&raw mut *parameters, name.as_ptr()) };
    (code == 0).then_some(parameters)
}

/// A constant bitrate for `fps` pictures a second that the encoder takes for those of `settings`: it can't be told another
/// number later on, so that rates grow in proportion, and the VBV stays.
fn set_rates(parameters: &mut sys::x264_param_t, settings: &EncoderSettings, bitrate: u32, fps: u32) {
    let kilobits = |bits: u64| c_int::try_from(bits / 1000).unwrap_or(c_int::MAX).max(1);
    let rate = kilobits(u64::from(bitrate) * u64::from(settings.fps) / u64::from(fps.max(1)));
    parameters.rc.i_bitrate = rate;
    parameters.rc.i_vbv_max_bitrate = rate;
    parameters.rc.i_vbv_buffer_size = kilobits(settings.vbv_bits(bitrate));
}

/// A picture as the encoder takes it.
fn source(picture: &Frame) -> Option<sys::x264_picture_t> {
    let mut input = MaybeUninit::uninit();
    // SAFETY: the call fills the whole struct.
    let mut input: sys::x264_picture_t = unsafe {
        sys::x264_picture_init(input.as_mut_ptr());
        input.assume_init()
    };
    input.img.i_csp = colour_space(picture.layout.format)?;
    input.img.i_plane = if picture.layout.format == PixelFormat::I420 { 3 } else { 2 };
    for index in 0..3 {
        let plane = picture.plane(index);
        input.img.plane[index] = plane.data.as_ptr().cast_mut();
        input.img.i_stride[index] = plane.stride as c_int;
    }
    Some(input)
}

impl VideoEncoder for X264 {
    fn name(&self) -> &'static str {
        NAME
    }

    fn is_hardware(&self) -> bool {
        false
    }

    fn input(&self) -> EncoderInput {
        self.input
    }

    fn submit(&mut self, picture: Frame, idr: bool) -> Result<usize, EncodeError> {
        if !self.input.takes(&picture.layout) {
            let Layout { format, width, height, .. } = self.input.layout;
            return Err(failed(format!("{picture:?} where {format} {width}x{height} is due")));
        }
        let mut bytes = self.pool.take();
        bytes.clear();
        let is_idr = self.encode(&picture, idr, &mut bytes)?;
        let kind = match (is_idr, bytes.is_empty()) {
            (true, _) => AccessUnitKind::Idr,
            (_, true) => AccessUnitKind::Skipped,
            _ => AccessUnitKind::Delta,
        };
        self.finished = Some(AccessUnit { kind, captured: picture.captured, bytes: bytes.into() });
        Ok(0)
    }

    fn next(&mut self, _wait: Duration) -> Result<Option<AccessUnit>, EncodeError> {
        Ok(self.finished.take())
    }

    fn set_bitrate(&mut self, bitrate: u32) -> Result<(), EncodeError> {
        self.bitrate = bitrate;
        self.reconfigure()
    }

    fn set_fps(&mut self, fps: u32) -> Result<(), EncodeError> {
        self.fps = fps;
        self.reconfigure()
    }
}

impl Drop for X264 {
    fn drop(&mut self) {
        // SAFETY: the encoder was made by x264_encoder_open and is closed here, once.
        unsafe { sys::x264_encoder_close(self.encoder) };
    }
}
