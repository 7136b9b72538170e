//! Parameter sets and slice headers, as the hardware is told to make the rest (H.264 7.3).

use media::{EncoderSettings, H264Profile, NalWriter};

const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// Numbers of pictures count to 256 (log2_max_frame_num_minus4).
pub(super) const LOG2_MAX_FRAME_NUM_MINUS4: u32 = 4;
/// Pictures are shown in the order in which they are coded: their order is not written (8.2.1.3).
pub(super) const PIC_ORDER_CNT_TYPE: u32 = 2;
/// Square samples (table E-1).
pub(super) const SQUARE: u8 = 1;
pub(super) const PIC_INIT_QP: u8 = 26;
/// The longest motion vector, as a power of 2 in quarter samples.
pub(super) const LOG2_MAX_MV_LENGTH: u32 = 15;

/// What tells a slice from others.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slice {
    pub(super) idr: bool,
    /// Pictures since the last IDR picture.
    pub(super) frame_num: u8,
    /// Differs from that of the IDR picture before.
    pub(super) idr_pic_id: u16,
}

impl Slice {
    /// Slice types of table 7-6.
    pub(super) fn slice_type(self) -> u8 {
        if self.idr { 2 } else { 0 }
    }
}

/// Whether CABAC is used, which Baseline does not have.
pub(super) fn is_cabac(profile: H264Profile) -> bool {
    profile == H264Profile::Main
}

/// Samples right and below that must not be seen, in units of two.
pub(super) fn cropping(settings: &EncoderSettings) -> (u32, u32) {
    let units = |size: u32| (size.next_multiple_of(16) - size) / 2;
    (units(settings.width), units(settings.height))
}

/// A sequence and a picture parameter set in byte stream form.
pub(super) fn parameter_sets(settings: &EncoderSettings) -> Vec<u8> {
    let mut sets = START_CODE.to_vec();
    let mut nal = NalWriter::new(&mut sets, 0x67);
    sequence(&mut nal, settings);
    nal.finish();
    sets.extend(START_CODE);
    let mut nal = NalWriter::new(&mut sets, 0x68);
    picture(&mut nal, settings.profile);
    nal.finish();
    sets
}

/// 7.3.2.1.1 and E.1.1.
fn sequence(nal: &mut NalWriter<'_>, settings: &EncoderSettings) {
    let EncoderSettings { width, height, fps, profile, .. } = *settings;
    // profile_idc; constraint_set0_flag and constraint_set1_flag
    let (profile_idc, constraints) = match profile {
        H264Profile::ConstrainedBaseline => (66, 0b1100_0000),
        H264Profile::Main => (77, 0b0100_0000),
    };
    nal.u(8, profile_idc);
    nal.u(8, constraints);
    nal.u(8, settings.level_idc().into());
    nal.ue(0); // seq_parameter_set_id
    nal.ue(LOG2_MAX_FRAME_NUM_MINUS4);
    nal.ue(PIC_ORDER_CNT_TYPE);
    nal.ue(1); // max_num_ref_frames
    nal.u(1, 0); // gaps_in_frame_num_value_allowed_flag
    nal.ue(width.div_ceil(16) - 1);
    nal.ue(height.div_ceil(16) - 1);
    nal.u(1, 1); // frame_mbs_only_flag
    nal.u(1, 1); // direct_8x8_inference_flag
    let (right, bottom) = cropping(settings);
    nal.u(1, u32::from(right + bottom > 0));
    if right + bottom > 0 {
        for edge in [0, right, 0, bottom] {
            nal.ue(edge);
        }
    }
    nal.u(1, 1); // vui_parameters_present_flag
    nal.u(1, 1); // aspect_ratio_info_present_flag
    nal.u(8, SQUARE.into());
    nal.u(1, 0); // overscan_info_present_flag
    // Without a word players take small pictures for BT.601 and large ones for BT.709. Cameras deliver BT.601.
    nal.u(1, 1); // video_signal_type_present_flag
    nal.u(3, 5); // video_format: unspecified
    nal.u(1, 0); // video_full_range_flag
    nal.u(1, 1); // colour_description_present_flag
    nal.u(8, 1); // colour_primaries: BT.709
    nal.u(8, 1); // transfer_characteristics: BT.709
    nal.u(8, 6); // matrix_coefficients: SMPTE 170M
    nal.u(1, 0); // chroma_loc_info_present_flag
    nal.u(1, 1); // timing_info_present_flag
    nal.u(32, 1); // num_units_in_tick, of which a picture has two
    nal.u(32, 2 * fps);
    nal.u(1, 0); // fixed_frame_rate_flag: pictures may be missing
    nal.u(1, 0); // nal_hrd_parameters_present_flag
    nal.u(1, 0); // vcl_hrd_parameters_present_flag
    nal.u(1, 0); // pic_struct_present_flag
    nal.u(1, 1); // bitstream_restriction_flag
    nal.u(1, 1); // motion_vectors_over_pic_boundaries_flag
    nal.ue(0); // max_bytes_per_pic_denom
    nal.ue(0); // max_bits_per_mb_denom
    nal.ue(LOG2_MAX_MV_LENGTH);
    nal.ue(LOG2_MAX_MV_LENGTH);
    nal.ue(0); // max_num_reorder_frames
    nal.ue(1); // max_dec_frame_buffering
}

/// 7.3.2.2.
fn picture(nal: &mut NalWriter<'_>, profile: H264Profile) {
    nal.ue(0); // pic_parameter_set_id
    nal.ue(0); // seq_parameter_set_id
    nal.u(1, is_cabac(profile).into());
    nal.u(1, 0); // bottom_field_pic_order_in_frame_present_flag
    nal.ue(0); // num_slice_groups_minus1
    nal.ue(0); // num_ref_idx_l0_default_active_minus1
    nal.ue(0); // num_ref_idx_l1_default_active_minus1
    nal.u(1, 0); // weighted_pred_flag
    nal.u(2, 0); // weighted_bipred_idc
    nal.ue(0); // pic_init_qp_minus26
    nal.ue(0); // pic_init_qs_minus26
    nal.ue(0); // chroma_qp_index_offset
    nal.u(1, 1); // deblocking_filter_control_present_flag
    nal.u(1, 0); // constrained_intra_pred_flag
    nal.u(1, 0); // redundant_pic_cnt_present_flag
}

/// A slice header (7.3.3) in byte stream form, behind which the hardware goes on. It sets the QP. Returns how many bits it has.
pub(super) fn slice_header(out: &mut Vec<u8>, slice: Slice, profile: H264Profile) -> usize {
    out.extend_from_slice(&START_CODE);
    let mut nal = NalWriter::new(out, if slice.idr { 0x65 } else { 0x41 });
    nal.ue(0); // first_mb_in_slice
    nal.ue(slice.slice_type().into());
    nal.ue(0); // pic_parameter_set_id
    nal.u(LOG2_MAX_FRAME_NUM_MINUS4 + 4, slice.frame_num.into());
    if slice.idr {
        nal.ue(slice.idr_pic_id.into());
        nal.u(1, 0); // no_output_of_prior_pics_flag
        nal.u(1, 0); // long_term_reference_flag
    } else {
        nal.u(1, 0); // num_ref_idx_active_override_flag
        nal.u(1, 0); // ref_pic_list_modification_flag_l0
        nal.u(1, 0); // adaptive_ref_pic_marking_mode_flag
        if is_cabac(profile) {
            nal.ue(0); // cabac_init_idc
        }
    }
    nal.ue(0); // slice_qp_delta
    nal.ue(0); // disable_deblocking_filter_idc
    nal.ue(0); // slice_alpha_c0_offset_div2
    nal.ue(0); // slice_beta_offset_div2
    nal.cut()
}
