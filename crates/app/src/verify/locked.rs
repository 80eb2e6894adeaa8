//! The lock that a server is compared with.

use std::path::Path;

use pymcp_kit::manifest::{Change, Digest, Lock, Manifest, Projection, drift};

use super::mcptrust::McpTrust;
use super::read::Era;
use super::shown;
use crate::{Error, Result, file};

/// A lock, of whatever kind.
pub(super) enum Locked {
    /// Of this verb: everything that the server showed.
    Whole(Box<Lock>),
    /// Of mcptrust: hashes of some of it.
    McpTrust(McpTrust),
}

impl Locked {
    /// Reads it.
    ///
    /// # Errors
    /// It cannot be read, or is no lock of what a server shows.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let refused =
            |what: String| Error::setting(format!("--lock is '{}', which {what}.", path.display()));
        let most = u64::try_from(Lock::MAX_BYTES).unwrap_or(u64::MAX);
        let text = file::read_up_to(path, file::PATIENCE, most).map_err(refused)?;
        if let Some(lock) = McpTrust::parse(&text) {
            return lock.map(Self::McpTrust).map_err(refused);
        }
        let lock = Lock::parse(&text).map_err(|bad| refused(bad.to_string()))?;
        match lock.manifest().projection() {
            Projection::Shown => Ok(Self::Whole(Box::new(lock))),
            other => Err(refused(format!(
                "is of the projection {other}, which says more than a client is shown: --write writes one of {}",
                Projection::Shown
            ))),
        }
    }

    /// The era in which it was made, if it says so.
    pub(super) fn era(&self) -> Option<Era> {
        match self {
            Self::Whole(lock) => Some(shown::era(lock.manifest())),
            Self::McpTrust(_) => Some(Era::Legacy),
        }
    }

    /// What differs.
    pub(super) fn drift(&self, manifest: &Manifest) -> Vec<Change> {
        match self {
            Self::Whole(lock) => drift(lock.manifest(), manifest),
            Self::McpTrust(lock) => lock.drift(manifest),
        }
    }

    /// The digest of what it pins, if it has one.
    pub(super) fn digest(&self) -> Option<Digest> {
        match self {
            Self::Whole(lock) => Some(lock.manifest().digest()),
            Self::McpTrust(_) => None,
        }
    }

    /// What it pins, for a person.
    pub(super) fn pins(&self) -> String {
        match self {
            Self::Whole(_) => "all that is shown".to_owned(),
            Self::McpTrust(_) => format!(
                "by mcptrust: {}; not {}",
                super::mcptrust::PINS,
                super::mcptrust::LEAVES
            ),
        }
    }
}
