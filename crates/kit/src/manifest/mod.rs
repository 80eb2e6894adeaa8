//! What a server exposes, as one canonical document with a digest: what a lock pins, what the wire, the audit log and the
//! cache name a server's state by.
//!
//! | file | what it is |
//! | --- | --- |
//! | `item` | one item, and what is refused of it |
//! | `digest` | SHA-256, over parts that are framed by their length |
//! | `drift` | what differs between two manifests, and how much it matters |
//! | `report` | a difference as a person reads it |
//! | `lock` | the file that pins a manifest |
//! | `sign` | who signed a lock |
//!
//! # What is in it
//!
//! A manifest has an item for the server itself, for each of its components, and for each part of its configuration;
//! [`Server::manifest`](crate::Server::manifest) makes it. The [`Projection`] says how much of them:
//!
//! | item | member of its content | `full/1` | `code/1` | `shown/1` |
//! | --- | --- | --- | --- | --- |
//! | server | `identity`: name, version, title and so on; `instructions` | yes | yes | yes |
//! | server | `capabilities` | yes | | yes |
//! | server | `revisions` of the protocol | yes | | yes |
//! | component | `definition`, as the lists send it | yes | yes | yes |
//! | component | `effects`: as texts (`network:api.example.org`) | whole | their kinds | |
//! | component | `scopes`, `tags`, `cost`, `cached`, `timeoutMs` | yes | yes | |
//! | tool | `task`, `asksBeforeTask` | yes | yes | |
//! | resource, template | `cacheHint` | yes | yes | |
//! | template, prompt | `schema` of its variables or arguments; `completes`, what it suggests values for | yes | yes | |
//! | prompt | `argumentBytes` | yes | yes | |
//! | configuration | whatever it is | yes | | |
//!
//! # What the digests are of
//!
//! An item's: `mcp-manifest-item`, the projection's id, the kind, the name, and the content as RFC 8785 JSON. The
//! manifest's: `mcp-manifest`, the projection's id, and the digests of its items (32 bytes each), sorted. Each of these
//! parts is hashed behind its length in bytes as a big-endian 64-bit number. So a digest depends on no order, no path, no
//! clock and no machine, and any language can compute it.
//!
//! Text that is not in Unicode's normal form C is refused: two texts that look alike and are the same to whoever
//! normalises them would have two digests.
//!
//! # How to extend it
//!
//! A new fact about a component goes into `component/pinned.rs`, one about the server into `core/pinned.rs`. Either
//! changes every digest: the snapshot of the fixture server in the tests shows it, and locks have to be accepted anew.
//! What changes the meaning of something that is there already needs a new id of the projection.

mod digest;
mod drift;
mod item;
mod lock;
mod report;
mod sign;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::canonical;

pub use self::digest::{BadDigest, Digest};
pub use self::drift::{Change, Class, drift};
pub(crate) use self::item::digest as item_digest;
pub use self::item::{Item, ItemKind, Unknown};
pub use self::lock::{BadLock, Lock};
pub use self::report::count;
pub use self::sign::{BadKey, PublicKey, SigningKey};

/// The word before all that a manifest's digest is of.
const DOMAIN: &[u8] = b"mcp-manifest";

/// The member of `_meta` that has the digest of [`Projection::Full`]: in the results of `initialize`, `server/discover` and
/// all lists, and in the Server Card.
pub const META: &str = "server-kit/manifest";

/// The name of the one item that is the server itself.
pub const SERVER: &str = "server";

/// What a manifest covers. Its id is part of everything that is hashed, so digests of different projections are never
/// the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Projection {
    /// `code/1`: what the author wrote, whatever the configuration: identity, instructions, every component (also those
    /// that are switched off) with schemas, scopes, cost and limits, and the kinds of their effects without their hosts
    /// and paths, which settings may name.
    Code,
    /// `full/1`: what is served: all of that for the components that are switched on, with whole effects, and the resolved
    /// configuration.
    Full,
    /// `shown/1`: what any client sees of a server.
    Shown,
}

impl Projection {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Code, Self::Full, Self::Shown];

    /// Its name with the version of its meaning.
    pub fn id(self) -> &'static str {
        match self {
            Self::Code => "code/1",
            Self::Full => "full/1",
            Self::Shown => "shown/1",
        }
    }
}

impl fmt::Display for Projection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

impl FromStr for Projection {
    type Err = Unknown;

    fn from_str(id: &str) -> Result<Self, Unknown> {
        let found = Self::ALL.into_iter().find(|one| one.id() == id);
        found.ok_or_else(|| Unknown(id.chars().take(64).collect()))
    }
}

/// Why there is no manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A text is not in Unicode's normal form C.
    NotNfc {
        /// The kind of the item.
        kind: ItemKind,
        /// The item's name.
        name: String,
        /// JSON pointer (RFC 6901) to the text, or the member whose name it is, in the content; empty for the item's name.
        path: String,
    },
    /// Two items are of the same kind and name.
    Duplicate {
        /// Their kind.
        kind: ItemKind,
        /// Their name.
        name: String,
    },
    /// A content is nested deeper than [`Item::MAX_DEPTH`].
    TooDeep {
        /// The kind of the item.
        kind: ItemKind,
        /// The item's name.
        name: String,
    },
    /// A content has more than [`Item::MAX_BYTES`], or a name more than [`Item::MAX_NAME`].
    TooLarge {
        /// The kind of the item.
        kind: ItemKind,
        /// The item's name, or its beginning.
        name: String,
    },
    /// There are more than [`Manifest::MAX_ITEMS`], or they have more than [`Manifest::MAX_BYTES`].
    TooMany,
    /// A digest is not the one of what it stands beside.
    WrongDigest {
        /// The kind and the name of the item; none for the digest of all.
        item: Option<(ItemKind, String)>,
    },
    /// A document is no manifest; what is wrong with it.
    Malformed(String),
}

impl Error {
    /// What is wrong with the item that it is about: the end of a sentence that names that.
    pub(crate) fn of_item(&self) -> String {
        match self {
            Self::NotNfc { path, .. } if path.is_empty() => {
                "has a name that is not in Unicode's normal form C; write it in NFC".to_owned()
            }
            Self::NotNfc { path, .. } => format!(
                "has text at '{}' that is not in Unicode's normal form C; write it in NFC",
                escaped(path)
            ),
            Self::Duplicate { .. } => "is there twice; name each once".to_owned(),
            Self::TooDeep { .. } => {
                format!(
                    "is nested deeper than {} levels; make it flatter",
                    Item::MAX_DEPTH
                )
            }
            Self::TooLarge { .. } => format!(
                "is too large: a name can have {} bytes, and what is said of one thing {}",
                Item::MAX_NAME,
                Item::MAX_BYTES
            ),
            Self::WrongDigest { .. } => "has the digest of something else".to_owned(),
            Self::TooMany | Self::Malformed(_) => self.to_string(),
        }
    }
}

/// What is not in normal form, or comes from elsewhere, as what it is made of.
fn escaped(text: &str) -> String {
    text.chars().flat_map(char::escape_debug).collect()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNfc { kind, name, .. }
            | Self::Duplicate { kind, name }
            | Self::TooDeep { kind, name }
            | Self::TooLarge { kind, name }
            | Self::WrongDigest {
                item: Some((kind, name)),
            } => {
                write!(f, "The {kind} '{}' {}.", escaped(name), self.of_item())
            }
            Self::WrongDigest { item: None } => {
                f.write_str("The manifest has a digest that is not that of its items.")
            }
            Self::TooMany => write!(
                f,
                "A manifest can have {} items, and {} bytes in all.",
                Manifest::MAX_ITEMS,
                Manifest::MAX_BYTES
            ),
            Self::Malformed(why) => write!(f, "The document is no manifest: {why}."),
        }
    }
}

impl std::error::Error for Error {}

/// What a server exposes: items, each with its digest, and one digest of all.
///
/// ```
/// use pymcp_kit::manifest::{ItemKind, Manifest, Projection};
/// use serde_json::json;
///
/// let tool = |name: &str| (ItemKind::Tool, name.to_owned(), json!({ "definition": { "name": name } }));
/// let manifest = Manifest::new(Projection::Shown, [tool("b"), tool("a")])?;
/// assert_eq!(manifest, Manifest::new(Projection::Shown, [tool("a"), tool("b")])?);
/// assert_eq!(manifest, Manifest::from_value(&manifest.to_value())?);
/// # Ok::<(), pymcp_kit::manifest::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    projection: Projection,
    items: Vec<Item>,
    digest: Digest,
}

/// A manifest as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    manifest: String,
    digest: Digest,
    items: Vec<WrittenItem>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenItem {
    kind: ItemKind,
    name: String,
    digest: Digest,
    content: Value,
}

impl Manifest {
    /// Items of one manifest.
    pub const MAX_ITEMS: usize = 100_000;

    /// Bytes of the canonical JSON of all contents together.
    pub const MAX_BYTES: usize = 64 << 20;

    /// The manifest of these items, in whatever order they come.
    ///
    /// # Errors
    /// A text is not in normal form C, an item is there twice, or a bound is passed ([`Item`], [`Manifest::MAX_ITEMS`]).
    pub fn new(
        projection: Projection,
        items: impl IntoIterator<Item = (ItemKind, String, Value)>,
    ) -> Result<Self, Error> {
        let mut found = BTreeMap::new();
        let mut bytes = 0;
        for (kind, name, content) in items {
            let (digest, length) = item_digest(projection, kind, &name, &content)?;
            bytes += length;
            if found.len() == Self::MAX_ITEMS || bytes > Self::MAX_BYTES {
                return Err(Error::TooMany);
            }
            let item = Item {
                kind,
                name: name.clone(),
                content,
                digest,
            };
            if found.insert((kind, name.clone()), item).is_some() {
                return Err(Error::Duplicate { kind, name });
            }
        }
        let items: Vec<Item> = found.into_values().collect();
        Ok(Self {
            projection,
            digest: digest_of(projection, items.iter().map(|item| item.digest)),
            items,
        })
    }

    /// What it covers.
    pub fn projection(&self) -> Projection {
        self.projection
    }

    /// The items, by kind and name.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The digest of all items.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// As JSON: `{"manifest": "full/1", "digest": …, "items": [{"kind", "name", "digest", "content"}, …]}`.
    pub fn to_value(&self) -> Value {
        let items = self.items.iter().map(|item| {
            json!({
                "kind": item.kind,
                "name": item.name,
                "digest": item.digest,
                "content": item.content,
            })
        });
        json!({
            "manifest": self.projection.id(),
            "digest": self.digest,
            "items": items.collect::<Vec<_>>(),
        })
    }

    /// [`Manifest::to_value`] as canonical JSON (RFC 8785): the same bytes for the same manifest.
    pub fn canonical(&self) -> String {
        canonical_text(&self.to_value())
    }

    /// Reads what [`Manifest::to_value`] wrote, in whatever order, and computes every digest again.
    ///
    /// # Errors
    /// It is no manifest, a digest is wrong, or [`Manifest::new`] refuses what is in it.
    pub fn from_value(value: &Value) -> Result<Self, Error> {
        let malformed = |why: String| Error::Malformed(why.trim_end_matches('.').to_owned());
        let written = Written::deserialize(value).map_err(|why| malformed(why.to_string()))?;
        let projection: Projection = written
            .manifest
            .parse()
            .map_err(|why: Unknown| malformed(why.to_string()))?;
        let mut said = BTreeMap::new();
        let items = written.items.into_iter().map(|item| {
            said.insert((item.kind, item.name.clone()), item.digest);
            (item.kind, item.name, item.content)
        });
        let manifest = Self::new(projection, items)?;
        let wrong = |item: &&Item| said.get(&(item.kind, item.name.clone())) != Some(&item.digest);
        if let Some(item) = manifest.items.iter().find(wrong) {
            return Err(Error::WrongDigest {
                item: Some((item.kind, item.name.clone())),
            });
        }
        match manifest.digest == written.digest {
            true => Ok(manifest),
            false => Err(Error::WrongDigest { item: None }),
        }
    }
}

/// The digest of all items with these digests.
pub(crate) fn digest_of(
    projection: Projection,
    digests: impl IntoIterator<Item = Digest>,
) -> Digest {
    let mut digests: Vec<Digest> = digests.into_iter().collect();
    digests.sort_unstable();
    let around = [DOMAIN, projection.id().as_bytes()];
    let digests = digests.iter().map(|digest| digest.as_bytes().as_slice());
    Digest::of(around.into_iter().chain(digests))
}

/// The canonical JSON (RFC 8785) of a value: members sorted by UTF-16 code units, numbers as ECMAScript writes them. An
/// integer beyond 2^53 keeps all its digits.
pub fn canonical_text(value: &Value) -> String {
    let mut text = Vec::new();
    canonical::value(value, &mut text);
    // What serde_json writes is UTF-8.
    String::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests;
