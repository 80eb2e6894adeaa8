//! The places of subscriptions: whose they are, and whose turn is over.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::limits::{CallLimits, Caller, Full, Permit, Shares};
use crate::metrics::Metrics;
use crate::wire::{Code, RpcError};

use crate::connection::Connection;

/// The subscriptions that are open.
pub(super) struct Subscriptions {
    places: Shares,
    turn: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By their numbers, which is by their age.
    open: BTreeMap<u64, Open>,
    next: u64,
}

struct Open {
    since: Instant,
    place: Permit,
    over: CancellationToken,
}

/// One of them, until it is dropped.
pub(super) struct Subscription {
    all: Arc<Subscriptions>,
    number: u64,
    over: CancellationToken,
}

impl Subscriptions {
    pub(super) fn new(limits: &CallLimits) -> Arc<Self> {
        Arc::new(Self {
            places: Shares::new(limits.subscriptions, limits.subscriptions_per_caller),
            turn: limits.subscription_turn,
            state: Mutex::default(),
        })
    }

    /// [`Shares::measure`] of them.
    pub(super) fn measure(&self, kind: &'static str, metrics: &[Metrics]) {
        self.places.measure(kind, metrics);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half-way, so a poisoned lock still guards sound state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place, that of an older one if there is no other.
    ///
    /// # Errors
    /// [`Code::BUSY`] when the caller has its share, or nobody's turn is over.
    pub(super) fn open(
        self: &Arc<Self>,
        caller: &Caller,
        connection: &Connection,
    ) -> Result<Subscription, RpcError> {
        let share = self.places.of(caller);
        let mut state = self.state();
        let place = match share.take() {
            Ok(place) => place,
            Err(Full::Share) => {
                return Err(RpcError::new(
                    Code::BUSY,
                    format!(
                        "{} subscriptions of this caller are open, which is all it can have; end one first.",
                        share.taken()
                    ),
                ));
            }
            Err(Full::InAll) => {
                state.end_one(share.taken(), self.turn)?;
                share.take_again()
            }
        };
        let (number, over) = (state.next, connection.leaving().child_token());
        state.next += 1;
        let open = Open {
            since: Instant::now(),
            place,
            over: over.clone(),
        };
        state.open.insert(number, open);
        drop(state);
        Ok(Subscription {
            all: Arc::clone(self),
            number,
            over,
        })
    }
}

impl State {
    /// Ends the oldest of those whose callers have more than `own`, if its turn is over.
    fn end_one(&mut self, own: usize, turn: Duration) -> Result<(), RpcError> {
        let mut greedier = self
            .open
            .iter()
            .filter(|(_, open)| open.place.share().taken() > own);
        let oldest = greedier.next().map(|(number, open)| {
            let rest = turn.saturating_sub(open.since.elapsed());
            (*number, rest)
        });
        let wait = match oldest {
            Some((number, Duration::ZERO)) => {
                if let Some(open) = self.open.remove(&number) {
                    open.over.cancel();
                }
                return Ok(());
            }
            Some((_, rest)) => rest,
            None => turn,
        };
        let why = format!(
            "All places of subscriptions are taken; one may be free in {} s.",
            wait.as_millis().div_ceil(1000)
        );
        Err(RpcError::new(Code::BUSY, why).with_retry_after(wait))
    }
}

impl Subscription {
    /// Cancelled when its place is somebody else's, its client leaves or the server ends.
    pub(super) fn over(&self) -> &CancellationToken {
        &self.over
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.all.state().open.remove(&self.number);
    }
}
