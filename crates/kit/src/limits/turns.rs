//! How many calls run at a time, and who is next.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::Caller;
use super::refusals::Limit;
use crate::metrics::{Metrics, readings};

/// How many calls of tools, reads of resources and gets of prompts run at a time. Those for which there is no place wait,
/// within their time: the calls of a caller in the order in which they came, and the callers in turn, so that one who
/// sends many waits for its own. A call that waits for its user has no place meanwhile, and a task has none.
///
/// A call that waits is in flight: see [`CallLimits::in_flight`](super::CallLimits::in_flight).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConcurrencyLimits {
    /// Calls that run at a time in all; 0 counts as 1. Where handlers compute, a few for each processor keep the server
    /// responsive however much is asked of it. Default: no limit but the places of calls in flight.
    pub in_all: Option<usize>,
    /// Calls of one authenticated principal; 0 counts as 1. Default: no limit of its own.
    pub per_principal: Option<usize>,
    /// Calls that wait in all; one more is refused at once. Default 512.
    pub waiting: usize,
    /// Calls of one caller that wait. Default 64.
    pub waiting_per_caller: usize,
}

impl Default for ConcurrencyLimits {
    fn default() -> Self {
        Self {
            in_all: None,
            per_principal: None,
            waiting: 512,
            waiting_per_caller: 64,
        }
    }
}

/// Who runs, and who waits.
pub(crate) struct Turns {
    limits: ConcurrencyLimits,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: usize,
    waiting: usize,
    /// Of those that run or wait.
    callers: HashMap<Caller, Line>,
    /// Those of whom something waits, each once, the next one first.
    order: VecDeque<Caller>,
    next: u64,
}

/// The calls of one caller.
#[derive(Default)]
struct Line {
    running: usize,
    waiting: VecDeque<(u64, oneshot::Sender<()>)>,
}

/// Too many wait already: so many, and whether they are this caller's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crowded {
    Caller(usize),
    InAll(usize),
}

/// What one call has of it; dropped, the next one has it.
pub(crate) struct Turn {
    turns: Arc<Turns>,
    caller: Caller,
    place: Place,
}

enum Place {
    /// Among those that run.
    Running,
    /// In the line of its caller, under this number; given a place since then, it is in none.
    Waiting(u64),
    /// Nowhere: its client is asked.
    Nowhere,
}

impl Turns {
    /// `None` when nothing is limited.
    pub(crate) fn new(limits: ConcurrencyLimits) -> Option<Arc<Self>> {
        let is_limited = limits.in_all.is_some() || limits.per_principal.is_some();
        is_limited.then(|| {
            Arc::new(Self {
                limits,
                state: Mutex::default(),
            })
        })
    }

    /// Waits for a place; `None` for one who needs none.
    ///
    /// # Errors
    /// Too many wait; counted in [`Limit::Concurrency`].
    pub(crate) async fn take(self: &Arc<Self>, caller: &Caller) -> Result<Option<Turn>, Crowded> {
        if self.limits.in_all.is_none() && self.each(caller) == usize::MAX {
            return Ok(None);
        }
        let caller = caller.clone();
        let turn = |place| Turn {
            turns: Arc::clone(self),
            caller: caller.clone(),
            place,
        };
        let (mut turn, granted) = {
            let mut state = self.state();
            let state = &mut *state;
            let line = state.callers.entry(caller.clone()).or_default();
            if state.running < self.in_all() && line.running < self.each(&caller) {
                line.running += 1;
                state.running += 1;
                return Ok(Some(turn(Place::Running)));
            }
            let crowded = if line.waiting.len() >= self.limits.waiting_per_caller {
                Some(Crowded::Caller(line.waiting.len()))
            } else if state.waiting >= self.limits.waiting {
                Some(Crowded::InAll(state.waiting))
            } else {
                None
            };
            if let Some(crowded) = crowded {
                state.forget(&caller);
                Limit::Concurrency.count();
                return Err(crowded);
            }
            let (grant, granted) = oneshot::channel();
            let number = state.next;
            state.next += 1;
            if line.waiting.is_empty() {
                state.order.push_back(caller.clone());
            }
            line.waiting.push_back((number, grant));
            state.waiting += 1;
            (turn(Place::Waiting(number)), granted)
        };
        // The other end stays in the line until it is used.
        let _ = granted.await;
        turn.place = Place::Running;
        Ok(Some(turn))
    }

    /// Has metrics say how many run and how many wait.
    pub(crate) fn measure(self: &Arc<Self>, metrics: &[Metrics]) {
        for metrics in metrics {
            let turns = Arc::clone(self);
            metrics.read(&readings::CALLS_WAITING, "", move || {
                turns.state().waiting as u64
            });
            if self.limits.in_all.is_some() {
                let turns = Arc::clone(self);
                metrics.places("running_calls", self.in_all(), move || {
                    turns.state().running
                });
            }
        }
    }

    fn in_all(&self) -> usize {
        self.limits
            .in_all
            .map_or(usize::MAX, |places| places.max(1))
    }

    fn each(&self, caller: &Caller) -> usize {
        match self.limits.per_principal {
            Some(places) if caller.principal().subject().is_some() => places.max(1),
            _ => usize::MAX,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under this lock can panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, caller: &Caller) {
        let mut state = self.state();
        state.running -= 1;
        if let Some(line) = state.callers.get_mut(caller) {
            line.running -= 1;
        }
        self.grant(&mut state);
        state.forget(caller);
    }

    /// Takes a call out of its line; `false` when it is in none any more.
    fn leave(&self, caller: &Caller, number: u64) -> bool {
        let mut state = self.state();
        let Some(line) = state.callers.get_mut(caller) else {
            return false;
        };
        let Some(at) = line.waiting.iter().position(|(own, _)| *own == number) else {
            return false;
        };
        line.waiting.remove(at);
        let is_last = line.waiting.is_empty();
        state.waiting -= 1;
        if is_last {
            state.order.retain(|waiting| waiting != caller);
            state.forget(caller);
        }
        true
    }

    /// Gives what is free to those who are next.
    fn grant(&self, state: &mut State) {
        let mut looked = 0;
        while state.running < self.in_all() && looked < state.order.len() {
            let Some(caller) = state.order.pop_front() else {
                return;
            };
            let Some(line) = state.callers.get_mut(&caller) else {
                continue;
            };
            if line.running >= self.each(&caller) {
                state.order.push_back(caller);
                looked += 1;
                continue;
            }
            let Some((_, grant)) = line.waiting.pop_front() else {
                continue;
            };
            line.running += 1;
            state.running += 1;
            state.waiting -= 1;
            looked = 0;
            // One that is given up at this moment finds that it is in no line, and gives the place back.
            let _ = grant.send(());
            if !line.waiting.is_empty() {
                state.order.push_back(caller);
            }
        }
    }
}

impl State {
    /// Forgets a caller of whom nothing runs and nothing waits.
    fn forget(&mut self, caller: &Caller) {
        let is_gone = |line: &Line| line.running == 0 && line.waiting.is_empty();
        if self.callers.get(caller).is_some_and(is_gone) {
            self.callers.remove(caller);
        }
    }
}

impl Turn {
    /// Gives the place back while the call waits for its client, and takes one again when that has answered, whether there
    /// is one or not: what its user typed is not thrown away.
    pub(crate) fn follow(&mut self, is_asking: bool) {
        match (&self.place, is_asking) {
            (Place::Running, true) => {
                self.place = Place::Nowhere;
                self.turns.give_back(&self.caller);
            }
            (Place::Nowhere, false) => {
                self.place = Place::Running;
                let mut state = self.turns.state();
                state.running += 1;
                let line = state.callers.entry(self.caller.clone()).or_default();
                line.running += 1;
            }
            _ => {}
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        match self.place {
            Place::Running => self.turns.give_back(&self.caller),
            Place::Waiting(number) if !self.turns.leave(&self.caller, number) => {
                self.turns.give_back(&self.caller);
            }
            Place::Waiting(_) | Place::Nowhere => {}
        }
    }
}

#[cfg(test)]
#[path = "turns_tests.rs"]
mod tests;
