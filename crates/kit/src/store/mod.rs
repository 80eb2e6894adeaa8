//! What outlives a request, behind traits, so that several machines can share it.
//!
//! The forms in memory here are for one machine. A shared one implements the same traits, as `redis` does with the feature
//! of that name; every method is told whose entry it is about, and that belongs in its key.

mod buckets;
mod budgets;
pub(crate) mod bus;
mod ended;
mod events;
mod nonces;
#[cfg(feature = "redis")]
pub mod redis;
mod revoked;

pub use buckets::{BucketLimits, BucketStore, MemoryBuckets};
pub use budgets::{BudgetStore, Overspent, Spending};
pub use bus::{Bus, BusListener, NoBus};
pub use ended::{EndedSession, EndedSessionStore};
pub use events::{EventStore, EventStream, StoredEvent, StoredEvents};
pub use nonces::{MemoryNonces, NonceStore};
pub use revoked::{TokenChange, TokenChangeStore};

use std::pin::Pin;

/// A boxed future.
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the methods of stores return.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Why a store did not do what it was asked for. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreError {
    /// It holds as much as it may, in all or for this principal.
    Full,
    /// It cannot be reached; the detail is in the log.
    Unavailable,
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Full => "the store is full",
            Self::Unavailable => "the store cannot be reached",
        })
    }
}

impl std::error::Error for StoreError {}
