//! What is remembered of an engine, for all callers together: how often it was asked, and whether it is left alone
//! for a while because it blocked or failed. Nothing of a query or a caller is kept.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::Pace;
use crate::outcome::Status;

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
}

#[derive(Debug, Default)]
struct Now {
    /// When the engine would next be asked if it were asked at even intervals (the theoretical arrival time of the
    /// generic cell rate algorithm).
    next: Option<Instant>,
    rests_until: Option<Instant>,
    /// Blocks in a row.
    blocks: u32,
    /// Failures in a row.
    failures: u32,
    /// After a rest one request at a time tries whether all is well again.
    trying: bool,
    /// What it rests for.
    cause: Option<Status>,
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

/// Leave to ask once, after a while.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    memory: &'a Memory,
    /// How long to wait before asking.
    pub(crate) wait: Duration,
    trying: bool,
}

impl Memory {
    pub(crate) fn new(pace: Pace) -> Self {
        Self {
            pace,
            now: Mutex::default(),
        }
    }

    /// Leave to ask the engine within `patience`.
    pub(crate) fn turn(&self, patience: Duration) -> Result<Turn<'_>, Denied> {
        let at = Instant::now();
        let mut now = self.lock();
        if now.rests(at) || now.trying {
            return Err(Denied::Resting(now.cause));
        }
        let Pace { every, burst } = self.pace;
        let next = now.next.unwrap_or(at).max(at);
        let ahead = every.saturating_mul(burst.saturating_sub(1));
        let wait = next.saturating_duration_since(at).saturating_sub(ahead);
        if wait > patience {
            return Err(Denied::Busy);
        }
        now.next = next.checked_add(every);
        now.trying = now.rests_until.is_some();
        Ok(Turn {
            memory: self,
            wait,
            trying: now.trying,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Now {
    fn rests(&self, at: Instant) -> bool {
        self.rests_until.is_some_and(|until| at < until)
    }
}

impl Turn<'_> {
    /// Whether the engine may still be asked, after the wait.
    pub(crate) fn check(&self) -> Result<(), Denied> {
        let now = self.memory.lock();
        match now.rests(Instant::now()) {
            true => Err(Denied::Resting(now.cause)),
            false => Ok(()),
        }
    }

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

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const RESTING: Option<Denied> = Some(Denied::Resting(Some(Status::Failed)));

    fn memory() -> Memory {
        Memory::new(Pace {
            every: SECOND,
            burst: 3,
        })
    }

    fn went(memory: &Memory, went: Went) {
        memory
            .turn(Duration::ZERO)
            .unwrap()
            .went(went, Status::Failed);
    }

    fn denied(memory: &Memory) -> Option<Denied> {
        memory.turn(Duration::ZERO).err()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_free_and_then_it_is_one_each_interval() {
        let memory = memory();
        let wait = || memory.turn(2 * SECOND).map(|turn| turn.wait);
        for expected in [0, 0, 0, 1, 2] {
            assert_eq!(wait(), Ok(expected * SECOND));
        }
        assert_eq!(wait(), Err(Denied::Busy));
        // Who was refused has taken no turn.
        advance(SECOND).await;
        assert_eq!(wait(), Ok(2 * SECOND));
        advance(60 * SECOND).await;
        for expected in [0, 0, 0, 1] {
            assert_eq!(wait(), Ok(expected * SECOND));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_interval_is_no_limit() {
        let memory = Memory::new(Pace {
            every: Duration::ZERO,
            burst: 1,
        });
        for _ in 0..1000 {
            assert_eq!(denied(&memory), None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_blocks_is_left_alone_and_longer_each_time() {
        let memory = memory();
        for rest in [60, 120, 240, 480, 600, 600] {
            went(&memory, Went::Blocked(None));
            advance(Duration::from_secs(rest) - SECOND).await;
            assert_eq!(denied(&memory), RESTING);
            advance(SECOND).await;
        }
        went(&memory, Went::Well);
        went(&memory, Went::Blocked(None));
        advance(60 * SECOND).await;
        assert_eq!(denied(&memory), None);
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_how_long_is_believed_within_bounds() {
        for (says, rest) in [(5, 5), (0, 1), (1_000_000, 600)] {
            let memory = memory();
            went(&memory, Went::Blocked(Some(Duration::from_secs(says))));
            advance(Duration::from_secs(rest) - Duration::from_millis(1)).await;
            assert_eq!(denied(&memory), RESTING, "{says}");
            advance(Duration::from_millis(1)).await;
            assert_eq!(denied(&memory), None, "{says}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_failure_is_an_accident_and_three_are_not() {
        let memory = memory();
        went(&memory, Went::Wrong);
        went(&memory, Went::Wrong);
        went(&memory, Went::Well);
        advance(3 * SECOND).await;
        went(&memory, Went::Wrong);
        went(&memory, Went::Wrong);
        assert_eq!(denied(&memory), None);
        advance(3 * SECOND).await;
        went(&memory, Went::Wrong);
        assert_eq!(denied(&memory), RESTING);
        // After a rest one more is enough.
        advance(30 * SECOND).await;
        went(&memory, Went::Wrong);
        assert_eq!(denied(&memory), RESTING);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_rest_one_at_a_time_tries() {
        let memory = memory();
        went(&memory, Went::Blocked(None));
        advance(60 * SECOND).await;
        let turn = memory.turn(SECOND).unwrap();
        assert_eq!(denied(&memory), RESTING);
        // Given up: somebody else may.
        drop(turn);
        let turn = memory.turn(SECOND).unwrap();
        turn.went(Went::Well, Status::Found);
        let _one = memory.turn(SECOND).unwrap();
        let _other = memory.turn(SECOND).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn those_under_way_when_it_blocked_are_one_event() {
        let memory = Memory::new(Pace {
            every: Duration::ZERO,
            burst: 1,
        });
        let turns: Vec<_> = (0..5).map(|_| memory.turn(SECOND).unwrap()).collect();
        let late = memory.turn(SECOND).unwrap();
        for turn in turns {
            turn.went(Went::Blocked(None), Status::Blocked);
        }
        // It was answered before, or was lucky: the rest is a rest.
        late.went(Went::Well, Status::Found);
        advance(59 * SECOND).await;
        let why = Denied::Resting(Some(Status::Blocked));
        assert_eq!(denied(&memory), Some(why));
        advance(SECOND).await;
        assert_eq!(denied(&memory), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_is_never_made_shorter_by_an_older_request() {
        let memory = memory();
        let [first, second] = [(); 2].map(|()| memory.turn(SECOND).unwrap());
        let asked = Some(Duration::from_secs(300));
        first.went(Went::Blocked(asked), Status::Blocked);
        second.went(Went::Blocked(Some(SECOND)), Status::Blocked);
        advance(299 * SECOND).await;
        assert!(denied(&memory).is_some());
        advance(SECOND).await;
        assert_eq!(denied(&memory), None);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waited_for_a_turn_does_not_ask_who_rests_by_then() {
        let memory = memory();
        let [first, _, _, last] = [(); 4].map(|()| memory.turn(2 * SECOND).unwrap());
        assert_eq!((first.wait, last.wait), (Duration::ZERO, SECOND));
        assert_eq!(last.check(), Ok(()));
        // While the last waits, the first is refused.
        first.went(Went::Blocked(None), Status::Blocked);
        assert_eq!(last.check(), Err(Denied::Resting(Some(Status::Blocked))));
        assert!(memory.turn(2 * SECOND).is_err());
    }
}
