//! Legacy HTTP sessions: lean, capped, and bound to whom they were opened for.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `sealed` | ids that hold their session, so that any replica and any restart serves it |
//! | `store` | [`Sessions`]: opens, finds, makes anew and ends them |
//! | `table` | those in memory, and which of them goes when there are too many |
//! | `revoked` | those that their clients have ended |
//! | `shared` | the same, told to all replicas that share a store |
//!
//! What a client can resume in them is kept by `crate::streams`. What survives and what is local is
//! said in `docs/sessions.md`.

mod revoked;
mod sealed;
mod shared;
mod store;
mod table;

use std::borrow::Borrow;
use std::sync::Arc;
use std::time::Duration;

use crate::streams::random_bits;

pub use crate::streams::StreamLimits;
pub(crate) use shared::{TELL, Telling};
pub use store::{Found, Sessions};

/// Bounds of sessions.
///
/// A session over streamable HTTP has a sealed id. Memory may forget it when it idles: nothing is in
/// flight in it, no stream is open, and none is kept to be resumed. It is served all the same when its
/// client comes back. Sessions of HTTP+SSE live in their streams and are ended instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// Sessions in memory at a time. Beyond it a new one, or one that comes back, takes the place of
    /// one that never sent a second message, then of one that its caller has beyond its share, the
    /// oldest first, then of a sealed one that idles; when there is none of these it is refused, so
    /// that nobody can push out a session that is used. Default 16,384.
    pub max: usize,
    /// Sessions of one caller that are safe from that, once they were used; and they are never more
    /// than others could still have. A caller is who opens them, or takes them up again: an address,
    /// and on loopback a connection. Default 4,096.
    pub per_caller: usize,
    /// Sealed sessions that stay in memory although they idle. Beyond it those go that have not been
    /// used for longest. Default 512.
    pub remembered: usize,
    /// Time for which a sealed id is good. After it the client has to initialize again, however busy
    /// it is. In whole seconds, at most 136 years. Default 7 days.
    pub lifetime: Duration,
    /// Sealed sessions that were ended with `DELETE` and are remembered for the rest of their
    /// lifetime, so that nobody takes them up again; of all replicas where they share a store. Beyond it those are forgotten that were ended
    /// first: who has kept such an id can use it again. Default 16,384.
    pub ended: usize,
    /// Time after which a session ends, or is forgotten, that never sent a second message. Default
    /// 60 s.
    pub unused: Duration,
    /// Time after which a session ends, or is forgotten, in which nothing was sent, nothing is in
    /// flight and no stream is open. Default 30 min.
    pub idle: Duration,
    /// Bounds of the streams that clients can resume.
    pub streams: StreamLimits,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            max: 16_384,
            per_caller: 4096,
            remembered: 512,
            lifetime: Duration::from_secs(7 * 24 * 3600),
            ended: 16_384,
            unused: Duration::from_secs(60),
            idle: Duration::from_secs(30 * 60),
            streams: StreamLimits::default(),
        }
    }
}

/// A session id: visible ASCII, at most 400 characters. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionId(Arc<str>);

impl SessionId {
    /// 128 random bits, written as 32 hex digits.
    fn random() -> Result<Self, getrandom::Error> {
        random_bits().map(|bits| Self(format!("{bits:032x}").into()))
    }

    /// The id as it is handed out.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for SessionId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why there is no new session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There are as many as allowed, and none that may go for a new one.
    Full {
        /// Until then the first of them may have ended.
        retry_after: Duration,
    },
    /// The operating system has no randomness to give.
    NoRandomness,
}
