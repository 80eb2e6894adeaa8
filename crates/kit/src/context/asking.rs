//! The time in which a request waits for its client.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Ctx;

/// How long a request waited for its client. Questions that are open together wait once.
#[derive(Default)]
pub(super) struct AskedFor {
    so_far: Duration,
    since: Option<Instant>,
}

impl Ctx {
    /// Says that the request asks the client something: its result is of this moment only.
    pub(crate) fn was_asked(&self) {
        self.0.asked.store(true, Ordering::Relaxed);
    }

    /// Says whether somebody reads what the request is answered with.
    pub(crate) fn set_read(&self, read: bool) {
        if self.0.unread.swap(!read, Ordering::AcqRel) == read {
            self.connection().readers_changed();
        }
    }

    pub(super) fn is_unread(&self) -> bool {
        self.0.unread.load(Ordering::Acquire)
    }

    /// Completes when for so long nobody could hear what the request asks: its response was not read.
    /// Other streams of the session do not count, as a question goes out in the response alone.
    pub(crate) async fn unheard(&self, patience: Duration) {
        let connection = self.connection();
        let mut alone = pin!(sleep(patience));
        loop {
            let mut change = pin!(connection.readers_change());
            // What changes after we have looked must wake us.
            change.as_mut().enable();
            if self.is_unread() {
                tokio::select! {
                    () = &mut alone => return,
                    () = change => {}
                }
            } else {
                change.await;
                alone.set(sleep(patience));
            }
        }
    }

    /// Marks the time until the guard is dropped as the client's: no timeout counts it.
    pub(crate) fn start_asking(&self) -> Asking<'_> {
        self.was_asked();
        let mut asked_for = self.lock_asked_for();
        if self.0.asking.fetch_add(1, Ordering::Relaxed) == 0 {
            asked_for.since = Some(Instant::now());
        }
        Asking(self)
    }

    fn lock_asked_for(&self) -> MutexGuard<'_, AskedFor> {
        // Nothing that is done under this lock can panic half-way.
        self.0
            .asked_for
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_asking(&self) -> bool {
        self.0.asking.load(Ordering::Relaxed) > 0
    }

    /// Whether the request asked the client anything: its result is of this moment only.
    pub(crate) fn was_interactive(&self) -> bool {
        self.0.asked.load(Ordering::Relaxed)
    }

    /// How long the request has waited for its client so far; `None` while it does.
    pub(crate) fn asked_for(&self) -> Option<Duration> {
        let asked_for = self.lock_asked_for();
        asked_for.since.is_none().then_some(asked_for.so_far)
    }
}

/// Waits for the client until it is dropped.
pub(crate) struct Asking<'a>(&'a Ctx);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut asked_for = self.0.lock_asked_for();
        if self.0.0.asking.fetch_sub(1, Ordering::Relaxed) == 1
            && let Some(since) = asked_for.since.take()
        {
            asked_for.so_far += since.elapsed();
        }
    }
}
