//! What was there when a store was opened.

use std::fmt;
use std::path::PathBuf;

use crate::Damage;

/// Where the document of a store that was just opened comes from. Shown, it is a sentence for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub origin: Origin,
    /// Banks that could not be used: worth a warning.
    pub damaged: Vec<Damaged>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nothing was kept yet: an empty document, factory values.
    Factory,
    /// The document that was saved last; where a bank is damaged, it may be the one before.
    Saved,
    /// There was one, but no bank can be used: an empty document, factory values.
    Lost,
}

/// A bank that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    pub path: PathBuf,
    pub damage: Damage,
    /// Where its bytes are now: still at `path` if they could not be moved.
    pub aside: PathBuf,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.origin, self.damaged.is_empty()) {
            (Origin::Factory, _) => "no settings were saved yet, factory values are used",
            (Origin::Saved, true) => "settings read",
            (Origin::Saved, false) => "settings read; the last change may be missing, please check them",
            (Origin::Lost, _) => "settings are lost, factory values are used; please set them again",
        })?;
        for Damaged { path, damage, aside } in &self.damaged {
            write!(
                f,
                "; {} is damaged: {damage}; its bytes are kept in {}",
                path.display(),
                aside.display()
            )?;
        }
        Ok(())
    }
}
