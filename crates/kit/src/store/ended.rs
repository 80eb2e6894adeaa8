//! Legacy sessions that their clients have ended, where several processes serve them.

use super::StoreFuture;

/// A session that its client has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedSession {
    /// What tells it from all others: a part of its id that is of no use without the rest.
    pub nonce: u128,
    /// When its id would end anyway, in seconds since 1970.
    pub expires: u64,
}

/// Tells all processes that share it which sessions were ended.
pub trait EndedSessionStore: Send + Sync + 'static {
    /// Adds sessions. Of all that were added it has to keep the last `most`, each until it would end anyway. To add one
    /// twice does no harm.
    ///
    /// # Errors
    /// When that cannot be done; it is tried again then.
    fn add<'a>(&'a self, ended: &'a [EndedSession], most: usize) -> StoreFuture<'a, ()>;

    /// Sessions that were added after `position`, the first first, and the position of the last of these. Empty is the
    /// position before all. There may be more after them, but when there are none there are no more.
    ///
    /// # Errors
    /// When that cannot be told.
    fn after<'a>(&'a self, position: &'a str) -> StoreFuture<'a, (Vec<EndedSession>, String)>;
}
