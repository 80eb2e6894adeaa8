//! The places of blocking handlers.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::{Caller, Permit, Share, Shares};
use crate::metrics::Metrics;

/// The places of blocking handlers.
pub(crate) struct Places {
    shares: Shares,
    in_all: usize,
    /// Those that look for a place do so one after the other, so that none sees another's attempt.
    looking: Mutex<()>,
    freed: Notify,
}

/// A place that is taken; dropped, it is given back.
pub(crate) struct Place {
    permit: Option<Permit>,
    places: Arc<Places>,
}

impl Places {
    /// So many places, of which one caller can have `each`.
    pub(crate) fn new(in_all: usize, each: usize) -> Arc<Self> {
        Arc::new(Self {
            shares: Shares::new(in_all, each),
            in_all,
            looking: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// [`Shares::measure`] of these.
    pub(crate) fn measure(&self, kind: &'static str, metrics: &[Metrics]) {
        self.shares.measure(kind, metrics);
    }

    fn look(&self, share: &Share) -> Option<Permit> {
        let _alone = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        share.take().ok()
    }

    /// Waits for a place, and says with how many there are that it has to wait.
    pub(crate) async fn take(
        self: &Arc<Self>,
        caller: &Caller,
        waits: impl Fn(usize) + Send + Sync,
    ) -> Place {
        let share = self.shares.of(caller);
        loop {
            let mut freed = pin!(self.freed.notified());
            // What is freed after we have looked must wake us.
            freed.as_mut().enable();
            if let Some(permit) = self.look(&share) {
                return Place {
                    permit: Some(permit),
                    places: Arc::clone(self),
                };
            }
            waits(self.in_all);
            freed.await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.permit = None;
        self.places.freed.notify_waiters();
    }
}
