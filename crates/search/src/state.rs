//! What is remembered of an engine, for all callers together: how often it was asked, and whether it is left alone
//! for a while because it blocked or failed. Nothing of a query is kept, and of a caller only while it or others wait for
//! their turns.

#[cfg(test)]
mod tests;
mod turns;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::config::Pace;
use crate::outcome::Status;

use self::turns::{Arrived, Looked, Now, Waiter};

/// How long an engine is left alone that blocks and does not say for how long; twice as long each time it does so again.
const AFTER_BLOCK: Duration = Duration::from_secs(60);
/// How long it is left alone after [`FAILURES`] failures in a row.
const AFTER_FAILURES: Duration = Duration::from_secs(30);
/// So many failures in a row are no accident.
const FAILURES: u32 = 3;
/// The longest time that an engine is left alone, whatever it says itself.
const LONGEST: Duration = Duration::from_secs(600);

/// What is remembered of one engine.
#[derive(Debug)]
pub(crate) struct Memory {
    pace: Pace,
    now: Mutex<Now>,
    /// Somebody went away who waited: others may be earlier than they thought.
    earlier: Notify,
}

/// How a request went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Went {
    /// It was answered.
    Well,
    /// It was refused; perhaps with a time to stay away.
    Blocked(Option<Duration>),
    /// Anything else.
    Wrong,
}

/// Why an engine is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// It is left alone, for what became of it before.
    Resting(Option<Status>),
    /// Its turn would come too late.
    Busy,
}

/// Leave to ask once, now.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    memory: &'a Memory,
    trying: bool,
}

impl Memory {
    pub(crate) fn new(pace: Pace) -> Self {
        Self {
            pace,
            now: Mutex::default(),
            earlier: Notify::new(),
        }
    }

    /// Leave to ask the engine, when it is this caller's turn and within `patience`. Callers take turns: one that
    /// wants many pages does not keep another from its first one.
    pub(crate) async fn turn(&self, caller: u64, patience: Duration) -> Result<Turn<'_>, Denied> {
        let until = Instant::now().checked_add(patience);
        let place = match self.lock().arrive(caller, self.pace) {
            Arrived::Now(trying) => {
                return Ok(Turn {
                    memory: self,
                    trying,
                });
            }
            Arrived::Denied(denied) => return Err(denied),
            Arrived::Waits(waiter) => Place {
                memory: self,
                waiter,
            },
        };
        loop {
            let mut earlier = std::pin::pin!(self.earlier.notified());
            // From now on, so that nothing is missed between the look and the wait.
            earlier.as_mut().enable();
            let at = match self.lock().look(place.waiter, self.pace) {
                Looked::Now(trying) => {
                    return Ok(Turn {
                        memory: self,
                        trying,
                    });
                }
                Looked::Denied(denied) => return Err(denied),
                Looked::At(at) => at,
            };
            if until.is_some_and(|until| at > until) {
                return Err(Denied::Busy);
            }
            tokio::select! {
                () = sleep_until(at) => {}
                () = earlier => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among those that wait. Dropping it gives it up.
struct Place<'a> {
    memory: &'a Memory,
    waiter: Waiter,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut now = self.memory.lock();
        let before = now.waiting.len();
        now.waiting.retain(|other| *other != self.waiter);
        let gave_up = now.waiting.len() < before;
        drop(now);
        if gave_up {
            self.memory.earlier.notify_waiters();
        }
    }
}

impl Turn<'_> {
    /// Says how the request went, and what became of the engine.
    pub(crate) fn went(self, went: Went, status: Status) {
        let at = Instant::now();
        let mut now = self.memory.lock();
        // Then this request was under way when the rest began: it knows less than the one that began it.
        let rests = now.rests(at);
        let rest = match went {
            Went::Well if rests => return,
            Went::Well => {
                now.blocks = 0;
                now.failures = 0;
                now.rests_until = None;
                return;
            }
            Went::Blocked(asked) => {
                let usual = match rests {
                    true => Duration::ZERO,
                    false => AFTER_BLOCK.saturating_mul(1 << now.blocks.min(8)),
                };
                now.blocks += u32::from(!rests);
                asked
                    .unwrap_or(usual)
                    .clamp(Duration::from_secs(1), LONGEST)
            }
            Went::Wrong => {
                now.failures = now.failures.saturating_add(1);
                // One failure after a rest shows that nothing has changed.
                if now.failures < FAILURES && !self.trying {
                    return;
                }
                AFTER_FAILURES
            }
        };
        let until = at.checked_add(rest);
        if !rests || until > now.rests_until {
            now.rests_until = until;
            now.cause = Some(status);
        }
    }
}

impl Drop for Turn<'_> {
    /// Also of a request that was given up: the next one may try.
    fn drop(&mut self) {
        if self.trying {
            self.memory.lock().trying = false;
        }
    }
}
