//! Tokens that an operator has revoked, where several processes accept them.

use super::StoreFuture;

/// A token that was revoked, or is accepted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenChange {
    /// What tells it from all others: a hash of its hash, of no use to whoever would authenticate.
    pub id: u128,
    /// When it would end anyway, in seconds since 1970.
    pub expires: u64,
    /// Whether it was revoked. Otherwise it was, and is accepted again.
    pub revoked: bool,
}

/// Tells all processes that share it which tokens were revoked.
pub trait TokenChangeStore: Send + Sync + 'static {
    /// Adds changes, which are true in this order. Of all that were added it has to keep the last `most`, each until its token
    /// would end anyway. To add one twice does no harm.
    ///
    /// # Errors
    /// When that cannot be done; it is tried again then.
    fn add_changes<'a>(&'a self, changes: &'a [TokenChange], most: usize) -> StoreFuture<'a, ()>;

    /// Changes that were added after `position`, the first first, and the position of the last of these. Empty is the
    /// position before all. There may be more after them, but when there are none there are no more.
    ///
    /// # Errors
    /// When that cannot be told.
    fn changes_after<'a>(
        &'a self,
        position: &'a str,
    ) -> StoreFuture<'a, (Vec<TokenChange>, String)>;
}
