//! What a sequence parameter set tells players (H.264 clauses 7.3.2.1.1 and E.1.1).

use std::io;

use bitstream_io::{BigEndian, BitRead, BitReader};

use crate::nal::NalWriter;

/// profile_idc of Baseline, Main and Extended.
const PROFILES: [u32; 3] = [66, 77, 88];
/// Those whose configuration tells the chroma format too (ISO/IEC 14496-15 clause 5.3.3.1): High, High 10, High 4:2:2 and
/// 4:4:4.
const HIGH: [u32; 4] = [100, 110, 122, 144];
/// chroma_format_idc
const CHROMA_444: u32 = 3;
/// aspect_ratio_idc that has width and height behind it (table E-1).
const EXTENDED_SAR: u32 = 255;
/// video_format (table E-2); colour_primaries, transfer_characteristics and matrix_coefficients (tables E-3 to E-5).
const UNSPECIFIED: u32 = 5;
const BT709: u32 = 1;
const SMPTE170M: u32 = 6;
/// The longest motion vector, as a power of 2 in quarter samples.
const LOG2_MAX_MV_LENGTH: u32 = 15;

/// What a set is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// Pictures a second, of which some may be missing.
    pub(crate) fps: u32,
    /// The least; ten times the level.
    pub(crate) level_idc: u8,
}

/// The same set with the rate and the level that the stream has by now, and, where it does not tell these yet, the colours and
/// the word that no picture waits for a later one: without it players hold pictures back. `None` where it can't be read.
pub(crate) fn complete(sps: &[u8], told: Told) -> Option<Vec<u8>> {
    let (header, payload) = sps.split_first()?;
    let raw = without_emulation_prevention(payload);
    let mut out = Vec::with_capacity(sps.len() + 16);
    let from = BitReader::endian(&raw[..], BigEndian);
    let mut copy = Copy { from, to: NalWriter::new(&mut out, *header) };
    copy.sps(told).ok()?;
    copy.to.finish();
    Some(out)
}

/// How the pictures of High and the profiles above it are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChromaFormat {
    /// chroma_format_idc: 0 for luma alone, 1 for 4:2:0.
    pub(crate) idc: u8,
    /// Bits of a sample above eight.
    pub(crate) luma_minus8: u8,
    pub(crate) chroma_minus8: u8,
}

/// `None` for profiles below High, and where the set can't be read.
pub(crate) fn chroma_format(sps: &[u8]) -> Option<ChromaFormat> {
    let (header, payload) = sps.split_first()?;
    let raw = without_emulation_prevention(payload);
    let mut copied = Vec::new();
    let from = BitReader::endian(&raw[..], BigEndian);
    let mut copy = Copy { from, to: NalWriter::new(&mut copied, *header) };
    let profile = copy.u(8).ok()?;
    copy.u(16).ok()?;
    copy.identity(profile).ok()?
}

/// The bytes behind the header of a NAL unit, as they were before a 3 was put between zeros and what would look like a start
/// code with them (clause 7.4.1).
fn without_emulation_prevention(payload: &[u8]) -> Vec<u8> {
    let mut zeros = 0;
    let mut is_own = |byte: &u8| {
        let is_own = !(zeros >= 2 && *byte == 3);
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        is_own
    };
    payload.iter().copied().filter(|byte| is_own(byte)).collect()
}

/// Reads fields and writes them as they are.
struct Copy<'a> {
    from: BitReader<&'a [u8], BigEndian>,
    to: NalWriter<'a>,
}

impl Copy<'_> {
    /// u(n), up to 32 bits.
    fn u(&mut self, bits: u32) -> io::Result<u32> {
        let value = self.from.read_unsigned_var(bits)?;
        self.to.u(bits, value);
        Ok(value)
    }

    fn flag(&mut self) -> io::Result<bool> {
        Ok(self.u(1)? == 1)
    }

    /// ue(v), and se(v) by its codeNum.
    fn ue(&mut self) -> io::Result<u32> {
        let zeros = self.from.read_unary::<1>()?;
        if zeros > 31 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let rest: u32 = self.from.read_unsigned_var(zeros)?;
        let value = (1 << zeros) - 1 + rest;
        self.to.ue(value);
        Ok(value)
    }

    fn several(&mut self, count: u32) -> io::Result<()> {
        (0..count).try_for_each(|_| self.ue().map(drop))
    }

    fn sps(&mut self, Told { fps, level_idc }: Told) -> io::Result<()> {
        let profile = self.u(8)?;
        self.u(8)?; // constraints
        let level: u32 = self.from.read_unsigned_var(8)?;
        self.to.u(8, level.max(level_idc.into()));
        if self.identity(profile)?.is_some() {
            self.flag()?; // qpprime_y_zero_transform_bypass_flag
            if self.flag()? {
                // seq_scaling_matrix_present_flag: no encoder here is known to write one.
                return Err(io::ErrorKind::Unsupported.into());
            }
        }
        self.several(1)?; // log2_max_frame_num_minus4
        match self.ue()? {
            0 => self.several(1)?, // log2_max_pic_order_cnt_lsb_minus4
            1 => {
                self.flag()?; // delta_pic_order_always_zero_flag
                self.several(2)?; // offset_for_non_ref_pic, offset_for_top_to_bottom_field
                let cycle = self.ue()?;
                self.several(cycle)?;
            }
            _ => {}
        }
        let reference_frames = self.ue()?;
        self.flag()?; // gaps_in_frame_num_value_allowed_flag
        self.several(2)?; // width and height in macroblocks
        if !self.flag()? {
            self.flag()?; // mb_adaptive_frame_field_flag
        }
        self.flag()?; // direct_8x8_inference_flag
        if self.flag()? {
            self.several(4)?; // cropping
        }
        let has_vui: bool = self.from.read_bit()?;
        self.to.u(1, 1);
        if !has_vui {
            // Neither aspect_ratio_info nor overscan_info; later neither chroma_loc_info.
            self.to.u(2, 0);
            self.signal();
            self.to.u(1, 0);
            self.timing(fps);
            // Nor nal_hrd_parameters, vcl_hrd_parameters and pic_struct.
            self.to.u(3, 0);
        }
        if !has_vui || !self.vui(fps)? {
            self.restriction(reference_frames);
        }
        Ok(())
    }

    /// seq_parameter_set_id and, from High on, the chroma format.
    fn identity(&mut self, profile: u32) -> io::Result<Option<ChromaFormat>> {
        self.several(1)?;
        if PROFILES.contains(&profile) {
            return Ok(None);
        }
        if !HIGH.contains(&profile) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let idc = self.ue()?;
        if idc == CHROMA_444 {
            self.flag()?; // separate_colour_plane_flag
        }
        let (luma, chroma) = (self.ue()?, self.ue()?);
        let format = |idc, luma_minus8, chroma_minus8| ChromaFormat { idc, luma_minus8, chroma_minus8 };
        match (idc, luma, chroma) {
            (0..=3, 0..=6, 0..=6) => Ok(Some(format(idc as u8, luma as u8, chroma as u8))),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Returns whether bitstream_restriction is there.
    fn vui(&mut self, fps: u32) -> io::Result<bool> {
        if self.flag()? && self.u(8)? == EXTENDED_SAR {
            self.u(32)?;
        }
        if self.flag()? {
            self.flag()?; // overscan_appropriate_flag
        }
        if self.from.read_bit()? {
            self.to.u(1, 1);
            self.u(4)?; // video_format, video_full_range_flag
            if self.flag()? {
                self.u(24)?; // colour_primaries, transfer_characteristics, matrix_coefficients
            }
        } else {
            self.signal();
        }
        if self.flag()? {
            self.several(2)?; // places of the chroma samples
        }
        if self.from.read_bit()? {
            // num_units_in_tick, time_scale, fixed_frame_rate_flag: of the time when the encoder was opened.
            let _: u64 = self.from.read_unsigned_var(64)?;
            self.from.read_bit()?;
        }
        self.timing(fps);
        let has_nal_buffer = self.hypothetical_decoder()?;
        if self.hypothetical_decoder()? || has_nal_buffer {
            self.flag()?; // low_delay_hrd_flag
        }
        self.flag()?; // pic_struct_present_flag
        let has_restriction = self.from.read_bit()?;
        if has_restriction {
            self.to.u(1, 1);
            self.flag()?; // motion_vectors_over_pic_boundaries_flag
            self.several(6)?;
        }
        Ok(has_restriction)
    }

    /// hrd_parameters, if they are there.
    fn hypothetical_decoder(&mut self) -> io::Result<bool> {
        let is_there = self.flag()?;
        if is_there {
            let buffers = self.ue()?;
            self.u(8)?; // bit_rate_scale, cpb_size_scale
            for _ in 0..=buffers {
                self.several(2)?;
                self.flag()?; // cbr_flag
            }
            self.u(20)?; // lengths of delays
        }
        Ok(is_there)
    }

    /// video_signal_type. Without a word players take small pictures for BT.601 and large ones for BT.709. Cameras deliver
    /// BT.601.
    fn signal(&mut self) {
        self.to.u(1, 1);
        self.to.u(3, UNSPECIFIED);
        self.to.u(1, 0); // video_full_range_flag
        self.to.u(1, 1); // colour_description_present_flag
        for value in [BT709, BT709, SMPTE170M] {
            self.to.u(8, value);
        }
    }

    /// timing_info
    fn timing(&mut self, fps: u32) {
        self.to.u(1, 1);
        // A picture has two ticks.
        self.to.u(32, 1);
        self.to.u(32, fps.saturating_mul(2));
        self.to.u(1, 0); // fixed_frame_rate_flag
    }

    /// bitstream_restriction, with the values that hold where it is not there, but for the order of pictures.
    fn restriction(&mut self, reference_frames: u32) {
        self.to.u(1, 1);
        self.to.u(1, 1); // motion_vectors_over_pic_boundaries_flag
        // max_bytes_per_pic_denom, max_bits_per_mb_denom, the longest vectors, max_num_reorder_frames,
        // max_dec_frame_buffering
        for value in [2, 1, LOG2_MAX_MV_LENGTH, LOG2_MAX_MV_LENGTH, 0, reference_frames] {
            self.to.ue(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use h264_reader::nal::sps::SeqParameterSet;
    use h264_reader::nal::{Nal, RefNal};
    use proptest::prelude::*;

    use super::*;

    fn read(sps: &[u8]) -> SeqParameterSet {
        SeqParameterSet::from_bits(RefNal::new(sps, &[], true).rbsp_bits()).unwrap()
    }

    /// 362x640 of Main profile, with two reference frames, and the VUI parameters that `vui` writes.
    fn set(vui: Option<fn(&mut NalWriter<'_>)>) -> Vec<u8> {
        set_of(77, |nal| nal.ue(0), vui)
    }

    /// The same of another profile, with an identity and what follows it for that profile.
    fn set_of(
        profile: u32,
        identity: impl Fn(&mut NalWriter<'_>),
        vui: Option<fn(&mut NalWriter<'_>)>,
    ) -> Vec<u8> {
        let mut out = Vec::new();
        let mut nal = NalWriter::new(&mut out, 0x67);
        let several =
            |nal: &mut NalWriter<'_>, values: &[u32]| values.iter().for_each(|value| nal.ue(*value));
        for byte in [profile, 0, 30] {
            nal.u(8, byte);
        }
        identity(&mut nal);
        several(&mut nal, &[0, 0, 2, 2]);
        nal.u(1, 0);
        several(&mut nal, &[22, 39]);
        nal.u(3, 0b111);
        several(&mut nal, &[0, 3, 0, 0]);
        nal.u(1, vui.is_some().into());
        if let Some(vui) = vui {
            vui(&mut nal);
        }
        nal.finish();
        out
    }

    const TOLD: Told = Told { fps: 25, level_idc: 22 };

    /// Cropping stays, the rate, the colours and the order are told.
    fn expect(sps: &[u8], matrix: u8) {
        let complete_sps = complete(sps, TOLD).unwrap();
        let set = read(&complete_sps);
        assert_eq!((set.pixel_dimensions().unwrap(), set.level_idc), ((362, 640), 30));
        let vui = set.vui_parameters.unwrap();
        let timing = vui.timing_info.unwrap();
        assert_eq!((timing.num_units_in_tick, timing.time_scale), (1, 50));
        assert!(!timing.fixed_frame_rate_flag);
        let restrictions = vui.bitstream_restrictions.unwrap();
        assert_eq!((restrictions.max_num_reorder_frames, restrictions.max_dec_frame_buffering), (0, 2));
        let colours = vui.video_signal_type.unwrap().colour_description.unwrap();
        assert_eq!((colours.colour_primaries, colours.matrix_coefficients), (1, matrix));
        assert_eq!(complete(&complete_sps, TOLD), Some(complete_sps), "once is enough");
    }

    #[test]
    fn a_set_tells_rate_order_and_level() {
        expect(&set(None), 6);
        let level = complete(&set(None), Told { level_idc: 31, ..TOLD }).unwrap();
        assert_eq!(read(&level).level_idc, 31);
    }

    #[test]
    fn what_else_a_set_tells_stays() {
        let colours = set(Some(|nal| {
            nal.u(1, 1);
            nal.u(8, EXTENDED_SAR);
            nal.u(32, 1 << 16 | 1);
            nal.u(2, 0b11); // overscan
            nal.u(1, 1);
            nal.u(4, 5 << 1);
            nal.u(1, 1);
            nal.u(24, 0x01_01_01);
            nal.u(2, 0); // chroma, timing
            nal.u(1, 1);
            nal.ue(0);
            nal.u(8, 0);
            nal.ue(7);
            nal.ue(9);
            nal.u(1, 1);
            nal.u(20, 0);
            nal.u(2, 0b01); // no second one, low_delay_hrd_flag
            nal.u(2, 0);
        }));
        expect(&colours, 1);
        let old_rate = set(Some(|nal| {
            nal.u(4, 0);
            nal.u(1, 1);
            nal.u(32, 1);
            nal.u(32, 40);
            nal.u(5, 0b10000);
        }));
        expect(&old_rate, 6);
    }

    /// seq_parameter_set_id, chroma_format_idc and bits of luma and chroma, no bypass, and whether a matrix follows.
    fn high(format: [u32; 3], has_matrix: bool) -> impl Fn(&mut NalWriter<'_>) {
        move |nal| {
            let [idc, luma, chroma] = format;
            nal.ue(0);
            nal.ue(idc);
            if idc == CHROMA_444 {
                nal.u(1, 0);
            }
            nal.ue(luma);
            nal.ue(chroma);
            nal.u(2, has_matrix.into());
        }
    }

    #[test]
    fn a_set_of_high_profile_tells_the_same_and_its_chroma_format() {
        let format = |idc, luma_minus8, chroma_minus8| Some(ChromaFormat { idc, luma_minus8, chroma_minus8 });
        let set_of = |profile, format, has_matrix| set_of(profile, high(format, has_matrix), None);
        expect(&set_of(100, [1, 0, 0], false), 6);
        assert_eq!(chroma_format(&set_of(100, [1, 0, 0], false)), format(1, 0, 0));
        assert_eq!(chroma_format(&set_of(110, [0, 2, 1], true)), format(0, 2, 1));
        assert_eq!(chroma_format(&set_of(122, [2, 2, 2], false)), format(2, 2, 2));
        assert_eq!(chroma_format(&set_of(144, [3, 4, 6], false)), format(3, 4, 6));
        assert_eq!(chroma_format(&set_of(100, [4, 0, 0], false)), None);
        assert_eq!(chroma_format(&set(None)), None);
    }

    #[test]
    fn a_set_that_can_t_be_read_stays() {
        let mut scalable = set(None);
        scalable[1] = 83;
        assert_eq!(complete(&scalable, TOLD), None);
        let with_matrix = set_of(100, high([1, 0, 0], true), None);
        assert_eq!(complete(&with_matrix, TOLD), None);
        assert_eq!(complete(&set(None)[..6], TOLD), None);
        assert_eq!(complete(&[], TOLD), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(mut sps: Vec<u8>, fps: u32) {
            let told = Told { fps, ..TOLD };
            let _ = complete(&sps, told);
            sps.splice(0..0, [0x67, 77, 0, 30]);
            let _ = complete(&sps, told);
        }
    }
}
