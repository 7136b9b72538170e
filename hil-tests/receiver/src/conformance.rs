//! What a stream must be, whichever encoder made it (spec section 10.3).

use std::path::Path;

use anyhow::Result;
use media::{EncoderSettings, H264Profile, Timestamp, nal_units};

use crate::bucket::LeakyBucket;
use crate::coding::{self, Coding};
use crate::video::{self, Decoder};

/// Complaints that are kept; more of them say nothing new.
const COMPLAINTS: usize = 10;

/// BT.709 but for the matrix, which is that of BT.601, as cameras deliver them.
const COLOURS: [u8; 3] = [1, 1, 6];

/// Whether a stream is held to the bitrate and the VBV of its settings. One that keeps to them keeps to its level's MaxBR and
/// MaxCPB too (H.264 table A-1), for its level is no lower than theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    Held,
    /// Of an encoder for tests without rate control, whose pictures are all as large (I_PCM).
    Free,
}

/// What is wrong with access units in byte stream form, each with the time of its picture, as an encoder of these settings puts
/// them out. From one IDR picture to the next there may be `settings.gop` pictures.
pub fn complaints<'a>(
    settings: &EncoderSettings,
    rate: Rate,
    units: impl IntoIterator<Item = (Timestamp, &'a [u8])>,
) -> Result<Vec<String>> {
    let mut checker = Checker::new(settings, rate)?;
    units.into_iter().for_each(|(time, unit)| checker.take(time, unit));
    if checker.number == 0 {
        checker.complain("there is no picture".into());
    }
    Ok(checker.complaints)
}

/// The same of a recording as FLV, which has parameter sets in its headers and delimiters nowhere (ISO/IEC 14496-15 lets them
/// be; players need none). A header comes where these changed, and only there.
pub fn complaints_of_recording(settings: &EncoderSettings, rate: Rate, path: &Path) -> Result<Vec<String>> {
    let (mut sets, mut headers, mut units) = (Vec::new(), 0, Vec::new());
    let mut wrong = Vec::new();
    for tag in crate::read_flv(path)?.iter().filter(|tag| tag.kind == 9) {
        match &tag.body[..] {
            [_, 0, _, _, _, record @ ..] => {
                sets = coding::byte_stream(record).unwrap_or_default();
                headers += 1;
            }
            [head, 1, _, _, _, payload @ ..] => {
                let stream = video::byte_stream(payload).unwrap_or_default();
                if nal_units(&stream).any(|unit| matches!(unit[0] & 0x1f, 7..=9)) {
                    wrong
                        .push(format!("parameter sets or a delimiter in the packet at {} ms", tag.timestamp));
                }
                let unit = if head >> 4 == 1 { [&sets[..], &stream].concat() } else { stream };
                units.push((Timestamp::from_micros(i64::from(tag.timestamp) * 1000), unit));
            }
            _ => {}
        }
    }
    if headers != 1 {
        wrong.push(format!("{headers} headers"));
    }
    let tells_all = |sets| {
        let set = |kind| nal_units(sets).find(|unit| unit[0] & 0x1f == kind).unwrap_or_default();
        coding::read_sets(set(7), set(8)).is_ok_and(|coding| coding.fps.is_some() && coding.colours.is_some())
    };
    if !tells_all(&sets) {
        wrong.push("an SPS that does not tell rate and colours".into());
    }
    wrong.extend(complaints(settings, rate, units.iter().map(|(time, unit)| (*time, &unit[..])))?);
    wrong.truncate(COMPLAINTS);
    Ok(wrong)
}

struct Checker<'a> {
    settings: &'a EncoderSettings,
    decoder: Decoder,
    number: u32,
    last_idr: u32,
    /// Of the first picture.
    parameter_sets: [Vec<u8>; 2],
    is_delimited: bool,
    /// `None` where the rate is free.
    vbv: Option<LeakyBucket>,
    complaints: Vec<String>,
}

impl<'a> Checker<'a> {
    fn new(settings: &'a EncoderSettings, rate: Rate) -> Result<Self> {
        Ok(Self {
            settings,
            decoder: Decoder::new()?,
            number: 0,
            last_idr: 0,
            parameter_sets: [Vec::new(), Vec::new()],
            is_delimited: false,
            vbv: (rate == Rate::Held).then(|| LeakyBucket::new(settings.bitrate)),
            complaints: Vec::new(),
        })
    }

    fn complain(&mut self, what: String) {
        if self.complaints.len() < COMPLAINTS {
            self.complaints.push(format!("picture {}: {what}", self.number));
        }
    }

    fn take(&mut self, time: Timestamp, unit: &[u8]) {
        let kinds: Vec<u8> = nal_units(unit).map(|unit| unit[0] & 0x1f).collect();
        let is_idr = kinds.contains(&5);
        let is_delimited = kinds.contains(&9);
        if self.number == 0 {
            self.is_delimited = is_delimited;
        }
        if is_delimited != self.is_delimited || (is_delimited && kinds[0] != 9) {
            self.complain(format!("delimiters before some pictures only: {kinds:?}"));
        }
        if nal_units(unit).any(coding::is_b_slice) {
            self.complain("a B-picture".into());
        }
        if is_idr {
            self.idr(unit, &kinds);
        } else if self.number == 0 || kinds.iter().any(|kind| matches!(kind, 7 | 8)) {
            self.complain(format!("{kinds:?} without an IDR picture"));
        }
        if self.number - self.last_idr > self.settings.gop {
            self.complain(format!("no IDR picture in {}", self.settings.gop));
        }
        self.fill(time, unit);
        self.decode(unit);
        self.number += 1;
    }

    fn fill(&mut self, time: Timestamp, unit: &[u8]) {
        let filled = self.vbv.as_mut().map_or(0, |vbv| vbv.fill(time, unit));
        let room = self.settings.vbv_bits(self.settings.bitrate);
        if filled > room {
            self.complain(format!("{filled} bits in a VBV of {room}"));
        }
    }

    /// Each begins a stream of its own: SPS and PPS stand before it, and they stay the same.
    fn idr(&mut self, unit: &[u8], kinds: &[u8]) {
        self.last_idr = self.number;
        let set = |kind: u8| nal_units(unit).find(|unit| unit[0] & 0x1f == kind).unwrap_or_default().to_vec();
        let sets = [set(7), set(8)];
        let first_slice = kinds.iter().position(|kind| *kind == 5);
        if kinds.iter().rposition(|kind| matches!(kind, 7 | 8)) > first_slice
            || sets.iter().any(Vec::is_empty)
        {
            self.complain(format!("{kinds:?} where SPS, PPS and then the picture are due"));
        }
        if self.number == 0 {
            self.parameter_sets = sets;
            self.first_sets();
        } else if sets != self.parameter_sets {
            self.complain("parameter sets change".into());
        }
    }

    fn first_sets(&mut self) {
        let [sps, pps] = &self.parameter_sets;
        match coding::read_sets(sps, pps) {
            Ok(coding) => self.sets(&coding),
            Err(what) => self.complain(what),
        }
    }

    fn sets(&mut self, coding: &Coding) {
        let EncoderSettings { width, height, fps, profile, .. } = *self.settings;
        let (profile_idc, level) =
            (if profile == H264Profile::Main { 77 } else { 66 }, self.settings.level_idc());
        let wrong = [
            (coding.profile != profile_idc, format!("profile {} instead of {profile_idc}", coding.profile)),
            (
                profile == H264Profile::ConstrainedBaseline && !coding.is_constrained,
                "Baseline that is not constrained".into(),
            ),
            (coding.level < level, format!("level {} where {level} is due", coding.level)),
            (
                (coding.width, coding.height) != (width, height),
                format!("{}x{} are seen instead of {width}x{height}", coding.width, coding.height),
            ),
            (
                coding.fps.is_some_and(|told| (told - f64::from(fps)).abs() > 0.01),
                format!("{:?} pictures a second instead of {fps}", coding.fps),
            ),
            (
                coding.colours.is_some_and(|told| told != COLOURS),
                format!("colours {:?} where {COLOURS:?} are due", coding.colours),
            ),
            (!coding.is_in_order, "players must expect pictures out of order".into()),
        ];
        wrong.into_iter().filter(|(is_wrong, _)| *is_wrong).for_each(|(_, what)| self.complain(what));
    }

    fn decode(&mut self, unit: &[u8]) {
        let decoded = match self.decoder.decode(unit) {
            Ok(Some(picture)) => Ok((picture.width, picture.height)),
            Ok(None) => Err("nothing comes out of the decoder".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        match decoded {
            Ok(size) if size == (self.settings.width, self.settings.height) => {}
            Ok((width, height)) => self.complain(format!("{width}x{height} decoded")),
            Err(what) => self.complain(what),
        }
    }
}
