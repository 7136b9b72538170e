//! The software encoder: OpenH264.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use media::{
    AccessUnit, AccessUnitKind, Bytes, EncodeError, EncoderInput, EncoderSettings, Frame, H264Profile,
    PixelFormat, Pool, VideoEncoder,
};
use openh264_sys2::{self as sys, API, DynamicAPI};

const NAME: &str = "OpenH264";
/// Access units that may be on loan to a send queue before memory grows.
const UNITS: usize = 128;
/// Memory that an access unit has from the start, in bytes; the pool keeps what one grew to.
const UNIT: usize = 32 << 10;

/// An OpenH264 encoder: I420 in, no B-frames, one reference, one slice a picture.
pub struct OpenH264 {
    encoder: *mut sys::ISVCEncoder,
    settings: EncoderSettings,
    pool: Arc<Pool<Vec<u8>>>,
    finished: Option<AccessUnit>,
}

// SAFETY: the encoder is owned by this value alone and has no ties to the thread that made it; calls need
// `&mut self`, so there is one at a time.
unsafe impl Send for OpenH264 {}

/// Calls a function of the encoder's table; evaluates to its return code, -1 where the table has a hole.
macro_rules! call {
    ($encoder:expr, $function:ident $(, $argument:expr)*) => {
        (**$encoder).$function.map_or(-1, |function| function($encoder $(, $argument)*))
    };
}

impl OpenH264 {
    pub fn new(settings: EncoderSettings) -> Result<Self, EncodeError> {
        let failed = |call: &str, code: i64| EncodeError::Open {
            encoder: NAME.into(),
            cause: format!("{call} gave {code}"),
        };
        let mut encoder = ptr::null_mut();
        // SAFETY: `encoder` is a place for the pointer that the call makes.
        let code = unsafe { DynamicAPI::from_source().WelsCreateSVCEncoder(&raw mut encoder) };
        if code != 0 || encoder.is_null() {
            return Err(failed("WelsCreateSVCEncoder", code.into()));
        }
        let pool = Pool::new(UNITS, || Vec::with_capacity(UNIT));
        let mut this = Self { encoder, settings, pool, finished: None };
        this.set(sys::ENCODER_OPTION_TRACE_LEVEL, sys::WELS_LOG_QUIET)?;
        let mut parameters = sys::SEncParamExt::default();
        // SAFETY: the encoder was made above and lives as long as `this`; `parameters` is a valid struct to fill.
        let code = unsafe { call!(this.encoder, GetDefaultParams, &raw mut parameters) };
        if code != 0 {
            return Err(failed("GetDefaultParams", code.into()));
        }
        fill(&mut parameters, &settings);
        // SAFETY: as above; the encoder copies what it needs of the parameters.
        let code = unsafe { call!(this.encoder, InitializeExt, &raw const parameters) };
        if code != 0 {
            return Err(failed("InitializeExt", code.into()));
        }
        this.set(sys::ENCODER_OPTION_DATAFORMAT, sys::videoFormatI420)?;
        Ok(this)
    }

    fn set<T>(&mut self, option: sys::ENCODER_OPTION, mut value: T) -> Result<(), EncodeError> {
        // SAFETY: the encoder is alive; `value` has the type that the option takes and is read during the call.
        let code = unsafe { call!(self.encoder, SetOption, option, (&raw mut value).cast::<c_void>()) };
        match code {
            0 => Ok(()),
            code => Err(failed(format!("option {option} gave {code}"))),
        }
    }
}

fn failed(cause: String) -> EncodeError {
    EncodeError::Failed { encoder: NAME.into(), cause }
}

/// The most that rate control may give to a picture in a hurry; the encoder refuses a target above it.
fn ceiling(bitrate: u32) -> c_int {
    (bitrate + bitrate / 5) as c_int
}

fn fill(parameters: &mut sys::SEncParamExt, settings: &EncoderSettings) {
    let EncoderSettings { width, height, fps, bitrate, profile, .. } = *settings;
    parameters.iUsageType = sys::CAMERA_VIDEO_REAL_TIME;
    parameters.iPicWidth = width as c_int;
    parameters.iPicHeight = height as c_int;
    parameters.iTargetBitrate = bitrate as c_int;
    parameters.iMaxBitrate = ceiling(bitrate);
    parameters.iRCMode = sys::RC_BITRATE_MODE;
    parameters.fMaxFrameRate = fps as f32;
    parameters.iComplexityMode = sys::LOW_COMPLEXITY;
    // IDR pictures are asked for one by one, so that their distance holds in seconds at any rate.
    parameters.uiIntraPeriod = 0;
    parameters.eSpsPpsIdStrategy = sys::CONSTANT_ID;
    parameters.iEntropyCodingModeFlag = c_int::from(profile == H264Profile::Main);
    parameters.bEnableFrameSkip = true;
    parameters.bEnableSceneChangeDetect = false;
    parameters.bEnableAdaptiveQuant = false;
    parameters.bEnableBackgroundDetection = false;
    parameters.iMultipleThreadIdc = 1;
    let layer = &mut parameters.sSpatialLayers[0];
    layer.iVideoWidth = width as c_int;
    layer.iVideoHeight = height as c_int;
    layer.fFrameRate = fps as f32;
    layer.iSpatialBitrate = bitrate as c_int;
    layer.iMaxSpatialBitrate = ceiling(bitrate);
    layer.uiProfileIdc = match profile {
        H264Profile::ConstrainedBaseline => sys::PRO_BASELINE,
        H264Profile::Main => sys::PRO_MAIN,
    };
    layer.sSliceArgument.uiSliceMode = sys::SM_SINGLE_SLICE;
    // Without a word players take small pictures for BT.601 and large ones for BT.709. Cameras deliver BT.601.
    layer.bVideoSignalTypePresent = true;
    layer.uiVideoFormat = sys::VF_UNDEF as u8;
    layer.bFullRange = false;
    layer.bColorDescriptionPresent = true;
    layer.uiColorPrimaries = sys::CP_BT709 as u8;
    layer.uiTransferCharacteristics = sys::TRC_BT709 as u8;
    layer.uiColorMatrix = sys::CM_SMPTE170M as u8;
}

/// An I420 picture as the encoder takes it. The encoder reads the planes during the call only.
fn source(picture: &Frame) -> sys::SSourcePicture {
    let planes = [0, 1, 2].map(|i| picture.plane(i));
    sys::SSourcePicture {
        iColorFormat: sys::videoFormatI420,
        iStride: [planes[0].stride as c_int, planes[1].stride as c_int, planes[2].stride as c_int, 0],
        pData: [
            planes[0].data.as_ptr().cast_mut(),
            planes[1].data.as_ptr().cast_mut(),
            planes[2].data.as_ptr().cast_mut(),
            ptr::null_mut(),
        ],
        iPicWidth: picture.layout.width as c_int,
        iPicHeight: picture.layout.height as c_int,
        // Milliseconds; rate control goes by their distances.
        uiTimeStamp: picture.captured.micros() / 1000,
        ..Default::default()
    }
}

/// Appends the NAL units of a coded picture, start codes and all.
fn append(info: &sys::SFrameBSInfo, out: &mut Vec<u8>) {
    let layers = usize::try_from(info.iLayerNum).unwrap_or(0).min(info.sLayerInfo.len());
    for layer in &info.sLayerInfo[..layers] {
        let nals = usize::try_from(layer.iNalCount).unwrap_or(0);
        // SAFETY: the encoder filled in `iNalCount` lengths at `pNalLengthInByte`, and as many bytes as they sum
        // up to at `pBsBuf`; both stay valid until its next call, which can't be during this borrow.
        let bytes = unsafe {
            let lengths = std::slice::from_raw_parts(layer.pNalLengthInByte, nals);
            std::slice::from_raw_parts(layer.pBsBuf, lengths.iter().map(|length| *length as usize).sum())
        };
        out.extend_from_slice(bytes);
    }
}

impl VideoEncoder for OpenH264 {
    fn name(&self) -> &'static str {
        NAME
    }

    fn is_hardware(&self) -> bool {
        false
    }

    fn input(&self) -> EncoderInput {
        EncoderInput::in_memory(PixelFormat::I420, self.settings.width, self.settings.height)
    }

    fn submit(&mut self, picture: Frame, idr: bool) -> Result<usize, EncodeError> {
        let EncoderSettings { width, height, .. } = self.settings;
        if !self.input().takes(&picture.layout) {
            return Err(failed(format!("{picture:?} where I420 {width}x{height} is due")));
        }
        if idr {
            // SAFETY: the encoder is alive.
            let _ = unsafe { call!(self.encoder, ForceIntraFrame, true) };
        }
        let input = source(&picture);
        let mut info = sys::SFrameBSInfo::default();
        // SAFETY: the planes of `input` are slices of `picture` that cover width and height at their strides (the
        // layout was checked when the frame was made) and outlive the call, which does not write to them.
        let code = unsafe { call!(self.encoder, EncodeFrame, &raw const input, &raw mut info) };
        if code != 0 {
            return Err(failed(format!("EncodeFrame gave {code}")));
        }
        let kind = match info.eFrameType {
            sys::videoFrameTypeIDR => AccessUnitKind::Idr,
            sys::videoFrameTypeSkip => AccessUnitKind::Skipped,
            _ => AccessUnitKind::Delta,
        };
        let bytes = if kind == AccessUnitKind::Skipped {
            Bytes::default()
        } else {
            let mut bytes = self.pool.take();
            bytes.clear();
            append(&info, &mut bytes);
            bytes.into()
        };
        self.finished = Some(AccessUnit { kind, captured: picture.captured, bytes });
        Ok(0)
    }

    fn next(&mut self, _wait: Duration) -> Result<Option<AccessUnit>, EncodeError> {
        Ok(self.finished.take())
    }

    fn set_bitrate(&mut self, bitrate: u32) -> Result<(), EncodeError> {
        // At no time may the target lie above the ceiling.
        let layer = |bits: c_int| sys::SBitrateInfo { iLayer: sys::SPATIAL_LAYER_0, iBitrate: bits };
        let target = (sys::ENCODER_OPTION_BITRATE, layer(bitrate as c_int));
        let most = (sys::ENCODER_OPTION_MAX_BITRATE, layer(ceiling(bitrate)));
        let order = if bitrate > self.settings.bitrate { [most, target] } else { [target, most] };
        for (option, value) in order {
            self.set(option, value)?;
        }
        self.settings.bitrate = bitrate;
        Ok(())
    }

    fn set_fps(&mut self, fps: u32) -> Result<(), EncodeError> {
        self.settings.fps = fps;
        self.set(sys::ENCODER_OPTION_FRAME_RATE, fps as f32)
    }
}

impl Drop for OpenH264 {
    fn drop(&mut self) {
        // SAFETY: the encoder was made by WelsCreateSVCEncoder and is destroyed here, once.
        unsafe {
            let _ = call!(self.encoder, Uninitialize);
            DynamicAPI::from_source().WelsDestroySVCEncoder(self.encoder);
        }
    }
}
