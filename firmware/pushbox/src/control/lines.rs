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

/// Puts lines together from what arrives.
#[derive(Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
    overflows: bool,
}

impl Lines {
    /// The lines that end within `bytes`: by CR, LF or both, so that an empty line may come between.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for part in bytes.split_inclusive(|byte| matches!(byte, b'\r' | b'\n')) {
            let (text, ends) = match part {
                [text @ .., b'\r' | b'\n'] => (text, true),
                text => (text, false),
            };
            self.overflows |= self.begun.len() + text.len() > LONGEST;
            if self.overflows {
                self.begun = Vec::new();
            } else {
                self.begun.extend_from_slice(text);
            }
            if ends {
                lines.push(self.end());
            }
        }
        lines
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
