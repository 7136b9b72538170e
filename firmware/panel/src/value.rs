//! Values of properties: as words, and the steps between them.

use live_pusher::{DefaultValue, Kind, Property, Rounding, Store};
use serde_json::Value;

use crate::line::Line;
use crate::words::Words;

/// What a property is set to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Setting<'a> {
    Switch(bool),
    Number(f64),
    Text(&'a str),
    List(&'a [Value]),
}

impl<'a> Setting<'a> {
    pub(crate) fn of(store: &'a Store, property: &Property) -> Self {
        match store.written().get(property.name) {
            Some(Value::Bool(value)) => Self::Switch(*value),
            Some(Value::Number(value)) => Self::Number(value.as_f64().unwrap_or_default()),
            Some(Value::String(text)) => Self::Text(text),
            Some(Value::Array(list)) => Self::List(list),
            Some(Value::Null | Value::Object(_)) | None => match property.default {
                DefaultValue::Off => Self::Switch(false),
                DefaultValue::On => Self::Switch(true),
                DefaultValue::Number(value) => Self::Number(value),
                DefaultValue::Text(text) => Self::Text(text),
                DefaultValue::None => Self::List(&[]),
            },
        }
    }

    /// In a few letters, for a line of a menu.
    pub(crate) fn short(self, property: &Property, words: &Words) -> Line {
        match (self, property.kind) {
            (Self::Switch(value), _) => {
                Line::of(format_args!("{}", if value { words.on } else { words.off }))
            }
            (Self::Text(text), Kind::Choice(_)) => named(property, text, words),
            (Self::Text("") | Self::List([]), _) => Line::of(format_args!("{}", words.none)),
            (Self::Text(_), _) => Line::of(format_args!("{}", words.set)),
            (Self::List(_), _) => Line::of(format_args!("{}", words.on)),
            (Self::Number(value), Kind::Code(_)) => {
                named(property, Line::of(format_args!("{value}")).as_str(), words)
            }
            (Self::Number(value), _) => Line::of(format_args!("{}", (value * 100.0).round() / 100.0)),
        }
    }

    /// With unit and range, or of a text as much as may be shown.
    pub(crate) fn long(self, property: &Property, words: &Words) -> Line {
        let mut line = match self {
            Self::Text(text) if matches!(property.kind, Kind::Text | Kind::Md5) => without_secrets(text),
            Self::List(list) => {
                let mut line = Line::new();
                for (place, value) in list.iter().filter_map(Value::as_str).enumerate() {
                    let between = if place == 0 { "" } else { ", " };
                    line.add(format_args!("{between}{}", named(property, value, words).as_str()));
                }
                line
            }
            _ => self.short(property, words),
        };
        if line.as_str().is_empty() {
            line.add(format_args!("{}", words.none));
        }
        if let Kind::Number { low, high, .. } = property.kind {
            line.add(format_args!("{}  ({low}–{high})", unit(property)));
        }
        line
    }
}

/// A value by its name, if it has one.
pub(crate) fn named(property: &Property, value: &str, words: &Words) -> Line {
    Line::of(format_args!("{}", (words.choice)(property.name, value).unwrap_or(value)))
}

/// The unit is no word of a language.
pub(crate) fn unit(property: &Property) -> &'static str {
    match property.name {
        "min-bitrate" | "max-bitrate" => " kb/s",
        "video-width" | "video-height" => " px",
        "fps" => " fps",
        _ => "",
    }
}

/// An address without user, path and query, any of which may hold secrets; other texts as they are.
fn without_secrets(text: &str) -> Line {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Line::of(format_args!("{text}"));
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    Line::of(format_args!("{scheme}://{host}/…"))
}

/// The number `steps` steps from `value`, within the range of the property. A long range is walked in steps of about a tenth
/// of the value, a short one in twentieths of the range.
pub(crate) fn stepped(value: f64, (low, high): (f64, f64), rounding: Rounding, steps: i32) -> f64 {
    let is_long = low > 0.0 && high / low >= 20.0;
    let least = match rounding {
        Rounding::None => 0.0,
        Rounding::Whole => 1.0,
        Rounding::Even => 2.0,
    };
    let mut value = value;
    for _ in 0..steps.unsigned_abs() {
        // Downwards by the step of what lies below, so that the same numbers are met both ways.
        let from = if steps < 0 { value * 0.999 } else { value };
        let step = round_step(if is_long { from / 10.0 } else { (high - low) / 20.0 }).max(least);
        let place = value / step;
        let place = if steps < 0 { (place - 1e-6).ceil() - 1.0 } else { (place + 1e-6).floor() + 1.0 };
        value = (place * step).clamp(low, high);
    }
    (value * 1e6).round() / 1e6
}

/// The next of 1, 2, 5, 10, 20, … at or below a positive number.
fn round_step(number: f64) -> f64 {
    let power = 10f64.powf(number.max(1e-6).log10().floor());
    power
        * if number >= 5.0 * power {
            5.0
        } else if number >= 2.0 * power {
            2.0
        } else {
            1.0
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_walked_in_round_steps_within_their_range() {
        let walk = |range, rounding, from, steps| stepped(from, range, rounding, steps);
        let kbps = |from, steps| walk((50.0, 20_000.0), Rounding::Whole, from, steps);
        assert_eq!(
            [kbps(1000.0, 1), kbps(1000.0, -1), kbps(1030.0, 1), kbps(1030.0, -1)],
            [1100.0, 950.0, 1100.0, 1000.0]
        );
        assert_eq!([kbps(50.0, -1), kbps(19_900.0, 5), kbps(52.0, 1)], [50.0, 20_000.0, 55.0]);
        assert_eq!(
            [walk((1.0, 30.0), Rounding::Whole, 15.0, 1), walk((1.0, 30.0), Rounding::Whole, 2.0, -5)],
            [16.0, 1.0]
        );
        assert_eq!(walk((0.0, 1.0), Rounding::None, 0.1, 1), 0.15);
        assert_eq!(
            [walk((0.0, 9.0), Rounding::None, 0.0, 1), walk((0.0, 9.0), Rounding::None, 8.9, 1)],
            [0.2, 9.0]
        );
        assert_eq!(walk((96.0, 1920.0), Rounding::Even, 360.0, 1), 380.0);
    }

    #[test]
    fn of_an_address_only_the_host_is_shown() {
        assert_eq!(without_secrets("rtmp://me:word@host:1935/app/key?a=b").as_str(), "rtmp://host:1935/…");
        assert_eq!(without_secrets("rtmp://host?key").as_str(), "rtmp://host/…");
        assert_eq!(without_secrets("/data/back-soon.png").as_str(), "/data/back-soon.png");
    }
}
