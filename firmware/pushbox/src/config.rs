//! What the user gives: board file, properties, address.

use std::collections::BTreeMap;
use std::path::Path;

use ::uplink::Address;
use anyhow::anyhow;
use board::Board;
use live_pusher::{Options, Property, Refusal, Store};
use serde_json::{Map, Value};

use crate::hand::Bindings;
use crate::settings::Settings;

/// What can't be run as given: the user must change it. Exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(String);

pub(crate) struct Config {
    pub(crate) board: Board,
    pub(crate) store: Store,
    pub(crate) options: Options,
    /// What buttons do, by their names in the board file.
    pub(crate) bindings: Buttons,
    /// Where they are kept; none of a board without flash, or where only one address counts.
    pub(crate) settings: Option<Settings>,
    /// Whether it was told to publish to one address only: the program ends when that does.
    pub(crate) once: bool,
}

impl Config {
    pub(crate) fn read(board: &Path, props: Option<&Path>, url: Option<&str>) -> anyhow::Result<Self> {
        let board = read_board(board)?;
        let flash = board.flash.as_ref().filter(|_| url.is_none());
        let (settings, given) = match flash {
            Some(flash) => {
                let (mut settings, mut given) = Settings::open(&flash.folder.join("settings"))?;
                if let Some(path) = props {
                    settings.provision(path, &mut given, Given::read);
                }
                (Some(settings), given)
            }
            None => (None, props.map_or_else(|| Ok(Given::default()), Given::read)?),
        };
        let Given { mut store, options } = given;
        let (options, bindings) = parse_options(&options).map_err(usage)?;
        if let Some(url) = url {
            store.update(&Map::from_iter([
                ("url".to_owned(), url.into()),
                ("autopush".to_owned(), true.into()),
            ]));
        }
        let given = &store.properties().url;
        if url.is_some() || (settings.is_none() && !given.is_empty()) {
            let source = if url.is_some() { "--url" } else { "property url" };
            Address::parse(given).map_err(|error| usage(format!("{source}: {error}")))?;
        }
        Ok(Self { board, store, options, bindings, settings, once: url.is_some() })
    }
}

/// What a property file sets.
#[derive(Clone, Default)]
pub(crate) struct Given {
    pub(crate) store: Store,
    /// Its table `options`, which was looked at.
    pub(crate) options: Value,
}

impl Given {
    fn read(path: &Path) -> anyhow::Result<Self> {
        board::read_values("property file", path, Self::take).map_err(usage)
    }

    /// How it was taken over.
    pub(crate) fn told(&self) -> String {
        match unpublishable(&self.store.properties().url) {
            Some(reason) => format!("taken over, but url: {reason}"),
            None => "taken over".into(),
        }
    }

    /// Unlike a program's, a person's mistakes are not passed over.
    fn take(mut values: Map<String, Value>) -> Result<Self, (String, String)> {
        let options = values.remove(OPTIONS).unwrap_or_default();
        parse_options(&options).map_err(|reason| (OPTIONS.to_owned(), reason))?;
        let mut store = Store::default();
        let mut refused = store.update(&values).refused.into_iter();
        let Some(Refusal { property, reason, .. }) = refused.next() else {
            return Ok(Self { store, options });
        };
        let others = refused.map(|it| format!("; {}: {}", it.property, it.reason));
        Err((property, others.fold(reason, |all, other| all + &other)))
    }
}

/// Why nothing can be published to an address that is given.
pub(crate) fn unpublishable(url: &str) -> Option<String> {
    let error = Address::parse(url).err().filter(|_| !url.is_empty())?;
    Some(format!("it can't be published to: {error}"))
}

/// What was not taken, for the log. A name that is none may be a secret in the wrong place.
pub(crate) fn in_short(refused: &[Refusal]) -> String {
    let known = refused.iter().filter_map(|it| Some((Property::find(&it.property)?.name, &it.reason)));
    let mut parts: Vec<String> = known.map(|(name, reason)| format!("{name}: {reason}")).collect();
    let unknown = refused.len() - parts.len();
    if unknown > 0 {
        parts.push(format!("{unknown} unknown"));
    }
    parts.join("; ")
}

const OPTIONS: &str = "options";

pub(crate) type Buttons = BTreeMap<String, Bindings>;

/// `Null` stands for the defaults.
pub(crate) fn parse_options(options: &Value) -> Result<(Options, Buttons), String> {
    let mut options = match options.clone() {
        Value::Null => Map::new(),
        Value::Object(options) => options,
        _ => return Err("give a table".into()),
    };
    let buttons = match options.remove("buttons") {
        Some(buttons) => serde_json::from_value(buttons).map_err(|error| format!("buttons: {error}"))?,
        None => Buttons::new(),
    };
    if let Some((name, _)) = buttons.iter().find(|(_, it)| it.long.and(it.hold).is_some()) {
        return Err(format!("buttons.{name}: give long or hold, not both"));
    }
    for (name, value) in &options {
        let alone = Value::Object(Map::from_iter([(name.clone(), value.clone())]));
        serde_json::from_value::<Options>(alone).map_err(|error| format!("{name}: {error}"))?;
    }
    let options = serde_json::from_value(Value::Object(options)).map_err(|error| error.to_string())?;
    Ok((options, buttons))
}

pub(crate) fn read_board(path: &Path) -> anyhow::Result<Board> {
    Board::read(path).map_err(usage)
}

pub(crate) fn usage(error: impl ToString) -> anyhow::Error {
    anyhow!(UsageError(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hand::Action;

    fn options(toml: &str) -> Result<(Options, Buttons), String> {
        parse_options(&toml::from_str(toml).unwrap())
    }

    #[test]
    fn gestures_are_bound_by_name() {
        let (options, buttons) =
            options("retry-count = 5\n[buttons.start]\nshort = 'pause/resume'\nlong = 'switchCamera'")
                .unwrap();
        assert_eq!(options.retry_count, 5);
        assert_eq!(buttons["start"].short, Some(Action::PauseResume));
        assert_eq!((buttons["start"].long, buttons["start"].hold), (Some(Action::SwitchCamera), None));
    }

    #[test]
    fn a_mistake_is_told_with_what_would_do() {
        let both = options("[buttons.zoom]\nlong = 'mute'\nhold = 'zoomIn'").unwrap_err();
        assert_eq!(both, "buttons.zoom: give long or hold, not both");
        let number = options("retry-count = 11\nprofile = 'legacy'").unwrap_err();
        assert!(number.starts_with("retry-count: give a number from 1 to 10"), "{number}");
        let unknown = options("[buttons.start]\nshort = 'fly'").unwrap_err();
        assert!(unknown.contains("fly") && unknown.contains("start/stop"), "{unknown}");
    }
}
