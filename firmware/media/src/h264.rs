//! H.264 byte streams (ITU-T H.264 annex B) and their form in FLV and MP4 (ISO/IEC 14496-15).

use memchr::memmem;

use crate::Bytes;
use crate::sps::{self, Told};

/// NAL unit types, H.264 table 7-1.
const SPS: u8 = 7;
const PPS: u8 = 8;
const ACCESS_UNIT_DELIMITER: u8 = 9;
/// Bytes of a length.
const LENGTH: usize = 4;

/// The NAL units of a byte stream, without start codes.
pub fn nal_units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut codes = start_codes(stream).peekable();
    let units = std::iter::from_fn(move || {
        let (_, start) = codes.next()?;
        let end = codes.peek().map_or(stream.len(), |(code, _)| *code);
        Some(&stream[start..end])
    });
    units.filter(|unit| !unit.is_empty())
}

/// The position of each start code, with all zeros before it, and of the NAL unit after it.
pub fn start_codes(stream: &[u8]) -> impl Iterator<Item = (usize, usize)> {
    memmem::find_iter(stream, &[0, 0, 1]).map(|at| {
        let zeros = stream[..at].iter().rev().take_while(|byte| **byte == 0).count();
        (at - zeros, at + 3)
    })
}

fn start_code(stream: &[u8]) -> Option<(usize, usize)> {
    start_codes(stream).next()
}

/// The parameter sets of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParameterSets {
    sps: Vec<u8>,
    pps: Vec<u8>,
    told: Option<Told>,
    /// Something else is to be told than the configuration does that went out.
    is_old: bool,
}

impl ParameterSets {
    /// Has the configuration tell players the rate, in pictures a second, and at least that level, and that pictures are
    /// shown in the order in which they come, which not every encoder says.
    pub fn tell(&mut self, fps: u32, level_idc: u8) {
        let level_idc = self.told.map_or(level_idc, |told| level_idc.max(told.level_idc));
        let told = Some(Told { fps, level_idc });
        self.is_old |= self.told != told;
        self.told = told;
    }

    /// Takes the parameter sets out of an access unit in byte stream form and turns it, where it lies, into NAL units with a
    /// length of four bytes before each. Those that stay are moved only where start codes are shorter than a length, or where
    /// a unit between them went. Returns whether the parameter sets changed. An access unit that has no room for its lengths
    /// is emptied.
    pub fn extract(&mut self, access_unit: &mut Bytes) -> bool {
        let mut changed = false;
        // Where the first unit that stays begins, where the next one would if lengths stood close, and how much is missing.
        let (mut first, mut place, mut missing) = (None, 0, 0);
        let mut codes = start_codes(access_unit).peekable();
        while let Some((_, start)) = codes.next() {
            let end = codes.peek().map_or(access_unit.len(), |(code, _)| *code);
            let unit = &access_unit[start..end];
            match kind(unit) {
                Some(SPS) => changed |= replace(&mut self.sps, unit) | std::mem::take(&mut self.is_old),
                Some(PPS) => changed |= replace(&mut self.pps, unit),
                _ if stays(unit) => {
                    if first.is_none() {
                        (first, place) = (Some(start), start);
                    }
                    missing = missing.max(place.saturating_sub(start));
                    place += LENGTH + unit.len();
                }
                _ => {}
            }
        }
        drop(codes);
        let first = first.filter(|first| access_unit.make_room(*first, LENGTH + missing));
        let (memory, range) = access_unit.parts();
        let Some(first) = first.map(|first| range.start + first) else {
            range.end = range.start;
            return changed;
        };
        let begin = first - LENGTH - missing;
        let (mut next, mut write) = (Some(first), begin);
        while let Some(start) = next {
            let following = start_code(&memory[start..range.end]);
            let end = following.map_or(range.end, |(code, _)| start + code);
            next = following.map(|(_, nal)| start + nal);
            if stays(&memory[start..end]) {
                let target = write + LENGTH;
                if target != start {
                    memory.copy_within(start..end, target);
                }
                memory[write..target].copy_from_slice(&((end - start) as u32).to_be_bytes());
                write = target + (end - start);
            }
        }
        *range = begin..write;
        changed
    }

    /// The AVCDecoderConfigurationRecord (ISO/IEC 14496-15 clause 5.3.3.1) with lengths of four bytes; `None`
    /// before both sets are known. For High and the profiles above it the chroma format follows.
    pub fn decoder_configuration(&self) -> Option<Vec<u8>> {
        let complete = self.told.and_then(|told| sps::complete(&self.sps, told));
        let sps = complete.as_ref().unwrap_or(&self.sps);
        let [_, profile, compatibility, level, ..] = sps[..] else {
            return None;
        };
        if self.pps.is_empty() {
            return None;
        }
        let mut record = vec![1, profile, compatibility, level, 0xfc | 3, 0xe0 | 1];
        record.extend_from_slice(&(sps.len() as u16).to_be_bytes());
        record.extend_from_slice(sps);
        record.push(1);
        record.extend_from_slice(&(self.pps.len() as u16).to_be_bytes());
        record.extend_from_slice(&self.pps);
        if let Some(format) = sps::chroma_format(sps) {
            // Reserved bits are ones; no SPS extension follows.
            record.extend([0xfc | format.idc, 0xf8 | format.luma_minus8, 0xf8 | format.chroma_minus8, 0]);
        }
        Some(record)
    }
}

fn kind(unit: &[u8]) -> Option<u8> {
    unit.first().map(|header| header & 0x1f)
}

/// Whether a unit belongs into a packet: no parameter set, no delimiter, not empty.
fn stays(unit: &[u8]) -> bool {
    !matches!(kind(unit), None | Some(SPS | PPS | ACCESS_UNIT_DELIMITER))
}

fn replace(set: &mut Vec<u8>, unit: &[u8]) -> bool {
    let changed = set != unit;
    if changed {
        set.clear();
        set.extend_from_slice(unit);
    }
    changed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Buffer, Pool};

    const SPS_UNIT: [u8; 6] = [0x67, 0x42, 0xc0, 0x1f, 0x8c, 0x8d];
    const PPS_UNIT: [u8; 4] = [0x68, 0xce, 0x3c, 0x80];

    fn stream(units: &[&[u8]]) -> Vec<u8> {
        units.iter().flat_map(|unit| [&[0, 0, 0, 1], *unit].concat()).collect()
    }

    fn bytes(stream: &[u8]) -> Bytes {
        let mut bytes = Pool::new(1, Vec::new).take();
        bytes.extend_from_slice(stream);
        bytes.into()
    }

    /// As from a driver, whose buffer has `spare` bytes behind the access unit.
    fn of_driver(stream: &[u8], spare: usize) -> Bytes {
        let memory = [stream, &vec![0xee; spare]].concat();
        let buffer = Pool::new(1, move || -> Box<dyn Buffer> { Box::new(memory.clone()) }).take();
        Bytes::of_driver(buffer, 0..stream.len()).unwrap()
    }

    #[test]
    fn parameter_sets_leave_the_access_unit_for_the_configuration() {
        let mut sets = ParameterSets::default();
        let mut unit = bytes(&stream(&[&[9, 0xf0], &SPS_UNIT, &PPS_UNIT, &[0x65, 1, 2, 3]]));
        let picture = unit.as_ptr_range().end;
        assert!(sets.extract(&mut unit));
        assert_eq!(*unit, [0, 0, 0, 4, 0x65, 1, 2, 3]);
        assert_eq!(unit.as_ptr_range().end, picture, "it stays where it is");
        let expected =
            [&[1, 0x42, 0xc0, 0x1f, 0xff, 0xe1, 0, 6], &SPS_UNIT[..], &[1, 0, 4], &PPS_UNIT].concat();
        assert_eq!(sets.decoder_configuration(), Some(expected));
        let mut again = bytes(&stream(&[&SPS_UNIT, &PPS_UNIT, &[0x65, 9]]));
        assert!(!sets.extract(&mut again), "the same sets are no change");
    }

    #[test]
    fn the_configuration_of_high_profile_tells_the_chroma_format() {
        // Ten bits of 4:2:0: seq_parameter_set_id 0, chroma_format_idc 1, two bits more of luma and of chroma.
        let sps = [0x67, 110, 0, 0x1f, 0b1010_0110, 0b1100_1111];
        let mut sets = ParameterSets::default();
        sets.extract(&mut bytes(&stream(&[&sps, &PPS_UNIT, &[0x65, 1]])));
        let record = sets.decoder_configuration().unwrap();
        assert_eq!(record[record.len() - 8..], [0x68, 0xce, 0x3c, 0x80, 0xfd, 0xfa, 0xfa, 0]);
    }

    #[test]
    fn another_rate_is_told_with_the_next_sets() {
        let mut sets = ParameterSets::default();
        let extract =
            |sets: &mut ParameterSets| sets.extract(&mut bytes(&stream(&[&SPS_UNIT, &PPS_UNIT, &[0x65, 1]])));
        sets.tell(30, 22);
        assert!(extract(&mut sets));
        sets.tell(30, 21);
        assert!(!extract(&mut sets), "the level does not go down again");
        sets.tell(15, 21);
        assert!(!sets.extract(&mut bytes(&stream(&[&[0x41, 1]]))), "an IDR picture is waited for");
        assert!(extract(&mut sets));
        sets.tell(15, 31);
        assert!(extract(&mut sets));
        assert!(!extract(&mut sets));
    }

    #[test]
    fn lengths_find_room_wherever_start_codes_are_short() {
        let two = [0, 0, 0, 2, 0x41, 1, 0, 0, 0, 2, 0x41, 2];
        let extracted = |mut unit: Bytes| {
            ParameterSets::default().extract(&mut unit);
            unit.to_vec()
        };
        let short = [0, 0, 1, 0x41, 1, 0, 0, 1, 0x41, 2];
        assert_eq!(extracted(bytes(&short)), two);
        assert_eq!(extracted(of_driver(&short, 2)), two);
        assert_eq!(extracted(of_driver(&short, 1)), [], "no room");
        let behind_sets = [&[0, 0, 1][..], &SPS_UNIT, &short].concat();
        assert_eq!(extracted(of_driver(&behind_sets, 0)), two);
        let long = [0, 0, 0, 0, 1, 0x41, 1, 0, 0, 0, 0, 0, 1, 0x41, 2];
        assert_eq!(extracted(of_driver(&long, 0)), two);
        let set_between = [&[0, 0, 0, 1, 0x41, 1, 0, 0, 1][..], &PPS_UNIT, &[0, 0, 1, 0x41, 2]].concat();
        assert_eq!(extracted(of_driver(&set_between, 0)), two);
    }

    proptest! {
        /// Whatever start codes stand between units, and wherever the bytes lie, the same units come out.
        #[test]
        fn units_come_out_as_they_went_in(
            units in prop::collection::vec((prop::sample::select(vec![0x65_u8, 0x41, 6, 7, 8, 9]), 1_u8..9, 0_usize..3), 0..9),
        ) {
            let (mut stream, mut expected) = (Vec::new(), Vec::new());
            for (header, length, zeros) in units {
                let unit = [&[header][..], &vec![0xaa; length.into()]].concat();
                stream.extend([&vec![0; 2 + zeros][..], &[1], &unit].concat());
                if stays(&unit) {
                    expected.extend([&(unit.len() as u32).to_be_bytes()[..], &unit].concat());
                }
            }
            for mut unit in [bytes(&stream), of_driver(&stream, 40)] {
                ParameterSets::default().extract(&mut unit);
                prop_assert_eq!(&*unit, &expected[..]);
            }
        }

        #[test]
        fn any_bytes_are_taken(stream: Vec<u8>) {
            let units = nal_units(&stream).count();
            prop_assert!(units <= stream.len());
            let mut sets = ParameterSets::default();
            sets.extract(&mut bytes(&stream));
            sets.decoder_configuration();
        }
    }
}
