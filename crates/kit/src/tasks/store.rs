//! What a place that keeps tasks must be able to do.

use std::sync::Arc;

use crate::limits::Caller;
use crate::principal::Principal;
use crate::store::StoreFuture;

use super::record::{Change, TaskRecord};

/// Keeps tasks beyond the request that began them: [`MemoryTaskStore`](super::MemoryTaskStore) in
/// this process, or one that several processes share.
///
/// Somebody else's task does not exist, and neither does one whose time is up; both are `None`.
/// A future that is dropped may or may not have done its work, but never half of it.
pub trait TaskStore: Send + Sync + 'static {
    /// Keeps a new task of `caller`, who is the record's owner. When this has returned, every other
    /// method finds it.
    ///
    /// What a caller makes a store keep should be bounded, so that nobody fills it for all others;
    /// the task is counted for the caller for as long as it is kept, and [`Caller::key`] is its name
    /// in a store that several processes share.
    fn create<'a>(&'a self, caller: &'a Caller, record: TaskRecord) -> StoreFuture<'a, ()>;

    /// Looks a task up.
    fn get<'a>(
        &'a self,
        owner: &'a Principal,
        id: &'a str,
    ) -> StoreFuture<'a, Option<Arc<TaskRecord>>>;

    /// Makes a change with [`TaskRecord::apply`], as if it were the only one at that moment.
    fn change<'a>(
        &'a self,
        owner: &'a Principal,
        id: &'a str,
        change: Change,
    ) -> StoreFuture<'a, Option<Changed>>;

    /// Waits until the task's version is another than `seen`, or the task is no more. A version
    /// between may be missed. Zero is no task's version.
    fn wait<'a>(
        &'a self,
        owner: &'a Principal,
        id: &'a str,
        seen: u64,
    ) -> StoreFuture<'a, Option<Arc<TaskRecord>>>;

    /// Whether tasks can be looked up when this process has ended: a shutdown waits for those that run here, and tells
    /// the store how those ended that took too long.
    fn outlives_process(&self) -> bool {
        true
    }
}

/// A task after a change.
#[derive(Clone)]
pub struct Changed {
    /// As it is now.
    pub record: Arc<TaskRecord>,
    /// Whether its client can see a difference.
    pub visible: bool,
}
