//! Pictures: decoded by OpenH264.

use std::ffi::c_int;
use std::ptr;

use anyhow::{Result, bail};
use media::Plane;
use openh264_sys2::{self as sys, API, DynamicAPI};

/// Decodes pictures one by one, without a delay.
pub struct Decoder(*mut sys::ISVCDecoder);

// SAFETY: the decoder is owned by this value alone and has no ties to the thread that made it.
unsafe impl Send for Decoder {}

/// A decoded picture; its planes are the decoder's until the next call.
pub struct Picture<'a> {
    pub width: u32,
    pub height: u32,
    pub planes: [Plane<'a>; 3],
}

impl Decoder {
    pub fn new() -> Result<Self> {
        let mut decoder = ptr::null_mut();
        let mut parameters = sys::SDecodingParam::default();
        parameters.sVideoProperty.eVideoBsType = sys::VIDEO_BITSTREAM_AVC;
        parameters.eEcActiveIdc = sys::ERROR_CON_DISABLE;
        // SAFETY: `decoder` is a place for the pointer; the table's functions get the decoder that was just made.
        unsafe {
            if DynamicAPI::from_source().WelsCreateDecoder(&raw mut decoder) != 0 || decoder.is_null() {
                bail!("no H.264 decoder");
            }
            let decoder = Self(decoder);
            let Some(initialize) = (**decoder.0).Initialize else { bail!("no H.264 decoder") };
            if initialize(decoder.0, &raw const parameters) != 0 {
                bail!("the H.264 decoder can't be initialised");
            }
            Ok(decoder)
        }
    }

    /// Decodes one access unit in byte stream form; `None` for one that holds no picture.
    pub fn decode(&mut self, unit: &[u8]) -> Result<Option<Picture<'_>>> {
        let mut planes = [ptr::null_mut(); 3];
        let mut info = sys::SBufferInfo::default();
        // SAFETY: the decoder is alive; it reads `unit` during the call, and writes planes and info.
        let (state, memory) = unsafe {
            let (Some(decode), Some(flush)) = ((**self.0).DecodeFrameNoDelay, (**self.0).FlushFrame) else {
                bail!("no H.264 decoder")
            };
            let mut state =
                decode(self.0, unit.as_ptr(), unit.len() as c_int, planes.as_mut_ptr(), &raw mut info);
            // In the Main profile it holds a picture back for reordering, which does not occur here.
            if state == 0 && info.iBufferStatus != 1 {
                state = flush(self.0, planes.as_mut_ptr(), &raw mut info);
            }
            (state, info.UsrData.sSystemBuffer)
        };
        if state != 0 {
            bail!("a picture does not decode (state {state})");
        }
        if info.iBufferStatus != 1 || planes.iter().any(|plane| plane.is_null()) {
            return Ok(None);
        }
        let (width, height) = (memory.iWidth as usize, memory.iHeight as usize);
        let plane = |i: usize| {
            let (stride, width, height) = match i {
                0 => (memory.iStride[0] as usize, width, height),
                _ => (memory.iStride[1] as usize, width.div_ceil(2), height.div_ceil(2)),
            };
            let length = stride * (height - 1) + width;
            Plane {
                // SAFETY: the decoder said that this plane has these rows; they stay until its next call, which
                // `&mut self` keeps away from the picture.
                data: unsafe { std::slice::from_raw_parts(planes[i], length) },
                stride,
            }
        };
        Ok(Some(Picture {
            width: width as u32,
            height: height as u32,
            planes: [plane(0), plane(1), plane(2)],
        }))
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: made by WelsCreateDecoder, destroyed once.
        unsafe {
            if let Some(uninitialize) = (**self.0).Uninitialize {
                uninitialize(self.0);
            }
            DynamicAPI::from_source().WelsDestroyDecoder(self.0);
        }
    }
}

/// NAL units with lengths of four bytes as a byte stream; `None` where the lengths don't add up.
pub(crate) fn byte_stream(unit: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut rest) = (Vec::with_capacity(unit.len()), unit);
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (nal, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        out.extend_from_slice(&[0, 0, 0, 1]);
        out.extend_from_slice(nal);
        rest = after;
    }
    rest.is_empty().then_some(out)
}
