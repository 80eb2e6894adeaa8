//! Who may run, and who waits: places to run, and a queue for each caller that has none.
//!
//! A place that becomes free goes to the waiting caller with the fewest runs, and of those to the one
//! that has waited longest since its last one: round robin. Within one caller it is first come, first
//! served. The queue has an end for all together; when it is full, the caller that has most in it
//! makes room for one that has less, so that each has an even share when many want one, and all of it
//! when nobody else does.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

/// Places to run, and the queue for them. Cheap to clone.
#[derive(Clone)]
pub(super) struct Queue(Arc<Mutex<State>>);

struct State {
    free: usize,
    /// The most that may wait, and how many do.
    most: usize,
    waiting: usize,
    /// Those only that run or wait.
    callers: HashMap<u64, Line>,
    /// Counts arrivals and ends of runs.
    clock: u64,
    closed: bool,
}

/// What a caller has.
#[derive(Default)]
struct Line {
    running: usize,
    waiting: VecDeque<Waiter>,
    /// When its last run ended, or it began to wait.
    since: u64,
}

struct Waiter {
    number: u64,
    place: oneshot::Sender<Place>,
}

/// Why there is no place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// As many wait as may.
    Full,
    /// Another caller had less in the queue.
    Displaced,
    /// None became free in time.
    Late,
    /// There will be none any more.
    Closed,
}

impl Queue {
    /// So many places to run, and so many to wait.
    pub(super) fn new(places: usize, most: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            free: places,
            most,
            waiting: 0,
            callers: HashMap::new(),
            clock: 0,
            closed: false,
        })))
    }

    /// A place to run, as soon as it is this caller's turn. Who drops the future no longer waits.
    pub(super) async fn place(&self, caller: u64, patience: Duration) -> Result<Place, Refused> {
        let (mut ticket, place) = {
            let mut state = self.lock();
            if state.closed {
                return Err(Refused::Closed);
            }
            // Somebody waits only while nothing is free.
            if state.free > 0 {
                state.free -= 1;
                state.start(caller);
                return Ok(self.granted(caller));
            }
            state.make_room(caller)?;
            let (sender, place) = oneshot::channel();
            let number = state.enter(caller, sender);
            let queue = self.clone();
            let ticket = Ticket {
                queue,
                caller,
                number,
            };
            (ticket, place)
        };
        match tokio::time::timeout(patience, place).await {
            Ok(Ok(place)) => {
                ticket.number = 0;
                Ok(place)
            }
            Ok(Err(_)) if self.lock().closed => Err(Refused::Closed),
            Ok(Err(_)) => Err(Refused::Displaced),
            Err(_) => Err(Refused::Late),
        }
    }

    /// Refuses all that wait, and all that come.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.waiting = 0;
        let lines = state.callers.values_mut();
        let refused: Vec<_> = lines.flat_map(|line| line.waiting.drain(..)).collect();
        drop((state, refused));
    }

    fn granted(&self, caller: u64) -> Place {
        Place {
            queue: self.clone(),
            caller,
        }
    }

    /// Hands a place on that this caller had.
    fn release(&self, caller: u64) {
        let mut state = self.lock();
        state.end(caller);
        let Some((next, waiter)) = state.next() else {
            state.free += 1;
            return;
        };
        drop(state);
        // One that went away this moment drops its place, which comes back here.
        let _ = waiter.place.send(self.granted(next));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn start(&mut self, caller: u64) {
        self.callers.entry(caller).or_default().running += 1;
    }

    /// Sees to it that one more may wait.
    fn make_room(&mut self, caller: u64) -> Result<(), Refused> {
        if self.waiting < self.most {
            return Ok(());
        }
        let own = self
            .callers
            .get(&caller)
            .map_or(0, |line| line.waiting.len());
        let longest = self
            .callers
            .values_mut()
            .max_by_key(|line| line.waiting.len());
        let Some(longest) = longest.filter(|line| line.waiting.len() > own + 1) else {
            return Err(Refused::Full);
        };
        // Its latest: that one loses least.
        longest.waiting.pop_back();
        self.waiting -= 1;
        Ok(())
    }

    fn enter(&mut self, caller: u64, place: oneshot::Sender<Place>) -> u64 {
        let number = self.tick();
        let line = self.callers.entry(caller).or_default();
        if line.waiting.is_empty() && line.running == 0 {
            line.since = number;
        }
        line.waiting.push_back(Waiter { number, place });
        self.waiting += 1;
        number
    }

    /// Takes a waiter out that is still there.
    fn leave(&mut self, caller: u64, number: u64) {
        let Some(line) = self.callers.get_mut(&caller) else {
            return;
        };
        let before = line.waiting.len();
        line.waiting.retain(|waiter| waiter.number != number);
        self.waiting -= before - line.waiting.len();
        self.forget_idle(caller);
    }

    /// Whose turn it is; it counts as running from now on.
    fn next(&mut self) -> Option<(u64, Waiter)> {
        let waiting = self.callers.iter_mut();
        let (caller, line) = waiting
            .filter(|(_, line)| !line.waiting.is_empty())
            .min_by_key(|(_, line)| (line.running, line.since))?;
        let (caller, waiter) = (*caller, line.waiting.pop_front()?);
        self.waiting -= 1;
        self.start(caller);
        Some((caller, waiter))
    }

    /// A run of this caller is over.
    fn end(&mut self, caller: u64) {
        let now = self.tick();
        if let Some(line) = self.callers.get_mut(&caller) {
            line.running -= 1;
            line.since = now;
        }
        self.forget_idle(caller);
    }

    fn forget_idle(&mut self, caller: u64) {
        let idle = |line: &Line| line.running == 0 && line.waiting.is_empty();
        if self.callers.get(&caller).is_some_and(idle) {
            self.callers.remove(&caller);
        }
    }
}

/// A place to run. Dropping it hands it on.
#[derive(Debug)]
pub(super) struct Place {
    queue: Queue,
    caller: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.queue.release(self.caller);
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

/// One that waits. Dropping it takes it out of the queue, if it is there.
struct Ticket {
    queue: Queue,
    caller: u64,
    /// Zero when it has its place.
    number: u64,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.number != 0 {
            self.queue.lock().leave(self.caller, self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use futures_util::FutureExt as _;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);
    const GREEDY: u64 = 1;

    type Waiting<'a> = Pin<Box<dyn Future<Output = Result<Place, Refused>> + 'a>>;

    /// One that has begun to wait.
    fn wait(queue: &Queue, caller: u64) -> Waiting<'_> {
        let mut waiting: Waiting<'_> = Box::pin(queue.place(caller, PATIENCE));
        assert!(waiting.as_mut().now_or_never().is_none());
        waiting
    }

    fn now(queue: &Queue, caller: u64) -> Result<Place, Refused> {
        let answered = queue.place(caller, PATIENCE).now_or_never();
        answered.unwrap_or_else(|| panic!("it waits"))
    }

    /// Frees the place of one after the other, and tells in which order the others have their turns.
    fn order(mut running: Vec<Place>, mut waiting: Vec<(u64, Waiting<'_>)>) -> Vec<u64> {
        let mut order = Vec::new();
        while !waiting.is_empty() {
            running.remove(0);
            let turn = waiting
                .iter_mut()
                .enumerate()
                .find_map(|(at, (_, waiting))| Some((at, waiting.as_mut().now_or_never()?)));
            let (at, place) = turn.expect("one has its turn");
            running.push(place.unwrap());
            order.push(waiting.remove(at).0);
        }
        order
    }

    #[tokio::test]
    async fn who_has_nothing_running_comes_first_and_then_it_is_one_each() {
        let queue = Queue::new(1, 64);
        let running = vec![now(&queue, GREEDY).unwrap()];
        let callers = [GREEDY, GREEDY, GREEDY, GREEDY, 2, 2, 3];
        let waiting = callers.map(|caller| (caller, wait(&queue, caller)));
        let order = order(running, waiting.into());
        assert_eq!(order, [2, 3, GREEDY, 2, GREEDY, GREEDY, GREEDY]);
    }

    #[tokio::test]
    async fn of_several_places_nobody_has_a_second_one_before_others_have_one() {
        let queue = Queue::new(2, 64);
        let running = [(); 2].map(|()| now(&queue, GREEDY).unwrap());
        let callers = [GREEDY, GREEDY, GREEDY, 2, 3];
        let waiting = callers.map(|caller| (caller, wait(&queue, caller)));
        let order = order(running.into(), waiting.into());
        assert_eq!(order, [2, 3, GREEDY, GREEDY, GREEDY]);
    }

    #[tokio::test]
    async fn a_full_queue_is_shared_by_all_who_want_a_place_in_it() {
        let queue = Queue::new(1, 8);
        let _running = now(&queue, GREEDY).unwrap();
        let mut greedy: Vec<_> = (0..8).map(|_| wait(&queue, GREEDY)).collect();
        assert_eq!(now(&queue, GREEDY).unwrap_err(), Refused::Full);
        let others: Vec<_> = (2..9).map(|caller| wait(&queue, caller)).collect();
        // The one that waited longest keeps its place.
        for displaced in greedy.drain(1..) {
            let refused = displaced.now_or_never().unwrap();
            assert_eq!(refused.unwrap_err(), Refused::Displaced);
        }
        assert!(greedy[0].as_mut().now_or_never().is_none());
        // Each has one, and nobody a second one.
        for caller in [GREEDY, 2, 100] {
            assert_eq!(now(&queue, caller).unwrap_err(), Refused::Full);
        }
        drop(others);
    }

    #[tokio::test]
    async fn who_goes_away_is_not_counted_and_nothing_is_kept_of_it() {
        let queue = Queue::new(1, 2);
        let running = now(&queue, 1).unwrap();
        for _ in 0..10 {
            let two = [wait(&queue, 2), wait(&queue, 3)];
            assert_eq!(now(&queue, 4).unwrap_err(), Refused::Full);
            drop(two);
        }
        let [gone, stays] = [wait(&queue, 2), wait(&queue, 3)];
        // It has its turn, and goes away before it knows.
        drop(running);
        drop(gone);
        drop(stays.now_or_never().unwrap().unwrap());
        let state = queue.lock();
        assert_eq!((state.free, state.waiting, state.callers.len()), (1, 0, 0));
    }

    #[tokio::test]
    async fn a_wait_has_an_end() {
        let queue = Queue::new(1, 2);
        let running = now(&queue, 1).unwrap();
        let late = queue.place(2, Duration::from_millis(1)).await;
        assert_eq!(late.unwrap_err(), Refused::Late);
        let waits = wait(&queue, 2);
        queue.close();
        assert_eq!(waits.await.unwrap_err(), Refused::Closed);
        drop(running);
        assert_eq!(now(&queue, 2).unwrap_err(), Refused::Closed);
        assert_eq!(queue.lock().callers.len(), 0);
    }
}
