/// Writes a NAL unit bit by bit, with emulation prevention (H.264 clauses 7.2 and 7.4.1).
pub struct NalWriter<'a> {
    out: &'a mut Vec<u8>,
    /// Bits that make no byte yet, and how many.
    bits: u64,
    count: u32,
    zeros: u32,
}

impl<'a> NalWriter<'a> {
    /// Appends to `out`, without a start code. `header`: nal_ref_idc and nal_unit_type.
    pub fn new(out: &'a mut Vec<u8>, header: u8) -> Self {
        out.push(header);
        Self { out, bits: 0, count: 0, zeros: 0 }
    }

    /// u(n), up to 32 bits.
    pub fn u(&mut self, bits: u32, value: u32) {
        self.bits = self.bits << bits | u64::from(value);
        self.count += bits;
        while self.count >= 8 {
            self.count -= 8;
            self.byte((self.bits >> self.count) as u8);
        }
        self.bits &= (1 << self.count) - 1;
    }

    /// ue(v) of less than 2^32 - 1, which for 0 is se(v) too.
    pub fn ue(&mut self, value: u32) {
        let bits = (value + 1).ilog2();
        self.u(bits, 0);
        self.u(bits + 1, value + 1);
    }

    fn byte(&mut self, byte: u8) {
        if self.zeros >= 2 && byte <= 3 {
            self.out.push(3);
            self.zeros = 0;
        }
        self.out.push(byte);
        self.zeros = if byte == 0 { self.zeros + 1 } else { 0 };
    }

    /// Ends with rbsp_trailing_bits.
    pub fn finish(mut self) {
        self.u(1, 1);
        self.cut();
    }

    /// Ends where it is. Returns how many bits there are in all of `out`; the rest of the last byte is 0.
    pub fn cut(mut self) -> usize {
        let rest = self.count;
        if rest > 0 {
            self.u(8 - rest, 0);
        }
        self.out.len() * 8 - (8 - rest as usize) % 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_code_is_not_emulated() {
        let mut out = vec![0, 0, 0, 1];
        let mut nal = NalWriter::new(&mut out, 0x67);
        nal.u(4, 0);
        nal.u(32, 1);
        assert_eq!(nal.cut(), 11 * 8 - 4);
        assert_eq!(out, [0, 0, 0, 1, 0x67, 0, 0, 3, 0, 0, 0x10]);
    }
}
