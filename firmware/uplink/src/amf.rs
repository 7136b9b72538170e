//! AMF0: the values of commands. What comes from the network is read within bounds: a megabyte of it takes no more memory
//! than that.

/// Objects and arrays within one another.
const DEEPEST: usize = 16;
/// Values in one message, those of properties and elements too.
const MOST: usize = 1000;

/// Bytes of a text that are kept: no name or remark that matters is longer.
const LONGEST: usize = 4096;

/// The markers of AMF0 (section 2.1).
mod marker {
    pub(super) const NUMBER: u8 = 0;
    pub(super) const BOOLEAN: u8 = 1;
    pub(super) const STRING: u8 = 2;
    pub(super) const OBJECT: u8 = 3;
    pub(super) const NULL: u8 = 5;
    pub(super) const UNDEFINED: u8 = 6;
    pub(super) const REFERENCE: u8 = 7;
    pub(super) const ECMA_ARRAY: u8 = 8;
    pub(super) const OBJECT_END: u8 = 9;
    pub(super) const STRICT_ARRAY: u8 = 10;
    pub(super) const DATE: u8 = 11;
    pub(super) const LONG_STRING: u8 = 12;
    pub(super) const UNSUPPORTED: u8 = 13;
    pub(super) const XML: u8 = 15;
    pub(super) const TYPED_OBJECT: u8 = 16;
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Number(f64),
    Boolean(bool),
    Text(String),
    /// Of any kind: an array of names and values too.
    Object(Vec<(String, Value)>),
    /// Also in place of what means nothing to a publisher: undefined values, dates, lists, references.
    Null,
}

impl Value {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// The text of a property; empty where there is none.
    pub(crate) fn property(&self, name: &str) -> &str {
        let Self::Object(properties) = self else {
            return "";
        };
        match properties.iter().find(|(key, _)| key == name) {
            Some((_, Self::Text(text))) => text,
            _ => "",
        }
    }
}

/// The values at the front of `bytes`, up to the first one that is cut off, nested too deeply, one too many or of a kind that
/// AMF0 does not have.
pub(crate) fn decode(bytes: &[u8]) -> Vec<Value> {
    let mut reader = Reader { rest: bytes, left: MOST };
    std::iter::from_fn(|| reader.value(0)).collect()
}

struct Reader<'a> {
    rest: &'a [u8],
    /// Values that may still come.
    left: usize,
}

impl Reader<'_> {
    fn bytes(&mut self, count: usize) -> Option<&[u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn number<const N: usize>(&mut self) -> Option<usize> {
        Some(self.bytes(N)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    /// Text behind its length in `N` bytes.
    fn text<const N: usize>(&mut self) -> Option<String> {
        let length = self.number::<N>()?;
        let text = self.bytes(length)?;
        Some(String::from_utf8_lossy(text.get(..LONGEST).unwrap_or(text)).into_owned())
    }

    fn skip(&mut self, count: usize) -> Option<Value> {
        self.bytes(count).map(|_| Value::Null)
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        self.left = self.left.checked_sub(1)?;
        if depth > DEEPEST {
            return None;
        }
        match self.number::<1>()? as u8 {
            marker::NUMBER => {
                let bytes = self.bytes(8)?.try_into().ok()?;
                Some(Value::Number(f64::from_be_bytes(bytes)))
            }
            marker::BOOLEAN => Some(Value::Boolean(self.number::<1>()? != 0)),
            marker::STRING => self.text::<2>().map(Value::Text),
            marker::LONG_STRING | marker::XML => self.text::<4>().map(Value::Text),
            marker::OBJECT => self.properties(depth),
            marker::ECMA_ARRAY => {
                self.skip(4)?;
                self.properties(depth)
            }
            marker::TYPED_OBJECT => {
                self.text::<2>()?;
                self.properties(depth)
            }
            marker::STRICT_ARRAY => {
                let count = self.number::<4>()?;
                (0..count).try_for_each(|_| self.value(depth + 1).map(|_| ())).map(|()| Value::Null)
            }
            marker::NULL | marker::UNDEFINED | marker::UNSUPPORTED => Some(Value::Null),
            marker::REFERENCE => self.skip(2),
            // Milliseconds, and a time zone that is not used.
            marker::DATE => self.skip(10),
            _ => None,
        }
    }

    fn properties(&mut self, depth: usize) -> Option<Value> {
        let mut properties = Vec::new();
        loop {
            let name = self.text::<2>()?;
            if name.is_empty() && self.rest.first() == Some(&marker::OBJECT_END) {
                self.skip(1)?;
                return Some(Value::Object(properties));
            }
            properties.push((name, self.value(depth + 1)?));
        }
    }
}

pub(crate) fn encode(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for value in values {
        put(&mut out, value);
    }
    out
}

/// Names and texts of up to 65535 bytes; addresses are shorter.
fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn put(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Number(number) => {
            out.push(marker::NUMBER);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Boolean(boolean) => out.extend_from_slice(&[marker::BOOLEAN, u8::from(*boolean)]),
        Value::Text(text) => {
            out.push(marker::STRING);
            put_text(out, text);
        }
        Value::Object(properties) => {
            out.push(marker::OBJECT);
            for (name, value) in properties {
                put_text(out, name);
                put(out, value);
            }
            out.extend_from_slice(&[0, 0, marker::OBJECT_END]);
        }
        Value::Null => out.push(marker::NULL),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_cut_off_or_unknown_ends_the_values_before_it() {
        let name = [2, 0, 5, b'c', b'l', b'o', b's', b'e'];
        let close = [Value::text("close")];
        assert_eq!(decode(&name), close);
        assert_eq!(decode(&[&name[..], &[0, 1, 2]].concat()), close);
        assert_eq!(decode(&[&name[..], &[0x11, 1, 2]].concat()), close);
        let deep: Vec<u8> = std::iter::repeat_n([3, 0, 1, b'a'], 100_000).flatten().collect();
        assert_eq!(decode(&[&name[..], &deep].concat()), close);
        assert_eq!(decode(&[10, 0xff, 0xff, 0xff, 0xff, 5]), []);
    }

    #[test]
    fn all_kinds_of_values_are_passed_over_to_those_that_count() {
        let kinds: [&[u8]; 9] = [
            &[11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &[12, 0, 0, 0, 1, b'x'],
            &[13],
            &[6],
            &[7, 0, 1],
            &[10, 0, 0, 0, 2, 5, 5],
            &[15, 0, 0, 0, 1, b'x'],
            &[16, 0, 1, b'c', 0, 1, b'p', 5, 0, 0, 9],
            &[8, 0, 0, 0, 9, 0, 0, 5, 0, 1, b'p', 5, 0, 0, 9],
        ];
        for kind in kinds {
            let object =
                [&[3, 0, 1, b'a'][..], kind, &[0, 4], b"code", &[2, 0, 2, b'o', b'k', 0, 0, 9]].concat();
            let values = decode(&[&object[..], &[1, 1]].concat());
            assert_eq!((values[0].property("code"), &values[1]), ("ok", &Value::Boolean(true)), "{kind:?}");
        }
    }

    #[test]
    fn a_megabyte_of_values_is_not_kept() {
        assert_eq!(decode(&vec![5; 1 << 20]).len(), MOST);
        let many = [&[10, 0, 15, 0, 0][..], &vec![5; 1 << 20]].concat();
        assert_eq!(decode(&many), []);
        let properties: Vec<u8> = [&[3][..], &[0, 1, b'a', 5].repeat(1 << 18)].concat();
        assert_eq!(decode(&properties), []);
        // What is no text becomes three bytes of each.
        let no_text = [&[12, 0, 16, 0, 0][..], &vec![0xff; 1 << 20]].concat();
        assert_eq!(decode(&no_text), [Value::text("\u{fffd}".repeat(LONGEST))]);
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<f64>().prop_filter("comparable", |number| !number.is_nan()).prop_map(Value::Number),
            any::<bool>().prop_map(Value::Boolean),
            any::<String>().prop_map(Value::Text),
            Just(Value::Null),
        ];
        leaf.prop_recursive(4, 16, 4, |inner| {
            prop::collection::vec((any::<String>(), inner), 0..4).prop_map(Value::Object)
        })
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes: Vec<u8>) {
            decode(&bytes);
        }

        #[test]
        fn what_is_written_is_read(values in prop::collection::vec(values(), 0..5)) {
            prop_assert_eq!(decode(&encode(&values)), values);
        }
    }
}
