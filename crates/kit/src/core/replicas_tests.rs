use std::sync::Mutex;

use super::*;
use crate::connection::AskOutcome;
use crate::core::Server;

/// A bus that keeps what is published, and its listener.
#[derive(Default)]
struct Kept {
    messages: Mutex<Vec<(Option<u32>, Bytes)>>,
    listener: Mutex<Option<Weak<dyn BusListener>>>,
}

struct Keeping(Arc<Kept>);

const HERE: u32 = 5;
const THERE: u32 = 6;

impl Bus for Keeping {
    fn replica(&self) -> u32 {
        HERE
    }

    fn is_up(&self) -> bool {
        true
    }

    fn publish(&self, to: Option<u32>, message: Bytes) {
        self.0.messages.lock().unwrap().push((to, message));
    }

    fn attach(&self, listener: Weak<dyn BusListener>) {
        *self.0.listener.lock().unwrap() = Some(listener);
    }
}

impl Kept {
    fn server(self: &Arc<Self>) -> Server {
        let bus = Keeping(Arc::clone(self));
        Server::builder("test", "1").bus(bus).build().unwrap()
    }

    fn take(&self) -> Vec<(Option<u32>, Said)> {
        let messages = std::mem::take(&mut *self.messages.lock().unwrap());
        let read = |message: &[u8]| Said::read(message).unwrap().1;
        messages.iter().map(|(to, it)| (*to, read(it))).collect()
    }

    fn hear(&self, said: Said) {
        let listener = self.listener.lock().unwrap().clone().unwrap();
        listener.upgrade().unwrap().hear(&said.write(THERE));
    }
}

fn session(server: &Server, name: &str, nonce: u128) -> Arc<Connection> {
    let connection = Connection::new(Principal::authenticated(name));
    let replicas = server.inner().replicas.as_ref().unwrap();
    replicas.join(&connection, nonce);
    connection
}

#[test]
fn one_caller_takes_its_share_of_what_waits_and_gets_it_back() {
    let kept = Arc::new(Kept::default());
    let server = kept.server();
    let replicas = server.inner().replicas.as_ref().unwrap();
    let (ada, bob) = (session(&server, "ada", 1), session(&server, "bob", 2));
    let waiting = || kept.messages.lock().unwrap().len();
    for _ in 0..1000 {
        replicas.cancelled(&ada, &Id::number(1));
    }
    assert_eq!(waiting(), PLACES_PER_CALLER);
    let refused = replicas.refused.load(Ordering::Relaxed);
    assert_eq!(refused as usize, 1000 - PLACES_PER_CALLER);
    // Large ones take more places.
    let large = format!("\"{}\"", "x".repeat(PLACE * PLACES_PER_CALLER / 2));
    let question = u64::from(THERE) << 22;
    let answered = || replicas.answered(&bob, question, &Outcome::Result(&large));
    assert_eq!(answered().ok(), Some(true));
    for _ in 0..9 {
        // One that was not passed on is not accepted.
        assert_eq!(answered().unwrap_err().code, Code::BUSY);
    }
    assert_eq!(waiting(), PLACES_PER_CALLER + 1);
    drop(kept.take());
    replicas.cancelled(&ada, &Id::number(1));
    assert_eq!(waiting(), 1);
}

#[test]
fn what_names_another_session_principal_or_replica_finds_nothing() {
    let kept = Arc::new(Kept::default());
    let server = kept.server();
    let replicas = server.inner().replicas.as_ref().unwrap();
    let ada = session(&server, "ada", 1);
    let named = |name: &str, nonce| SharedSession {
        owner: Owner::of(&Principal::authenticated(name)),
        nonce,
    };
    assert_eq!(ada.shared(), Some(named("ada", 1)));
    let (question, mut answer) = ada.open_ask();
    assert_eq!(asked_by(question), Some(HERE));
    for (session, question) in [
        (named("bob", 1), question),
        (named("ada", 2), question),
        (named("ada", 1), question + 1),
        (named("ada", 1), question & 0xff),
    ] {
        kept.hear(Said::Answered {
            session,
            question,
            answer: Answer::Malformed,
        });
        let uris = vec!["data://x".to_owned()];
        if session != named("ada", 1) {
            let (sessions, on) = (vec![(session, uris)], true);
            kept.hear(Said::Subscribed { sessions, on });
        }
    }
    assert!(answer.try_recv().is_err() && !ada.is_subscribed("data://x"));
    kept.hear(Said::Answered {
        session: named("ada", 1),
        question,
        answer: Answer::Error("{}".into()),
    });
    let answered = answer.try_recv().ok();
    assert!(matches!(answered, Some(AskOutcome::Error(error)) if &*error == "{}"));
    // What was asked here, or by nobody, goes nowhere.
    for question in [question, 7, 0, u64::MAX] {
        let answered = replicas.answered(&ada, question, &Outcome::Result("{}"));
        assert_eq!(answered.ok(), Some(false));
    }
    // Neither does what is of no session that others serve.
    let alone = Connection::new(Principal::authenticated("ada"));
    replicas.cancelled(&alone, &Id::number(1));
    replicas.listening(&alone);
    let answered = replicas.answered(&alone, u64::from(THERE) << 22, &Outcome::Result("{}"));
    assert_eq!(answered.ok(), Some(false));
    assert_eq!(kept.take(), []);
    // Sessions that are gone are forgotten.
    drop(ada);
    replicas.sweep();
    assert!(replicas.sessions().by_name.is_empty());
}

#[test]
fn subscriptions_of_many_sessions_are_told_in_few_messages() {
    let kept = Arc::new(Kept::default());
    let server = kept.server();
    let all: Vec<_> = (1..=100).map(|n| session(&server, "ada", n)).collect();
    let uri = |n: usize| format!("data://{n}/{}", "x".repeat(1000));
    for (n, connection) in all.iter().enumerate().skip(1) {
        connection.subscribe(&uri(n)).unwrap();
    }
    let sessions = all.iter().filter_map(|one| one.shared()).collect();
    kept.hear(Said::Listening { sessions });
    let told = kept.take();
    assert_eq!(told.len(), 2);
    let mut found = 0;
    for (to, said) in told {
        assert_eq!(to, Some(THERE));
        let Said::Subscribed { sessions, on: true } = said else {
            panic!("{said:?}");
        };
        for (session, uris) in sessions {
            let n = session.nonce as usize - 1;
            assert_eq!((uris, n > 0), (vec![uri(n)], true));
            found += 1;
        }
    }
    assert_eq!(found, 99);
}

#[test]
fn questions_count_within_their_bits_and_are_known_again() {
    let kept = Arc::new(Kept::default());
    let server = kept.server();
    let ada = session(&server, "ada", 1);
    let mut last = 0;
    for _ in 0..3 {
        let (question, _) = ada.open_ask();
        assert!(question > last && question < 1 << 53);
        assert!(ada.gave(&Id::number(question)));
        assert!(!ada.gave(&Id::number(question + 1)));
        last = question;
    }
    assert!(!ada.gave(&Id::number(0)) && !ada.gave(&Id::number(u64::from(THERE) << 22)));
}
