//! One item of a manifest, and the bounds that it is held to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use unicode_normalization::is_nfc;

use super::{Digest, Error, Projection};
use crate::canonical;

/// The word before all that an item's digest is of: nothing else that is hashed begins with it.
const DOMAIN: &[u8] = b"mcp-manifest-item";

/// What an item of a manifest is. The order is that of the items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ItemKind {
    /// The server itself: one item, called `server`.
    Server,
    /// A tool, by its name.
    Tool,
    /// A resource, by its URI.
    Resource,
    /// A resource template, by its URI template.
    ResourceTemplate,
    /// A prompt, by its name.
    Prompt,
    /// A part of the resolved configuration, by its name.
    Configuration,
}

impl ItemKind {
    /// All kinds, in order.
    pub const ALL: [Self; 6] = [
        Self::Server,
        Self::Tool,
        Self::Resource,
        Self::ResourceTemplate,
        Self::Prompt,
        Self::Configuration,
    ];

    /// As it stands in a manifest: `server`, `tool`, `resource`, `resource-template`, `prompt`, `configuration`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Tool => "tool",
            Self::Resource => "resource",
            Self::ResourceTemplate => "resource-template",
            Self::Prompt => "prompt",
            Self::Configuration => "configuration",
        }
    }
}

impl fmt::Display for ItemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that names no [`ItemKind`] or [`Projection`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown(pub(super) String);

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "A manifest has nothing called '{}'.", self.0)
    }
}

impl std::error::Error for Unknown {}

impl FromStr for ItemKind {
    type Err = Unknown;

    fn from_str(word: &str) -> Result<Self, Unknown> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == word);
        found.ok_or_else(|| Unknown(word.chars().take(64).collect()))
    }
}

/// One thing that a manifest pins.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// The name that it is known by among those of its kind; in Unicode's normal form C.
    pub name: String,
    /// Everything that is pinned of it; the shapes are in the docs of this module.
    pub content: Value,
    /// The digest of all of the above, and of the projection.
    pub digest: Digest,
}

impl Item {
    /// Nesting of arrays and objects in a content. With what is around it in a manifest's text, a parser that stops at 128
    /// reads it.
    pub const MAX_DEPTH: usize = 120;

    /// Bytes of a name.
    pub const MAX_NAME: usize = 8 << 10;

    /// Bytes of a content's canonical JSON.
    pub const MAX_BYTES: usize = 4 << 20;
}

/// The digest of an item after all that is refused, and the bytes of its canonical content.
pub(crate) fn digest(
    projection: Projection,
    kind: ItemKind,
    name: &str,
    content: &Value,
) -> Result<(Digest, usize), Error> {
    let mut path = String::new();
    let refuse = |path: String| Error::NotNfc {
        kind,
        name: name.to_owned(),
        path,
    };
    if !is_nfc(name) {
        return Err(refuse(path));
    }
    if !shallow(content, Item::MAX_DEPTH) {
        return Err(Error::TooDeep {
            kind,
            name: name.to_owned(),
        });
    }
    if !normal(content, &mut path) {
        return Err(refuse(path));
    }
    let mut text = Vec::with_capacity(1024);
    canonical::value(content, &mut text);
    if text.len() > Item::MAX_BYTES || name.len() > Item::MAX_NAME {
        return Err(Error::TooLarge {
            kind,
            name: name.chars().take(64).collect(),
        });
    }
    let parts = [
        DOMAIN,
        projection.id().as_bytes(),
        kind.as_str().as_bytes(),
        name.as_bytes(),
        &text,
    ];
    Ok((Digest::of(parts), text.len()))
}

/// Whether nothing in a value is nested deeper than this.
fn shallow(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(items) => depth > 0 && items.iter().all(|item| shallow(item, depth - 1)),
        Value::Object(members) => {
            depth > 0 && members.values().all(|member| shallow(member, depth - 1))
        }
        _ => true,
    }
}

/// Whether all text in a value is in normal form C; if not, `path` is the JSON pointer (RFC 6901) to what is not.
fn normal(value: &Value, path: &mut String) -> bool {
    let before = path.len();
    let inside = |token: &str, value: &Value, path: &mut String| {
        path.push('/');
        path.push_str(&token.replace('~', "~0").replace('/', "~1"));
        let normal = is_nfc(token) && normal(value, path);
        if normal {
            path.truncate(before);
        }
        normal
    };
    match value {
        Value::String(text) => is_nfc(text),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.all(|(i, item)| inside(&i.to_string(), item, path))
        }
        Value::Object(members) => {
            let mut members = members.iter();
            members.all(|(name, member)| inside(name, member, path))
        }
        _ => true,
    }
}
