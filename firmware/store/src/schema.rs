use serde_json::{Map, Value};

/// Brings a document of one version to the next. It gets whatever object is on flash and must not panic on any.
pub type Migration = fn(&mut Map<String, Value>);

/// What the present firmware makes of a document.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// Number n brings version n to n + 1: a new document has as its version how many there are.
    pub migrations: &'static [Migration],
    /// Whether a key is one of this firmware's; only those of the document itself are asked for, not those of objects in it.
    /// The others are kept for the firmware that knows them.
    pub knows: fn(&str) -> bool,
}

impl Schema {
    pub(crate) fn version(&self) -> u32 {
        self.migrations.len() as u32
    }

    /// The document in this version, and its version: a newer one stays what it is, and is not migrated once more later.
    pub(crate) fn migrate(
        &self,
        version: u32,
        mut document: Map<String, Value>,
    ) -> (u32, Map<String, Value>) {
        for migration in self.migrations.iter().skip(version as usize) {
            migration(&mut document);
        }
        (version.max(self.version()), document)
    }

    /// `document` with what `before` has for other firmware.
    pub(crate) fn keep_unknown(&self, before: &Map<String, Value>, document: &mut Map<String, Value>) {
        for (key, value) in before.iter().filter(|(key, _)| !(self.knows)(key)) {
            document.entry(key.as_str()).or_insert_with(|| value.clone());
        }
    }
}
