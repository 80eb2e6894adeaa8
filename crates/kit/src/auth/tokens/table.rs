//! The table of tokens, and who a request is from by it.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use http::request::Parts;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::store::{BoxFuture, TokenChange};

use super::super::{Authenticator, Credentials, Denied, Identity};
use super::elsewhere::Elsewhere;
use super::entry::Why;
use super::{BadTokens, TokenEntry, TokenHash};

/// Authenticates by tokens that an operator hands out, and can be given others at any time.
///
/// Every token costs the same work, whether it is known, unknown, revoked or expired: one SHA-256 of it, one look-up of
/// that hash, one look at the clock. No time tells which stored hash a wrong one resembles: what is looked up is not the
/// token but its hash, which nobody can steer towards another hash, and it is found by a second hash under a random key
/// of this process.
///
/// ```
/// use pymcp_kit::auth::tokens::{TokenEntry, TokenHash, Tokens, new_token};
/// use pymcp_kit::auth::{Authentication, Scopes};
/// use std::sync::Arc;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let token = new_token("zebra-2")?;
/// let tokens = Tokens::new(vec![TokenEntry {
///     name: "ci".into(),
///     hash: TokenHash::of(&token),
///     scopes: Scopes::new(["stock:read"])?,
///     expires: None,
/// }])?;
/// let authentication = Authentication { authenticator: Some(Arc::new(tokens)), ..Default::default() };
/// # drop(authentication);
/// # Ok(()) }
/// ```
pub struct Tokens {
    /// Read by requests without a lock.
    table: ArcSwap<Table>,
    /// Held by whoever replaces the table: what is revoked is found by comparing with the one before.
    given: Mutex<Given>,
    /// Rings when other replicas have to be told of something.
    news: Notify,
}

type Table = HashMap<TokenHash, Identity>;

/// What the table was made of.
#[derive(Default)]
struct Given {
    entries: Vec<TokenEntry>,
    /// What replicas tell each other, where there are any.
    elsewhere: Option<Elsewhere>,
}

/// What a new list of tokens changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaced {
    /// Tokens that are new, or allow something else than before.
    pub added: usize,
    /// Tokens that are gone, or allowed something else: whatever was open with them ends.
    pub revoked: usize,
}

impl Tokens {
    /// Tokens that there can be at once.
    pub const MAX: usize = 10_000;

    /// Accepts these tokens, at most [`Tokens::MAX`].
    ///
    /// # Errors
    /// There are too many, a name is none, or two have the same name or hash.
    pub fn new(entries: Vec<TokenEntry>) -> Result<Self, BadTokens> {
        let table = table(&entries, &Table::new())?;
        Ok(Self {
            table: ArcSwap::from_pointee(table),
            given: Mutex::new(Given {
                entries,
                elsewhere: None,
            }),
            news: Notify::new(),
        })
    }

    /// Accepts these tokens instead of those before, from now on.
    ///
    /// Whatever is open with a token goes on if the token stays: with the same name, hash and scopes, and without an
    /// earlier end. With all others it ends.
    ///
    /// Replicas that share a store tell each other which tokens are gone: those are refused and end at all of them, whatever
    /// their own lists have, until one of them has the token in its list again.
    ///
    /// # Errors
    /// As [`Tokens::new`]; then all is as it was.
    pub fn replace(&self, entries: Vec<TokenEntry>) -> Result<Replaced, BadTokens> {
        let mut guard = self.given();
        let given = &mut *guard;
        let old = self.table.load_full();
        let new = table(&entries, &old)?;
        if let Some(elsewhere) = &mut given.elsewhere {
            elsewhere.replaced(&given.entries, &entries, SystemTime::now());
            if elsewhere.has_news() {
                self.news.notify_one();
            }
        }
        given.entries = entries;
        Ok(self.put(given, &old, new))
    }

    /// Puts a table in the place of the one before, without what was revoked elsewhere, and ends what is gone.
    fn put(&self, given: &Given, old: &Table, mut new: Table) -> Replaced {
        if let Some(elsewhere) = &given.elsewhere {
            for entry in elsewhere.refused(&given.entries) {
                new.remove(&entry.hash);
            }
        }
        let is_in = |table: &Table, hash: &TokenHash, identity: &Identity| {
            table
                .get(hash)
                .is_some_and(|other| other.revoked == identity.revoked)
        };
        let added = new
            .iter()
            .filter(|(hash, identity)| !is_in(old, hash, identity))
            .count();
        let gone: Vec<_> = old
            .iter()
            .filter(|(hash, identity)| !is_in(&new, hash, identity))
            .map(|(_, identity)| identity.revoked.clone())
            .collect();
        // In this order: a request that still finds an old token holds what is cancelled after that.
        self.table.store(new.into());
        gone.iter().for_each(CancellationToken::cancel);
        Replaced {
            added,
            revoked: gone.len(),
        }
    }

    /// Keeps from here on what other replicas have to be told.
    pub(crate) fn share(&self) {
        self.given().elsewhere.get_or_insert_default();
    }

    /// Completes when others have to be told of something.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }

    /// What others have to be told, the first first.
    pub(crate) fn untold(&self) -> Vec<TokenChange> {
        let given = self.given();
        let elsewhere = given.elsewhere.as_ref();
        elsewhere.map(Elsewhere::untold).unwrap_or_default()
    }

    /// Others have been told of the first of them.
    pub(crate) fn told(&self, changes: usize) {
        if let Some(elsewhere) = &mut self.given().elsewhere {
            elsewhere.told(changes);
        }
    }

    /// Takes note of what was told, here as well, and answers the names of tokens that are refused from now on.
    pub(crate) fn hear(&self, changes: &[TokenChange]) -> Vec<String> {
        let mut guard = self.given();
        let Given { entries, elsewhere } = &mut *guard;
        let Some(elsewhere) = elsewhere else {
            return Vec::new();
        };
        let before: HashSet<_> = elsewhere.refused(entries).map(|entry| entry.hash).collect();
        elsewhere.hear(changes, SystemTime::now());
        let is_new = |entry: &&TokenEntry| !before.contains(&entry.hash);
        let refused = elsewhere.refused(entries).filter(is_new);
        let refused = refused.map(|entry| entry.name.clone()).collect();
        let old = self.table.load_full();
        // A list that was good is good again.
        if let Ok(new) = table(&guard.entries, &old) {
            self.put(&guard, &old, new);
        }
        refused
    }

    fn given(&self) -> MutexGuard<'_, Given> {
        // Nothing that is done under this lock can panic half-way.
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tokens that are known, expired ones too.
    pub fn len(&self) -> usize {
        self.table.load().len()
    }

    /// Whether there are none: then nobody is served.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Who sends this token. Nothing is decided before all is looked up, so that every token costs the same.
    pub(super) fn check(
        &self,
        token: &str,
        now: impl FnOnce() -> SystemTime,
    ) -> Result<Identity, Denied> {
        let hash = TokenHash::of(token);
        let table = self.table.load();
        let found = table.get(&hash);
        let now = now();
        match found {
            Some(identity) if identity.expires.is_none_or(|expires| now < expires) => {
                Ok(identity.clone())
            }
            Some(_) => Err(Denied::Invalid("The token has expired.")),
            None => Err(Denied::Invalid("The token is not known.")),
        }
    }
}

/// The table of these entries; what stays of the one before keeps what is cancelled when it is revoked.
fn table(entries: &[TokenEntry], before: &Table) -> Result<Table, BadTokens> {
    if entries.len() > Tokens::MAX {
        return Err(BadTokens {
            index: Tokens::MAX,
            why: Why::TooMany,
        });
    }
    let mut names = HashSet::with_capacity(entries.len());
    let mut table = Table::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let bad = |why| BadTokens { index, why };
        if !TokenEntry::is_name(&entry.name) {
            return Err(bad(Why::Name(entry.name.clone())));
        }
        if !names.insert(&*entry.name) {
            return Err(bad(Why::NameTaken(entry.name.clone())));
        }
        let mut identity = Identity {
            subject: format!("token:{}", entry.name).into(),
            scopes: entry.scopes.clone(),
            expires: entry.expires,
            revoked: CancellationToken::new(),
        };
        if let Some(before) = before.get(&entry.hash).filter(|one| stays(one, &identity)) {
            identity.revoked = before.revoked.clone();
        }
        if table.insert(entry.hash, identity).is_some() {
            return Err(bad(Why::HashTaken(entry.name.clone())));
        }
    }
    Ok(table)
}

/// Whether what was open as `before` may go on as `now`.
fn stays(before: &Identity, now: &Identity) -> bool {
    let ends_earlier = match (before.expires, now.expires) {
        (Some(before), Some(now)) => now < before,
        (before, now) => before.is_none() && now.is_some(),
    };
    before.subject == now.subject && before.scopes == now.scopes && !ends_earlier
}

impl Authenticator for Tokens {
    fn authenticate<'a>(&'a self, head: &'a Parts) -> BoxFuture<'a, Result<Identity, Denied>> {
        let checked = Credentials::of(&head.headers)
            .and_then(|credentials| self.check(credentials.token(), SystemTime::now));
        Box::pin(std::future::ready(checked))
    }

    fn tokens(&self) -> Option<&Tokens> {
        Some(self)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
