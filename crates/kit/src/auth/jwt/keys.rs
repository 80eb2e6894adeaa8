//! The keys of the issuer: fetched when they are missed or old, one fetch at a time, and used for a while without it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::Jwk;
use serde::Deserialize as _;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::auth::Denied;

use super::discovery::{addresses, json, jwks_uri};
use super::key::Key;
use super::{Fetch, JwtAuthenticator, JwtConfig};

/// How old keys are when others are fetched beside the requests; so long a key that was withdrawn goes on counting.
pub(super) const FRESH: Duration = Duration::from_secs(600);

/// How old keys are when they are used no more, because the issuer cannot be reached.
pub(super) const STALE: Duration = Duration::from_secs(3600);

/// Time from the end of a fetch to the next one, after one that succeeded: a token that names a key that is not known
/// brings about no more than that.
pub(super) const AGAIN: Duration = Duration::from_secs(30);

/// The same after one that failed.
pub(super) const RETRY: Duration = Duration::from_secs(5);

/// Time that a fetch may take, with all its documents.
const PATIENCE: Duration = Duration::from_secs(15);

/// Keys that an issuer may publish.
const MAX_KEYS: usize = 64;

/// Fetches that succeeded and that failed, of all issuers of this process.
static FETCHED: AtomicU64 = AtomicU64::new(0);
static FAILED: AtomicU64 = AtomicU64::new(0);

/// Reads a number that is counted anyway.
type Count = fn() -> u64;

/// How often keys were fetched since the process began, by what came of it: for metrics.
pub(crate) const FETCHES: [(&str, Count); 2] = [
    ("ok", || FETCHED.load(Ordering::Relaxed)),
    ("failed", || FAILED.load(Ordering::Relaxed)),
];

/// The keys of an issuer.
pub(super) struct Keys(Arc<Inner>);

struct Inner {
    issuer: String,
    /// Where they are; none for where the issuer says.
    jwks: Option<String>,
    fetch: Arc<dyn Fetch>,
    loaded: ArcSwapOption<Loaded>,
    attempt: watch::Sender<Attempt>,
}

struct Loaded {
    keys: Vec<Arc<Key>>,
    at: Instant,
}

/// The fetch that is under way, or the last one.
#[derive(Clone, Copy, Default)]
struct Attempt {
    is_running: bool,
    ended: Option<Instant>,
    failed: bool,
}

impl Attempt {
    /// Time until another one may begin.
    fn wait(&self) -> Duration {
        let pause = if self.failed { RETRY } else { AGAIN };
        let since = self.ended.map(|ended| ended.elapsed());
        since.map_or(Duration::ZERO, |since| pause.saturating_sub(since))
    }
}

impl Keys {
    pub(super) fn new(config: &JwtConfig, fetch: Arc<dyn Fetch>) -> Self {
        Self(Arc::new(Inner {
            issuer: config.issuer.clone(),
            jwks: config.jwks.clone(),
            fetch,
            loaded: ArcSwapOption::empty(),
            attempt: watch::Sender::default(),
        }))
    }

    /// Whether there are keys that are young enough. Has others fetched when it is time.
    pub(super) fn are_usable(&self) -> bool {
        let age = self.0.loaded.load().as_ref().map(|keys| keys.at.elapsed());
        if age.is_some_and(|age| age >= FRESH) {
            self.begin();
        }
        age.is_some_and(|age| age < STALE)
    }

    /// The key that signs with this algorithm under this name; without a name, the only one that does.
    pub(super) async fn key(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
    ) -> Result<Arc<Key>, Denied> {
        if let Some(key) = self.known(algorithm, kid) {
            return Ok(key);
        }
        let mut attempts = self.0.attempt.subscribe();
        self.begin();
        // Another request may have begun one already.
        drop(attempts.wait_for(|attempt| !attempt.is_running).await);
        if let Some(key) = self.known(algorithm, kid) {
            return Ok(key);
        }
        let attempt = *self.0.attempt.borrow();
        match attempt.failed || !self.are_usable() {
            true => Err(Denied::Unavailable {
                retry_after: attempt.wait().max(Duration::from_secs(1)),
            }),
            false => Err(Denied::Invalid(
                "The token is signed with a key that its issuer does not publish.",
            )),
        }
    }

    fn known(&self, algorithm: Algorithm, kid: Option<&str>) -> Option<Arc<Key>> {
        if !self.are_usable() {
            return None;
        }
        let loaded = self.0.loaded.load();
        let mut fitting = loaded
            .as_ref()?
            .keys
            .iter()
            .filter(|key| key.fits(algorithm) && (kid.is_none() || key.kid.as_deref() == kid));
        let found = fitting.next()?;
        let is_clear = kid.is_some() || fitting.next().is_none();
        is_clear.then(|| Arc::clone(found))
    }

    /// Has the keys fetched, unless that is under way or was a moment ago. The fetch is a task of its own: it goes on when
    /// the request that wanted it is given up.
    pub(super) fn begin(&self) {
        let begun = self.0.attempt.send_if_modified(|attempt| {
            let begins = !attempt.is_running && attempt.wait().is_zero();
            attempt.is_running |= begins;
            begins
        });
        if begun {
            tokio::spawn(Inner::refresh(Arc::clone(&self.0)));
        }
    }
}

/// Ends an attempt, whatever ends it.
struct Running<'a> {
    attempt: &'a watch::Sender<Attempt>,
    failed: bool,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let count = if self.failed { &FAILED } else { &FETCHED };
        count.fetch_add(1, Ordering::Relaxed);
        self.attempt.send_replace(Attempt {
            is_running: false,
            ended: Some(Instant::now()),
            failed: self.failed,
        });
    }
}

impl Inner {
    async fn refresh(self: Arc<Self>) {
        let mut running = Running {
            attempt: &self.attempt,
            failed: true,
        };
        let late = Err(format!("it took longer than {} s", PATIENCE.as_secs()));
        match timeout(PATIENCE, self.get()).await.unwrap_or(late) {
            Ok(keys) => {
                self.take(keys);
                running.failed = false;
            }
            Err(why) => {
                let has_keys = self.loaded.load().is_some();
                tracing::warn!(issuer = %self.issuer, %why, has_keys, "the issuer's keys cannot be fetched");
            }
        }
    }

    async fn get(&self) -> Result<Vec<Key>, String> {
        let located = match &self.jwks {
            Some(jwks) => jwks.clone(),
            None => self.locate().await?,
        };
        let document = self.document(&located).await?;
        let keys = read(&document);
        keys.map_err(|why| format!("{located}: {why}"))
    }

    /// Asks the issuer where its keys are.
    async fn locate(&self) -> Result<String, String> {
        let mut failures = Vec::new();
        for address in addresses(&self.issuer) {
            let document = self.document(&address).await;
            let uri = document.and_then(|document| {
                jwks_uri(&document, &self.issuer).map_err(|why| format!("{address}: {why}"))
            });
            match uri {
                Ok(uri) => return Ok(uri),
                Err(why) => failures.push(why),
            }
        }
        Err(failures.join("; "))
    }

    async fn document(&self, url: &str) -> Result<bytes::Bytes, String> {
        let most = JwtAuthenticator::MAX_DOCUMENT;
        match self.fetch.fetch(url).await {
            Ok(document) if document.len() <= most => Ok(document),
            Ok(_) => Err(format!("{url}: it has more than {most} bytes")),
            Err(why) => Err(format!("{url}: {why}")),
        }
    }

    /// Uses these from now on. Keys that are the same as before stay; what others verified is not accepted any more.
    fn take(&self, keys: Vec<Key>) {
        let before = self.loaded.load_full();
        let before = before.as_ref().map_or(&[][..], |loaded| &loaded.keys);
        let same = |key: &Key| before.iter().find(|old| old.is(key)).cloned();
        let keys: Vec<_> = keys
            .into_iter()
            .map(|key| same(&key).unwrap_or_else(|| Arc::new(key)))
            .collect();
        let at = Instant::now();
        let now = Arc::new(Loaded { keys, at });
        self.loaded.store(Some(Arc::clone(&now)));
        for old in before {
            if !now.keys.iter().any(|key| Arc::ptr_eq(key, old)) {
                old.withdraw();
            }
        }
    }
}

/// The keys of a document that verify signatures (RFC 7517 §5). Others are passed over: issuers publish keys for
/// encryption beside them, and kinds that are not known yet.
fn read(document: &[u8]) -> Result<Vec<Key>, &'static str> {
    let document = json(document).ok_or("it is not JSON within the bounds")?;
    let keys = document.get("keys").and_then(serde_json::Value::as_array);
    let keys = keys.ok_or("it has no keys")?;
    if keys.len() > MAX_KEYS {
        return Err("it has more than 64 keys");
    }
    let keys = keys.iter().filter_map(|key| Jwk::deserialize(key).ok());
    let keys: Vec<_> = keys.filter_map(|jwk| Key::of(&jwk)).collect();
    match keys.is_empty() {
        true => Err("it has no key that verifies signatures"),
        false => Ok(keys),
    }
}
