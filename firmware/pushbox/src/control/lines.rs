//! Lines out of bytes: whatever ends them, however they come in parts, with a bound on their length.

/// The longest line that is taken, in bytes.
const LONGEST: usize = 1 << 20;

#[derive(Debug, PartialEq)]
pub(super) enum Line {
    Text(String),
    /// Bytes that are no UTF-8, or control characters: a line's noise.
    Noise,
    TooLong,
}

const BACKSPACE: [u8; 2] = [0x08, 0x7f];

/// Puts lines together from what arrives.
#[derive(Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
    overflows: bool,
    /// What a terminal is to show of it.
    echo: Vec<u8>,
    /// Whether the last line ended with CR, which LF may follow.
    ended_by_return: bool,
}

impl Lines {
    /// The lines that end within `bytes`: by CR, LF or CR LF.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for part in bytes.split_inclusive(|byte| matches!(byte, b'\r' | b'\n')) {
            let (text, ends) = match part {
                [text @ .., b'\r' | b'\n'] => (text, true),
                text => (text, false),
            };
            let is_rest = part == b"\n" && std::mem::take(&mut self.ended_by_return);
            if is_rest {
                continue;
            }
            self.overflows |= self.begun.len() + text.len() > LONGEST;
            if self.overflows {
                self.begun = Vec::new();
            } else {
                self.extend(text);
            }
            self.ended_by_return = part.ends_with(b"\r");
            if ends {
                self.echo.extend_from_slice(if self.is_json() { b"" } else { b"\r\n" });
                lines.push(self.end());
            }
        }
        lines
    }

    /// Takes typed bytes; a backspace takes back the character before it.
    fn extend(&mut self, text: &[u8]) {
        for byte in text {
            if BACKSPACE.contains(byte) && !self.is_json() {
                if self.begun.is_empty() {
                    continue;
                }
                // All bytes of a UTF-8 character but the first begin with bits 10.
                while self.begun.pop().is_some_and(|last| last & 0xc0 == 0x80) {}
                self.echo.extend_from_slice(b"\x08 \x08");
                continue;
            }
            self.begun.push(*byte);
            if *byte >= 0x20 && !self.is_json() {
                self.echo.push(*byte);
            }
        }
    }

    /// Whether the line that has begun is a program's.
    fn is_json(&self) -> bool {
        matches!(self.begun.first(), Some(b'{' | b'['))
    }

    /// What a terminal is to show of what was taken since the last call: what a person typed, not what a program sent.
    pub(super) fn echo(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.echo)
    }

    fn end(&mut self) -> Line {
        if std::mem::take(&mut self.overflows) {
            return Line::TooLong;
        }
        let is_noise = |text: &String| text.chars().any(|c| c.is_control() && c != '\t');
        match String::from_utf8(std::mem::take(&mut self.begun)) {
            Ok(text) if !is_noise(&text) => Line::Text(text),
            _ => Line::Noise,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(lines: Vec<Line>) -> Vec<String> {
        let text = |line| match line {
            Line::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        };
        lines.into_iter().filter_map(text).collect()
    }

    #[test]
    fn each_kind_of_line_break_ends_a_line_also_in_parts() {
        let mut lines = Lines::default();
        assert_eq!(texts(lines.take(b"one\r\ntwo\nthree\rfo")), ["one", "two", "three"]);
        assert_eq!(texts(lines.take(b"ur\r")), ["four"]);
        assert_eq!(texts(lines.take(b"\nfive\n")), ["five"]);
    }

    #[test]
    fn a_line_beyond_the_bound_is_told_and_costs_no_memory() {
        let mut lines = Lines::default();
        for _ in 0..40 {
            assert!(lines.take(&vec![b'x'; 100_000]).is_empty());
            assert!(lines.begun.capacity() <= 2 * LONGEST);
        }
        assert_eq!(lines.take(b"\nstatus\n"), [Line::TooLong, Line::Text("status".into())]);
        let megabyte = "y".repeat(LONGEST);
        assert_eq!(texts(lines.take(format!("{megabyte}\n").as_bytes())), [megabyte]);
    }

    #[test]
    fn what_a_person_types_comes_back_and_can_be_taken_back() {
        let mut lines = Lines::default();
        assert_eq!(texts(lines.take("x\u{7f}\u{8}stä\u{7f}atus\r\n".as_bytes())), ["status"]);
        assert_eq!(lines.echo(), "x\u{8} \u{8}stä\u{8} \u{8}atus\r\n".as_bytes());
        assert_eq!(texts(lines.take(b"{\"id\":1}\n")), ["{\"id\":1}"]);
        assert_eq!(lines.echo(), b"");
    }

    proptest! {
        #[test]
        fn noise_never_hides_the_line_after_it(noise in prop::collection::vec(any::<u8>(), 0..300), cut in 0_usize..300) {
            let mut lines = Lines::default();
            let mut bytes = noise;
            bytes.extend_from_slice(b"\nstatus\n");
            let (one, other) = bytes.split_at(cut.min(bytes.len()));
            let mut seen = lines.take(one);
            seen.extend(lines.take(other));
            prop_assert_eq!(seen.last(), Some(&Line::Text("status".into())));
        }
    }
}
