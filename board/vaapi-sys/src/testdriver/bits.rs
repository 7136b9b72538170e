//! Bits of an H.264 NAL unit, and how a slice gets another header (7.3.3).

/// What a slice header says, as far as encoders without fields, B-frames and several slices write it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SliceHeader {
    pub(super) idr: bool,
    pub(super) frame_num: u32,
    pub(super) idr_pic_id: u32,
    pub(super) cabac: bool,
    pub(super) qp: i32,
}

/// What a stream's parameter sets say of its slice headers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Syntax {
    frame_num_bits: u32,
    order_bits: u32,
    cabac: bool,
    qp: i32,
}

pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn u(&mut self, bits: u32) -> u32 {
        (0..bits).fold(0, |value, _| {
            let byte = self.bytes.get(self.at / 8).copied().unwrap_or(0);
            let bit = byte >> (7 - self.at % 8) & 1;
            self.at += 1;
            value << 1 | u32::from(bit)
        })
    }

    fn ue(&mut self) -> u32 {
        let zeros = (0..32).take_while(|_| self.u(1) == 0).count() as u32;
        (1 << zeros) - 1 + self.u(zeros)
    }

    /// Passes over so many of ue(v) or se(v).
    fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.ue();
        }
    }

    fn se(&mut self) -> i32 {
        let value = self.ue() as i32;
        if value % 2 == 0 {
            -value / 2
        } else {
            value / 2 + 1
        }
    }
}

#[derive(Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    bits: usize,
}

impl Writer {
    fn u(&mut self, bits: u32, value: u32) {
        for bit in (0..bits).rev() {
            if self.bits.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> bit & 1) as u8) << (7 - self.bits % 8);
            }
            self.bits += 1;
        }
    }

    fn ue(&mut self, value: u32) {
        let bits = (value + 1).ilog2();
        self.u(bits, 0);
        self.u(bits + 1, value + 1);
    }

    fn se(&mut self, value: i32) {
        self.ue(if value > 0 { 2 * value - 1 } else { -2 * value } as u32);
    }
}

impl Syntax {
    /// Takes over what a parameter set says (7.3.2.1.1, 7.3.2.2); `nal` has its header.
    pub(super) fn read(&mut self, nal: &[u8]) {
        let rbsp = unescaped(nal);
        let mut reader = Reader::new(&rbsp);
        match reader.u(8) & 0x1f {
            7 => {
                reader.u(24);
                reader.ue();
                self.frame_num_bits = reader.ue() + 4;
                self.order_bits = if reader.ue() == 0 { reader.ue() + 4 } else { 0 };
            }
            8 => {
                reader.skip(2);
                self.cabac = reader.u(1) == 1;
                reader.u(1);
                reader.skip(3);
                reader.u(3);
                self.qp = 26 + reader.se();
            }
            _ => {}
        }
    }
}

/// Reads a slice header; `rbsp` has the NAL unit's. Returns where slice data begins.
fn read(rbsp: &[u8], syntax: &Syntax) -> (SliceHeader, usize) {
    let mut reader = Reader::new(rbsp);
    let (reference, idr) = (reader.u(3) > 0, reader.u(5) == 5);
    reader.skip(3);
    let frame_num = reader.u(syntax.frame_num_bits);
    let idr_pic_id = if idr { reader.ue() } else { 0 };
    reader.u(syntax.order_bits);
    if !idr {
        if reader.u(1) == 1 {
            reader.ue();
        }
        if reader.u(1) == 1 {
            while reader.ue() != 3 {
                reader.ue();
            }
        }
    }
    if reference {
        reader.u(if idr { 2 } else { 1 });
    }
    if !idr && syntax.cabac {
        reader.ue();
    }
    let qp = syntax.qp + reader.se();
    if reader.ue() != 1 {
        reader.skip(2);
    }
    (SliceHeader { idr, frame_num, idr_pic_id, cabac: syntax.cabac, qp }, reader.at)
}

/// A slice header where numbers of pictures have 8 bits, their order is not written, and the QP begins with 26. The first
/// byte, the NAL unit's header, is `nal`.
fn write(header: &SliceHeader, nal: u8) -> Writer {
    let mut writer = Writer::default();
    writer.u(8, nal.into());
    writer.ue(0);
    writer.ue(if header.idr { 2 } else { 0 });
    writer.ue(0);
    writer.u(8, header.frame_num);
    if header.idr {
        writer.ue(header.idr_pic_id);
        writer.u(2, 0);
    } else {
        writer.u(3, 0);
        if header.cabac {
            writer.ue(0);
        }
    }
    writer.se(header.qp - 26);
    writer.ue(0);
    writer.se(0);
    writer.se(0);
    writer
}

/// The header as [`write`] makes it, in byte stream form, and how many bits it has.
pub(super) fn packed(header: &SliceHeader, nal: u8) -> (Vec<u8>, usize) {
    let writer = write(header, nal);
    let escaped = escaped(&writer.bytes);
    let bits = writer.bits + 8 * (escaped.len() - writer.bytes.len());
    (escaped, bits)
}

/// A slice with another header, in which only the QP is its own.
pub(super) fn with_header(slice: &[u8], syntax: &Syntax, header: &SliceHeader, nal: u8) -> Vec<u8> {
    let rbsp = unescaped(slice);
    let (own, start) = read(&rbsp, syntax);
    let mut writer = write(&SliceHeader { qp: own.qp, ..*header }, nal);
    let mut reader = Reader { bytes: &rbsp, at: start };
    if syntax.cabac {
        // cabac_alignment_one_bit
        while !writer.bits.is_multiple_of(8) {
            writer.u(1, 1);
        }
        writer.bytes.extend_from_slice(&rbsp[start.div_ceil(8)..]);
    } else {
        let zeros = rbsp.last().map_or(0, |last| last.trailing_zeros() as usize);
        let end = (rbsp.len() * 8).saturating_sub(zeros);
        while reader.at < end {
            let bit = reader.u(1);
            writer.u(1, bit);
        }
    }
    escaped(&writer.bytes)
}

fn unescaped(nal: &[u8]) -> Vec<u8> {
    let (mut out, mut zeros) = (Vec::with_capacity(nal.len()), 0);
    for byte in nal {
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
        } else {
            out.push(*byte);
            zeros = if *byte == 0 { zeros + 1 } else { 0 };
        }
    }
    out
}

/// With a start code.
fn escaped(rbsp: &[u8]) -> Vec<u8> {
    let mut out = vec![0, 0, 0, 1];
    let mut zeros = 0;
    for byte in rbsp {
        if zeros >= 2 && *byte <= 3 {
            out.push(3);
            zeros = 0;
        }
        out.push(*byte);
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
    }
    out
}

/// The NAL units of a byte stream, without start codes.
pub(super) fn nal_units(stream: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> =
        stream.windows(3).enumerate().filter(|(_, code)| *code == [0, 0, 1]).map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    let unit = |(start, end): (&usize, usize)| {
        let unit = &stream[start + 3..end];
        let zeros = unit.iter().rev().take_while(|byte| **byte == 0).count();
        &unit[..unit.len() - zeros]
    };
    starts.iter().zip(ends).map(unit).collect()
}
