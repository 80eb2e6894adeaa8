//! An entry in the text of a configuration: found, set and removed; all else in the text stays as it is written.
//!
//! No format trusts itself: the new text is read again, and has to say what the old one said, with that one entry changed.
//! A sentence about a text has no part of the text in it, which may be secret.

mod json;
mod toml;
mod yaml;

use serde_json::{Map, Value};

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// JSON; the client takes no comments.
    Json,
    /// JSON with comments and trailing commas.
    Jsonc,
    Toml,
    Yaml,
}

impl Format {
    /// What people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Jsonc => "JSON with comments",
            Self::Toml => "TOML",
            Self::Yaml => "YAML",
        }
    }
}

/// How the lines of a text end.
fn line_end(lines: &[&str]) -> &'static str {
    match lines.first() {
        Some(line) if line.ends_with("\r\n") => "\r\n",
        _ => "\n",
    }
}

/// The fields of an entry, or of a whole file.
pub(crate) type Fields = Map<String, Value>;

/// Where an entry stands in a text: below a key, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) format: Format,
    pub(crate) key: &'static str,
    pub(crate) name: String,
}

impl Slot {
    /// The entry.
    ///
    /// # Errors
    /// The text is malformed, or has something else below the key: what follows the file's name in a sentence.
    pub(crate) fn find(&self, text: &str) -> Result<Option<Value>, String> {
        let entry = self
            .servers(&mut self.fields(text)?)?
            .shift_remove(&self.name);
        Ok(entry)
    }

    /// The text with this entry, in place of one of the same name or after all others.
    ///
    /// # Errors
    /// As [`Slot::find`], or the text is written in a way that only a person can change.
    pub(crate) fn set(&self, text: &str, entry: &Fields) -> Result<String, String> {
        let mut expected = self.fields(text)?;
        let servers = self.servers(&mut expected)?;
        servers.insert(self.name.clone(), Value::Object(entry.clone()));
        let changed = match self.format {
            Format::Json => json::set(self, text, entry, false),
            Format::Jsonc => json::set(self, text, entry, true),
            Format::Toml => toml::set(self, text, entry),
            Format::Yaml => yaml::set(self, text, entry),
        };
        self.checked(changed, expected)
    }

    /// The text without the entry.
    ///
    /// # Errors
    /// As [`Slot::set`].
    pub(crate) fn remove(&self, text: &str) -> Result<String, String> {
        let mut expected = self.fields(text)?;
        self.servers(&mut expected)?.shift_remove(&self.name);
        let changed = match self.format {
            Format::Json => json::remove(self, text, false),
            Format::Jsonc => json::remove(self, text, true),
            Format::Toml => toml::remove(self, text),
            Format::Yaml => yaml::remove(self, text),
        };
        self.checked(changed, expected)
    }

    /// A whole file with this entry alone.
    ///
    /// # Errors
    /// The format cannot have a value of the entry.
    pub(crate) fn written(&self, entry: &Fields) -> Result<String, String> {
        self.set("", entry)
    }

    fn fields(&self, text: &str) -> Result<Fields, String> {
        let value = match self.format {
            Format::Json => json::value(text, false),
            Format::Jsonc => json::value(text, true),
            Format::Toml => toml::value(text),
            Format::Yaml => yaml::value(text),
        };
        match value.map_err(|reason| format!("is not valid {}: {reason}", self.format.name()))? {
            Value::Null => Ok(Fields::new()),
            Value::Object(fields) => Ok(fields),
            _ => Err("is neither empty nor an object".to_owned()),
        }
    }

    /// The servers of a file, which need not have any yet.
    fn servers<'a>(&self, fields: &'a mut Fields) -> Result<&'a mut Fields, String> {
        let none = || Value::Object(Fields::new());
        let servers = fields.entry(self.key).or_insert_with(none);
        // A key without a value is how YAML has none of them.
        if servers.is_null() && self.format == Format::Yaml {
            *servers = none();
        }
        match servers {
            Value::Object(servers) => Ok(servers),
            _ => Err(format!(
                "has something else than servers below '{}'",
                self.key
            )),
        }
    }

    fn checked(&self, changed: Result<String, String>, expected: Fields) -> Result<String, String> {
        let changed = changed?;
        let read = |fields: Fields| {
            let mut fields = fields;
            // A table without entries need not be written in TOML.
            let none = self.servers(&mut fields)?.is_empty();
            if none {
                fields.shift_remove(self.key);
            }
            Ok::<_, String>(fields)
        };
        match self.fields(&changed).and_then(read) {
            Ok(found) if Ok(&found) == read(expected).as_ref() => Ok(changed),
            _ => Err(self.for_a_person()),
        }
    }

    fn for_a_person(&self) -> String {
        format!(
            "is written in a way that only an editor can change; add the lines of '{}' there",
            self.key
        )
    }
}
