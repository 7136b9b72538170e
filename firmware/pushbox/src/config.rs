//! What the user gives: board file, properties, address.

use std::path::Path;

use ::uplink::Address;
use anyhow::anyhow;
use board::Board;
use live_pusher::{Properties, Refusal, Store};
use serde_json::{Map, Value};

/// What can't be run as given: the user must change it. Exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(String);

pub(crate) struct Config {
    pub(crate) board: Board,
    pub(crate) properties: Properties,
    pub(crate) address: Address,
}

impl Config {
    pub(crate) fn read(board: &Path, props: Option<&Path>, url: Option<&str>) -> anyhow::Result<Self> {
        let board = read_board(board)?;
        let properties = match props {
            Some(path) => board::read_values("property file", path, take).map_err(usage)?,
            None => Properties::default(),
        };
        let (source, text) = match url {
            Some(url) => ("--url", url),
            None => ("property url", properties.url.as_str()),
        };
        let address = Address::parse(text).map_err(|error| usage(format!("{source}: {error}")))?;
        Ok(Self { board, properties, address })
    }
}

/// The properties that a file sets; unlike a program's, a person's mistakes are not passed over.
fn take(values: Map<String, Value>) -> Result<Properties, (String, String)> {
    let mut store = Store::default();
    match store.update(&values).refused.into_iter().next() {
        Some(Refusal { property, reason, .. }) => Err((property, reason)),
        None => Ok(store.properties().clone()),
    }
}

pub(crate) fn read_board(path: &Path) -> anyhow::Result<Board> {
    Board::read(path).map_err(usage)
}

pub(crate) fn usage(error: impl ToString) -> anyhow::Error {
    anyhow!(UsageError(error.to_string()))
}
