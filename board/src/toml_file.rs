use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

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
