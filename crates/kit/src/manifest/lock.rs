//! A lock: the file that says what a server exposes, so that a change of it is seen.
//!
//! It is JSON for people as well: each item whole, members sorted, a line each, characters that nobody can see as escapes.
//! A field that a later version adds needs another [`Lock::VERSION`]: what is not known is refused.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::text;
use crate::wire;

use super::drift::drift;
use super::sign::{PublicKey, Signature, SigningKey};
use super::{Change, Digest, Item, ItemKind, Manifest, Projection};

/// What a manifest was, with whose signatures.
#[derive(Debug, Clone, PartialEq)]
pub struct Lock {
    manifest: Manifest,
    signatures: Vec<Signature>,
}

/// Why a lock cannot be used: what follows `The lock` or the name of its file in a sentence, without its full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLock(String);

impl fmt::Display for BadLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadLock {}

/// The file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    lock: u32,
    projection: String,
    digest: Digest,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    signatures: Vec<Signature>,
    items: Vec<FileItem>,
}

/// An item in the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileItem {
    kind: ItemKind,
    name: String,
    digest: Digest,
    content: Value,
}

impl Lock {
    /// The version of the format.
    pub const VERSION: u32 = 1;
    /// Bytes that a file may have.
    pub const MAX_BYTES: usize = 16 << 20;
    /// Signatures that a file may have.
    pub const MAX_SIGNATURES: usize = 16;
    /// Levels in a file.
    const MAX_DEPTH: usize = Item::MAX_DEPTH + 3;
    /// Values in a file.
    const MAX_VALUES: usize = 1_000_000;

    /// The lock of a manifest, without signatures.
    pub fn of(manifest: &Manifest) -> Self {
        Self {
            manifest: manifest.clone(),
            signatures: Vec::new(),
        }
    }

    /// Reads the text of a file. All digests and signatures in it are checked.
    ///
    /// # Errors
    /// It is no lock, or one that was changed by hand; what is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, BadLock> {
        if text.len() > Self::MAX_BYTES {
            return bad(format!("has more than {} bytes", Self::MAX_BYTES));
        }
        if text.trim().is_empty() {
            return bad("is empty");
        }
        wire::check(text, Self::MAX_DEPTH, Self::MAX_VALUES).map_err(BadLock)?;
        if let Some(version) = version(text)
            && version != u64::from(Self::VERSION)
        {
            return bad(format!(
                "has the version {version} of the format, and version {} is known; update this program, or write the lock anew",
                Self::VERSION
            ));
        }
        let mut json = serde_json::Deserializer::from_str(text);
        let file: File = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let place = error.path().to_string();
            BadLock(format!("is none: {place}: {}", error.into_inner()))
        })?;
        Self::of_file(file)
    }

    fn of_file(file: File) -> Result<Self, BadLock> {
        if file.signatures.len() > Self::MAX_SIGNATURES {
            return bad(format!("has more than {} signatures", Self::MAX_SIGNATURES));
        }
        let projection = file.projection.parse::<Projection>();
        let projection = projection.map_err(|_| {
            let known = Projection::ALL.map(Projection::id).join(", ");
            BadLock(format!(
                "has a projection that is not known; there are {known}"
            ))
        })?;
        let said: Vec<_> = file.items.iter().map(|item| item.digest).collect();
        let items = file.items.into_iter();
        let contents = items.map(|item| (item.kind, item.name, item.content));
        let manifest = Manifest::new(projection, contents).map_err(|error| {
            let why = error.to_string();
            BadLock(format!("is none: {}", why.trim_end_matches('.')))
        })?;
        let changed = "write the lock anew, and do not edit it";
        let mut items = manifest.items().iter().zip(&said);
        if let Some((item, _)) = items.find(|(item, said)| item.digest != **said) {
            return bad(format!(
                "was edited: the digest of {} {} is another; {changed}",
                item.kind,
                text::visible(&item.name)
            ));
        }
        if manifest.digest() != file.digest {
            return bad(format!("was edited: its digest is another; {changed}"));
        }
        let mut signatures = file.signatures.iter();
        if let Some(wrong) = signatures.find(|signature| !signature.is_of(file.digest)) {
            return bad(format!(
                "was edited, or signed for another one: the signature of {} does not fit it",
                wrong.key
            ));
        }
        Ok(Self {
            manifest,
            signatures: file.signatures,
        })
    }

    /// What the server exposed when the lock was made.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What differs from the lock to a server's manifest; nothing where they are equal.
    ///
    /// # Errors
    /// They cannot be compared: another projection, or another server.
    pub fn drift(&self, manifest: &Manifest) -> Result<Vec<Change>, BadLock> {
        let (locked, now) = (self.manifest.projection(), manifest.projection());
        if locked != now {
            return bad(format!("has the projection {locked}, and {now} is needed"));
        }
        if let (Some(locked), Some(now)) = (server(&self.manifest), server(manifest))
            && locked != now
        {
            let [locked, now] = [locked, now].map(text::visible);
            return bad(format!("is that of the server {locked}, and this is {now}"));
        }
        Ok(drift(&self.manifest, manifest))
    }

    /// Adds a signature; one that the same key made before gives way.
    ///
    /// # Errors
    /// It has all signatures that it may have.
    pub fn sign(&mut self, key: &SigningKey) -> Result<(), BadLock> {
        let signature = key.sign(self.manifest.digest());
        self.signatures.retain(|other| other.key != signature.key);
        if self.signatures.len() == Self::MAX_SIGNATURES {
            return bad(format!("has {} signatures already", Self::MAX_SIGNATURES));
        }
        self.signatures.push(signature);
        self.signatures.sort_by_key(|signature| signature.key);
        Ok(())
    }

    /// Whose signatures it has.
    pub fn signers(&self) -> impl Iterator<Item = PublicKey> {
        self.signatures.iter().map(|signature| signature.key)
    }

    /// The text of the file: JSON with indentation, members sorted, a line break at the end.
    ///
    /// # Errors
    /// It has more than [`Lock::MAX_BYTES`].
    pub fn to_text(&self) -> Result<String, BadLock> {
        let items = self.manifest.items().iter().map(|item| {
            let mut content = item.content.clone();
            content.sort_all_objects();
            FileItem {
                kind: item.kind,
                name: item.name.clone(),
                digest: item.digest,
                content,
            }
        });
        let file = File {
            lock: Self::VERSION,
            projection: self.manifest.projection().to_string(),
            digest: self.manifest.digest(),
            signatures: self.signatures.clone(),
            items: items.collect(),
        };
        let json = serde_json::to_string_pretty(&file);
        let json = json.map_err(|error| BadLock(format!("cannot be written: {error}")))?;
        let text = shown(&json) + "\n";
        match text.len() > Self::MAX_BYTES {
            true => bad(format!("has more than {} bytes", Self::MAX_BYTES)),
            false => Ok(text),
        }
    }
}

fn bad<T>(what: impl Into<String>) -> Result<T, BadLock> {
    Err(BadLock(what.into()))
}

/// What the text says of its version, before anything else in it is believed.
fn version(text: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Version {
        lock: u64,
    }
    let version: Version = serde_json::from_str(text).ok()?;
    Some(version.lock)
}

/// The server's name.
fn server(manifest: &Manifest) -> Option<&str> {
    let mut items = manifest.items().iter();
    let server = items.find(|item| item.kind == ItemKind::Server)?;
    server.content["identity"]["name"].as_str()
}

/// JSON in which nothing hides.
fn shown(json: &str) -> String {
    let mut shown = String::with_capacity(json.len() + json.len() / 64);
    for (c, kind) in text::marked(json) {
        match kind {
            None => shown.push(c),
            // Outside of its texts JSON has nothing of the kind.
            Some(_) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    shown.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    shown
}

#[cfg(test)]
#[path = "lock_tests.rs"]
mod tests;
