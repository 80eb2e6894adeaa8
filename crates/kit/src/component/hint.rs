//! How long a client may keep a result.

use std::time::Duration;

use rmcp::model::CacheScope;
use serde_json::{Value, json};

use crate::protocol::SERVER_INFO;

/// The `ttlMs` and `cacheScope` of a result (2026-07-28 `server/utilities/caching`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CacheHint {
    /// Milliseconds for which the client may treat the result as fresh.
    pub ttl: Duration,
    /// `true` only where the result is the same for every caller.
    pub public: bool,
}

impl CacheHint {
    /// Do not keep it.
    pub const NONE: Self = Self {
        ttl: Duration::ZERO,
        public: false,
    };

    /// Part of the program, so the same for everybody until another one is started: ten minutes.
    pub const FIXED: Self = Self {
        ttl: Duration::from_secs(600),
        public: true,
    };

    pub(crate) fn ttl_ms(self) -> u64 {
        self.ttl.as_millis().try_into().unwrap_or(u64::MAX)
    }

    pub(crate) fn scope(self) -> CacheScope {
        if self.public {
            CacheScope::Public
        } else {
            CacheScope::Private
        }
    }
}

/// Adds what a modern result carries to one that is JSON already; used when lists are written.
pub(crate) fn complete_modern(mut result: Value, hint: CacheHint, server: &Value) -> Value {
    result["resultType"] = json!("complete");
    result["ttlMs"] = json!(hint.ttl_ms());
    result["cacheScope"] = json!(hint.scope());
    result["_meta"] = json!({ SERVER_INFO: server });
    result
}
