use std::pin::Pin;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::{Instant, sleep};

use super::*;
use crate::principal::Principal;

fn principal(name: &str) -> Caller {
    Caller::new(Principal::authenticated(name), None, 0)
}

fn turns(limits: ConcurrencyLimits) -> Arc<Turns> {
    Turns::new(limits).unwrap()
}

type Taking<'a> = Pin<Box<dyn Future<Output = Result<Option<Turn>, Crowded>> + Send + 'a>>;

/// A call that has asked for a place.
fn asks<'a>(turns: &'a Arc<Turns>, caller: &'a Caller) -> Taking<'a> {
    let mut taking: Taking<'a> = Box::pin(turns.take(caller));
    assert!((&mut taking).now_or_never().is_none(), "it waits");
    taking
}

/// The place, which there is.
fn has(mut taking: Taking<'_>) -> Turn {
    let taken = (&mut taking).now_or_never().expect("a place");
    taken.unwrap().unwrap()
}

fn is_empty(turns: &Turns) -> bool {
    let state = turns.state();
    state.running == 0 && state.waiting == 0 && state.callers.is_empty() && state.order.is_empty()
}

#[test]
fn a_principal_has_so_many_places_and_the_rest_waits_in_order() {
    let turns = turns(ConcurrencyLimits {
        per_principal: Some(2),
        ..ConcurrencyLimits::default()
    });
    let (alice, bob) = (principal("alice"), principal("bob"));
    let (one, two) = (
        has(Box::pin(turns.take(&alice))),
        has(Box::pin(turns.take(&alice))),
    );
    let (three, mut four) = (asks(&turns, &alice), asks(&turns, &alice));
    let others = has(Box::pin(turns.take(&bob)));
    drop(one);
    assert!((&mut four).now_or_never().is_none(), "the third was first");
    let three = has(three);
    drop(two);
    drop((has(four), three, others));
    assert!(is_empty(&turns));
    // Nobody is told from another: no limit of their own.
    let nobody = Caller::new(Principal::ANONYMOUS, None, 0);
    for _ in 0..99 {
        let taken = turns.take(&nobody).now_or_never().unwrap();
        assert!(taken.unwrap().is_none());
    }
}

#[test]
fn callers_have_turns_however_much_one_of_them_sends() {
    let turns = turns(ConcurrencyLimits {
        in_all: Some(1),
        ..ConcurrencyLimits::default()
    });
    let (alice, bob, carol) = (principal("alice"), principal("bob"), principal("carol"));
    let running = has(Box::pin(turns.take(&alice)));
    let (first, mut second) = (asks(&turns, &alice), asks(&turns, &alice));
    let (of_bob, of_carol) = (asks(&turns, &bob), asks(&turns, &carol));
    drop(running);
    let running = has(first);
    drop(running);
    let running = has(of_bob);
    assert!((&mut second).now_or_never().is_none());
    drop(running);
    let running = has(of_carol);
    drop(running);
    drop(has(second));
    assert!(is_empty(&turns));
}

#[test]
fn what_is_given_up_is_in_nobodys_way() {
    let turns = turns(ConcurrencyLimits {
        in_all: Some(1),
        ..ConcurrencyLimits::default()
    });
    let (alice, bob) = (principal("alice"), principal("bob"));
    let running = has(Box::pin(turns.take(&alice)));
    let (gone, granted, last) = (
        asks(&turns, &alice),
        asks(&turns, &alice),
        asks(&turns, &bob),
    );
    drop(gone);
    drop(running);
    // It was given the place, and never looked.
    drop(granted);
    drop(has(last));
    assert!(is_empty(&turns));
}

#[test]
fn so_many_wait_and_one_more_is_refused_at_once() {
    let turns = turns(ConcurrencyLimits {
        in_all: Some(1),
        waiting: 3,
        waiting_per_caller: 2,
        ..ConcurrencyLimits::default()
    });
    let (alice, bob, carol) = (principal("alice"), principal("bob"), principal("carol"));
    let running = has(Box::pin(turns.take(&alice)));
    let waiting = [asks(&turns, &alice), asks(&turns, &alice)];
    let refused = |caller: &Caller| turns.take(caller).now_or_never().unwrap().err();
    assert_eq!(refused(&alice), Some(Crowded::Caller(2)));
    let of_bob = asks(&turns, &bob);
    assert_eq!(refused(&carol), Some(Crowded::InAll(3)));
    drop((waiting, of_bob, running));
    assert!(is_empty(&turns));
}

#[test]
fn a_call_that_asks_has_no_place_meanwhile() {
    let turns = turns(ConcurrencyLimits {
        in_all: Some(1),
        ..ConcurrencyLimits::default()
    });
    let (alice, bob) = (principal("alice"), principal("bob"));
    let mut asking = has(Box::pin(turns.take(&alice)));
    let of_bob = asks(&turns, &bob);
    asking.follow(false);
    asking.follow(true);
    asking.follow(true);
    let of_bob = has(of_bob);
    // Answered: it goes on, although another runs.
    asking.follow(false);
    assert_eq!(turns.state().running, 2);
    let waiting = asks(&turns, &bob);
    drop(of_bob);
    asking.follow(true);
    let waiting = has(waiting);
    drop((asking, waiting));
    assert!(is_empty(&turns));
}

/// Ten times as many calls as there is capacity for, each of them 50 ms of work on four places: 80 a second.
#[tokio::test(start_paused = true)]
async fn at_ten_times_the_capacity_it_is_used_and_refusals_are_immediate() {
    const PLACES: usize = 4;
    const WORK: Duration = Duration::from_millis(50);
    const CAPACITY: usize = 20 * PLACES;
    const OFFERED: usize = 10 * CAPACITY;
    const SECONDS: u32 = 10;
    let turns = turns(ConcurrencyLimits {
        in_all: Some(PLACES),
        waiting: 32,
        waiting_per_caller: 8,
        ..ConcurrencyLimits::default()
    });
    let callers: Vec<Caller> = (0..50).map(|n| principal(&n.to_string())).collect();
    let begun = Instant::now();
    let mut calls = FuturesUnordered::new();
    for number in 0..OFFERED * SECONDS as usize {
        let (turns, caller) = (Arc::clone(&turns), callers[number % callers.len()].clone());
        calls.push(async move {
            sleep(Duration::from_secs(1) / OFFERED as u32 * number as u32).await;
            let came = Instant::now();
            let turn = turns.take(&caller).await;
            if turn.is_ok() {
                sleep(WORK).await;
            }
            (turn.is_ok(), came.elapsed(), Instant::now())
        });
    }
    let (mut refusals, mut served) = (Vec::new(), 0_u32);
    while let Some((is_served, took, ended)) = calls.next().await {
        match is_served {
            true if ended - begun <= Duration::from_secs(1) * SECONDS => served += 1,
            true => {}
            false => refusals.push(took),
        }
    }
    let capacity = CAPACITY as u32 * SECONDS;
    assert!(served * 10 >= capacity * 9, "{served} of {capacity}");
    refusals.sort_unstable();
    assert!(refusals[refusals.len() / 2] <= Duration::from_millis(10));
    assert!(is_empty(&turns));
}
