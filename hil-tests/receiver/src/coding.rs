//! What a stream says of itself: its parameter sets, and the kinds of its slices (H.264 clause 7.3).

use h264_reader::Context;
use h264_reader::nal::pps::PicParameterSet;
use h264_reader::nal::sps::{PicOrderCntType, SeqParameterSet};
use h264_reader::nal::{Nal, RefNal};
use h264_reader::rbsp::BitRead;
use serde::Serialize;

/// Of the sequence parameter set.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Coding {
    pub profile: u8,
    /// Ten times the level.
    pub level: u8,
    /// Without what is cropped.
    pub width: u32,
    pub height: u32,
    /// By its timing information.
    pub fps: Option<f64>,
    /// colour_primaries, transfer_characteristics and matrix_coefficients (H.264 tables E-3 to E-5).
    pub colours: Option<[u8; 3]>,
    /// Whether it keeps to what Constrained Baseline and Main have in common (H.264 clause A.2.1.1).
    pub is_constrained: bool,
    /// Whether a player knows that it may show each picture at once: by the order count's type or by the number of pictures
    /// that wait for others (H.264 clauses 8.2.1 and E.2.1).
    pub is_in_order: bool,
}

/// Reads an AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1), or says what a publisher may not do.
pub fn read(record: &[u8]) -> Result<Coding, String> {
    let [sps, pps] = parameter_sets(record).ok_or("an AVC header that can't be read")?;
    let coding = read_sets(sps, pps)?;
    if record[1..4] != sps[1..4] {
        return Err("an AVC header with a profile or level that is not the SPS's".into());
    }
    Ok(coding)
}

/// Reads SPS and PPS, without start codes, or says what they may not have.
pub(crate) fn read_sets(sps: &[u8], pps: &[u8]) -> Result<Coding, String> {
    let bits = |unit| RefNal::new(unit, &[], true).rbsp_bits();
    let parsed = SeqParameterSet::from_bits(bits(sps))
        .map_err(|error| format!("an SPS that can't be read: {error:?}"))?;
    let (width, height) =
        parsed.pixel_dimensions().map_err(|error| format!("an SPS without a size: {error:?}"))?;
    let profile = parsed.profile_idc.into();
    let vui = parsed.vui_parameters.as_ref();
    let reorders = vui.and_then(|vui| vui.bitstream_restrictions.as_ref());
    if reorders.is_some_and(|it| it.max_num_reorder_frames > 0) {
        return Err("an SPS that announces pictures out of order".into());
    }
    let signal = vui.and_then(|vui| vui.video_signal_type.as_ref());
    let colours = signal.and_then(|signal| signal.colour_description.as_ref());
    let timing = vui.and_then(|vui| vui.timing_info.as_ref());
    // A tick is that of a field (H.264 clause E.2.1).
    let fps = timing.map(|it| f64::from(it.time_scale) / f64::from(it.num_units_in_tick.max(1)) / 2.0);
    let coding = Coding {
        profile,
        level: parsed.level_idc,
        width,
        height,
        fps,
        colours: colours.map(|it| [it.colour_primaries, it.transfer_characteristics, it.matrix_coefficients]),
        is_constrained: parsed.constraint_flags.flag1(),
        is_in_order: reorders.is_some() || matches!(parsed.pic_order_cnt, PicOrderCntType::TypeTwo),
    };
    let mut context = Context::default();
    context.put_seq_param_set(parsed);
    PicParameterSet::from_bits(&context, bits(pps))
        .map_err(|error| format!("a PPS that can't be read: {error:?}"))?;
    Ok(coding)
}

/// SPS and PPS of a record that has one of each.
fn parameter_sets(record: &[u8]) -> Option<[&[u8]; 2]> {
    let length = |at: usize| Some(usize::from(*record.get(at)?) << 8 | usize::from(*record.get(at + 1)?));
    let sps = record.get(8..8 + length(6)?)?;
    let after = 8 + sps.len();
    let pps = record.get(after + 3..after + 3 + length(after + 1)?)?;
    (sps.len() > 3 && !pps.is_empty()).then_some([sps, pps])
}

/// The same sets in byte stream form.
pub(crate) fn byte_stream(record: &[u8]) -> Option<Vec<u8>> {
    let [sps, pps] = parameter_sets(record)?;
    Some([&[0, 0, 0, 1], sps, &[0, 0, 0, 1], pps].concat())
}

/// Whether a unit, without start code, is a slice of a B-picture (H.264 table 7-6).
pub(crate) fn is_b_slice(unit: &[u8]) -> bool {
    if !unit.first().is_some_and(|header| matches!(header & 0x1f, 1 | 5)) {
        return false;
    }
    let mut bits = RefNal::new(unit, &[], true).rbsp_bits();
    let kind = bits.read_ue("first_mb_in_slice").and_then(|_| bits.read_ue("slice_type"));
    kind.is_ok_and(|kind| kind % 5 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b_slices_are_told_from_others() {
        // first_mb_in_slice 0 is the bit 1; slice types 0, 1, 6 and 7 follow.
        assert!(!is_b_slice(&[0x41, 0b1100_0000]));
        assert!(is_b_slice(&[0x41, 0b1010_0000]));
        assert!(is_b_slice(&[0x41, 0b1001_1100]));
        assert!(!is_b_slice(&[0x65, 0b1000_1000, 0]));
        assert!(!is_b_slice(&[0x06, 0b1010_0000]));
    }
}
