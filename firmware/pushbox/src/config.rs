//! What the user gives: board file, properties, address.

use std::path::Path;

use ::uplink::Address;
use anyhow::anyhow;
use board::Board;
use live_pusher::{Refusal, Store};
use serde_json::{Map, Value};

use crate::settings::Settings;

/// What can't be run as given: the user must change it. Exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(String);

pub(crate) struct Config {
    pub(crate) board: Board,
    pub(crate) store: Store,
    /// Where they are kept; none of a board without flash, or where only one address counts.
    pub(crate) settings: Option<Settings>,
    /// Whether it was told to publish to one address only: the program ends when that does.
    pub(crate) once: bool,
}

impl Config {
    pub(crate) fn read(board: &Path, props: Option<&Path>, url: Option<&str>) -> anyhow::Result<Self> {
        let board = read_board(board)?;
        let flash = board.flash.as_ref().filter(|_| url.is_none());
        let (settings, mut store) = match flash {
            Some(flash) => {
                let (mut settings, mut store) = Settings::open(&flash.folder.join("settings"))?;
                if let Some(path) = props {
                    settings.provision(path, &mut store, read_properties);
                }
                (Some(settings), store)
            }
            None => (None, props.map_or_else(|| Ok(Store::default()), read_properties)?),
        };
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
        Ok(Self { board, store, settings, once: url.is_some() })
    }
}

fn read_properties(path: &Path) -> anyhow::Result<Store> {
    board::read_values("property file", path, take).map_err(usage)
}

/// The properties that a file sets; unlike a program's, a person's mistakes are not passed over.
fn take(values: Map<String, Value>) -> Result<Store, (String, String)> {
    let mut store = Store::default();
    match store.update(&values).refused.into_iter().next() {
        Some(Refusal { property, reason, .. }) => Err((property, reason)),
        None => Ok(store),
    }
}

pub(crate) fn read_board(path: &Path) -> anyhow::Result<Board> {
    Board::read(path).map_err(usage)
}

pub(crate) fn usage(error: impl ToString) -> anyhow::Error {
    anyhow!(UsageError(error.to_string()))
}
