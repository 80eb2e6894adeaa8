//! The tasks that this process works on: a shutdown waits for them, where others can still look for their results.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::Tasks;

/// Time for the store to be told of those that a shutdown did not wait for.
const TELL: Duration = Duration::from_millis(500);

/// How many there are, and what tells them to end.
#[derive(Clone, Default)]
pub(super) struct Running {
    count: Arc<watch::Sender<usize>>,
    stop: Arc<Notify>,
}

/// One of them, until the store knows how it ended.
pub(super) struct Counted(Arc<watch::Sender<usize>>);

impl Running {
    pub(super) fn another(&self) -> Counted {
        self.count.send_modify(|count| *count += 1);
        Counted(Arc::clone(&self.count))
    }

    pub(super) async fn stopped(&self) {
        self.stop.notified().await;
    }

    async fn none(&self) {
        let mut count = self.count.subscribe();
        // The sender is here.
        let _ = count.wait_for(|count| *count == 0).await;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Tasks {
    /// Tasks that are worked on here and whose results can be looked up when this process has ended: a shutdown waits for
    /// them. Always 0 where tasks are kept in memory.
    pub fn running(&self) -> usize {
        match self.0.store.outlives_process() {
            true => *self.0.running.count.borrow(),
            false => 0,
        }
    }

    /// Waits until there are none of them.
    pub(crate) async fn ended(&self) {
        if self.0.store.outlives_process() {
            self.0.running.none().await;
        }
    }

    /// Ends those that are left: they have failed, which the store is told if it can be told within a moment. One that
    /// begins later is as any other.
    pub(crate) async fn stop(&self) {
        if self.running() == 0 {
            return;
        }
        self.0.running.stop.notify_waiters();
        if timeout(TELL, self.ended()).await.is_err() {
            let tasks = self.running();
            tracing::warn!(tasks, "the store could not be told that tasks have ended");
        }
    }
}
