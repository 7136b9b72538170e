//! OpenH264 in the place of an encoder in hardware, for tests: NV12 pictures in, access units out.

use std::ffi::{c_int, c_void};
use std::ptr;

use openh264_sys2::{self as sys, API, DynamicAPI};

/// What a stream is to be.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub width: usize,
    pub height: usize,
    pub fps: usize,
    /// Bits a second.
    pub bitrate: usize,
    /// Main profile with CABAC, else Baseline.
    pub cabac: bool,
}

/// One slice a picture, one reference, IDR pictures on demand only.
pub struct Encoder {
    encoder: *mut sys::ISVCEncoder,
    width: usize,
    height: usize,
    picture: Vec<u8>,
}

// SAFETY: the encoder is owned by this value alone and has no ties to the thread that made it.
unsafe impl Send for Encoder {}

macro_rules! call {
    ($encoder:expr, $function:ident $(, $argument:expr)*) => {
        // SAFETY: the encoder lives as long as the value that holds it; each argument is of the type that the function
        // takes and outlives the call.
        unsafe { (**$encoder).$function.map_or(-1, |function| function($encoder $(, $argument)*)) }
    };
}

impl Encoder {
    /// `None` where OpenH264 refuses the settings.
    pub fn new(settings: Settings) -> Option<Self> {
        let mut encoder = ptr::null_mut();
        // SAFETY: `encoder` is a place for the pointer that the call makes.
        let code = unsafe { DynamicAPI::from_source().WelsCreateSVCEncoder(&raw mut encoder) };
        if code != 0 || encoder.is_null() {
            return None;
        }
        let Settings { width, height, .. } = settings;
        let this = Self { encoder, width, height, picture: vec![0; width * height * 3 / 2] };
        let mut level = sys::WELS_LOG_QUIET;
        let _ = call!(encoder, SetOption, sys::ENCODER_OPTION_TRACE_LEVEL, (&raw mut level).cast::<c_void>());
        let mut parameters = sys::SEncParamExt::default();
        let _ = call!(encoder, GetDefaultParams, &raw mut parameters);
        fill(&mut parameters, settings);
        (call!(encoder, InitializeExt, &raw const parameters) == 0).then_some(this)
    }

    /// In bits a second.
    pub fn set_bitrate(&mut self, bitrate: usize) {
        let layer = |bits| sys::SBitrateInfo { iLayer: sys::SPATIAL_LAYER_0, iBitrate: bits };
        let (target, most) = (layer(bitrate as c_int), layer((bitrate * 5 / 4) as c_int));
        // At no time may the target lie above the ceiling.
        for (option, mut value) in [
            (sys::ENCODER_OPTION_BITRATE, layer(1000)),
            (sys::ENCODER_OPTION_MAX_BITRATE, most),
            (sys::ENCODER_OPTION_BITRATE, target),
        ] {
            let _ = call!(self.encoder, SetOption, option, (&raw mut value).cast::<c_void>());
        }
    }

    /// The access unit of an NV12 picture, and whether it is an IDR picture; `None` where its memory is too short. Rows are
    /// `stride` bytes apart, chroma begins at byte `chroma`; `pts` is in microseconds.
    pub fn encode(
        &mut self,
        nv12: &[u8],
        stride: usize,
        chroma: usize,
        pts: i64,
        idr: bool,
    ) -> Option<(Vec<u8>, bool)> {
        self.take(nv12, stride, chroma)?;
        if idr {
            let _ = call!(self.encoder, ForceIntraFrame, true);
        }
        let (luma, chroma) = (self.width * self.height, self.width * self.height / 4);
        let plane = |offset| self.picture[offset..].as_ptr().cast_mut();
        let input = sys::SSourcePicture {
            iColorFormat: sys::videoFormatI420,
            iStride: [self.width as c_int, (self.width / 2) as c_int, (self.width / 2) as c_int, 0],
            pData: [plane(0), plane(luma), plane(luma + chroma), ptr::null_mut()],
            iPicWidth: self.width as c_int,
            iPicHeight: self.height as c_int,
            uiTimeStamp: pts / 1000,
            ..Default::default()
        };
        let mut info = sys::SFrameBSInfo::default();
        if call!(self.encoder, EncodeFrame, &raw const input, &raw mut info) != 0 {
            return None;
        }
        Some((access_unit(&info), info.eFrameType == sys::videoFrameTypeIDR))
    }

    /// Reads an NV12 picture into this encoder's I420 one. `None` where it is too short.
    fn take(&mut self, nv12: &[u8], stride: usize, pairs: usize) -> Option<()> {
        let (width, height) = (self.width, self.height);
        let (y, chroma) = self.picture.split_at_mut(width * height);
        let (cb, cr) = chroma.split_at_mut(width * height / 4);
        for (row, y) in y.chunks_exact_mut(width).enumerate() {
            y.copy_from_slice(nv12.get(row * stride..)?.get(..width)?);
        }
        let pairs = nv12.get(pairs..)?;
        for (row, (cb, cr)) in cb.chunks_exact_mut(width / 2).zip(cr.chunks_exact_mut(width / 2)).enumerate()
        {
            let (pairs, _) = pairs.get(row * stride..)?.get(..width)?.as_chunks::<2>();
            for ((cb, cr), [b, r]) in cb.iter_mut().zip(cr).zip(pairs) {
                (*cb, *cr) = (*b, *r);
            }
        }
        Some(())
    }
}

fn fill(parameters: &mut sys::SEncParamExt, settings: Settings) {
    let (bitrate, most) = (settings.bitrate as c_int, (settings.bitrate / 4 * 5) as c_int);
    let (width, height, rate) = (settings.width as c_int, settings.height as c_int, settings.fps as f32);
    parameters.iUsageType = sys::CAMERA_VIDEO_REAL_TIME;
    (parameters.iPicWidth, parameters.iPicHeight, parameters.fMaxFrameRate) = (width, height, rate);
    (parameters.iTargetBitrate, parameters.iMaxBitrate) = (bitrate, most);
    parameters.iRCMode = sys::RC_BITRATE_MODE;
    parameters.iComplexityMode = sys::LOW_COMPLEXITY;
    parameters.uiIntraPeriod = 0;
    parameters.eSpsPpsIdStrategy = sys::CONSTANT_ID;
    parameters.iEntropyCodingModeFlag = c_int::from(settings.cabac);
    parameters.bEnableFrameSkip = false;
    parameters.bEnableSceneChangeDetect = false;
    parameters.iMultipleThreadIdc = 1;
    let layer = &mut parameters.sSpatialLayers[0];
    (layer.iVideoWidth, layer.iVideoHeight, layer.fFrameRate) = (width, height, rate);
    (layer.iSpatialBitrate, layer.iMaxSpatialBitrate) = (bitrate, most);
    layer.uiProfileIdc = if settings.cabac { sys::PRO_MAIN } else { sys::PRO_BASELINE };
    layer.sSliceArgument.uiSliceMode = sys::SM_SINGLE_SLICE;
}

fn access_unit(info: &sys::SFrameBSInfo) -> Vec<u8> {
    let layers = usize::try_from(info.iLayerNum).unwrap_or(0).min(info.sLayerInfo.len());
    let mut bytes = Vec::new();
    for layer in &info.sLayerInfo[..layers] {
        let nals = usize::try_from(layer.iNalCount).unwrap_or(0);
        // SAFETY: the encoder filled in `iNalCount` lengths and as many bytes as they sum up to; both stay valid until
        // its next call.
        bytes.extend_from_slice(unsafe {
            let lengths = std::slice::from_raw_parts(layer.pNalLengthInByte, nals);
            std::slice::from_raw_parts(layer.pBsBuf, lengths.iter().map(|length| *length as usize).sum())
        });
    }
    bytes
}

impl Drop for Encoder {
    fn drop(&mut self) {
        let _ = call!(self.encoder, Uninitialize);
        // SAFETY: it was made by WelsCreateSVCEncoder and is destroyed here, once.
        unsafe { DynamicAPI::from_source().WelsDestroySVCEncoder(self.encoder) };
    }
}
