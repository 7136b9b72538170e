//! Where a text is broken into lines.

/// `text` in lines of at most `width`, where a letter takes what `advance` tells. A word that is wider than a line is
/// broken.
pub(crate) fn lines(text: &str, width: i32, advance: impl Fn(char) -> i32) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        if rest.is_empty() {
            return None;
        }
        let (line, after) = rest.split_at(end(rest, width, &advance));
        rest = after;
        Some(line.trim_end())
    })
}

/// Bytes of the first line; at least a letter.
fn end(text: &str, width: i32, advance: impl Fn(char) -> i32) -> usize {
    let (mut used, mut last_break, mut before) = (0, None, None);
    for (at, letter) in text.char_indices() {
        if before.is_some_and(|before| may_break(before, letter)) {
            last_break = Some(at);
        }
        used += advance(letter);
        if used > width && letter != ' ' && at > 0 {
            return last_break.unwrap_or(at);
        }
        before = Some(letter);
    }
    text.len()
}

/// Chinese may be broken between any two letters, but punctuation stays with what it belongs to.
fn may_break(before: char, after: char) -> bool {
    let is_wide = |letter: char| letter >= '\u{2e80}';
    before == ' '
        || matches!(before, '.' | '/') && !matches!(after, '/' | '.')
        || (is_wide(before) || is_wide(after)) && !"，。：；！？、”".contains(after) && before != '“'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(text: &str, width: i32) -> Vec<&str> {
        lines(text, width, |letter| if letter.is_ascii() { 1 } else { 2 }).collect()
    }

    #[test]
    fn lines_end_between_words_and_punctuation_never_begins_one() {
        assert_eq!(broken("check the cable", 9), ["check the", "cable"]);
        assert_eq!(broken("请检查连线，会重试", 10), ["请检查连", "线，会重试"]);
        assert_eq!(broken("在“设置”中改", 6), ["在“设", "置”中", "改"]);
        assert_eq!(broken("a verylongword", 6), ["a", "verylo", "ngword"]);
        assert_eq!(broken("wide", 0), ["w", "i", "d", "e"]);
        assert_eq!(broken("  ", 5), [""; 0]);
    }
}
