//! Requests that are finished, on their way to the collector.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::TracesConfig;
use super::span::Finished;

/// What became of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// The collector has it.
    Exported,
    /// There was no room for it in the queue.
    QueueFull,
    /// The collector took the message, but not the span.
    Rejected,
    /// The collector could not be reached, or did not take the message.
    Failed,
}

impl Count {
    pub(super) const ALL: [Self; 4] = [
        Self::Exported,
        Self::QueueFull,
        Self::Rejected,
        Self::Failed,
    ];

    /// Its name in metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Exported => "exported",
            Self::QueueFull => "queue_full",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
        }
    }
}

/// What the requests and the exporter share.
pub(super) struct Queue {
    most: usize,
    batch: usize,
    waiting: Mutex<VecDeque<Finished>>,
    /// There is a first one, or enough for a batch.
    changed: Notify,
    closing: CancellationToken,
    /// By [`Count`].
    counts: [AtomicU64; Count::ALL.len()],
}

impl Queue {
    pub(super) fn new(config: &TracesConfig) -> Self {
        Self {
            most: config.queue,
            batch: config.batch.max(1),
            waiting: Mutex::default(),
            changed: Notify::new(),
            closing: CancellationToken::new(),
            counts: Default::default(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Finished>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one, if there is room. Nobody is waited for, and the exporter is woken for the first one and for a batch only.
    pub(super) fn push(&self, finished: Finished) {
        let mut waiting = self.waiting();
        // Under the lock: what comes after `close` must not wait for ever.
        if waiting.len() >= self.most || self.closing.is_cancelled() {
            drop(waiting);
            return self.add(Count::QueueFull, 1);
        }
        waiting.push_back(finished);
        let length = waiting.len();
        drop(waiting);
        if length == 1 || length == self.batch {
            self.changed.notify_one();
        }
    }

    /// The oldest, as many as there can be in a message.
    pub(super) fn take(&self) -> Vec<Finished> {
        let mut waiting = self.waiting();
        let batch = waiting.len().min(self.batch);
        waiting.drain(..batch).collect()
    }

    /// Waits until there is a batch, or something that has waited for so long, or no more to come; `false` when all is over.
    pub(super) async fn due(&self, delay: Duration) -> bool {
        self.reaches(1).await;
        tokio::select! {
            () = self.reaches(self.batch) => {}
            () = sleep(delay) => {}
        }
        !(self.closing.is_cancelled() && self.waiting().is_empty())
    }

    async fn reaches(&self, length: usize) {
        loop {
            let mut changed = pin!(self.changed.notified());
            // What changes after we have looked must wake us.
            changed.as_mut().enable();
            if self.waiting().len() >= length || self.closing.is_cancelled() {
                return;
            }
            tokio::select! {
                () = changed => {}
                () = self.closing.cancelled() => return,
            }
        }
    }

    pub(super) fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// Takes no more.
    pub(super) fn close(&self) {
        let _waiting = self.waiting();
        self.closing.cancel();
    }

    /// Forgets what waits.
    pub(super) fn give_up(&self) {
        let forgotten = std::mem::take(&mut *self.waiting()).len();
        self.add(Count::Failed, forgotten as u64);
    }

    pub(super) fn add(&self, count: Count, spans: u64) {
        self.counts[count as usize].fetch_add(spans, Ordering::Relaxed);
    }

    pub(super) fn count(&self, count: Count) -> u64 {
        self.counts[count as usize].load(Ordering::Relaxed)
    }
}
