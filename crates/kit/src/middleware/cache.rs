//! Repeats answers for the same caller and the same question, for a while.
//!
//! Only components that say [`cached()`](crate::Tool::cached), only successes, and never one that
//! asked the user or the model. A repeated answer runs nothing and logs nothing to the client.

mod ring;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::canonical;
use crate::component::Arguments;
use crate::context::Note;
use crate::metrics::{Metrics, readings};
use crate::protocol::Era;

use self::ring::Ring;
use super::{Middleware, Next, Request, RequestKind, Response, ResponseFuture};

/// How often what has expired is let go of, whether or not anybody asks: once in a lifetime of an
/// answer, within these bounds.
const SWEEP: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));

/// The largest block: it is asked for whole, and an allocation that fails ends the process.
const MAX_BYTES: u64 = 1 << 30;

/// Bounds of the response cache.
///
/// It is one block of memory in which the oldest answers make room for new ones. The block is given
/// back to the operating system at most 30 s after the last answer in it has expired (without a Tokio
/// runtime, when the server is dropped).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheConfig {
    /// How long an answer may be repeated; zero switches the cache off. Default 30 s.
    pub ttl: Duration,
    /// Size of the block that holds all answers and their questions, in bytes; at most 1 GiB, and
    /// more counts as that. The index takes another 100 bytes per answer. Default 32 MiB: glibc maps
    /// blocks of this size separately, so freeing one returns its memory to the system; below that
    /// it may keep it.
    pub total_bytes: u64,
    /// Answers. Default 10,000.
    pub entries: u64,
    /// Bytes of one answer and its question; larger ones are not kept. Default 64 KiB.
    pub entry_bytes: usize,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(30),
            total_bytes: 32 << 20,
            entries: 10_000,
            entry_bytes: 64 << 10,
        }
    }
}

pub(super) struct ResponseCache {
    answers: Arc<Answers>,
    hasher: RandomState,
    ttl: Duration,
    entry_bytes: usize,
}

struct Answers {
    ring: RwLock<Ring>,
    /// Whether a task looks after them.
    swept: AtomicBool,
}

impl ResponseCache {
    /// `None` when it is switched off.
    pub(super) fn new(config: CacheConfig) -> Option<Self> {
        if config.ttl.is_zero() {
            return None;
        }
        let most = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let ring = Ring::new(
            most(config.total_bytes.min(MAX_BYTES)),
            most(config.entries),
        );
        Some(Self {
            answers: Arc::new(Answers {
                ring: RwLock::new(ring),
                swept: AtomicBool::new(false),
            }),
            hasher: RandomState::new(),
            ttl: config.ttl,
            entry_bytes: config.entry_bytes,
        })
    }

    /// Has metrics say how much is in it.
    pub(super) fn measure(&self, metrics: &[Metrics]) {
        for metrics in metrics {
            let entries = self.answers.read().entries();
            let answers = Arc::clone(&self.answers);
            metrics.places("cached_responses", entries, move || answers.read().len());
            let answers = Arc::clone(&self.answers);
            metrics.read(&readings::CACHE_BYTES, "", move || {
                answers.read().bytes() as u64
            });
        }
    }

    fn get(&self, hash: u64, question: &[u8]) -> Option<Bytes> {
        self.answers.read().get(hash, question, Instant::now())
    }

    fn insert(&self, hash: u64, question: &[u8], answer: &[u8]) {
        if question.len() + answer.len() > self.entry_bytes {
            return;
        }
        let now = Instant::now();
        // A time that no clock counts is none that an answer lives.
        let Some(until) = now.checked_add(self.ttl) else {
            return;
        };
        self.answers
            .write()
            .insert(hash, question, answer, now, until);
        self.answers.keep_swept(self.ttl.clamp(SWEEP.0, SWEEP.1));
    }

    fn through<'a>(&'a self, request: Request, next: Next<'a>) -> ResponseFuture<'a> {
        if !request
            .kind
            .settings()
            .is_some_and(|settings| settings.cached)
        {
            return next.run(request);
        }
        let Some(question) = question(&request) else {
            return next.run(request);
        };
        let hash = self.hasher.hash_one(&question);
        if let Some(json) = self.get(hash, &question) {
            request.ctx.note(Note::CacheHit);
            return Box::pin(std::future::ready(Ok(Response::Encoded {
                json,
                is_error: false,
            })));
        }
        request.ctx.note(Note::CacheMiss);
        let ctx = request.ctx.clone();
        let work = next.run(request);
        Box::pin(async move {
            let outcome = work.await?;
            if let Response::Encoded {
                json,
                is_error: false,
            } = &outcome
                && !ctx.was_interactive()
            {
                self.insert(hash, &question, json);
            }
            Ok(outcome)
        })
    }
}

impl Answers {
    fn read(&self) -> RwLockReadGuard<'_, Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Ring> {
        self.ring.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that what expires is let go of, also when nobody asks any more: by a task that is
    /// there for as long as there are answers.
    fn keep_swept(self: &Arc<Self>, pause: Duration) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if self.swept.swap(true, Ordering::Relaxed) {
            return;
        }
        let sweeper = Sweeper(Arc::downgrade(self));
        runtime.spawn(async move {
            loop {
                tokio::time::sleep(pause).await;
                let Some(answers) = sweeper.0.upgrade() else {
                    return;
                };
                let mut ring = answers.write();
                ring.sweep(Instant::now());
                if ring.is_empty() {
                    // Before anybody can put another one there.
                    drop(sweeper);
                    return;
                }
            }
        });
    }
}

/// The task that looks after the answers. Also when its runtime ends, another one may.
struct Sweeper(Weak<Answers>);

impl Drop for Sweeper {
    fn drop(&mut self) {
        if let Some(answers) = self.0.upgrade() {
            answers.swept.store(false, Ordering::Relaxed);
        }
    }
}

impl Middleware for ResponseCache {
    fn on_call_tool<'a>(&'a self, request: Request, next: Next<'a>) -> ResponseFuture<'a> {
        self.through(request, next)
    }

    fn on_read_resource<'a>(&'a self, request: Request, next: Next<'a>) -> ResponseFuture<'a> {
        self.through(request, next)
    }

    fn on_get_prompt<'a>(&'a self, request: Request, next: Next<'a>) -> ResponseFuture<'a> {
        self.through(request, next)
    }
}

/// Manifest, principal, era, method, the headers that the server sees, component, name and canonical arguments. Each part ends with a byte that JSON text
/// and the parts themselves cannot hold, so no two questions are the same.
fn question(request: &Request) -> Option<Vec<u8>> {
    const END: u8 = 0xff;
    let mut key = Vec::with_capacity(160);
    key.extend_from_slice(request.ctx.manifest().as_bytes());
    key.extend_from_slice(request.ctx.principal().bytes());
    key.push(END);
    key.push(match request.ctx.era() {
        Era::Legacy => b'l',
        Era::Modern => b'm',
    });
    key.extend_from_slice(request.kind.method().as_bytes());
    key.push(END);
    for (name, value) in request.ctx.headers() {
        key.extend_from_slice(name.as_bytes());
        key.push(0xfe);
        key.extend_from_slice(value.as_bytes());
        key.push(END);
    }
    // Of one component: what replaces it has other answers.
    key.extend_from_slice(&request.kind.label()?.id.to_le_bytes());
    match &request.kind {
        RequestKind::Tool(call) => {
            key.extend_from_slice(call.name.as_bytes());
            key.push(END);
            canonical_arguments(&call.arguments, &mut key);
        }
        RequestKind::Resource(read) => key.extend_from_slice(read.uri.as_bytes()),
        RequestKind::Prompt(get) => {
            key.extend_from_slice(get.name.as_bytes());
            key.push(END);
            canonical::object(&get.arguments, &mut key);
        }
        RequestKind::List(..) | RequestKind::Protocol(_) => return None,
    }
    Some(key)
}

fn canonical_arguments(arguments: &Arguments, out: &mut Vec<u8>) {
    canonical::object(&arguments.values, out);
    let mut exact: Vec<_> = arguments.exact.iter().chain(&arguments.verbatim).collect();
    exact.sort();
    for (name, digits) in exact {
        out.push(0xff);
        out.extend_from_slice(name.as_bytes());
        out.push(0xfe);
        out.extend_from_slice(digits.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(config: CacheConfig) -> ResponseCache {
        ResponseCache::new(config).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_given_back_when_nobody_asks_any_more() {
        for ttl in [1, 30, 86_400] {
            let ttl = Duration::from_secs(ttl);
            let cache = cache(CacheConfig {
                ttl,
                ..CacheConfig::default()
            });
            // More than once: the task ends with the last answer, and comes again with the next one.
            for round in 0..3 {
                for hash in 0..10 {
                    cache.insert(hash, b"question", b"answer");
                }
                tokio::time::sleep(ttl - Duration::from_millis(1)).await;
                assert!(cache.get(1, b"question").is_some(), "{ttl:?} {round}");
                assert!(!cache.answers.read().is_empty());
                tokio::time::sleep(Duration::from_secs(31)).await;
                assert!(cache.answers.read().is_empty(), "{ttl:?} {round}");
                assert!(!cache.answers.swept.load(Ordering::Relaxed));
            }
        }
    }

    #[test]
    fn a_sweeper_ends_with_its_cache_and_is_replaced_when_its_runtime_ends() {
        let cache = cache(CacheConfig::default());
        // Without a runtime there is none, and the cache works.
        cache.insert(1, b"question", b"answer");
        assert!(!cache.answers.swept.load(Ordering::Relaxed));
        assert!(cache.get(1, b"question").is_some());
        for _ in 0..2 {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .unwrap();
            runtime.block_on(async { cache.insert(1, b"question", b"answer") });
            assert!(cache.answers.swept.load(Ordering::Relaxed));
            drop(runtime);
            assert!(!cache.answers.swept.load(Ordering::Relaxed));
        }
    }

    #[test]
    fn an_answer_with_its_question_is_bounded() {
        let cache = cache(CacheConfig {
            entry_bytes: 100,
            ..CacheConfig::default()
        });
        cache.insert(1, b"question", &[b'x'; 92]);
        assert!(cache.get(1, b"question").is_some());
        cache.insert(2, b"question", &[b'x'; 93]);
        assert!(cache.get(2, b"question").is_none());
    }

    #[test]
    fn a_block_larger_than_can_be_had_is_as_large_as_may_be() {
        let cache = cache(CacheConfig {
            total_bytes: u64::MAX,
            entries: u64::MAX,
            ..CacheConfig::default()
        });
        cache.insert(1, b"question", b"answer");
        assert!(cache.get(1, b"question").is_some());
    }

    #[test]
    fn no_time_is_no_cache() {
        let off = CacheConfig {
            ttl: Duration::ZERO,
            ..CacheConfig::default()
        };
        assert!(ResponseCache::new(off).is_none());
    }
}
