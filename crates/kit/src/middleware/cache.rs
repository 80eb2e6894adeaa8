//! Repeats answers for the same caller and the same question, for a while.
//!
//! Only components that say [`cached()`](crate::Tool::cached), only successes, and never one that
//! asked the user or the model. A repeated answer runs nothing and logs nothing to the client.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moka::sync::Cache;

use crate::canonical;
use crate::component::Arguments;
use crate::core::Era;

use super::{Flow, Invocation, Middleware, Next, Outcome, Target};

/// Bounds of the response cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheConfig {
    /// How long an answer may be repeated; zero switches the cache off. Default 30 s.
    pub ttl: Duration,
    /// Bytes of all answers and their keys. Default 32 MiB.
    pub total_bytes: u64,
    /// Answers. Default 10,000.
    pub entries: u64,
    /// Bytes of one answer; larger ones are not kept. Default 1 MiB.
    pub entry_bytes: usize,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(30),
            total_bytes: 32 << 20,
            entries: 10_000,
            entry_bytes: 1 << 20,
        }
    }
}

/// Answers, found by the hash of their question: the map holds on to the keys of what it let go of,
/// so a key must be small however long the question is.
pub(super) struct ResponseCache {
    entries: Cache<u64, Entry>,
    hasher: RandomState,
    entry_bytes: usize,
}

/// With the whole question, because two of them may have the same hash.
#[derive(Clone)]
struct Entry {
    question: Arc<[u8]>,
    answer: Bytes,
}

impl ResponseCache {
    /// `None` when it is switched off.
    pub(super) fn new(config: CacheConfig) -> Option<Self> {
        if config.ttl.is_zero() {
            return None;
        }
        // One weight bounds both: an entry weighs its bytes, but never so little that more than
        // `entries` of them fit.
        let least = config.total_bytes.div_ceil(config.entries.max(1));
        let entries = Cache::builder()
            .max_capacity(config.total_bytes)
            .time_to_live(config.ttl)
            .weigher(move |_: &u64, entry: &Entry| {
                let bytes = (entry.question.len() + entry.answer.len()) as u64;
                bytes.max(least).try_into().unwrap_or(u32::MAX)
            })
            .build();
        Some(Self {
            entries,
            hasher: RandomState::new(),
            entry_bytes: config.entry_bytes,
        })
    }

    fn through<'a>(&'a self, call: Invocation, next: Next<'a>) -> Flow<'a> {
        if !call
            .target
            .settings()
            .is_some_and(|settings| settings.cached)
        {
            return next.run(call);
        }
        let Some(question) = question(&call) else {
            return next.run(call);
        };
        let hash = self.hasher.hash_one(&question);
        let found = self.entries.get(&hash);
        if let Some(entry) = found.filter(|entry| *entry.question == *question) {
            return Box::pin(std::future::ready(Ok(Outcome::Encoded {
                json: entry.answer,
                is_error: false,
            })));
        }
        let ctx = call.ctx.clone();
        let work = next.run(call);
        Box::pin(async move {
            let outcome = work.await?;
            if let Outcome::Encoded {
                json,
                is_error: false,
            } = &outcome
                && !ctx.was_interactive()
                && json.len() <= self.entry_bytes
            {
                let (question, answer) = (question.into(), json.clone());
                self.entries.insert(hash, Entry { question, answer });
            }
            Ok(outcome)
        })
    }
}

impl Middleware for ResponseCache {
    fn on_call_tool<'a>(&'a self, call: Invocation, next: Next<'a>) -> Flow<'a> {
        self.through(call, next)
    }

    fn on_read_resource<'a>(&'a self, call: Invocation, next: Next<'a>) -> Flow<'a> {
        self.through(call, next)
    }

    fn on_get_prompt<'a>(&'a self, call: Invocation, next: Next<'a>) -> Flow<'a> {
        self.through(call, next)
    }
}

/// Principal, era, method, name and canonical arguments. Each part ends with a byte that JSON text
/// and the parts themselves cannot hold, so no two questions are the same.
fn question(call: &Invocation) -> Option<Vec<u8>> {
    const END: u8 = 0xff;
    let mut key = Vec::with_capacity(128);
    match call.ctx.principal().subject() {
        Some(subject) => key.extend_from_slice(subject.as_bytes()),
        None => key.push(0xfe),
    }
    key.push(END);
    key.push(match call.ctx.era() {
        Era::Legacy => b'l',
        Era::Modern => b'm',
    });
    key.extend_from_slice(call.target.method().as_bytes());
    key.push(END);
    match &call.target {
        Target::Tool(call) => {
            key.extend_from_slice(call.name.as_bytes());
            key.push(END);
            canonical_arguments(&call.arguments, &mut key);
        }
        Target::Resource(read) => key.extend_from_slice(read.uri.as_bytes()),
        Target::Prompt(get) => {
            key.extend_from_slice(get.name.as_bytes());
            key.push(END);
            canonical::object(&get.arguments, &mut key);
        }
        Target::List(..) | Target::Protocol(_) => return None,
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

    #[test]
    fn the_cache_is_bounded_in_entries_and_bytes() {
        let config = CacheConfig {
            entries: 10,
            total_bytes: 1000,
            ..CacheConfig::default()
        };
        let cache = ResponseCache::new(config).unwrap();
        for i in 0..1000_u32 {
            cache.entries.insert(
                i.into(),
                Entry {
                    question: [].into(),
                    answer: Bytes::from_static(b"x"),
                },
            );
        }
        cache.entries.run_pending_tasks();
        assert!(
            cache.entries.entry_count() <= 10,
            "{}",
            cache.entries.entry_count()
        );
        assert!(
            ResponseCache::new(CacheConfig {
                ttl: Duration::ZERO,
                ..config
            })
            .is_none()
        );
    }
}
