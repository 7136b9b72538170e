//! Contexts: what a picture must come with, and what becomes of it.

use std::mem;
use std::time::{Duration, Instant};

use stand_in_encoder::{Encoder, Settings};

use super::bits::{self, SliceHeader, Syntax};
use super::state::State;
use super::{Headers, Rates};
#[allow(clippy::wildcard_imports)] // C's names
use crate::*;

/// What a configuration was made with.
#[derive(Clone, Copy)]
pub(super) struct Config {
    pub(super) cabac: bool,
    pub(super) packed_headers: u32,
}

pub(super) struct Context {
    pub(super) config: Config,
    pub(super) decoded: Vec<u32>,
    /// The surface of the picture that was begun, and its parameters.
    pub(super) begun: Option<(u32, Vec<u32>)>,
    encoder: Option<Encoder>,
    syntax: Syntax,
    sequence: Option<VAEncSequenceParameterBufferH264>,
    /// Surface and number of the picture before.
    last: Option<(u32, u32)>,
    pictures: i64,
    busy: Option<Instant>,
}

/// The parameters of a picture.
#[derive(Default)]
struct Picture {
    sequence: Option<VAEncSequenceParameterBufferH264>,
    picture: Option<VAEncPictureParameterBufferH264>,
    slice: Option<VAEncSliceParameterBufferH264>,
    rate: Option<VAEncMiscParameterRateControl>,
    buffer: Option<VAEncMiscParameterHRD>,
    fps: Option<u32>,
    header: Option<VAEncPackedHeaderParameterBuffer>,
    parameter_sets: Vec<u8>,
    /// With its length in bits.
    slice_header: Option<(Vec<u8>, usize)>,
}

fn value<T: Copy>(data: &[u8]) -> Option<T> {
    // SAFETY: the types that are asked for are plain numbers; so many bytes are there.
    (data.len() >= size_of::<T>()).then(|| unsafe { data.as_ptr().cast::<T>().read_unaligned() })
}

impl Picture {
    /// Takes a parameter over; what it is not known for is an error.
    fn take(&mut self, kind: VABufferType, data: &[u8]) -> Option<()> {
        match kind {
            VAEncSequenceParameterBufferType => self.sequence = Some(value(data)?),
            VAEncPictureParameterBufferType => self.picture = Some(value(data)?),
            VAEncSliceParameterBufferType => self.slice = Some(value(data)?),
            VAEncPackedHeaderParameterBufferType => self.header = Some(value(data)?),
            VAEncPackedHeaderDataBufferType => {
                let header = self.header.take()?;
                let bits = header.bit_length as usize;
                if header.has_emulation_bytes != 1 || data.len() != bits.div_ceil(8) {
                    return None;
                }
                match header.type_ {
                    VAEncPackedHeaderSequence => self.parameter_sets = data.to_vec(),
                    VAEncPackedHeaderSlice => self.slice_header = Some((data.to_vec(), bits)),
                    _ => return None,
                }
            }
            VAEncMiscParameterBufferType => {
                let (kind, data) = data.split_at_checked(size_of::<VAEncMiscParameterType>())?;
                match value::<VAEncMiscParameterType>(kind)? {
                    VAEncMiscParameterTypeRateControl => self.rate = Some(value(data)?),
                    VAEncMiscParameterTypeHRD => self.buffer = Some(value(data)?),
                    VAEncMiscParameterTypeFrameRate => {
                        self.fps = Some(value::<VAEncMiscParameterFrameRate>(data)?.framerate & 0xffff);
                    }
                    _ => return None,
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn rates(&self) -> Option<Rates> {
        let rate = self.rate?;
        let buffer_size = self.buffer?.buffer_size;
        let (bits_per_second, target_percentage) = (rate.bits_per_second, rate.target_percentage);
        Some(Rates { bits_per_second, target_percentage, buffer_size, fps: self.fps? })
    }
}

impl Context {
    pub(super) fn new(config: Config, decoded: Vec<u32>) -> Self {
        let (syntax, encoder) = (Syntax::default(), None);
        Self {
            config,
            decoded,
            begun: None,
            encoder,
            syntax,
            sequence: None,
            last: None,
            pictures: 0,
            busy: None,
        }
    }

    /// What is wrong with a picture's parameters, which refer to the picture before.
    fn check(&self, picture: &Picture) -> Result<SliceHeader, &'static str> {
        let parameters = picture.picture.as_ref().ok_or("no picture parameters")?;
        let slice = picture.slice.as_ref().ok_or("no slice parameters")?;
        // SAFETY: the unions are made of bits, all of which are valid.
        let (idr, cabac, fields) = unsafe {
            let bits = &parameters.pic_fields.bits;
            let sequence = picture.sequence.or(self.sequence).ok_or("no sequence parameters")?;
            (bits.idr_pic_flag() == 1, bits.entropy_coding_mode_flag() == 1, sequence.seq_fields.bits)
        };
        if fields.log2_max_frame_num_minus4() != 4 || fields.pic_order_cnt_type() != 2 {
            return Err("numbers that the slice headers here do not have");
        }
        if cabac != self.config.cabac {
            return Err("an entropy coding that the profile does not have");
        }
        let number = parameters.frame_num.into();
        let decoded = parameters.CurrPic.picture_id;
        if !self.decoded.contains(&decoded) || self.last.is_some_and(|(last, _)| last == decoded) {
            return Err("the place of the decoded picture is of no use");
        }
        if idr {
            if picture.sequence.is_none() || picture.rates().is_none() {
                return Err("an IDR picture without sequence or rates");
            }
            if number != 0 || slice.slice_type != 2 {
                return Err("an IDR picture is not the first, or not of I slices");
            }
        } else {
            let (last, before) = self.last.ok_or("a picture that refers to none")?;
            let references = [&parameters.ReferenceFrames[0], &slice.RefPicList0[0]];
            if references.iter().any(|it| it.picture_id != last || it.frame_idx != before) {
                return Err("it does not refer to the picture before");
            }
            if number != (before + 1) % 256 || slice.slice_type != 0 {
                return Err("its number does not follow, or it is not of P slices");
            }
        }
        let header =
            SliceHeader { idr, frame_num: number, idr_pic_id: slice.idr_pic_id.into(), cabac, qp: 26 };
        if self.config.packed_headers & VA_ENC_PACKED_HEADER_SLICE != 0 {
            let (bytes, bits) = picture.slice_header.as_ref().ok_or("no packed slice header")?;
            if bits::packed(&header, bytes.get(4).copied().unwrap_or(0)) != (bytes.clone(), *bits) {
                return Err("slice header and slice parameters differ");
            }
        }
        if idr && self.config.packed_headers & VA_ENC_PACKED_HEADER_SEQUENCE != 0 {
            let sets = bits::nal_units(&picture.parameter_sets);
            if sets.iter().map(|set| set[0] & 0x1f).ne([7, 8]) {
                return Err("no packed parameter sets");
            }
        }
        Ok(header)
    }

    /// The access unit of a picture of NV12 in `bytes`.
    fn encode(
        &mut self,
        picture: &Picture,
        header: &SliceHeader,
        headers: Headers,
        (bytes, pitch, chroma): (&[u8], usize, usize),
    ) -> Option<Vec<u8>> {
        self.sequence = picture.sequence.or(self.sequence);
        let sequence = self.sequence?;
        let rates = picture.rates();
        let target =
            rates.map(|rates| rates.bits_per_second as usize / 100 * rates.target_percentage as usize);
        if self.encoder.is_none() {
            self.encoder = Encoder::new(Settings {
                width: usize::from(sequence.picture_width_in_mbs) * 16
                    - 2 * sequence.frame_crop_right_offset as usize,
                height: usize::from(sequence.picture_height_in_mbs) * 16
                    - 2 * sequence.frame_crop_bottom_offset as usize,
                fps: rates?.fps as usize,
                bitrate: target?,
                cabac: header.cabac,
            });
        }
        let encoder = self.encoder.as_mut()?;
        if let Some(target) = target {
            encoder.set_bitrate(target);
        }
        let (unit, _) = encoder.encode(bytes, pitch, chroma, self.pictures * 33_333, header.idr)?;
        self.pictures += 1;
        if headers == Headers::Made {
            return Some(unit);
        }
        let mut out = picture.parameter_sets.clone();
        for nal in bits::nal_units(&unit) {
            match nal[0] & 0x1f {
                7 | 8 => self.syntax.read(nal),
                _ => out.extend(bits::with_header(
                    nal,
                    &self.syntax,
                    header,
                    if header.idr { 0x65 } else { 0x41 },
                )),
            }
        }
        Some(out)
    }
}

impl State {
    /// Encodes the picture that was begun.
    pub(super) fn encode(&mut self, number: u32) -> VAStatus {
        let Some(mut context) = self.contexts.remove(&number) else {
            return self.misuse("a picture of no context");
        };
        let status = self.encode_in(&mut context);
        self.contexts.insert(number, context);
        status
    }

    fn encode_in(&mut self, context: &mut Context) -> VAStatus {
        let Some((surface, buffers)) = context.begun.take() else {
            return self.misuse("the end of a picture that was not begun");
        };
        let mut picture = Picture::default();
        for id in buffers {
            let taken = self.buffers.get(&id).and_then(|buffer| picture.take(buffer.kind, &buffer.data));
            if taken.is_none() {
                return self.misuse(format!("a parameter {id} that says nothing"));
            }
        }
        let header = match context.check(&picture) {
            Ok(header) => header,
            Err(what) => return self.misuse(what),
        };
        let Some(source) = self.surfaces.get(&surface).filter(|source| !source.is_mapped) else {
            return self.misuse("the surface is gone, or the processor has it");
        };
        let memory = (source.bytes(), source.pitch, source.chroma);
        let unit = context.encode(&picture, &header, self.faults.headers, memory);
        let (Some(unit), Some(parameters)) = (unit, picture.picture) else {
            return self.misuse("a picture that can't be encoded");
        };
        self.counts.pictures += 1;
        self.counts.idr_pictures += u32::from(header.idr);
        if let Some(rates) = picture.rates() {
            self.counts.rates += 1;
            self.rates = rates;
        }
        context.last = Some((parameters.CurrPic.picture_id, header.frame_num));
        let done =
            context.busy.map_or_else(Instant::now, |busy| busy.max(Instant::now())) + self.faults.delay;
        context.busy = Some(done);
        let done = if self.faults.stuck { done + Duration::from_secs(3600) } else { done };
        if let Some(source) = self.surfaces.get_mut(&surface) {
            source.done = Some(done);
        }
        let is_bad = self.faults.fail > 0;
        self.faults.fail -= u32::from(is_bad);
        self.put(parameters.coded_buf, unit, done, is_bad)
    }

    /// Puts an access unit into a coded buffer.
    fn put(&mut self, coded: u32, unit: Vec<u8>, done: Instant, is_bad: bool) -> VAStatus {
        let buffer = self.buffers.get_mut(&coded).filter(|it| it.kind == VAEncCodedBufferType);
        let Some(buffer) =
            buffer.filter(|it| !it.is_mapped && it.done.is_none() && unit.len() <= it.data.len())
        else {
            return self.misuse("the coded buffer is gone, in use or too small");
        };
        buffer.data[..unit.len()].copy_from_slice(&unit);
        let status = if is_bad { VA_CODED_BUF_STATUS_BAD_BITSTREAM } else { 0 };
        let segment = &mut buffer.segment;
        **segment = VACodedBufferSegment { size: unit.len() as u32, status, ..Default::default() };
        segment.buf = buffer.data.as_mut_ptr().cast();
        buffer.done = Some(done);
        VA_STATUS_SUCCESS as VAStatus
    }

    /// Whether the hardware is done at `done`; when it will be, where it is not.
    pub(super) fn left(done: Option<Instant>) -> Option<Duration> {
        let left = done?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }
}

/// Types whose values C hands over.
const _: () = assert!(mem::size_of::<VAEncMiscParameterType>() == 4);
