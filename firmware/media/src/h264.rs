//! H.264 byte streams (ITU-T H.264 annex B) and their form in FLV and MP4 (ISO/IEC 14496-15).

use memchr::memmem;

/// NAL unit types, H.264 table 7-1.
const SPS: u8 = 7;
const PPS: u8 = 8;
const ACCESS_UNIT_DELIMITER: u8 = 9;

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
}

impl ParameterSets {
    /// Takes the parameter sets out of an access unit in byte stream form and turns it, in place, into NAL units
    /// with a length of four bytes before each. Returns whether the parameter sets changed.
    pub fn extract(&mut self, access_unit: &mut Vec<u8>) -> bool {
        make_room_for_lengths(access_unit);
        let (mut changed, mut read, mut write) = (false, 0, 0);
        while let Some((_, nal)) = access_unit.get(read..).and_then(start_code) {
            let start = read + nal;
            let end = start_code(&access_unit[start..]).map_or(access_unit.len(), |(code, _)| start + code);
            let unit = &access_unit[start..end];
            match unit.first().map(|header| header & 0x1f) {
                Some(SPS) => changed |= replace(&mut self.sps, unit),
                Some(PPS) => changed |= replace(&mut self.pps, unit),
                Some(ACCESS_UNIT_DELIMITER) | None => {}
                Some(_) => {
                    let length = (end - start) as u32;
                    access_unit.copy_within(start..end, write + 4);
                    access_unit[write..write + 4].copy_from_slice(&length.to_be_bytes());
                    write += 4 + (end - start);
                }
            }
            read = end;
        }
        access_unit.truncate(write);
        changed
    }

    /// The AVCDecoderConfigurationRecord (ISO/IEC 14496-15 clause 5.3.3.1) with lengths of four bytes; `None`
    /// before both sets are known. Profiles with more fields (High and above) are not made here.
    pub fn decoder_configuration(&self) -> Option<Vec<u8>> {
        let [_, profile, compatibility, level, ..] = self.sps[..] else {
            return None;
        };
        if self.pps.is_empty() {
            return None;
        }
        let mut record = vec![1, profile, compatibility, level, 0xfc | 3, 0xe0 | 1];
        record.extend_from_slice(&(self.sps.len() as u16).to_be_bytes());
        record.extend_from_slice(&self.sps);
        record.push(1);
        record.extend_from_slice(&(self.pps.len() as u16).to_be_bytes());
        record.extend_from_slice(&self.pps);
        Some(record)
    }
}

/// Lengthens start codes of three bytes to four, as long as a length is. Encoders hardly ever write short ones.
fn make_room_for_lengths(stream: &mut Vec<u8>) {
    let mut from = 0;
    while let Some((code, nal)) = stream.get(from..).and_then(start_code) {
        let short = nal - code == 3;
        if short {
            stream.insert(from + code, 0);
        }
        from += nal + usize::from(short);
    }
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

    const SPS_UNIT: [u8; 6] = [0x67, 0x42, 0xc0, 0x1f, 0x8c, 0x8d];
    const PPS_UNIT: [u8; 4] = [0x68, 0xce, 0x3c, 0x80];

    fn stream(units: &[&[u8]]) -> Vec<u8> {
        units.iter().flat_map(|unit| [&[0, 0, 0, 1], *unit].concat()).collect()
    }

    #[test]
    fn parameter_sets_leave_the_access_unit_for_the_configuration() {
        let mut sets = ParameterSets::default();
        let mut unit = stream(&[&[9, 0xf0], &SPS_UNIT, &PPS_UNIT, &[0x65, 1, 2, 3]]);
        assert!(sets.extract(&mut unit));
        assert_eq!(unit, [0, 0, 0, 4, 0x65, 1, 2, 3]);
        let expected =
            [&[1, 0x42, 0xc0, 0x1f, 0xff, 0xe1, 0, 6], &SPS_UNIT[..], &[1, 0, 4], &PPS_UNIT].concat();
        assert_eq!(sets.decoder_configuration(), Some(expected));
        let mut again = stream(&[&SPS_UNIT, &PPS_UNIT, &[0x65, 9]]);
        assert!(!sets.extract(&mut again), "the same sets are no change");
    }

    #[test]
    fn short_start_codes_are_lengthened() {
        let mut unit = vec![0, 0, 1, 0x41, 1, 0, 0, 1, 0x41, 2];
        ParameterSets::default().extract(&mut unit);
        assert_eq!(unit, [0, 0, 0, 2, 0x41, 1, 0, 0, 0, 2, 0x41, 2]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(mut bytes: Vec<u8>) {
            let units = nal_units(&bytes).count();
            prop_assert!(units <= bytes.len());
            let mut sets = ParameterSets::default();
            sets.extract(&mut bytes);
            sets.decoder_configuration();
        }
    }
}
