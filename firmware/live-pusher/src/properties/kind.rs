//! From what a program or a person gives to a property's value (section 3.1).

use serde_json::{Map, Value, json};

use super::table::{Kind, Rounding};

/// Bytes: of a text that is too long nothing could be kept.
const LONGEST_TEXT: usize = 4096;

impl Kind {
    /// The value as it is kept, or what would be right instead.
    pub(crate) fn coerce(self, given: &Value) -> Result<Value, String> {
        let value = match self {
            Self::Switch => switch(given).map(Value::Bool),
            Self::Number { low, high, rounding } => {
                finite(given).map(|it| number(bring(it, low, high, rounding)))
            }
            Self::Code(codes) => {
                finite(given).filter(|it| codes.iter().any(|code| f64::from(*code) == *it)).map(number)
            }
            Self::Choice(words) => {
                given.as_str().map(str::trim).filter(|word| words.contains(word)).map(|word| json!(word))
            }
            Self::Text => {
                given.as_str().filter(|text| text.len() <= LONGEST_TEXT).map(|text| json!(trimmed(text)))
            }
            Self::Md5 => {
                given.as_str().map(trimmed).filter(|text| is_md5(text)).map(|text| json!(text.to_lowercase()))
            }
            Self::Words(words) => list(given).map(|given| {
                words.iter().filter(|word| given.iter().any(|it| it == *word)).copied().collect()
            }),
        };
        value.ok_or_else(|| self.wanted())
    }

    fn wanted(self) -> String {
        match self {
            Self::Switch => "give true or false".into(),
            Self::Number { low, high, .. } => format!("give a number from {low} to {high}"),
            Self::Code(codes) => {
                format!("give one of {}", codes.iter().map(u8::to_string).collect::<Vec<_>>().join(", "))
            }
            Self::Choice(words) => format!("give one of {}", words.join(", ")),
            Self::Text => format!("give a text of at most {LONGEST_TEXT} bytes"),
            Self::Md5 => "give the 32 hexadecimal digits of an MD5".into(),
            Self::Words(words) => format!("give a list of {}", words.join(", ")),
        }
    }

    /// As JSON Schema (draft 2020-12).
    pub(crate) fn schema(self) -> Map<String, Value> {
        let schema = match self {
            Self::Switch => json!({ "type": "boolean" }),
            Self::Number { low, high, rounding } => {
                let kind = if rounding == Rounding::None { "number" } else { "integer" };
                json!({ "type": kind, "minimum": number(low), "maximum": number(high) })
            }
            Self::Code(codes) => json!({ "enum": codes }),
            Self::Choice(words) => json!({ "enum": words }),
            Self::Text => json!({ "type": "string", "maxLength": LONGEST_TEXT }),
            Self::Md5 => json!({ "type": "string", "pattern": "^([0-9a-fA-F]{32})?$" }),
            Self::Words(words) => json!({ "type": "array", "items": { "enum": words }, "uniqueItems": true }),
        };
        if let Value::Object(schema) = schema { schema } else { Map::new() }
    }
}

/// Without a fraction where there is none.
pub(crate) fn number(number: f64) -> Value {
    if number.fract() == 0.0 { json!(number as i64) } else { json!(number) }
}

fn switch(given: &Value) -> Option<bool> {
    match given {
        Value::Bool(value) => Some(*value),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn finite(given: &Value) -> Option<f64> {
    let number = match given {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite())
}

fn bring(number: f64, low: f64, high: f64, rounding: Rounding) -> f64 {
    let number = match rounding {
        Rounding::None => number,
        Rounding::Whole => number.round(),
        Rounding::Even => (number / 2.0).floor() * 2.0,
    };
    number.clamp(low, high)
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c.is_control())
}

fn is_md5(text: &str) -> bool {
    text.is_empty() || text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A list, a list written as JSON, or words with commas.
fn list(given: &Value) -> Option<Vec<String>> {
    let words = |values: &[Value]| {
        values.iter().filter_map(Value::as_str).map(|word| word.trim().to_owned()).collect()
    };
    match given {
        Value::Array(values) => Some(words(values)),
        Value::String(text) => Some(match serde_json::from_str::<Vec<Value>>(text) {
            Ok(values) => words(&values),
            Err(_) => text.split(',').map(|word| word.trim().to_owned()).collect(),
        }),
        _ => None,
    }
}
