//! What the driver is told of a picture: one buffer for each kind of parameter.

use std::ffi::{c_int, c_void};
use std::sync::Arc;

use media::EncoderSettings;
use vaapi_sys as va;
use vaapi_sys::{VABufferID, VAContextID, VAPictureH264, VASurfaceID};

use super::display::{Config, Display, check};
use super::headers::{self, Slice};

/// Sequence, three of rates, picture, two of each packed header, slice.
const MOST: usize = 10;

/// The buffers of one picture. The driver is done with them when it took the picture.
pub(super) struct Parameters<'a> {
    display: &'a Display,
    context: VAContextID,
    ids: [VABufferID; MOST],
    count: usize,
}

/// Surfaces and buffers of one picture.
#[derive(Clone, Copy)]
pub(super) struct Places {
    /// The picture as it is decoded, and the one before.
    pub(super) decoded: VASurfaceID,
    pub(super) reference: VASurfaceID,
    pub(super) coded: VABufferID,
}

/// What the rates are now.
#[derive(Clone, Copy)]
pub(super) struct Rates {
    pub(super) bitrate: u32,
    pub(super) fps: u32,
}

/// A parameter with its kind before it (`VAEncMiscParameterBuffer`).
#[repr(C)]
struct Misc<T> {
    kind: va::VAEncMiscParameterType,
    value: T,
}

impl<'a> Parameters<'a> {
    pub(super) fn new(display: &'a Arc<Display>, context: VAContextID) -> Self {
        Self { display, context, ids: [va::VA_INVALID_ID; MOST], count: 0 }
    }

    /// Hands a picture over, in this order: its surface, its parameters.
    pub(super) fn submit(mut self, surface: VASurfaceID) -> Result<(), String> {
        let handle = self.display.handle();
        // SAFETY: display, context, surface and the buffers live. A picture that was begun is ended.
        unsafe {
            check("vaBeginPicture", va::vaBeginPicture(handle, self.context, surface))?;
            let (ids, count) = (self.ids.as_mut_ptr(), self.count as c_int);
            let rendered = va::vaRenderPicture(handle, self.context, ids, count);
            let ended = va::vaEndPicture(handle, self.context);
            check("vaRenderPicture", rendered).and(check("vaEndPicture", ended))
        }
    }

    /// The stream that begins with an IDR picture (7.4.2.1).
    pub(super) fn sequence(&mut self, settings: &EncoderSettings, rates: Rates) -> Result<(), String> {
        let EncoderSettings { width, height, gop, .. } = *settings;
        let mut sequence = va::VAEncSequenceParameterBufferH264 {
            level_idc: settings.level_idc(),
            intra_period: gop,
            intra_idr_period: gop,
            ip_period: 1,
            bits_per_second: rates.bitrate,
            max_num_ref_frames: 1,
            picture_width_in_mbs: width.div_ceil(16) as u16,
            picture_height_in_mbs: height.div_ceil(16) as u16,
            vui_parameters_present_flag: 1,
            aspect_ratio_idc: headers::SQUARE,
            num_units_in_tick: 1,
            time_scale: 2 * settings.fps,
            ..Default::default()
        };
        let (right, bottom) = headers::cropping(settings);
        sequence.frame_cropping_flag = u8::from(right + bottom > 0);
        sequence.frame_crop_right_offset = right;
        sequence.frame_crop_bottom_offset = bottom;
        // SAFETY: each member of the unions is made of bits, all of which are valid.
        unsafe {
            let fields = &mut sequence.seq_fields.bits;
            fields.set_chroma_format_idc(1);
            fields.set_frame_mbs_only_flag(1);
            fields.set_direct_8x8_inference_flag(1);
            fields.set_log2_max_frame_num_minus4(headers::LOG2_MAX_FRAME_NUM_MINUS4);
            fields.set_pic_order_cnt_type(headers::PIC_ORDER_CNT_TYPE);
            let fields = &mut sequence.vui_fields.bits;
            fields.set_aspect_ratio_info_present_flag(1);
            fields.set_timing_info_present_flag(1);
            fields.set_bitstream_restriction_flag(1);
            fields.set_log2_max_mv_length_horizontal(headers::LOG2_MAX_MV_LENGTH);
            fields.set_log2_max_mv_length_vertical(headers::LOG2_MAX_MV_LENGTH);
            fields.set_motion_vectors_over_pic_boundaries_flag(1);
        }
        self.add(va::VAEncSequenceParameterBufferType, &sequence)
    }

    /// Bits and pictures a second from now on.
    pub(super) fn rates(
        &mut self,
        config: &Config,
        settings: &EncoderSettings,
        rates: Rates,
    ) -> Result<(), String> {
        let Rates { bitrate, fps } = rates;
        // What varies is given by its ceiling.
        let (most, percentage) = if config.is_constant { (bitrate, 100) } else { (bitrate / 4 * 5, 80) };
        let mut rate = va::VAEncMiscParameterRateControl {
            bits_per_second: most,
            target_percentage: percentage,
            window_size: settings.vbv.as_millis() as u32,
            ..Default::default()
        };
        // SAFETY: the union is made of bits, all of which are valid.
        unsafe {
            rate.rc_flags.bits.set_disable_frame_skip(1);
            rate.rc_flags.bits.set_disable_bit_stuffing(1);
        }
        let buffer_size = settings.vbv_bits(most) as u32;
        let buffer = va::VAEncMiscParameterHRD {
            initial_buffer_fullness: buffer_size / 4 * 3,
            buffer_size,
            ..Default::default()
        };
        let pictures = va::VAEncMiscParameterFrameRate {
            framerate: 1 << 16 | fps.clamp(1, 0xffff),
            ..Default::default()
        };
        self.add_misc(va::VAEncMiscParameterTypeRateControl, rate)?;
        self.add_misc(va::VAEncMiscParameterTypeHRD, buffer)?;
        self.add_misc(va::VAEncMiscParameterTypeFrameRate, pictures)
    }

    /// `order` counts pictures since the last IDR picture.
    pub(super) fn picture(
        &mut self,
        settings: &EncoderSettings,
        slice: Slice,
        order: i32,
        places: Places,
    ) -> Result<(), String> {
        let mut picture = va::VAEncPictureParameterBufferH264 {
            CurrPic: picture(places.decoded, slice.frame_num.into(), order, 0),
            ReferenceFrames: [nothing(); 16],
            coded_buf: places.coded,
            frame_num: slice.frame_num.into(),
            pic_init_qp: headers::PIC_INIT_QP,
            ..Default::default()
        };
        if !slice.idr {
            picture.ReferenceFrames[0] = reference(slice, order, places);
        }
        // SAFETY: the union is made of bits, all of which are valid.
        unsafe {
            let fields = &mut picture.pic_fields.bits;
            fields.set_idr_pic_flag(slice.idr.into());
            fields.set_reference_pic_flag(1);
            fields.set_entropy_coding_mode_flag(headers::is_cabac(settings.profile).into());
            fields.set_deblocking_filter_control_present_flag(1);
        }
        self.add(va::VAEncPictureParameterBufferType, &picture)
    }

    /// The one slice of a picture.
    pub(super) fn slice(
        &mut self,
        settings: &EncoderSettings,
        slice: Slice,
        order: i32,
        places: Places,
    ) -> Result<(), String> {
        let mut parameters = va::VAEncSliceParameterBufferH264 {
            num_macroblocks: settings.width.div_ceil(16) * settings.height.div_ceil(16),
            macroblock_info: va::VA_INVALID_ID,
            slice_type: slice.slice_type(),
            idr_pic_id: slice.idr_pic_id,
            RefPicList0: [nothing(); 32],
            RefPicList1: [nothing(); 32],
            ..Default::default()
        };
        if !slice.idr {
            parameters.RefPicList0[0] = reference(slice, order, places);
        }
        self.add(va::VAEncSliceParameterBufferType, &parameters)
    }

    /// A header of so many bits in byte stream form.
    pub(super) fn packed_header(&mut self, kind: u32, header: &[u8], bits: usize) -> Result<(), String> {
        let parameters = va::VAEncPackedHeaderParameterBuffer {
            type_: kind,
            bit_length: bits as u32,
            has_emulation_bytes: 1,
            ..Default::default()
        };
        self.add(va::VAEncPackedHeaderParameterBufferType, &parameters)?;
        // SAFETY: so many bytes are there.
        unsafe { self.add_bytes(va::VAEncPackedHeaderDataBufferType, header.as_ptr().cast(), header.len()) }
    }

    fn add_misc<T>(&mut self, kind: va::VAEncMiscParameterType, value: T) -> Result<(), String> {
        self.add(va::VAEncMiscParameterBufferType, &Misc { kind, value })
    }

    fn add<T>(&mut self, kind: va::VABufferType, value: &T) -> Result<(), String> {
        // SAFETY: the value has that size.
        unsafe { self.add_bytes(kind, (&raw const *value).cast(), size_of::<T>()) }
    }

    /// # Safety
    /// There are `size` bytes at `data`.
    unsafe fn add_bytes(
        &mut self,
        kind: va::VABufferType,
        data: *const c_void,
        size: usize,
    ) -> Result<(), String> {
        let Some(id) = self.ids.get_mut(self.count) else {
            return Err("a picture has too many parameters".into());
        };
        let handle = self.display.handle();
        // SAFETY: display and context live; the bytes are copied during the call; `id` is a place for the result.
        let status = unsafe {
            va::vaCreateBuffer(handle, self.context, kind, size as u32, 1, data.cast_mut(), &raw mut *id)
        };
        check("vaCreateBuffer", status)?;
        self.count += 1;
        Ok(())
    }
}

impl Drop for Parameters<'_> {
    fn drop(&mut self) {
        for id in &self.ids[..self.count] {
            // SAFETY: it was made by vaCreateBuffer and is destroyed here, once.
            unsafe { va::vaDestroyBuffer(self.display.handle(), *id) };
        }
    }
}

fn picture(surface: VASurfaceID, frame_num: u32, order: i32, flags: u32) -> VAPictureH264 {
    // A frame has two fields (8.2.1.3).
    let count = 2 * order;
    VAPictureH264 {
        picture_id: surface,
        frame_idx: frame_num,
        flags,
        TopFieldOrderCnt: count,
        BottomFieldOrderCnt: count,
        ..Default::default()
    }
}

fn nothing() -> VAPictureH264 {
    picture(va::VA_INVALID_SURFACE, 0, 0, va::VA_PICTURE_H264_INVALID)
}

/// The picture before.
fn reference(slice: Slice, order: i32, places: Places) -> VAPictureH264 {
    let frame_num = slice.frame_num.wrapping_sub(1).into();
    picture(places.reference, frame_num, order - 1, va::VA_PICTURE_H264_SHORT_TERM_REFERENCE)
}
