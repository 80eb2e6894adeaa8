use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn connection() -> Arc<Connection> {
    Connection::new(Principal::ANONYMOUS)
}

/// Somebody at an address of their own.
fn caller(n: u8) -> Caller {
    Caller::new(Principal::ANONYMOUS, Some([192, 0, 2, n].into()), 0)
}

fn keys(byte: u8) -> Arc<KeyRing> {
    Arc::new(KeyRing::new([("a", vec![byte; 32])]).unwrap())
}

fn store(limits: SessionLimits) -> Sessions {
    Sessions::new(limits, keys(1))
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
    assert!(is_there(sessions, &id));
    id
}

/// Looking is using.
fn is_there(sessions: &Sessions, id: &SessionId) -> bool {
    sessions.find(id.as_str(), &Principal::ANONYMOUS).is_some()
}

/// Whether it is there, without using it.
fn exists(sessions: &Sessions, id: &SessionId) -> bool {
    sessions.read().sessions.contains_key(id)
}

#[test]
fn a_session_is_its_principals_alone() {
    let sessions = store(SessionLimits::default());
    let alice = Principal::authenticated("alice");
    let id = sessions
        .open(Connection::new(alice.clone()), &caller(1))
        .unwrap();
    for other in [Principal::ANONYMOUS, Principal::authenticated("bob")] {
        assert!(sessions.find(id.as_str(), &other).is_none());
        assert!(!sessions.close(id.as_str(), &other));
    }
    assert!(sessions.find(id.as_str(), &alice).is_some());
    assert!(sessions.close(id.as_str(), &alice));
    assert!(sessions.find(id.as_str(), &alice).is_none());
}

#[tokio::test(start_paused = true)]
async fn used_sessions_are_never_ended_for_others_and_a_refusal_says_when_there_is_room() {
    let sessions = store(limits(2, 2));
    let first = used(&sessions, 1);
    tokio::time::advance(Duration::from_secs(600)).await;
    let second = used(&sessions, 2);
    let Err(Refused::Full { retry_after }) = open(&sessions, 3) else {
        panic!("there is no room");
    };
    assert_eq!(retry_after, Duration::from_secs(1200));
    assert!(exists(&sessions, &first) && exists(&sessions, &second));
    // It is true to its word, sweep or not.
    tokio::time::advance(retry_after).await;
    assert!(open(&sessions, 3).is_ok());
    assert!(!exists(&sessions, &first) && exists(&sessions, &second));
    sessions.close(second.as_str(), &Principal::ANONYMOUS);
    assert!(open(&sessions, 4).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_busy_session_does_not_end_to_make_room() {
    let sessions = store(limits(1, 1));
    let busy = connection();
    let stream = busy.open_stream().unwrap();
    let id = sessions.open(busy, &caller(1)).unwrap();
    assert!(is_there(&sessions, &id));
    tokio::time::advance(HOUR).await;
    assert!(open(&sessions, 2).is_err());
    drop(stream);
    assert!(open(&sessions, 2).is_err(), "a second has to pass");
    tokio::time::advance(HOUR).await;
    assert!(open(&sessions, 2).is_ok());
    assert!(!exists(&sessions, &id));
}

/// However many `initialize` come: they push out each other, the oldest first.
#[test]
fn a_flood_of_sessions_that_are_never_used_ends_none_that_is() {
    let sessions = store(limits(64, 16));
    let mut ours: Vec<_> = (1..=10).map(|n| used(&sessions, n)).collect();
    let mut flood = Vec::new();
    for i in 0..10_000 {
        flood.push(open(&sessions, 99).unwrap());
        if i == 5000 {
            // Whoever comes meanwhile gets in, and stays once it is used.
            ours.push(used(&sessions, 11));
        }
    }
    assert!(ours.iter().all(|id| exists(&sessions, id)));
    assert_eq!(sessions.len(), 64);
    let left = flood.split_off(flood.len() - (64 - ours.len()));
    assert!(left.iter().all(|id| exists(&sessions, id)));
    assert!(!flood.iter().any(|id| exists(&sessions, id)));
}

/// A flood that sends the second message as well.
#[test]
fn what_one_opener_uses_beyond_its_share_may_be_ended() {
    let sessions = store(limits(64, 16));
    let honest = used(&sessions, 1);
    for opener in [99, 98] {
        for _ in 0..1000 {
            used(&sessions, opener);
        }
    }
    assert!(exists(&sessions, &honest));
    let late: Vec<_> = (2..=10).map(|n| used(&sessions, n)).collect();
    for _ in 0..1000 {
        used(&sessions, 99);
    }
    assert!(late.iter().all(|id| exists(&sessions, id)));
    let state = sessions.read();
    assert_eq!(state.kept.get(&caller(99)), Some(&16));
    assert_eq!(state.kept.get(&caller(98)), Some(&16));
    let kept = state.sessions.values();
    let kept = kept.filter(|session| session.rank.class == Class::Kept);
    assert_eq!(state.kept_in_all, kept.count());
}

/// Not even many openers with a share each can have it all.
#[test]
fn a_few_openers_leave_room() {
    let sessions = store(limits(64, 16));
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
    assert!(exists(&sessions, &late));
}

#[test]
fn a_busy_session_beyond_the_share_is_passed_over() {
    let sessions = store(limits(4, 1));
    used(&sessions, 1);
    let busy = connection();
    let _stream = busy.open_stream().unwrap();
    let busy = sessions.open(busy, &caller(1)).unwrap();
    assert!(is_there(&sessions, &busy));
    for _ in 0..100 {
        used(&sessions, 1);
    }
    assert!(exists(&sessions, &busy));
}

#[tokio::test(start_paused = true)]
async fn one_that_was_never_used_lives_for_a_minute() {
    let sessions = store(SessionLimits::default());
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
    assert!(!exists(&sessions, &never) && !exists(&sessions, &listened));
    assert!(exists(&sessions, &once));
    tokio::time::advance(HOUR).await;
    sessions.sweep();
    assert!(sessions.is_empty());
    let state = sessions.read();
    assert!(state.kept.is_empty() && state.kept_in_all == 0);
}

#[tokio::test(start_paused = true)]
async fn sessions_that_may_idle_for_ever_leave_no_room() {
    let sessions = store(SessionLimits {
        idle: Duration::MAX,
        ..limits(1, 1)
    });
    let busy = connection();
    let _stream = busy.open_stream().unwrap();
    let id = sessions.open(busy, &caller(1)).unwrap();
    assert!(is_there(&sessions, &id));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(matches!(open(&sessions, 2), Err(Refused::Full { .. })));
    assert!(exists(&sessions, &id));
}

#[test]
fn idle_sessions_end_and_busy_ones_stay() {
    let sessions = store(SessionLimits {
        idle: Duration::ZERO,
        ..SessionLimits::default()
    });
    used(&sessions, 1);
    let busy = connection();
    let stream = busy.open_stream().unwrap();
    let id = sessions.open(busy, &caller(1)).unwrap();
    assert!(is_there(&sessions, &id));
    sessions.sweep();
    assert_eq!(sessions.len(), 1);
    drop(stream);
    sessions.sweep();
    assert!(sessions.is_empty());
}

mod sealed_ids {
    use super::*;
    use crate::protocol::{ClientCapabilities, ClientInfo, Era};

    fn peer() -> PeerInfo {
        PeerInfo {
            era: Era::Legacy,
            version: "2025-11-25",
            capabilities: ClientCapabilities::default(),
            client: Some(ClientInfo {
                name: "test".into(),
                title: None,
                version: "1".into(),
            }),
        }
    }

    fn of(sessions: &Sessions, n: u8) -> Result<SessionId, Refused> {
        sessions.open_sealed(connection(), &peer(), &caller(n))
    }

    fn get(sessions: &Sessions, id: &SessionId, n: u8) -> Result<Option<Found>, Refused> {
        sessions.get(
            id.as_str(),
            &Principal::ANONYMOUS,
            &caller(n),
            [192, 0, 2, n].into(),
        )
    }

    /// Whether it is served, and whether it had to be made anew.
    fn served(sessions: &Sessions, id: &SessionId, n: u8) -> Option<bool> {
        get(sessions, id, n).unwrap().map(|found| found.restored)
    }

    fn close(sessions: &Sessions, id: &SessionId) -> bool {
        sessions.close(id.as_str(), &Principal::ANONYMOUS)
    }

    #[test]
    fn a_session_is_served_by_every_store_with_its_keys() {
        let (one, two) = (store(limits(8, 8)), store(limits(8, 8)));
        let other = Sessions::new(limits(8, 8), keys(2));
        let id = of(&one, 1).unwrap();
        assert_eq!(served(&one, &id, 1), Some(false));
        assert_eq!(served(&two, &id, 1), Some(true));
        assert_eq!(served(&two, &id, 1), Some(false));
        let found = get(&two, &id, 1).unwrap().unwrap();
        assert_eq!(found.connection.peer().unwrap().version, "2025-11-25");
        assert_eq!(served(&other, &id, 1), None);
        assert!(!close(&other, &id));
        // Where sessions live in their streams none is made anew.
        assert!(
            two.find(of(&one, 1).unwrap().as_str(), &Principal::ANONYMOUS)
                .is_none()
        );
    }

    #[test]
    fn a_sealed_session_is_its_principals_alone() {
        let (one, two) = (store(limits(8, 8)), store(limits(8, 8)));
        let alice = Principal::authenticated("alice");
        let opener = Caller::new(alice.clone(), None, 1);
        let id = one
            .open_sealed(Connection::new(alice.clone()), &peer(), &opener)
            .unwrap();
        for sessions in [&one, &two] {
            for other in [Principal::ANONYMOUS, Principal::authenticated("bob")] {
                let found = sessions.get(id.as_str(), &other, &opener, [192, 0, 2, 1].into());
                assert!(found.unwrap().is_none());
                assert!(!sessions.close(id.as_str(), &other));
            }
            let found = sessions.get(id.as_str(), &alice, &opener, [192, 0, 2, 1].into());
            assert_eq!(found.unwrap().unwrap().connection.principal(), &alice);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_id_is_good_for_its_lifetime_whatever_happens_in_the_session() {
        let (one, two) = (
            store(SessionLimits::default()),
            store(SessionLimits::default()),
        );
        let id = of(&one, 1).unwrap();
        let busy = get(&one, &id, 1).unwrap().unwrap().connection;
        let _stream = busy.open_stream().unwrap();
        let lifetime = SessionLimits::default().lifetime;
        tokio::time::advance(lifetime - Duration::from_secs(2)).await;
        assert_eq!(served(&one, &id, 1), Some(false));
        assert_eq!(served(&two, &id, 1), Some(true));
        tokio::time::advance(Duration::from_secs(3)).await;
        for sessions in [&one, &two] {
            assert_eq!(served(sessions, &id, 1), None);
            // What is over does not exist, whether it was swept or not.
            assert!(!close(sessions, &id));
            sessions.sweep();
            assert!(sessions.is_empty());
            assert!(!close(sessions, &id));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_ended_is_not_taken_up_again() {
        let sessions = store(SessionLimits {
            ended: 2,
            ..limits(8, 8)
        });
        let ids: Vec<_> = (0..3).map(|_| of(&sessions, 1).unwrap()).collect();
        for id in &ids {
            assert!(close(&sessions, id));
            assert!(!close(&sessions, id), "once");
            assert_eq!(served(&sessions, id, 1), None);
        }
        // The one that was ended first is forgotten.
        let good: Vec<_> = ids.iter().map(|id| served(&sessions, id, 1)).collect();
        assert_eq!(good, [Some(true), None, None]);
        // One that is not in memory is ended as well.
        let id = of(&store(limits(8, 8)), 1).unwrap();
        assert!(close(&sessions, &id));
        assert_eq!(served(&sessions, &id, 1), None);
        // Nothing of it stays when it would be over anyway.
        tokio::time::advance(SessionLimits::default().lifetime).await;
        sessions.sweep();
        let late = of(&sessions, 1).unwrap();
        assert_eq!(served(&sessions, &late, 1), Some(false));
    }

    #[tokio::test(start_paused = true)]
    async fn memory_forgets_what_idles_and_its_client_does_not_notice() {
        let sessions = store(SessionLimits {
            remembered: 4,
            ..limits(64, 64)
        });
        let ids: Vec<_> = (0..20).map(|_| of(&sessions, 1).unwrap()).collect();
        assert_eq!(sessions.len(), 4, "none of them was used");
        for id in &ids[..16] {
            assert_eq!(served(&sessions, id, 1), Some(true));
        }
        // All of them were used a moment ago: a request may only just have come.
        assert_eq!(sessions.len(), 16);
        sessions.sweep();
        assert_eq!(sessions.len(), 16);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(served(&sessions, &ids[15], 1), Some(false));
        sessions.sweep();
        assert_eq!(sessions.len(), 4);
        assert!(exists(&sessions, &ids[15]), "the last one used stays");
        for id in &ids {
            assert!(served(&sessions, id, 1).is_some());
        }
        tokio::time::advance(HOUR).await;
        sessions.sweep();
        assert!(sessions.is_empty());
        assert!(ids.iter().all(|id| served(&sessions, id, 1) == Some(true)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_local_is_not_forgotten_to_make_room() {
        let sessions = store(SessionLimits {
            remembered: 1,
            ..limits(2, 2)
        });
        let ids = [of(&sessions, 1).unwrap(), of(&sessions, 1).unwrap()];
        let streams = ids.each_ref().map(|id| {
            let found = get(&sessions, id, 1).unwrap().unwrap();
            found.connection.open_stream().unwrap()
        });
        tokio::time::advance(Duration::from_secs(2)).await;
        sessions.sweep();
        let Err(Refused::Full { retry_after }) = of(&sessions, 2) else {
            panic!("both have a stream open");
        };
        let elsewhere = of(&store(limits(8, 8)), 3).unwrap();
        assert!(get(&sessions, &elsewhere, 3).is_err(), "and that is no 404");
        assert_eq!(served(&sessions, &ids[0], 1), Some(false));
        drop(streams);
        tokio::time::advance(retry_after).await;
        assert!(of(&sessions, 2).is_ok());
        assert_eq!(served(&sessions, &elsewhere, 3), Some(true));
        assert!(served(&sessions, &ids[0], 1).is_some());
    }

    /// Ids are kept and used again, many at once: they push out each other, and nobody else.
    #[tokio::test(start_paused = true)]
    async fn old_ids_that_are_replayed_push_out_no_session_of_others() {
        let sessions = store(limits(64, 16));
        let honest: Vec<_> = (1..=8).map(|n| of(&sessions, n).unwrap()).collect();
        for (id, n) in honest.iter().zip(1..) {
            assert_eq!(served(&sessions, id, n), Some(false));
        }
        let elsewhere = store(limits(10_000, 10_000));
        let old: Vec<_> = (0..500).map(|_| of(&elsewhere, 99).unwrap()).collect();
        for _ in 0..3 {
            for id in &old {
                assert!(served(&sessions, id, 99).is_some());
            }
        }
        assert_eq!(sessions.len(), 64);
        assert_eq!(sessions.read().kept.get(&caller(99)), Some(&16));
        assert!(honest.iter().all(|id| exists(&sessions, id)));
    }
}
