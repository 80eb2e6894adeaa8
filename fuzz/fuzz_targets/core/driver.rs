//! A transport in miniature that holds the server to its promises.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use pymcp_kit::auth::Permit;
use pymcp_kit::core::{Answer, Connection, Event, Exchange, Reply, Unsolicited};
use pymcp_kit::wire::{Body, Code, Id, Malformed, Message, Outcome};
use pymcp_kit::{Principal, Server};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::runtime::{Builder, Runtime};

use super::check::{self, Owed};
use super::script::{Side, Step};
use super::server::{IN_FLIGHT_BESIDE, IN_FLIGHT_PER_CONNECTION, TIMEOUT};

/// Events of one exchange, and rounds of waiting at the end; more would be an endless loop.
const ENDLESS: usize = 10_000;

pub struct Driver {
    server: Server,
    // Its clock is stopped: time passes when the script says so.
    runtime: Runtime,
    clients: [Client; 2],
    running: Vec<Running>,
}

struct Client {
    connection: Arc<Connection>,
    stream: Option<Unsolicited>,
    /// The ids of all questions that this client was asked.
    asked: HashSet<u64>,
}

/// An exchange that has not ended.
struct Running {
    side: Side,
    exchange: Exchange,
    /// What has no answer yet.
    owed: Vec<Owed>,
    /// Those of them that may stay without one.
    cancelled: Vec<Id>,
    paused: bool,
    progress: f64,
    woken: Arc<Woken>,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Driver {
    pub fn new(server: &Server) -> Self {
        let client = |connection| Client {
            connection,
            stream: None,
            asked: HashSet::new(),
        };
        Self {
            server: server.clone(),
            runtime: Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .unwrap(),
            clients: [
                client(Connection::new(Principal::ANONYMOUS)),
                client(Connection::stateless(Principal::ANONYMOUS)),
            ],
            running: Vec::new(),
        }
    }

    pub fn take(&mut self, step: &Step<'_>) {
        match step {
            Step::Send(side, message) => self.receive(*side, message.text().as_bytes()),
            Step::Batch(side, messages) => {
                let texts: Vec<String> = messages.iter().map(|message| message.text()).collect();
                self.receive(*side, format!("[{}]", texts.join(",")).as_bytes());
            }
            Step::Raw(side, bytes) => self.receive(*side, bytes),
            Step::Pause(which) => {
                if let Some(at) = self.pick(*which) {
                    self.running[at].paused ^= true;
                }
            }
            Step::Drop(which) => {
                if let Some(at) = self.pick(*which) {
                    drop(self.running.swap_remove(at));
                }
            }
            Step::Poke => self.poke(),
            Step::HangUp(side) => self.client(*side).connection.hang_up(),
            Step::Close(side) => {
                self.client(*side).connection.close();
                self.cancel(*side, |_| true);
            }
            Step::OpenStream(side) => {
                let client = self.client(*side);
                let opened = client.connection.open_stream();
                // The server lets go of a stream when it closes the connection.
                assert!(opened.is_some() || client.stream.is_some());
                client.stream = opened.or(client.stream.take());
            }
            Step::CloseStream(side) => self.client(*side).stream = None,
            Step::Updated => self.server.components().updated("data://fixed"),
            Step::Wait(seconds) => self.wait(Duration::from_secs((*seconds).into())),
        }
        self.settle();
    }

    /// Everything that was begun ends, by itself, in finite time, and leaves no trace.
    pub fn finish(mut self) {
        self.running
            .iter_mut()
            .for_each(|running| running.paused = false);
        self.settle();
        self.poke();
        for _ in 0..ENDLESS {
            if self.running.is_empty() {
                break;
            }
            self.wait(TIMEOUT + Duration::from_secs(1));
            self.settle();
        }
        assert!(self.running.is_empty(), "an exchange never ends");
        for client in &self.clients {
            assert!(
                !client.connection.awaits_client(),
                "a question was left open"
            );
        }
        self.check_places();
    }

    fn client(&mut self, side: Side) -> &mut Client {
        &mut self.clients[side as usize]
    }

    fn pick(&self, which: u8) -> Option<usize> {
        usize::from(which).checked_rem(self.running.len())
    }

    fn wait(&mut self, time: Duration) {
        self.runtime.block_on(tokio::time::advance(time));
    }

    fn receive(&mut self, side: Side, bytes: &[u8]) {
        let body = match self.server.parse(bytes) {
            Ok(body) => body,
            Err(Malformed { id, error }) => {
                return check::answer(&Answer::error(id.as_ref(), &error), &mut vec![Owed::to(id)]);
            }
        };
        let (is_batch, mut owed, cancelled) = (
            matches!(body, Body::Batch(_)),
            owed(&body),
            cancelled(&body),
        );
        let connection = Arc::clone(&self.client(side).connection);
        match self
            .server
            .receive(&connection, &Permit::unrestricted(), body)
            .into_exchange()
        {
            Ok(exchange) => {
                let running = Running::new(side, exchange, owed);
                assert!(
                    !self.running.iter().any(|other| running.has_id_of(other)),
                    "two requests of one id at a time"
                );
                self.running.push(running);
            }
            // A batch that is refused as a whole has one answer, under no id.
            Err(Some(answer)) if is_batch => check::answer(&answer, &mut vec![Owed::to(None)]),
            Err(Some(answer)) => {
                check::answer(&answer, &mut owed);
                assert_eq!(owed, [], "an answer of its own");
            }
            Err(None) => assert_eq!(owed, [], "requests without an answer"),
        }
        self.cancel(side, |id| cancelled.contains(id));
    }

    /// Notes which requests may now stay without an answer.
    fn cancel(&mut self, side: Side, which: impl Fn(&Id) -> bool) {
        // Requests that stand alone are cancelled by dropping them, and in no other way.
        if matches!(side, Side::Stateless) {
            return;
        }
        for running in self
            .running
            .iter_mut()
            .filter(|running| matches!(running.side, Side::Legacy))
        {
            running.cancelled.extend(
                running
                    .owed
                    .iter()
                    .filter_map(|owed| owed.id.as_ref())
                    .filter(|id| which(id))
                    .cloned(),
            );
        }
    }

    /// Polls what was woken until nothing is.
    fn settle(&mut self) {
        let _time = self.runtime.enter();
        for _ in 0..ENDLESS {
            let woken = |running: &Running| {
                !running.paused && running.woken.0.swap(false, Ordering::Relaxed)
            };
            let Some(at) = self.running.iter().position(woken) else {
                return self.clients.iter_mut().for_each(Client::read_stream);
            };
            let running = &mut self.running[at];
            if running.poll(&mut self.clients[running.side as usize]) {
                self.running.swap_remove(at);
            }
        }
        panic!("something wakes itself for ever");
    }

    /// What was not woken has nothing to say; otherwise somebody was forgotten.
    fn poke(&mut self) {
        let _time = self.runtime.enter();
        for running in self.running.iter_mut().filter(|running| !running.paused) {
            assert!(running.poll_event().is_pending(), "a wake-up was lost");
        }
    }

    /// All places for requests are free again, and no more than there were.
    fn check_places(&mut self) {
        let mut held = Vec::new();
        let mut ping = |side: Side, id: &str, expected: bool| {
            let message = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
            let body = self.server.parse(message.as_bytes()).unwrap();
            match self.server.receive(
                &self.clients[side as usize].connection,
                &Permit::unrestricted(),
                body,
            ) {
                Reply::Call(call) if expected => held.push(call),
                Reply::Answer(answer) if !expected => assert_eq!(answer.error, Some(Code::BUSY)),
                _ => panic!("a place is lost, or there is one too many"),
            }
        };
        let ids = ["0", "1", "2", "\"1\"", "1000", "1001"];
        assert_eq!(ids.len(), IN_FLIGHT_PER_CONNECTION);
        ids.iter().for_each(|id| ping(Side::Legacy, id, true));
        ping(Side::Legacy, "3", false);
        (0..IN_FLIGHT_BESIDE).for_each(|_| ping(Side::Stateless, "0", true));
        ping(Side::Stateless, "0", false);
    }
}

impl Client {
    fn read_stream(&mut self) {
        while let Some(Ok(message)) = self.stream.as_mut().map(|stream| stream.try_recv()) {
            let check::Said::Other = check::message(&message) else {
                panic!("belongs to a request")
            };
        }
    }
}

impl Running {
    fn new(side: Side, exchange: Exchange, owed: Vec<Owed>) -> Self {
        Self {
            side,
            exchange,
            owed,
            cancelled: Vec::new(),
            paused: false,
            progress: f64::NEG_INFINITY,
            woken: Arc::new(Woken(AtomicBool::new(true))),
        }
    }

    /// Whether both are a request of the same id in one session. Batches are not looked at: a
    /// part of them may be over.
    fn has_id_of(&self, other: &Self) -> bool {
        let in_session =
            |it: &Self| matches!((it.side, &it.exchange), (Side::Legacy, Exchange::Call(_)));
        in_session(self) && in_session(other) && self.owed == other.owed
    }

    fn poll_event(&mut self) -> Poll<Option<Event>> {
        let waker = Waker::from(Arc::clone(&self.woken));
        self.exchange.poll_event(&mut Context::from_waker(&waker))
    }

    /// Takes all that it has to say; whether it ended.
    fn poll(&mut self, client: &mut Client) -> bool {
        for _ in 0..ENDLESS {
            match self.poll_event() {
                Poll::Pending => return false,
                Poll::Ready(Some(Event::Release)) => {}
                Poll::Ready(Some(Event::Message(message))) => {
                    self.heard(check::message(&message), client)
                }
                Poll::Ready(Some(Event::Answer(answer))) => {
                    self.answered(&answer);
                    assert!(
                        matches!(self.poll_event(), Poll::Ready(None)),
                        "something follows the answer"
                    );
                    return true;
                }
                Poll::Ready(None) => {
                    self.ended();
                    return true;
                }
            }
        }
        panic!("an exchange that never stops talking");
    }

    fn heard(&mut self, said: check::Said, client: &mut Client) {
        match said {
            check::Said::Question(id) => {
                assert!(client.asked.insert(id), "two questions of one id");
            }
            check::Said::Progress(progress) if matches!(self.exchange, Exchange::Call(_)) => {
                assert!(progress > self.progress, "progress goes back");
                self.progress = progress;
            }
            check::Said::Progress(_) | check::Said::Other => {}
        }
    }

    fn answered(&mut self, answer: &Answer) {
        if matches!(self.exchange, Exchange::Call(_)) {
            assert_eq!(self.cancelled, [], "an answer to a cancelled request");
        }
        check::answer(answer, &mut self.owed);
        self.ended();
    }

    fn ended(&mut self) {
        let forgiven = |owed: &Owed| {
            let id = owed.id.as_ref();
            id.is_some_and(|id| self.cancelled.contains(id))
        };
        assert!(
            self.owed.iter().all(forgiven),
            "requests without an answer: {:?}",
            self.owed
        );
    }
}

fn requests<'m, 'a>(body: &'m Body<'a>) -> Vec<Result<&'m Message<'a>, &'m Malformed>> {
    match body {
        Body::Single(message) => vec![Ok(message)],
        Body::Batch(members) => members.iter().map(Result::as_ref).collect(),
    }
}

/// The answers that are owed.
fn owed(body: &Body<'_>) -> Vec<Owed> {
    let owed = |member: Result<&Message<'_>, &Malformed>| match member {
        Ok(Message::Request(request)) => Some(Owed::to(Some(request.id.clone()))),
        Ok(Message::Response(response)) => match response.outcome {
            Outcome::Malformed(_) => Some(Owed::to(None)),
            Outcome::Missing(_) => Some(Owed {
                id: response.id.clone(),
                or_none: true,
            }),
            Outcome::Result(_) | Outcome::Error(_) => None,
        },
        Ok(Message::Notification(_)) => None,
        Err(malformed) => Some(Owed::to(malformed.id.clone())),
    };
    requests(body).into_iter().filter_map(owed).collect()
}

/// The ids that are cancelled.
fn cancelled(body: &Body<'_>) -> Vec<Id> {
    #[derive(Deserialize)]
    struct Params<'a> {
        #[serde(borrow, rename = "requestId")]
        id: &'a RawValue,
    }
    let ids = requests(body)
        .into_iter()
        .filter_map(|member| match member {
            Ok(Message::Notification(it)) if it.method == "notifications/cancelled" => {
                let params: Params<'_> = serde_json::from_str(it.params?).ok()?;
                Id::from_json(params.id.get(), 1024)
            }
            _ => None,
        });
    ids.collect()
}
