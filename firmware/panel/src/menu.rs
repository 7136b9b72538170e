//! What there is to choose from. Properties, their ranges and their choices are the model's.

use live_pusher::{Code, Kind, Property, TABLE};

use crate::icon::Icon;
use crate::line::{Line, duration};
use crate::messages::Past;
use crate::value::Setting;
use crate::view::View;
use crate::words::{Language, Words};

/// One list, or one value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Page {
    Main,
    Camera,
    Picture,
    Sound,
    Network,
    More,
    About,
    Language,
    SetUp,
    /// Faults that were told.
    Past,
    Fault(Code),
    /// A number that is being set.
    Number {
        property: &'static Property,
        value: f64,
    },
    /// One or several of the property's choices.
    Choices(&'static Property),
    /// A text, which can't be written here.
    Text(&'static Property),
}

/// One line of a list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Item {
    Page(Page),
    /// A method of the context, by its name.
    Method(&'static str),
    Property(&'static Property),
    /// The choice at a place among those of a property.
    Choice(&'static Property, usize),
    Language(Language),
    Fact(Fact),
    Past(Past),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    Address,
    Version,
    Serial,
    Quality,
    Temperature,
    Dropped,
}

const FACTS: [Fact; 6] =
    [Fact::Address, Fact::Quality, Fact::Dropped, Fact::Temperature, Fact::Version, Fact::Serial];

/// Where a property is looked for. One that the model gains later is found under `More`.
fn page_of(property: &Property) -> Page {
    match property.name {
        "device-position" | "enable-camera" | "auto-focus" | "zoom" | "mirror" | "local-mirror" => {
            Page::Camera
        }
        "mode" | "aspect" | "orientation" | "video-width" | "video-height" | "fps" | "beauty"
        | "whiteness" | "beauty-style" | "filter" | "custom-effect" | "skin-whiteness"
        | "skin-smoothness" | "face-thinness" | "eye-bigness" | "waiting-image" | "waiting-image-hash" => {
            Page::Picture
        }
        "enable-mic" | "muted" | "background-mute" | "audio-quality" | "audio-volume-type" | "enable-agc"
        | "enable-ans" | "audio-reverb-type" | "voice-changer-type" => Page::Sound,
        "url" | "min-bitrate" | "max-bitrate" | "autopush" => Page::Network,
        _ => Page::More,
    }
}

impl Page {
    /// Its lines; `past` are the faults that were told.
    pub(crate) fn items<'a>(self, view: &View<'_>, past: &'a [Past]) -> impl Iterator<Item = Item> + use<'a> {
        let has_session = view.state.has_session();
        let first: [Option<Item>; 3] = match self {
            Self::Main if has_session => {
                let is_paused = view.reasons.contains(live_pusher::Reason::Api);
                [
                    Some(Item::Method("stop")),
                    Some(Item::Method(if is_paused { "resume" } else { "pause" })),
                    None,
                ]
            }
            Self::Main => {
                let is_shown = view.state == live_pusher::State::Previewing;
                let preview = if is_shown { "stopPreview" } else { "startPreview" };
                [Some(Item::Method("start")), Some(Item::Method(preview)), None]
            }
            Self::Camera => ["switchCamera", "toggleTorch", "snapshot"].map(|name| Some(Item::Method(name))),
            _ => [None; 3],
        };
        let pages: &'static [Self] = match self {
            Self::Main => &[
                Self::Camera,
                Self::Picture,
                Self::Sound,
                Self::Network,
                Self::More,
                Self::SetUp,
                Self::About,
                Self::Language,
                Self::Past,
            ],
            _ => &[],
        };
        let has_past = !past.is_empty();
        let pages = pages.iter().filter(move |page| has_past || **page != Self::Past);
        let past = if self == Self::Past { past } else { &[] };
        let languages: &'static [Language] = if self == Self::Language { &Language::ALL } else { &[] };
        let facts: &'static [Fact] = if self == Self::About { &FACTS } else { &[] };
        let is_list = matches!(self, Self::Camera | Self::Picture | Self::Sound | Self::Network | Self::More);
        let properties = TABLE.iter().filter(move |property| is_list && page_of(property) == self);
        let chosen = if let Self::Choices(property) = self { Some(property) } else { None };
        let choices = chosen.into_iter().flat_map(|property| {
            (0..choice_count(property.kind)).map(move |place| Item::Choice(property, place))
        });
        first
            .into_iter()
            .flatten()
            .chain(pages.map(|page| Item::Page(*page)))
            .chain(properties.map(Item::Property))
            .chain(choices)
            .chain(languages.iter().map(|language| Item::Language(*language)))
            .chain(facts.iter().map(|fact| Item::Fact(*fact)))
            .chain(past.iter().map(|past| Item::Past(*past)))
    }

    pub(crate) fn title(self, words: &'static Words) -> &'static str {
        match self {
            Self::Main => words.menu,
            Self::Camera => words.camera,
            Self::Picture => words.picture,
            Self::Sound => words.sound,
            Self::Network => words.network,
            Self::More => words.more,
            Self::About => words.about,
            Self::Language => words.language,
            Self::SetUp => words.set_up,
            Self::Past | Self::Fault(_) => words.past,
            Self::Number { property, .. } | Self::Choices(property) | Self::Text(property) => {
                label(property, words)
            }
        }
    }

    pub(crate) fn icon(self) -> Icon {
        match self {
            Self::Main | Self::More => Icon::More,
            Self::Camera => Icon::Camera,
            Self::Picture => Icon::Picture,
            Self::Sound => Icon::Microphone,
            Self::Network => Icon::Network,
            Self::About => Icon::About,
            Self::Language => Icon::Language,
            Self::SetUp => Icon::SetUp,
            Self::Past | Self::Fault(_) => Icon::Past,
            Self::Number { property, .. } | Self::Choices(property) | Self::Text(property) => {
                page_of(property).icon()
            }
        }
    }
}

fn choice_count(kind: Kind) -> usize {
    match kind {
        Kind::Choice(words) | Kind::Words(words) => words.len(),
        Kind::Code(codes) => codes.len(),
        Kind::Switch | Kind::Number { .. } | Kind::Text | Kind::Md5 => 0,
    }
}

/// What a property is called; its name in the model where the language has no word for it.
pub(crate) fn label(property: &'static Property, words: &Words) -> &'static str {
    (words.property)(property.name).unwrap_or(property.name)
}

impl Item {
    pub(crate) fn label(self, words: &'static Words) -> &'static str {
        match self {
            Self::Page(page) => page.title(words),
            Self::Property(property) => label(property, words),
            Self::Language(language) => language.words().name,
            Self::Fact(fact) => fact.label(words),
            Self::Past(past) => (words.code)(past.code).sentence,
            Self::Choice(property, place) => match property.kind {
                Kind::Choice(known) | Kind::Words(known) => {
                    known.get(place).map_or("", |value| (words.choice)(property.name, value).unwrap_or(value))
                }
                // The choices of such a property have names, which a test makes sure of.
                Kind::Code(codes) => codes
                    .get(place)
                    .and_then(|code| (words.choice)(property.name, Line::of(format_args!("{code}")).as_str()))
                    .unwrap_or("?"),
                Kind::Switch | Kind::Number { .. } | Kind::Text | Kind::Md5 => "",
            },
            Self::Method(name) => match name {
                "start" => words.start,
                "stop" => words.stop,
                "pause" => words.pause,
                "resume" => words.resume,
                "startPreview" => words.start_preview,
                "stopPreview" => words.stop_preview,
                "switchCamera" => words.switch_camera,
                "toggleTorch" => words.torch,
                "snapshot" => words.snapshot,
                other => other,
            },
        }
    }

    pub(crate) fn icon(self) -> Option<Icon> {
        Some(match self {
            Self::Page(page) => page.icon(),
            Self::Method(name) => match name {
                "start" => Icon::OnAir,
                "stop" => Icon::Stop,
                "pause" => Icon::Pause,
                "resume" => Icon::Play,
                "startPreview" | "stopPreview" => Icon::Eye,
                "switchCamera" => Icon::SwitchCamera,
                "toggleTorch" => Icon::Torch,
                _ => Icon::Snapshot,
            },
            Self::Past(past) => Icon::of_code(past.code),
            Self::Property(_) | Self::Choice(..) | Self::Language(_) | Self::Fact(_) => return None,
        })
    }

    /// What stands at the end of its line; empty where there is nothing.
    pub(crate) fn value(self, view: &View<'_>, words: &Words) -> Line {
        match self {
            Self::Property(property) => Setting::of(view.store, property).short(property, words),
            Self::Fact(fact) => fact.value(view, words),
            Self::Method("toggleTorch") => {
                Line::of(format_args!("{}", if view.torch { words.on } else { words.off }))
            }
            Self::Past(past) => {
                let time = duration(view.now.saturating_sub(past.told));
                Line::of(format_args!("{}{}", time.as_str(), words.ago))
            }
            Self::Page(_) | Self::Method(_) | Self::Choice(..) | Self::Language(_) => Line::new(),
        }
    }

    /// Whether it is what is set now.
    pub(crate) fn is_chosen(self, view: &View<'_>, language: Language) -> bool {
        match self {
            Self::Language(it) => it == language,
            Self::Choice(property, place) => match (Setting::of(view.store, property), property.kind) {
                (Setting::Text(text), Kind::Choice(known)) => known.get(place) == Some(&text),
                (Setting::Number(value), Kind::Code(codes)) => {
                    codes.get(place).is_some_and(|code| f64::from(*code) == value)
                }
                (Setting::List(list), Kind::Words(known)) => {
                    known.get(place).is_some_and(|word| list.iter().any(|value| value == word))
                }
                _ => false,
            },
            Self::Page(_) | Self::Method(_) | Self::Property(_) | Self::Fact(_) | Self::Past(_) => false,
        }
    }
}

impl Fact {
    fn label(self, words: &Words) -> &'static str {
        match self {
            Self::Address => words.address,
            Self::Version => words.version,
            Self::Serial => words.serial,
            Self::Quality => words.network,
            Self::Temperature => words.temperature,
            Self::Dropped => words.dropped,
        }
    }

    fn value(self, view: &View<'_>, words: &Words) -> Line {
        let text = |text: &str| Line::of(format_args!("{}", if text.is_empty() { "–" } else { text }));
        match self {
            Self::Address => text(&view.about.address),
            Self::Version => text(&view.about.version),
            Self::Serial => text(&view.about.serial),
            Self::Quality => text(words.quality.get(usize::from(view.quality)).copied().unwrap_or_default()),
            Self::Temperature => match view.temperature {
                Some(degrees) => Line::of(format_args!("{degrees} °C")),
                None => text(""),
            },
            Self::Dropped => Line::of(format_args!("{}", view.dropped)),
        }
    }
}
