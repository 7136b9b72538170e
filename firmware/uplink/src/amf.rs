//! AMF0 from the network. `rml_amf0` recurses on nested values and fills short reads with zeros, so that what it is given
//! is checked before.

use rml_amf0::Amf0Value;

/// Objects and arrays within one another.
const DEEPEST: usize = 16;

/// The markers of AMF0 (section 2.1) that `rml_amf0` reads.
mod marker {
    pub(super) const NUMBER: u8 = 0;
    pub(super) const BOOLEAN: u8 = 1;
    pub(super) const STRING: u8 = 2;
    pub(super) const OBJECT: u8 = 3;
    pub(super) const NULL: u8 = 5;
    pub(super) const UNDEFINED: u8 = 6;
    pub(super) const ECMA_ARRAY: u8 = 8;
    pub(super) const OBJECT_END: u8 = 9;
    pub(super) const STRICT_ARRAY: u8 = 10;
}

/// The values at the front of `bytes`, up to the first one that is cut off, nested too deeply or of an unknown type.
pub(crate) fn decode(bytes: &[u8]) -> Vec<Amf0Value> {
    let mut values = Vec::new();
    let mut scanner = Scanner { rest: bytes };
    loop {
        let before = scanner.rest;
        if scanner.value(0).is_none() {
            return values;
        }
        let mut value = &before[..before.len() - scanner.rest.len()];
        match rml_amf0::deserialize(&mut value) {
            Ok(decoded) => values.extend(decoded),
            Err(_) => return values,
        }
    }
}

/// Walks over values without making them.
struct Scanner<'a> {
    rest: &'a [u8],
}

impl Scanner<'_> {
    fn skip(&mut self, count: usize) -> Option<()> {
        self.rest = self.rest.get(count..)?;
        Some(())
    }

    fn number<const N: usize>(&mut self) -> Option<usize> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        match self.number::<1>()? as u8 {
            marker::NUMBER => self.skip(8),
            marker::BOOLEAN => self.skip(1),
            marker::STRING => self.number::<2>().and_then(|length| self.skip(length)),
            marker::NULL | marker::UNDEFINED => Some(()),
            marker::OBJECT => self.properties(depth),
            marker::ECMA_ARRAY => self.skip(4).and_then(|()| self.properties(depth)),
            marker::STRICT_ARRAY => {
                let count = self.number::<4>()?;
                (0..count).try_for_each(|_| self.value(depth + 1))
            }
            _ => None,
        }
    }

    fn properties(&mut self, depth: usize) -> Option<()> {
        loop {
            let length = self.number::<2>()?;
            if length == 0 {
                return (self.number::<1>()? == usize::from(marker::OBJECT_END)).then_some(());
            }
            self.skip(length)?;
            self.value(depth + 1)?;
        }
    }
}

/// Text of a property of an object.
pub(crate) fn text(value: Option<&Amf0Value>, property: &str) -> String {
    match value {
        Some(Amf0Value::Object(properties)) => match properties.get(property) {
            Some(Amf0Value::Utf8String(text)) => text.clone(),
            _ => String::new(),
        },
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_cut_off_or_unknown_ends_the_values_before_it() {
        let name = [2, 0, 5, b'c', b'l', b'o', b's', b'e'];
        let close = [Amf0Value::Utf8String("close".into())];
        assert_eq!(decode(&name), close);
        assert_eq!(decode(&[&name[..], &[0, 1, 2]].concat()), close);
        assert_eq!(decode(&[&name[..], &[0x11, 1, 2]].concat()), close);
        let deep: Vec<u8> = std::iter::repeat_n([3, 0, 1, b'a'], 100_000).flatten().collect();
        assert_eq!(decode(&[&name[..], &deep].concat()), close);
        assert_eq!(decode(&[10, 0xff, 0xff, 0xff, 0xff, 5]), []);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes: Vec<u8>) {
            decode(&bytes);
        }
    }
}
