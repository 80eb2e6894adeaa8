use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tokio::time::advance;

use super::turns::{CALLER_WAITING, CALLERS, WAITING};
use super::*;

const SECOND: Duration = Duration::from_secs(1);
const RESTING: Option<Denied> = Some(Denied::Resting(Some(Status::Failed)));

fn memory() -> Memory {
    Memory::new(Pace {
        every: SECOND,
        burst: 3,
    })
}

/// A turn at once.
fn turn(memory: &Memory) -> Result<Turn<'_>, Denied> {
    let turn = memory.turn(1, Duration::ZERO).now_or_never();
    turn.expect("nobody waits without patience")
}

fn went(memory: &Memory, went: Went) {
    turn(memory).unwrap().went(went, Status::Failed);
}

fn denied(memory: &Memory) -> Option<Denied> {
    turn(memory).err()
}

/// When this caller has its turn, in whole seconds, and who it is.
async fn when(memory: &Memory, caller: u64, patience: u32) -> Result<(Duration, u64), Denied> {
    let began = Instant::now();
    let turn = memory.turn(caller, patience * SECOND).await;
    turn.map(|_| (Duration::from_secs(began.elapsed().as_secs()), caller))
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_free_and_then_it_is_one_each_interval() {
    let memory = memory();
    let waits = async |callers: usize| {
        let all = join_all((0..callers).map(|_| when(&memory, 1, 2))).await;
        let waits = all.into_iter().map(|wait| wait.map(|(wait, _)| wait));
        waits.collect::<Vec<_>>()
    };
    let seconds = |all: &[u32]| all.iter().map(|all| Ok(*all * SECOND)).collect::<Vec<_>>();
    let six = waits(6).await;
    assert_eq!(six[..5], seconds(&[0, 0, 0, 1, 2]));
    assert_eq!(six[5], Err(Denied::Busy));
    // Who was refused has taken no turn.
    assert_eq!(waits(2).await, seconds(&[1, 2]));
    advance(60 * SECOND).await;
    assert_eq!(waits(4).await, seconds(&[0, 0, 0, 1]));
}

#[tokio::test(start_paused = true)]
async fn callers_take_turns() {
    let memory = memory();
    let callers = [1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3];
    let turns = join_all(callers.map(|caller| when(&memory, caller, 60))).await;
    let mut turns: Vec<_> = turns.into_iter().map(|turn| turn.unwrap()).collect();
    turns.sort();
    let order: Vec<_> = turns.iter().map(|(_, caller)| *caller).collect();
    // Three at once, and then one of each who waits.
    assert_eq!(order, [1, 1, 1, 1, 2, 3, 1, 2, 1, 1, 1]);
    assert_eq!(turns[10].0, 8 * SECOND);
    assert_eq!(memory.lock().waiting, []);
}

#[tokio::test(start_paused = true)]
async fn one_that_asks_for_much_makes_nobody_else_wait_long_or_in_vain() {
    let memory = memory();
    let greedy = join_all((0..100).map(|_| when(&memory, 1, 5)));
    let other = async {
        advance(SECOND / 2).await;
        when(&memory, 2, 5).await
    };
    let (greedy, other) = tokio::join!(greedy, other);
    assert!(other.unwrap().0 <= 2 * SECOND, "{other:?}");
    // The other one's turn is the only one that it lost.
    assert_eq!(greedy.iter().filter(|turn| turn.is_ok()).count(), 3 + 4);
    assert_eq!(memory.lock().waiting, []);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_back_at_once_keeps_nobody_from_a_second_turn() {
    let memory = memory();
    let _burst = [(); 3].map(|()| turn(&memory).unwrap());
    let again = async {
        for _ in 0..6 {
            when(&memory, 1, 5).await.unwrap();
        }
    };
    let other = join_all([2; 2].map(|caller| when(&memory, caller, 5)));
    let ((), other) = tokio::join!(again, other);
    assert_eq!(other, [Ok((2 * SECOND, 2)), Ok((3 * SECOND, 2))]);
}

#[tokio::test(start_paused = true)]
async fn a_round_has_an_end_whoever_comes() {
    let memory = Memory::new(Pace {
        every: Duration::from_millis(1),
        burst: 1,
    });
    let _first = turn(&memory).unwrap();
    // Somebody new is always there before the round is over.
    let others = async |from: u64| {
        for caller in (from..2_000).step_by(2) {
            when(&memory, caller, 60).await.unwrap();
        }
    };
    let second = async {
        let turns = join_all([1; 2].map(|caller| memory.turn(caller, 60 * SECOND)));
        for turn in turns.await {
            turn.unwrap();
        }
        memory.lock().arrived
    };
    let ((), (), arrived) = tokio::join!(others(2), others(3), second);
    assert!(arrived <= 2 * CALLERS as u64, "{arrived}");
    assert!(memory.lock().served.len() <= CALLERS + WAITING);
}

#[tokio::test(start_paused = true)]
async fn the_turn_of_one_who_goes_away_is_the_next_ones() {
    let memory = memory();
    let _burst = [(); 3].map(|()| turn(&memory).unwrap());
    let mut gone = Box::pin(memory.turn(1, 9 * SECOND));
    assert!(gone.as_mut().now_or_never().is_none());
    let stays = when(&memory, 2, 9);
    let leaves = async {
        tokio::task::yield_now().await;
        drop(gone);
    };
    let (stays, ()) = tokio::join!(stays, leaves);
    assert_eq!(stays, Ok((SECOND, 2)));
}

#[tokio::test(start_paused = true)]
async fn so_many_may_wait_and_no_more() {
    let memory = Memory::new(Pace {
        every: Duration::from_millis(1),
        burst: 1,
    });
    let all = join_all((0..1000).map(|caller| when(&memory, caller, 60))).await;
    assert_eq!(all.iter().filter(|turn| turn.is_ok()).count(), 1 + WAITING);
    assert!(
        all.iter()
            .all(|turn| turn.is_ok() || *turn == Err(Denied::Busy))
    );
}

#[tokio::test(start_paused = true)]
async fn one_caller_leaves_others_places_to_wait_in() {
    let memory = Memory::new(Pace {
        every: Duration::from_millis(1),
        burst: 1,
    });
    let greedy = join_all((0..1000).map(|_| when(&memory, 1, 60)));
    let others = join_all((2..100).map(|caller| when(&memory, caller, 60)));
    let (greedy, others) = tokio::join!(greedy, others);
    let served = greedy.iter().filter(|turn| turn.is_ok()).count();
    assert_eq!(served, 1 + CALLER_WAITING);
    assert!(others.iter().all(Result::is_ok), "{others:?}");
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
    let first = turn(&memory).unwrap();
    assert_eq!(denied(&memory), RESTING);
    // Given up: somebody else may.
    drop(first);
    turn(&memory).unwrap().went(Went::Well, Status::Found);
    let _one = turn(&memory).unwrap();
    advance(SECOND).await;
    let _other = turn(&memory).unwrap();
}

#[tokio::test(start_paused = true)]
async fn those_under_way_when_it_blocked_are_one_event() {
    let memory = Memory::new(Pace {
        every: Duration::ZERO,
        burst: 1,
    });
    let turns: Vec<_> = (0..5).map(|_| turn(&memory).unwrap()).collect();
    let late = turn(&memory).unwrap();
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
    let [first, second] = [(); 2].map(|()| turn(&memory).unwrap());
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
    let [first, _, _] = [(); 3].map(|()| turn(&memory).unwrap());
    let blocked = async {
        // While the last waits, the first is refused.
        tokio::task::yield_now().await;
        first.went(Went::Blocked(None), Status::Blocked);
    };
    let (last, ()) = tokio::join!(when(&memory, 1, 2), blocked);
    assert_eq!(last, Err(Denied::Resting(Some(Status::Blocked))));
    assert!(denied(&memory).is_some());
}
