use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn connection() -> Arc<Connection> {
    Connection::new(Principal::ANONYMOUS)
}

/// Somebody at an address of their own.
fn caller(n: u8) -> Caller {
    Caller::new(Principal::ANONYMOUS, Some([192, 0, 2, n].into()), 0)
}

fn limits(max: usize, per_caller: usize) -> SessionLimits {
    SessionLimits {
        max,
        per_caller,
        ..SessionLimits::default()
    }
}

fn open(sessions: &Sessions, n: u8) -> Result<SessionId, Refused> {
    sessions.open(connection(), &caller(n))
}

/// One that has sent a second message.
fn used(sessions: &Sessions, n: u8) -> SessionId {
    let id = open(sessions, n).unwrap();
    assert!(is_there(sessions, id));
    id
}

/// Looking is using.
fn is_there(sessions: &Sessions, id: SessionId) -> bool {
    sessions.get(id, &Principal::ANONYMOUS).is_some()
}

/// Whether it is there, without using it.
fn exists(sessions: &Sessions, id: SessionId) -> bool {
    sessions.read().sessions.contains_key(&id)
}

#[test]
fn a_session_is_its_principals_alone() {
    let sessions = Sessions::new(SessionLimits::default());
    let alice = Principal::authenticated("alice");
    let id = sessions
        .open(Connection::new(alice.clone()), &caller(1))
        .unwrap();
    for other in [Principal::ANONYMOUS, Principal::authenticated("bob")] {
        assert!(sessions.get(id, &other).is_none());
        assert!(!sessions.close(id, &other));
    }
    assert!(sessions.get(id, &alice).is_some());
    assert!(sessions.close(id, &alice));
    assert!(sessions.get(id, &alice).is_none());
}

#[tokio::test(start_paused = true)]
async fn used_sessions_are_never_ended_for_others_and_a_refusal_says_when_there_is_room() {
    let sessions = Sessions::new(limits(2, 2));
    let first = used(&sessions, 1);
    tokio::time::advance(Duration::from_secs(600)).await;
    let second = used(&sessions, 2);
    let Err(Refused::Full { retry_after }) = open(&sessions, 3) else {
        panic!("there is no room");
    };
    assert_eq!(retry_after, Duration::from_secs(1200));
    assert!(exists(&sessions, first) && exists(&sessions, second));
    // It is true to its word, sweep or not.
    tokio::time::advance(retry_after).await;
    assert!(open(&sessions, 3).is_ok());
    assert!(!exists(&sessions, first) && exists(&sessions, second));
    sessions.close(second, &Principal::ANONYMOUS);
    assert!(open(&sessions, 4).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_busy_session_does_not_end_to_make_room() {
    let sessions = Sessions::new(limits(1, 1));
    let busy = connection();
    let stream = busy.open_stream().unwrap();
    let id = sessions.open(busy, &caller(1)).unwrap();
    assert!(is_there(&sessions, id));
    tokio::time::advance(HOUR).await;
    assert!(open(&sessions, 2).is_err());
    drop(stream);
    assert!(open(&sessions, 2).is_err(), "a second has to pass");
    tokio::time::advance(HOUR).await;
    assert!(open(&sessions, 2).is_ok());
    assert!(!exists(&sessions, id));
}

/// However many `initialize` come: they push out each other, the oldest first.
#[test]
fn a_flood_of_sessions_that_are_never_used_ends_none_that_is() {
    let sessions = Sessions::new(limits(64, 16));
    let mut ours: Vec<_> = (1..=10).map(|n| used(&sessions, n)).collect();
    let mut flood = Vec::new();
    for i in 0..10_000 {
        flood.push(open(&sessions, 99).unwrap());
        if i == 5000 {
            // Whoever comes meanwhile gets in, and stays once it is used.
            ours.push(used(&sessions, 11));
        }
    }
    assert!(ours.iter().all(|id| exists(&sessions, *id)));
    assert_eq!(sessions.len(), 64);
    let left = flood.split_off(flood.len() - (64 - ours.len()));
    assert!(left.iter().all(|id| exists(&sessions, *id)));
    assert!(!flood.iter().any(|id| exists(&sessions, *id)));
}

/// A flood that sends the second message as well.
#[test]
fn what_one_opener_uses_beyond_its_share_may_be_ended() {
    let sessions = Sessions::new(limits(64, 16));
    let honest = used(&sessions, 1);
    for opener in [99, 98] {
        for _ in 0..1000 {
            used(&sessions, opener);
        }
    }
    assert!(exists(&sessions, honest));
    let late: Vec<_> = (2..=10).map(|n| used(&sessions, n)).collect();
    for _ in 0..1000 {
        used(&sessions, 99);
    }
    assert!(late.iter().all(|id| exists(&sessions, *id)));
    let state = sessions.read();
    assert_eq!(state.kept.get(&caller(99)), Some(&16));
    assert_eq!(state.kept.get(&caller(98)), Some(&16));
    assert_eq!(state.sessions.len(), state.kept_in_all + state.spare.len());
}

/// Not even many openers with a share each can have it all.
#[test]
fn a_few_openers_leave_room() {
    let sessions = Sessions::new(limits(64, 16));
    for opener in 50..60 {
        for _ in 0..100 {
            used(&sessions, opener);
        }
    }
    let late = used(&sessions, 1);
    for opener in 50..60 {
        for _ in 0..100 {
            used(&sessions, opener);
        }
    }
    assert!(exists(&sessions, late));
}

#[test]
fn a_busy_session_beyond_the_share_is_passed_over() {
    let sessions = Sessions::new(limits(4, 1));
    used(&sessions, 1);
    let busy = connection();
    let _stream = busy.open_stream().unwrap();
    let busy = sessions.open(busy, &caller(1)).unwrap();
    assert!(is_there(&sessions, busy));
    for _ in 0..100 {
        used(&sessions, 1);
    }
    assert!(exists(&sessions, busy));
}

#[tokio::test(start_paused = true)]
async fn one_that_was_never_used_lives_for_a_minute() {
    let sessions = Sessions::new(SessionLimits::default());
    let (never, once) = (open(&sessions, 1).unwrap(), used(&sessions, 1));
    // Not even a stream keeps it: nobody asked for anything.
    let listened = connection();
    let _stream = listened.open_stream().unwrap();
    let listened = sessions.open(listened, &caller(1)).unwrap();
    tokio::time::advance(Duration::from_secs(59)).await;
    sessions.sweep();
    assert_eq!(sessions.len(), 3);
    tokio::time::advance(Duration::from_secs(1)).await;
    sessions.sweep();
    assert!(!exists(&sessions, never) && !exists(&sessions, listened));
    assert!(exists(&sessions, once));
    tokio::time::advance(HOUR).await;
    sessions.sweep();
    assert!(sessions.is_empty());
    let state = sessions.read();
    assert!(state.spare.is_empty() && state.kept.is_empty() && state.kept_in_all == 0);
}

#[tokio::test(start_paused = true)]
async fn sessions_that_may_idle_for_ever_leave_no_room() {
    let sessions = Sessions::new(SessionLimits {
        idle: Duration::MAX,
        ..limits(1, 1)
    });
    let busy = connection();
    let _stream = busy.open_stream().unwrap();
    let id = sessions.open(busy, &caller(1)).unwrap();
    assert!(is_there(&sessions, id));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(matches!(open(&sessions, 2), Err(Refused::Full { .. })));
    assert!(exists(&sessions, id));
}

#[test]
fn idle_sessions_end_and_busy_ones_stay() {
    let sessions = Sessions::new(SessionLimits {
        idle: Duration::ZERO,
        ..SessionLimits::default()
    });
    used(&sessions, 1);
    let busy = connection();
    let stream = busy.open_stream().unwrap();
    let id = sessions.open(busy, &caller(1)).unwrap();
    assert!(is_there(&sessions, id));
    sessions.sweep();
    assert_eq!(sessions.len(), 1);
    drop(stream);
    sessions.sweep();
    assert!(sessions.is_empty());
}
