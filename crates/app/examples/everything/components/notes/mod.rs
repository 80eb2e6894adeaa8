//! Shows: what a session keeps for itself. Notes are read at `note://{name}`, and by nobody else.
//!
//! A legacy session and a stdio process have notes of their own. Requests of 2026-07-28 over HTTP
//! stand alone: there `write_note` hands out a notebook, a handle that cannot be guessed, and
//! `note://{notebook}/{name}` is where its notes are. Either way, whose they are is checked in every call.
//!
//! A session's notes are forgotten when it ends; any notes when they are not used for an hour, or
//! earlier, when there are too many notebooks. No subscription tells of `note://{name}`: all
//! sessions have that URI, and would hear that somebody wrote a note of that name.

pub(crate) mod forget;
pub(crate) mod list;
pub(crate) mod read;
pub(crate) mod write;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pymcp_kit::model::Resource;
use pymcp_kit::{Ctx, Error, Principal, Result, SessionKey};

use super::keep::Keep;

/// Notebooks in all.
const NOTEBOOKS: usize = 64;

/// Notes in one notebook. With 2,000 characters each, all notes together stay below 8 MiB.
const NOTES: usize = 16;

/// Time without use after which a notebook is forgotten.
const IDLE: Duration = Duration::from_secs(3600);

/// Everybody's notes.
#[derive(Clone)]
pub(crate) struct Notes(Arc<Keep<Owner, BTreeMap<String, String>>>);

impl Default for Notes {
    fn default() -> Self {
        Self(Arc::new(Keep::new(NOTEBOOKS, IDLE)))
    }
}

/// Whose they are: a session alone is no identity, and a handle alone is worth nothing to others.
type Owner = (Principal, Notebook);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Notebook {
    Session(SessionKey),
    Handle(String),
}

impl Notebook {
    /// The one that the caller means; `None` for a caller who has to name one and does not.
    fn of(ctx: &Ctx, handle: Option<String>) -> Option<Self> {
        let session = || ctx.session().map(Self::Session);
        handle.map(Self::Handle).or_else(session)
    }

    /// A new one for a caller without a session: 128 random bits.
    fn new(ctx: &Ctx) -> Result<Self> {
        let mut bytes = [0; 16];
        ctx.random(&mut bytes)?;
        Ok(Self::Handle(format!("{:032x}", u128::from_ne_bytes(bytes))))
    }

    /// Where a note of it is read.
    fn link(&self, name: &str) -> Resource {
        let uri = match self {
            Self::Session(_) => format!("note://{name}"),
            Self::Handle(handle) => format!("note://{handle}/{name}"),
        };
        Resource::new(uri, name).with_mime_type("text/plain")
    }
}

impl Notes {
    /// The names of its notes, sorted; `None` when there is no such notebook.
    fn names(&self, caller: &Principal, notebook: &Notebook) -> Option<Vec<String>> {
        let owner = (caller.clone(), notebook.clone());
        self.0.with(&owner, |notes| notes.keys().cloned().collect())
    }

    /// Begins a notebook, and forgets it when the session that it belongs to is over.
    fn begin(&self, ctx: &Ctx, owner: Owner, notes: BTreeMap<String, String>) {
        self.0.insert(owner.clone(), notes);
        if let (_, Notebook::Session(_)) = owner {
            let (kept, over) = (Arc::clone(&self.0), ctx.session_over());
            tokio::spawn(async move {
                over.await;
                kept.remove(&owner);
            });
        }
    }
}

/// A handle that leads nowhere.
fn unknown() -> Error {
    Error::user(
        "There is no such notebook, or it was forgotten; `write_note` without `notebook` begins one.",
    )
}
