//! The properties as they are set, read and kept.

use serde_json::{Map, Value, json};

use super::Properties;
use super::table::{Property, TABLE};

/// A value that was not taken; what was there before stays (section 3.1, rule 5).
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The name as it was given.
    pub property: String,
    /// What was given; none for an address, which may hold secrets.
    pub value: Value,
    /// What would be right.
    pub reason: String,
}

/// What became of an update.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Properties with another value than before, in the order in which they are to be applied.
    pub changed: Vec<&'static str>,
    pub refused: Vec<Refusal>,
}

/// All properties: those that were set, and the defaults of the others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Store {
    written: Map<String, Value>,
    properties: Properties,
    attached: bool,
}

impl Store {
    /// From now on, what counts at attach time only can't be changed (4.34).
    pub fn attach(&mut self) {
        self.attached = true;
    }

    pub fn properties(&self) -> &Properties {
        &self.properties
    }

    /// Sets several properties at once. `null` restores a default. Never fails as a whole: what is wrong is left out and
    /// told.
    pub fn update(&mut self, values: &Map<String, Value>) -> Outcome {
        let (mut outcome, before, mut written) = (Outcome::default(), self.values(), self.written.clone());
        for (name, value) in values {
            if let Err(reason) = self.write(&mut written, name, value) {
                let is_secret = Property::find(name).is_none_or(|property| property.name == "url");
                let value = if is_secret { Value::Null } else { value.clone() };
                outcome.refused.push(Refusal { property: name.clone(), value, reason });
            }
        }
        if written == self.written {
            return outcome;
        }
        let explicit = match serde_json::from_value::<Properties>(Value::Object(written.clone())) {
            Ok(properties) => {
                let minimum_came_last = self.minimum_came_last(&written);
                self.properties = Properties { minimum_came_last, ..properties };
                std::mem::replace(&mut self.written, written)
            }
            Err(error) => {
                let reason = error.to_string();
                outcome.refused.push(Refusal { property: String::new(), value: Value::Null, reason });
                return outcome;
            }
        };
        let after = self.values();
        // A size that is set counts, even if it is the default one (4.28).
        let sizes = ["video-width", "video-height"];
        let was_set =
            |name| sizes.contains(&name) && explicit.contains_key(name) != self.written.contains_key(name);
        let changed = TABLE.iter().map(|property| property.name);
        let changed = changed.filter(|name| before[*name] != after[*name] || was_set(*name));
        outcome.changed = changed.collect();
        outcome
    }

    fn write(&self, written: &mut Map<String, Value>, name: &str, value: &Value) -> Result<(), String> {
        let property = Property::find(name).ok_or("there is no such property")?;
        if property.name == "custom-effect" && self.attached {
            return Err("it can't be changed any more: set it before the start".into());
        }
        if value.is_null() {
            written.remove(property.name);
        } else {
            written.insert(property.name.to_owned(), property.kind.coerce(value)?);
        }
        Ok(())
    }

    /// Which of the bounds wins where they cross: the one written last, of one update the upper (4.12).
    fn minimum_came_last(&self, written: &Map<String, Value>) -> bool {
        let changed = |name| written.get(name) != self.written.get(name);
        !changed("max-bitrate") && (changed("min-bitrate") || self.properties.minimum_came_last)
    }

    /// Each property with its value.
    pub fn values(&self) -> Map<String, Value> {
        let value = |property: &Property| {
            self.written.get(property.name).cloned().unwrap_or_else(|| property.default.value())
        };
        TABLE.iter().map(|property| (property.name.to_owned(), value(property))).collect()
    }

    /// Those that were set, to be kept. Given to [`Store::update`] of a new store they make the same again; of crossed bounds
    /// of the bitrate the one that was set last must be given last ([`Properties::minimum_came_last`]).
    pub fn written(&self) -> &Map<String, Value> {
        &self.written
    }
}

/// What may be set, as JSON Schema (draft 2020-12).
pub fn schema() -> Value {
    let properties: Map<String, Value> = TABLE
        .iter()
        .map(|property| {
            let mut schema = property.kind.schema();
            schema.insert("default".into(), property.default.value());
            (property.name.to_owned(), Value::Object(schema))
        })
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Properties of a live pusher",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}
