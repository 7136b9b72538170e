//! What is said, one table a language.

mod chinese;
mod english;

use live_pusher::{Code, Reason, State};

/// The language of the display.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    #[default]
    English,
    Chinese,
}

impl Language {
    pub const ALL: [Self; 2] = [Self::English, Self::Chinese];

    /// As in ISO 639-1.
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh",
        }
    }

    pub fn words(self) -> &'static Words {
        match self {
            Self::English => &english::WORDS,
            Self::Chinese => &chinese::WORDS,
        }
    }
}

/// What is wrong, and what a person can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    pub sentence: &'static str,
    /// Empty where nothing is wrong.
    pub remedy: &'static str,
}

const fn advice(sentence: &'static str, remedy: &'static str) -> Advice {
    Advice { sentence, remedy }
}

/// The table of a language. What depends on the model is a function, so that the compiler misses what the table lacks.
pub struct Words {
    /// The language's own name.
    pub name: &'static str,
    pub starting: &'static str,
    pub starting_hint: &'static str,
    pub stopping: &'static str,
    pub stopping_hint: &'static str,
    pub stopped: &'static str,
    pub stopped_hint: &'static str,
    pub unprovisioned: &'static str,
    pub unprovisioned_hint: &'static str,
    /// Between a button and what it does.
    pub colon: &'static str,
    /// Before a button, by its gesture.
    pub double: &'static str,
    pub long: &'static str,
    /// What a button does.
    pub go_live: &'static str,
    pub go_on: &'static str,
    pub settings: &'static str,
    pub seen: &'static str,
    pub keep: &'static str,
    pub back: &'static str,
    pub no_network: &'static str,
    pub no_network_hint: &'static str,
    /// On a telephone that has scanned the code: before the baud rate and behind it, and where there is no serial line.
    pub by_serial: (&'static str, &'static str),
    pub by_card: &'static str,
    /// Wanted, and not there.
    pub failed: &'static str,
    pub past: &'static str,
    /// Behind a length of time.
    pub ago: &'static str,
    pub snapshot_taken: &'static str,
    pub zoom: &'static str,
    pub menu: &'static str,
    pub camera: &'static str,
    pub picture: &'static str,
    pub sound: &'static str,
    pub network: &'static str,
    pub more: &'static str,
    pub about: &'static str,
    pub set_up: &'static str,
    pub language: &'static str,
    pub start: &'static str,
    pub stop: &'static str,
    pub pause: &'static str,
    pub resume: &'static str,
    pub start_preview: &'static str,
    pub stop_preview: &'static str,
    pub switch_camera: &'static str,
    pub torch: &'static str,
    pub snapshot: &'static str,
    pub on: &'static str,
    pub off: &'static str,
    pub none: &'static str,
    pub set: &'static str,
    pub by_set_up: &'static str,
    pub version: &'static str,
    pub address: &'static str,
    pub serial: &'static str,
    pub temperature: &'static str,
    pub dropped: &'static str,
    pub done: &'static str,
    pub state: fn(State) -> &'static str,
    pub reason: fn(Reason) -> &'static str,
    /// How a pause ends; empty of the one by hand.
    pub pause_end: fn(Reason) -> &'static str,
    /// By the name of a button in the board file.
    pub button: fn(&str) -> Option<&'static str>,
    /// Of the quality levels 0 to 6 (9).
    pub quality: [&'static str; 7],
    pub code: fn(Code) -> Advice,
    /// Of a failed call (6.3).
    pub failure: fn(i32) -> &'static str,
    /// By the property's name.
    pub property: fn(&str) -> Option<&'static str>,
    /// By the property's name and the value as text, where the value has a name.
    pub choice: fn(&str, &str) -> Option<&'static str>,
}

#[cfg(test)]
mod tests {
    use live_pusher::{Kind, TABLE};

    use super::*;
    use crate::font;
    use crate::messages::severity;

    #[test]
    fn every_fault_has_a_sentence_and_a_remedy_in_every_language() {
        for (language, code) in Language::ALL.into_iter().flat_map(|it| Code::ALL.map(|code| (it, code))) {
            let Advice { sentence, remedy } = (language.words().code)(code);
            assert!(!sentence.is_empty(), "{code} {language:?}");
            assert!(severity(code).is_none() || !remedy.is_empty(), "{code} {language:?}");
        }
    }

    #[test]
    fn every_property_and_every_choice_has_a_name_in_every_language() {
        for (words, property) in
            Language::ALL.into_iter().flat_map(|it| TABLE.iter().map(move |property| (it.words(), property)))
        {
            assert!((words.property)(property.name).is_some(), "{} {}", property.name, words.name);
            let choices: Vec<String> = match property.kind {
                Kind::Choice(known) | Kind::Words(known) => {
                    known.iter().map(|word| (*word).to_owned()).collect()
                }
                Kind::Code(codes) => codes.iter().map(u8::to_string).collect(),
                Kind::Switch | Kind::Number { .. } | Kind::Text | Kind::Md5 => Vec::new(),
            };
            for choice in choices {
                let named = (words.choice)(property.name, &choice);
                assert!(named.is_some(), "{} {choice} {}", property.name, words.name);
            }
        }
    }

    #[test]
    fn the_font_of_titles_has_their_letters() {
        for words in Language::ALL.map(Language::words) {
            let sentences = Code::ALL.map(|code| (words.code)(code).sentence);
            let states = State::ALL.map(words.state);
            let others = [words.starting, words.stopping, words.stopped, words.unprovisioned, words.set_up];
            for letter in sentences.iter().chain(&states).chain(&others).flat_map(|text| text.chars()) {
                assert!(font::SANS_64.has(letter), "{letter}: run scripts/fonts");
            }
        }
    }

    #[test]
    fn every_font_has_every_letter() {
        let tables = [include_str!("english.rs"), include_str!("chinese.rs")];
        let letters = tables.iter().flat_map(|table| table.chars()).filter(|letter| *letter != '\n');
        for letter in letters.chain(' '..='~').chain(['°', '…', '–']) {
            for font in [&font::PIXEL_12, &font::SANS_18, &font::SANS_26, &font::SANS_40] {
                assert!(font.has(letter), "{letter}: run scripts/fonts");
            }
        }
    }
}
