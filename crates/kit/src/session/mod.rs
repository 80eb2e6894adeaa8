//! Legacy HTTP sessions: lean, capped, gone when idle, and bound to whom they were opened for.
//! What a client can resume in them is kept by `crate::streams`.

mod store;

use std::time::Duration;

use crate::streams::{parse_bits, random_bits};

pub use crate::streams::StreamLimits;
pub use store::Sessions;

/// Bounds of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// Sessions at a time. Beyond it a new one takes the place of one that never sent a second
    /// message, then of one that its caller has beyond its share, the oldest first; when there is
    /// none of these it is refused, so that nobody can push out a session that is used. Default
    /// 16,384.
    pub max: usize,
    /// Sessions of one caller that are safe from that, once they were used; and they are never more
    /// than others could still have. A caller is who opens them: an address, and on loopback a
    /// connection. Default 4,096.
    pub per_caller: usize,
    /// Time after which a session ends that never sent a second message. Default 60 s.
    pub unused: Duration,
    /// Time after which a session ends in which nothing was sent, nothing is in flight and no
    /// stream is open. Default 30 min.
    pub idle: Duration,
    /// Bounds of the streams that clients can resume.
    pub streams: StreamLimits,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            max: 16_384,
            per_caller: 4096,
            unused: Duration::from_secs(60),
            idle: Duration::from_secs(30 * 60),
            streams: StreamLimits::default(),
        }
    }
}

/// A session id: 128 random bits, written as 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId(u128);

impl SessionId {
    fn random() -> Result<Self, getrandom::Error> {
        random_bits().map(Self)
    }

    /// Reads an id as it was handed out; anything else is no id.
    pub fn parse(text: &str) -> Option<Self> {
        parse_bits(text).map(Self)
    }
}

impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Why there is no new session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There are as many as allowed, and none that may be ended for a new one.
    Full {
        /// Until then the first of them may have ended.
        retry_after: Duration,
    },
    /// The operating system has no randomness to give.
    NoRandomness,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_long_and_read_strictly() {
        let id = SessionId::random().unwrap();
        assert!(SessionId::parse(&id.to_string()) == Some(id));
        for text in [
            "",
            "0",
            "+0000000000000000000000000000000",
            "0000000000000000000000000000000G",
            "ABCDEF00000000000000000000000000",
        ] {
            assert!(SessionId::parse(text).is_none(), "{text}");
        }
    }
}
