use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use toml::Spanned;

/// A file that can't be used: which, where and why.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{what} {path}: {source}; give a readable TOML file")]
    Read { what: &'static str, path: PathBuf, source: io::Error },
    #[error("{what} {path}{place}: {message}")]
    Invalid { what: &'static str, path: PathBuf, place: String, message: String },
}

/// Reads a TOML file; `what` names its kind in errors, which never show a value of it.
pub fn read_toml<T: DeserializeOwned>(what: &'static str, path: &Path) -> Result<T, ConfigError> {
    let path = path.to_owned();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) => return Err(ConfigError::Read { what, path, source }),
    };
    toml::from_str(&text).map_err(|error| ConfigError::Invalid {
        what,
        path,
        place: place(&text, &error),
        message: error.message().replace('\n', " "),
    })
}

/// Reads a TOML file of single values, of which `take` makes something; or it names the key that is wrong, and why.
pub fn read_values<T>(
    what: &'static str,
    path: &Path,
    take: impl FnOnce(Map<String, Value>) -> Result<T, (String, String)>,
) -> Result<T, ConfigError> {
    let lines: BTreeMap<Spanned<String>, Value> = read_toml(what, path)?;
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let values = lines.iter().map(|(name, value)| (name.get_ref().clone(), value.clone())).collect();
    take(values).map_err(|(key, message)| {
        let span = lines.keys().find(|name| *name.get_ref() == key).map(Spanned::span);
        let line = span.map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count()) + 1;
        let place = format!(", line {line}, {key}");
        ConfigError::Invalid { what, path: path.to_owned(), place, message }
    })
}

/// Line and key of an error, without the value, which may be secret.
fn place(text: &str, error: &toml::de::Error) -> String {
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return String::new();
    };
    let number = before.matches('\n').count();
    let key = text.lines().nth(number).and_then(|line| line.split_once('=')).map(|(key, _)| key.trim());
    // Where the line is no key and value, what comes before a `=` may be part of an address.
    let is_key = |key: &&str| key.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    match key.filter(is_key) {
        Some(key) => format!(", line {}, {key}", number + 1),
        None => format!(", line {}", number + 1),
    }
}
