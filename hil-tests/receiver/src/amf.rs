//! As much of AMF0 as a server of one publisher needs.

/// The values that are looked at; all others end the reading.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Number(f64),
    Boolean(bool),
    Text(String),
    Object(Vec<(String, Value)>),
    Null,
}

impl Value {
    pub(crate) fn property(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Object(properties) => {
                properties.iter().find(|(key, _)| key == name).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }
}

pub(crate) fn read(mut bytes: &[u8]) -> Vec<Value> {
    std::iter::from_fn(|| value(&mut bytes, 0)).collect()
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

fn text(bytes: &mut &[u8]) -> Option<String> {
    let length = take(bytes, 2)?;
    let length = usize::from(length[0]) << 8 | usize::from(length[1]);
    take(bytes, length).map(|text| String::from_utf8_lossy(text).into_owned())
}

fn value(bytes: &mut &[u8], depth: u8) -> Option<Value> {
    match take(bytes, 1)?[0] {
        0 => take(bytes, 8)?.try_into().ok().map(|number| Value::Number(f64::from_be_bytes(number))),
        1 => take(bytes, 1).map(|byte| Value::Boolean(byte[0] != 0)),
        2 => text(bytes).map(Value::Text),
        kind @ (3 | 8) if depth < 8 => {
            if kind == 8 {
                take(bytes, 4)?;
            }
            let mut properties = Vec::new();
            loop {
                let name = text(bytes)?;
                if name.is_empty() {
                    take(bytes, 1)?;
                    return Some(Value::Object(properties));
                }
                properties.push((name, value(bytes, depth + 1)?));
            }
        }
        5 | 6 => Some(Value::Null),
        _ => None,
    }
}

pub(crate) fn write(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for value in values {
        put(&mut out, value);
    }
    out
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn put(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Number(number) => {
            out.push(0);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Boolean(boolean) => out.extend_from_slice(&[1, u8::from(*boolean)]),
        Value::Text(text) => {
            out.push(2);
            put_text(out, text);
        }
        Value::Object(properties) => {
            out.push(3);
            for (name, value) in properties {
                put_text(out, name);
                put(out, value);
            }
            out.extend_from_slice(&[0, 0, 9]);
        }
        Value::Null => out.push(5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let object =
            Value::Object(vec![("code".into(), Value::Text("x".into())), ("n".into(), Value::Boolean(true))]);
        let values = [Value::Text("onStatus".into()), Value::Number(1.5), Value::Null, object];
        assert_eq!(read(&write(&values)), values);
        assert_eq!(read(&write(&values)[..14]), values[..1]);
    }
}
