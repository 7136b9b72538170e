//! Table 4.0: every property with its kind and default.

use serde_json::{Value, json};

/// What a property takes (section 3.1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Switch,
    /// A number, brought to the nearest bound.
    Number {
        low: f64,
        high: f64,
        rounding: Rounding,
    },
    /// A whole number of these.
    Code(&'static [u8]),
    /// One of these words.
    Choice(&'static [&'static str]),
    Text,
    /// Nothing, or 32 hexadecimal digits.
    Md5,
    /// Any of these words, as one, as a list, or as text with commas.
    Words(&'static [&'static str]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    None,
    Whole,
    /// Down to an even number.
    Even,
}

/// What a property is without being set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Default {
    Off,
    On,
    Number(f64),
    Text(&'static str),
    /// An empty list.
    None,
}

impl Default {
    pub fn value(self) -> Value {
        match self {
            Self::Off => json!(false),
            Self::On => json!(true),
            Self::Number(number) => super::kind::number(number),
            Self::Text(text) => json!(text),
            Self::None => json!([]),
        }
    }
}

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Property {
    /// In kebab case; camel case is accepted too.
    pub name: &'static str,
    /// Other names that write it, in kebab case.
    pub aliases: &'static [&'static str],
    pub kind: Kind,
    pub default: Default,
}

impl Property {
    /// The line for a name in any of its spellings (3.2).
    pub fn find(name: &str) -> Option<&'static Self> {
        TABLE.iter().find(|property| {
            let mut names = property.aliases.iter().chain([&property.name]);
            names.any(|known| *known == name || camel(known).eq(name.chars()))
        })
    }
}

/// `video-width` as `videoWidth`.
fn camel(name: &str) -> impl Iterator<Item = char> {
    let mut begins = false;
    name.chars().filter_map(move |c| {
        let begun = std::mem::replace(&mut begins, c == '-');
        (c != '-').then(|| if begun { c.to_ascii_uppercase() } else { c })
    })
}

const SWITCH: Kind = Kind::Switch;
const UNIT: Kind = Kind::Number { low: 0.0, high: 1.0, rounding: Rounding::None };
const LEVEL: Kind = Kind::Number { low: 0.0, high: 9.0, rounding: Rounding::None };
const KBPS: Kind = Kind::Number { low: 50.0, high: 20_000.0, rounding: Rounding::Whole };
const SIDE: Kind = Kind::Number { low: 96.0, high: 1920.0, rounding: Rounding::Even };
const FPS: Kind = Kind::Number { low: 1.0, high: 30.0, rounding: Rounding::Whole };
const FILTERS: Kind = Kind::Choice(&[
    "standard",
    "pink",
    "nostalgia",
    "blues",
    "romantic",
    "cool",
    "fresher",
    "solor",
    "aestheticism",
    "whitening",
    "cerisered",
]);

const fn line(name: &'static str, kind: Kind, default: Default) -> Property {
    Property { name, aliases: &[], kind, default }
}

const fn aliased(
    name: &'static str,
    aliases: &'static [&'static str],
    kind: Kind,
    default: Default,
) -> Property {
    Property { name, aliases, kind, default }
}

/// All properties, in the order in which one update applies them (section 3.1, rule 7).
pub const TABLE: [Property; 38] = [
    line("url", Kind::Text, Default::Text("")),
    line("custom-effect", SWITCH, Default::Off),
    line("mode", Kind::Choice(&["QVGA", "HVGA", "SD", "HD", "FHD", "RTC"]), Default::Text("RTC")),
    line("aspect", Kind::Choice(&["3:4", "9:16"]), Default::Text("9:16")),
    line("orientation", Kind::Choice(&["vertical", "horizontal"]), Default::Text("vertical")),
    line("video-width", SIDE, Default::Number(360.0)),
    line("video-height", SIDE, Default::Number(640.0)),
    line("fps", FPS, Default::Number(15.0)),
    line("min-bitrate", KBPS, Default::Number(200.0)),
    line("max-bitrate", KBPS, Default::Number(1000.0)),
    line("device-position", Kind::Choice(&["front", "back"]), Default::Text("front")),
    aliased("mirror", &["remote-mirror"], SWITCH, Default::Off),
    line("local-mirror", Kind::Choice(&["auto", "enable", "disable"]), Default::Text("auto")),
    line("enable-camera", SWITCH, Default::On),
    line("auto-focus", SWITCH, Default::On),
    line("zoom", SWITCH, Default::Off),
    line("waiting-image", Kind::Text, Default::Text("")),
    aliased("waiting-image-hash", &["waiting-image-md5"], Kind::Md5, Default::Text("")),
    line("enable-mic", SWITCH, Default::On),
    line("muted", SWITCH, Default::Off),
    line("background-mute", SWITCH, Default::Off),
    line("audio-quality", Kind::Choice(&["high", "low"]), Default::Text("high")),
    line("audio-volume-type", Kind::Choice(&["auto", "media", "voicecall"]), Default::Text("auto")),
    line("enable-agc", SWITCH, Default::Off),
    line("enable-ans", SWITCH, Default::Off),
    line("audio-reverb-type", Kind::Code(&[0, 1, 2, 3, 4, 5, 6, 7]), Default::Number(0.0)),
    line("voice-changer-type", Kind::Code(&[0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]), Default::Number(0.0)),
    line("enable-video-custom-render", SWITCH, Default::Off),
    line("beauty", LEVEL, Default::Number(0.0)),
    line("whiteness", LEVEL, Default::Number(0.0)),
    line("beauty-style", Kind::Choice(&["smooth", "nature"]), Default::Text("smooth")),
    line("filter", FILTERS, Default::Text("standard")),
    line("skin-whiteness", UNIT, Default::Number(0.0)),
    line("skin-smoothness", UNIT, Default::Number(0.0)),
    line("face-thinness", UNIT, Default::Number(0.0)),
    line("eye-bigness", UNIT, Default::Number(0.0)),
    line("picture-in-picture-mode", Kind::Words(&["push", "pop"]), Default::None),
    line("autopush", SWITCH, Default::Off),
];
