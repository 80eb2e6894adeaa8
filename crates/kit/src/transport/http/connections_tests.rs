//! Which connection goes.

use tokio::time::advance;

use super::*;

const LOOPBACK: &str = "127.0.0.1";
const MOMENT: Duration = Duration::from_millis(10);

async fn admit(connections: &Arc<Connections>, address: &str) -> Result<Slot, NoSlot> {
    advance(MOMENT).await;
    connections.admit(address.parse().unwrap())
}

async fn head(connections: &Arc<Connections>, address: &str) -> Slot {
    let place = admit(connections, address).await.ok().unwrap();
    place.activity.heard_nothing();
    place
}

async fn in_phase(connections: &Arc<Connections>, phase: Phase) -> Slot {
    let place = head(connections, LOOPBACK).await;
    become_(&place, phase).await;
    place
}

async fn become_(place: &Slot, phase: Phase) {
    let activity = &place.activity;
    match phase {
        Phase::Fresh | Phase::Head | Phase::Ended => return,
        _ => activity.begin().await,
    }
    match phase {
        Phase::Idle => {
            activity.answered();
            activity.flushed();
        }
        Phase::Body => activity.awaits_body(),
        Phase::Waits => activity.waits(true),
        Phase::Answered => activity.answered(),
        Phase::Stream => activity.streams(None),
        _ => {}
    }
}

fn ended(place: &Slot) -> bool {
    place.activity.seen().phase == Phase::Ended
}

/// How many of the places have been given away; those in front have to be.
fn gone(places: &[Slot]) -> usize {
    let gone = places.iter().filter(|place| ended(place)).count();
    assert!(places[..gone].iter().all(ended), "not the oldest");
    gone
}

#[tokio::test(start_paused = true)]
async fn the_head_that_has_waited_longest_makes_room() {
    let connections = Connections::new(4, 4);
    let mut places = Vec::new();
    for _ in 0..4 {
        places.push(head(&connections, LOOPBACK).await);
    }
    assert_eq!(gone(&places), 0);
    for round in 1..=3 {
        places.push(head(&connections, LOOPBACK).await);
        assert_eq!(gone(&places), round);
        assert_eq!(connections.len(), 4, "its place is free at once");
    }
    places.clear();
    assert_eq!(connections.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn kinds_go_in_their_order_and_what_is_in_flight_stays() {
    let kinds = [Phase::Idle, Phase::Body, Phase::Stream, Phase::Waits];
    let connections = Connections::new(10, 10);
    let mut heads = Vec::new();
    // The kinds that go last are the oldest.
    let busy = in_phase(&connections, Phase::Busy).await;
    let answered = in_phase(&connections, Phase::Answered).await;
    let mut others = Vec::new();
    for phase in kinds.into_iter().rev() {
        others.insert(0, in_phase(&connections, phase).await);
    }
    for _ in 0..4 {
        heads.push(head(&connections, LOOPBACK).await);
    }
    // Two of ten are a quarter of the places: these stay as long as anything else can go.
    let mut newer = Vec::new();
    for expected in [(1, 0), (2, 0), (2, 1), (2, 2), (2, 3), (2, 4), (3, 4)] {
        let next = admit(&connections, LOOPBACK).await.ok().unwrap();
        next.activity.begin().await;
        newer.push(next);
        assert_eq!((gone(&heads), gone(&others)), expected);
    }
    assert!(!ended(&busy) && !ended(&answered));
}

#[tokio::test(start_paused = true)]
async fn heads_cannot_be_squeezed_out_by_what_else_waits() {
    for phase in [Phase::Idle, Phase::Body, Phase::Stream, Phase::Waits] {
        let connections = Connections::new(16, 16);
        let mut others = Vec::new();
        for _ in 0..16 {
            others.push(in_phase(&connections, phase).await);
        }
        let mut heads = Vec::new();
        for _ in 0..4 {
            heads.push(head(&connections, LOOPBACK).await);
        }
        assert_eq!((gone(&heads), gone(&others)), (0, 4), "{phase:?}");
        heads.push(head(&connections, LOOPBACK).await);
        assert_eq!((gone(&heads), gone(&others)), (0, 5), "{phase:?}");
        heads.push(head(&connections, LOOPBACK).await);
        assert_eq!((gone(&heads), gone(&others)), (1, 5), "{phase:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_reads_makes_room_and_one_that_moves_does_not() {
    for phase in [Phase::Busy, Phase::Answered] {
        let connections = Connections::new(2, 2);
        let unread = in_phase(&connections, phase).await;
        let read = in_phase(&connections, Phase::Busy).await;
        for place in [&unread, &read] {
            place.activity.stalls();
        }
        // It may be on its way.
        let why = admit(&connections, LOOPBACK).await.err();
        assert_eq!(why, Some(NoSlot::Yet), "{phase:?}");
        advance(UNREAD).await;
        read.activity.flows();
        admit(&connections, LOOPBACK).await.ok().unwrap();
        assert!(ended(&unread) && !ended(&read), "{phase:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_leaving_makes_room_soon() {
    let connections = Connections::new(1, 1);
    let answered = in_phase(&connections, Phase::Answered).await;
    let why = admit(&connections, LOOPBACK).await.err();
    assert_eq!(why, Some(NoSlot::Yet));
    answered.activity.flushed();
    admit(&connections, LOOPBACK).await.ok().unwrap();
    assert!(ended(&answered));
}

#[tokio::test(start_paused = true)]
async fn there_is_no_place_among_requests_in_flight() {
    let connections = Connections::new(2, 2);
    let first = in_phase(&connections, Phase::Busy).await;
    let fresh = admit(&connections, LOOPBACK).await.ok().unwrap();
    // Nobody has looked yet at what it sent.
    let why = admit(&connections, LOOPBACK).await.err();
    assert_eq!(why, Some(NoSlot::Yet));
    fresh.activity.begin().await;
    let why = admit(&connections, LOOPBACK).await.err();
    assert_eq!(why, Some(NoSlot::Full));
    drop(first);
    assert!(admit(&connections, LOOPBACK).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waits_makes_room_only_as_long_as_it_waits() {
    let connections = Connections::new(2, 2);
    let worked = in_phase(&connections, Phase::Waits).await;
    let waits = in_phase(&connections, Phase::Waits).await;
    worked.activity.waits(false);
    let busy = admit(&connections, LOOPBACK).await.ok().unwrap();
    busy.activity.begin().await;
    assert!(ended(&waits) && !ended(&worked));
    let why = admit(&connections, LOOPBACK).await.err();
    assert_eq!(why, Some(NoSlot::Full));
    // Nothing but a request in flight waits.
    busy.activity.answered();
    busy.activity.waits(true);
    assert_eq!(busy.activity.seen().phase, Phase::Answered);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_begun_in_a_place_that_was_given_away() {
    let connections = Connections::new(1, 1);
    let first = head(&connections, LOOPBACK).await;
    let second = head(&connections, LOOPBACK).await;
    let begun = tokio::time::timeout(MOMENT, first.activity.begin()).await;
    assert!(begun.is_err());
    // Nor is the place of the other one free when this one is left.
    drop(first);
    assert_eq!(connections.len(), 1);
    drop(second);
    assert_eq!(connections.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_has_ended_stays_so_whatever_its_task_still_says() {
    for says in [
        Activity::heard,
        Activity::heard_nothing,
        Activity::awaits_body,
        Activity::answered,
        Activity::flushed,
    ] {
        for phase in [Phase::Fresh, Phase::Head, Phase::Idle, Phase::Answered] {
            let connections = Connections::new(1, 1);
            let first = match phase {
                Phase::Fresh => admit(&connections, LOOPBACK).await.ok().unwrap(),
                _ => in_phase(&connections, phase).await,
            };
            assert!(first.activity.end(first.activity.seen()));
            says(&first.activity);
            assert!(ended(&first), "{phase:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_has_its_share_and_displaces_its_own_alone() {
    for (own, same, other) in [
        ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("192.0.2.1", "::ffff:192.0.2.1", "198.51.100.1"),
        ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"),
    ] {
        let connections = Connections::new(8, 2);
        let stranger = head(&connections, other).await;
        let mut places = vec![
            head(&connections, own).await,
            head(&connections, same).await,
        ];
        places.push(head(&connections, same).await);
        assert_eq!(gone(&places), 1, "{own}");
        assert!(!ended(&stranger), "{own}");
        assert_eq!(connections.len(), 3, "{own}");
        // All it has is in flight: others have no less for it.
        for place in &places[1..] {
            place.activity.begin().await;
        }
        let why = admit(&connections, own).await.err();
        assert_eq!(why, Some(NoSlot::Full), "{own}");
        assert!(!ended(&stranger), "{own}");
        drop(places);
        assert!(admit(&connections, own).await.is_ok(), "{own}");
        assert_eq!(connections.open().addresses.len(), 1, "{own}");
    }
    let connections = Connections::new(8, 2);
    let mut places = Vec::new();
    for address in [LOOPBACK, "::1", "127.0.0.2", LOOPBACK, "::ffff:127.0.0.1"] {
        places.push(head(&connections, address).await);
    }
    assert_eq!(gone(&places), 0, "a proxy may stand there");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_carries_streams_stays_and_makes_room_when_it_carries_none() {
    let connections = Connections::new(2, 2);
    let carries = head(&connections, LOOPBACK).await;
    assert!(carries.activity.carries());
    carries.activity.stalls();
    let stream = carries.of_stream().ok().unwrap();
    stream.activity.begin().await;
    advance(UNREAD).await;
    let why = admit(&connections, LOOPBACK).await.err();
    assert_eq!(why, Some(NoSlot::Full));
    // What is heard of one without streams is no head of a request.
    drop(stream);
    carries.activity.vacant();
    carries.activity.heard();
    let _one = admit(&connections, LOOPBACK).await.ok().unwrap();
    assert!(!ended(&carries));
    let _other = admit(&connections, LOOPBACK).await.ok().unwrap();
    assert!(ended(&carries) && !carries.activity.carries());
}

#[tokio::test(start_paused = true)]
async fn streams_are_part_of_the_share_of_their_address() {
    let connections = Connections::new(8, 3);
    let carries = head(&connections, "192.0.2.1").await;
    assert!(carries.activity.carries());
    let mut streams = Vec::new();
    for _ in 0..2 {
        advance(MOMENT).await;
        streams.push(carries.of_stream().ok().unwrap());
        streams[streams.len() - 1].activity.begin().await;
    }
    assert_eq!(carries.of_stream().err(), Some(NoSlot::Full));
    streams[1].activity.awaits_body();
    streams.push(carries.of_stream().ok().unwrap());
    assert!(ended(&streams[1]) && !ended(&streams[0]) && !ended(&carries));
    assert!(admit(&connections, "192.0.2.2").await.is_ok());
}

#[tokio::test]
async fn what_was_ended_before_its_task_was_known_is_aborted_then() {
    let connections = Connections::new(1, 1);
    let place = connections.admit(LOOPBACK.parse().unwrap()).ok().unwrap();
    assert!(place.activity.end(place.activity.seen()));
    let task = tokio::spawn(std::future::pending::<()>());
    place.activity.is(task.abort_handle());
    assert!(task.await.unwrap_err().is_cancelled());
}

/// So many that a look finds several.
const MANY: usize = 3 * PART;

async fn many(phase: Phase) -> (Arc<Connections>, Vec<Slot>) {
    let connections = Connections::new(MANY, MANY);
    let mut places = Vec::new();
    for _ in 0..MANY {
        places.push(in_phase(&connections, phase).await);
    }
    (connections, places)
}

fn at_once(connections: &Arc<Connections>) -> Slot {
    connections.admit(LOOPBACK.parse().unwrap()).ok().unwrap()
}

#[tokio::test(start_paused = true)]
async fn one_look_finds_several_and_the_oldest_go_first() {
    let (connections, places) = many(Phase::Head).await;
    let mut newer = Vec::new();
    for round in 1..=MANY / 2 {
        newer.push(at_once(&connections));
        assert_eq!(gone(&places), round);
        let more = connections.open().leaves.seen.len();
        assert_eq!(more, (3 - round % 3) % 3, "three by one look");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_has_gone_on_by_its_turn_is_passed_over() {
    for (phase, goes_on) in [
        (Phase::Idle, Activity::heard as fn(&Activity)),
        (Phase::Body, Activity::answered),
        (Phase::Busy, Activity::flows),
    ] {
        let (connections, places) = many(phase).await;
        if phase == Phase::Busy {
            for place in &places {
                place.activity.stalls();
                advance(Duration::from_micros(1)).await;
            }
            advance(UNREAD).await;
        }
        let first = at_once(&connections);
        assert_eq!(gone(&places), 1, "{phase:?}");
        // The second one was found with the first.
        goes_on(&places[1].activity);
        let second = at_once(&connections);
        let ended: Vec<bool> = places[..4].iter().map(ended).collect();
        assert_eq!(ended, [true, false, true, false], "{phase:?}");
        drop((first, second));
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_is_good_for_a_moment_only() {
    let (connections, places) = many(Phase::Body).await;
    let first = at_once(&connections);
    assert_eq!(gone(&places), 1);
    // It idles since now, and by then those go before the bodies.
    places[MANY - 1].activity.answered();
    places[MANY - 1].activity.flushed();
    advance(LOOK + MOMENT).await;
    let second = at_once(&connections);
    assert!(ended(&places[MANY - 1]) && !ended(&places[1]));
    drop((first, second));
}

#[tokio::test(start_paused = true)]
async fn one_look_takes_no_head_of_the_last_quarter() {
    let (connections, others) = many(Phase::Stream).await;
    let mut heads = Vec::new();
    // One more than a quarter, so one look may take one of them and no more.
    for _ in 0..=MANY / 4 {
        heads.push(head(&connections, LOOPBACK).await);
    }
    let before = gone(&others);
    let mut newer = Vec::new();
    for _ in 0..3 {
        let next = at_once(&connections);
        next.activity.begin().await;
        newer.push(next);
    }
    assert_eq!((gone(&heads), gone(&others)), (1, before + 2));
}
