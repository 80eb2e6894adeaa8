//! Responses of legacy sessions that broke at one replica and are resumed at another.

use std::sync::Arc;
use std::time::Duration;

use pymcp_kit::core::CallLimits;
use pymcp_kit::session::{SessionLimits, StreamLimits};
use pymcp_kit::store::redis::Redis;
use pymcp_kit::store::{EventStore, EventStream, StoredEvent, StoredEvents};
use pymcp_kit::testing::raw::{Client, Events, LocalServer, Request, Response, Session};
use pymcp_kit::transport::http::HttpConfig;
use pymcp_kit::{Ctx, Effect, Elicited, KeyRing, NoArgs, Result, Server, Tool};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::block_in_place;
use tokio::time::sleep;

use super::bus::stage::Overheard;
use super::server::RedisServer;
use super::{redis_server, replica, until, who};

/// Time for which a question waits that nobody can hear.
const UNREAD: Duration = Duration::from_secs(1);

/// Longer than what is on its way takes.
const MOMENT: Duration = Duration::from_millis(300);

#[derive(Deserialize, JsonSchema)]
#[serde(default)]
struct Args {
    before: usize,
    after: usize,
    length: usize,
    release: bool,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            before: 0,
            after: 0,
            length: 1,
            release: false,
        }
    }
}

async fn say(ctx: &Ctx, count: usize, length: usize) {
    for i in 0..count {
        ctx.info(format!("{i:0length$}")).await;
    }
}

async fn work(ctx: Ctx, args: Args, gate: Arc<Semaphore>) -> Result<&'static str> {
    say(&ctx, args.before, args.length).await;
    gate.acquire().await?.forget();
    if args.release {
        ctx.release_stream().await;
        gate.acquire().await?.forget();
    }
    say(&ctx, args.after, args.length).await;
    Ok("through")
}

async fn ask(ctx: Ctx, _: NoArgs) -> Result<String> {
    match ctx.elicit::<u8>("How many?").await? {
        Elicited::Accepted(number) => Ok(format!("{number} of them")),
        _ => Ok("none".to_owned()),
    }
}

/// A replica over HTTP.
struct Http {
    redis: Redis,
    server: Server,
    gate: Arc<Semaphore>,
    local: LocalServer,
}

fn config() -> HttpConfig {
    HttpConfig {
        stream_after: Duration::from_millis(10),
        sessions: SessionLimits {
            streams: StreamLimits {
                events: 8,
                ..StreamLimits::default()
            },
            ..SessionLimits::default()
        },
        ..HttpConfig::default()
    }
}

async fn listening_as<const N: usize>(server: &RedisServer, config: HttpConfig) -> [Http; N] {
    let mut all = Vec::new();
    for _ in 0..N {
        let redis = replica(server).await;
        let gate = Arc::new(Semaphore::new(0));
        let tool = Tool::new("work", {
            let gate = Arc::clone(&gate);
            move |ctx: Ctx, args: Args| work(ctx, args, gate.clone())
        });
        let server = Server::builder("test", "1.0.0")
            .keys(KeyRing::new([("a", vec![1; 32])]).unwrap())
            .tool(tool)
            .tool(Tool::new("ask", ask).effects([Effect::AsksUser]))
            .call_limits(CallLimits {
                ask_unread: UNREAD,
                ..CallLimits::default()
            })
            .redis(&redis)
            .build()
            .unwrap();
        let (serving, config) = (server.clone(), config.clone());
        let local = block_in_place(|| LocalServer::start(serving, config));
        all.push(Http {
            redis,
            server,
            gate,
            local,
        });
    }
    until(async || all.iter().all(|one| one.redis.hears_replicas())).await;
    all.try_into().ok().unwrap()
}

async fn listening<const N: usize>(server: &RedisServer) -> [Http; N] {
    listening_as(server, config()).await
}

impl Http {
    fn open(&self) -> Session {
        let able = json!({ "elicitation": {} });
        block_in_place(|| Session::open(self.local.address(), "2025-11-25", able))
    }

    /// Calls a tool, and reads its response up to the event with this number; the connection is lost then.
    fn lose(&self, session: &Session, tool: &str, arguments: Value, after: usize) -> String {
        let (events, id) = self.call(session, tool, arguments, after);
        drop(events);
        id
    }

    fn call(
        &self,
        session: &Session,
        tool: &str,
        arguments: Value,
        after: usize,
    ) -> (Events, String) {
        let params = json!({ "name": tool, "arguments": arguments });
        let message =
            json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        block_in_place(|| {
            let mut client = Client::connect(self.local.address());
            client.send(session.request(&message).bytes());
            let mut events = client.events();
            let id = first_id(&mut events);
            let (stream, _) = id.split_once('-').unwrap();
            for _ in 0..after {
                events.next().unwrap();
            }
            let id = format!("{stream}-{after}");
            (events, id)
        })
    }

    fn resume(&self, session: &Session, id: &str) -> Result<Events, Response> {
        let request = session.listening().with("Last-Event-ID", id);
        self.ask_events(&request)
    }

    fn ask_events(&self, request: &Request) -> Result<Events, Response> {
        block_in_place(|| {
            let mut client = Client::connect(self.local.address());
            client.send(request.bytes());
            client.try_events()
        })
    }

    fn status(&self, session: &Session, id: &str) -> u16 {
        self.resume(session, id)
            .map_or_else(|no| no.status, |_| 200)
    }
}

/// The id that a stream begins with.
fn first_id(events: &mut Events) -> String {
    let line = events.line();
    let id = line.trim_end().strip_prefix("id: ").expect("an id");
    id.to_owned()
}

/// All that is still to come: the numbers of its events, and whether the last of them is the answer.
fn rest(events: Events) -> (Vec<usize>, bool) {
    block_in_place(|| {
        let all: Vec<_> = events.collect();
        let number = |id: &str| id.split_once('-').unwrap().1.parse().unwrap();
        let answered = all.last().is_some_and(|last| last.data.contains("through"));
        (
            all.iter().map(|event| number(&event.id)).collect(),
            answered,
        )
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_that_broke_here_is_resumed_there_with_what_is_still_to_come() {
    let server = redis_server!();
    let all: [Http; 3] = listening(&server).await;
    let session = all[0].open();
    for runs in &all {
        for resumes in &all {
            let arguments = json!({ "before": 3, "after": 2 });
            let id = runs.lose(&session, "work", arguments, 1);
            let mut events = resumes.resume(&session, &id).ok().unwrap();
            // What was missed comes at once, what is still to come when it is said.
            let missed = block_in_place(|| [events.next().unwrap(), events.next().unwrap()]);
            assert!(missed[1].id.ends_with("-3"), "{missed:?}");
            runs.gate.add_permits(1);
            assert_eq!(rest(events), (vec![4, 5, 6], true));
            // As often as need be, and once it is over.
            for other in &all {
                let events = other.resume(&session, &id).ok().unwrap();
                assert_eq!(rest(events), (vec![2, 3, 4, 5, 6], true));
            }
        }
    }
    let keys = server.command(&["KEYS", "test:*:e:*"]);
    assert_eq!(keys.lines().count(), 9, "{keys}");
    for key in keys.lines() {
        let left: i64 = server.command(&["PTTL", key]).parse().unwrap();
        assert!((1..=60_000).contains(&left), "{left}");
    }
    // What is over with its session is over everywhere.
    assert_eq!(block_in_place(|| session.end()).status, 200);
    until(async || server.command(&["KEYS", "test:*:e:*"]).is_empty()).await;
}

/// `docs/scaling.md` has these figures, and this holds them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_elsewhere_and_what_is_written_costs_what_the_page_says() {
    let server = redis_server!();
    let [here, there]: [Http; 2] = listening(&server).await;
    let overheard = Overheard::of(&server);
    let session = here.open();
    let arguments = json!({ "before": 3, "after": 2 });
    let id = here.lose(&session, "work", arguments, 1);
    let mut events = there.resume(&session, &id).ok().unwrap();
    block_in_place(|| events.next().unwrap());
    here.gate.add_permits(1);
    assert!(rest(events).1);
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/scaling.md");
    let page = std::fs::read_to_string(page).unwrap();
    let channel = "test:{}:bus:01234567";
    for (kind, row) in [
        (
            "reads",
            "a client has read on in a response at another replica",
        ),
        (
            "wrote",
            "a response is written on that is read at another replica",
        ),
    ] {
        until(async || !overheard.of_kind(kind).is_empty()).await;
        let message = overheard.of_kind(kind)[0].to_string();
        let (text, to) = (message.len(), channel.len());
        let head = |first: &str, word: &str| {
            format!("{first}3\r\n$7\r\n{word}\r\n${to}\r\n{channel}\r\n${text}\r\n").len()
        };
        // With the number that answers.
        let published = head("*", "PUBLISH") + text + 2 + 4;
        let heard = head(">", "message") + text + 2;
        let line = page
            .lines()
            .find(|line| line.starts_with(&format!("| {row} |")));
        let line = line.unwrap_or_else(|| panic!("docs/scaling.md has no row: {row}"));
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let said: [usize; 3] = [2, 3, 4].map(|cell| cells[cell].parse().unwrap());
        for (said, found) in said.into_iter().zip([1, published, heard]) {
            assert!(
                (said * 9 / 10..=said * 11 / 10).contains(&found),
                "{row}: {found}, and the page says {said}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_is_its_sessions_and_an_unknown_one_is_answered_as_ever() {
    let server = redis_server!();
    let [here, there]: [Http; 2] = listening(&server).await;
    let (session, other) = (here.open(), here.open());
    let id = here.lose(&session, "work", json!({ "before": 1 }), 1);
    assert_eq!(there.status(&session, &id), 200);
    let (stream, _) = id.split_once('-').unwrap();
    for (session, id) in [
        (&other, id.clone()),
        (&session, format!("{stream}-9")),
        (&session, format!("{}-1", "0".repeat(32))),
        (&session, format!("{}{}-1", &stream[..8], "0".repeat(24))),
    ] {
        for at in [&here, &there] {
            assert_eq!(at.status(session, &id), 400, "{id}");
        }
    }
    // The stream of what belongs to no request is known by its id everywhere, and to its session only.
    let mut events = here.ask_events(&session.listening()).ok().unwrap();
    let id = block_in_place(|| first_id(&mut events));
    assert_eq!(there.status(&session, &id), 200);
    assert_eq!(there.status(&other, &id), 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_later_takes_over_wherever_that_is() {
    let server = redis_server!();
    let all: [Http; 3] = listening(&server).await;
    let session = all[0].open();
    let (first, id) = all[0].call(&session, "work", json!({ "before": 1 }), 1);
    let mut former = first;
    for at in [1, 2, 1, 0, 2] {
        let later = all[at].resume(&session, &id).ok().unwrap();
        // Its client is still there, and hears that it reads no more.
        block_in_place(|| former.end());
        former = later;
    }
    all[0].gate.add_permits(1);
    assert_eq!(rest(former), (vec![2], true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_ends_the_reader_there_and_the_next_one_has_the_rest() {
    let server = redis_server!();
    let [here, there]: [Http; 2] = listening(&server).await;
    let session = here.open();
    let id = here.lose(&session, "work", json!({ "before": 1, "release": true }), 1);
    let events = there.resume(&session, &id).ok().unwrap();
    sleep(MOMENT).await;
    here.gate.add_permits(1);
    block_in_place(|| events.end());
    let events = there.resume(&session, &id).ok().unwrap();
    here.gate.add_permits(1);
    assert_eq!(rest(events), (vec![2], true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_waits_for_whoever_reads_slowly_elsewhere_and_for_nobody_else() {
    let server = redis_server!();
    let [here, there]: [Http; 2] = listening(&server).await;
    let session = here.open();
    // Nobody reads: the oldest are dropped, in the store as in memory.
    let arguments = json!({ "before": 0, "after": 100 });
    let id = here.lose(&session, "work", arguments.clone(), 0);
    here.gate.add_permits(1);
    until(async || here.server.in_flight() == 0).await;
    sleep(MOMENT).await;
    let (numbers, answered) = rest(there.resume(&session, &id).ok().unwrap());
    assert!(answered && numbers.len() <= 9, "{numbers:?}");
    assert_eq!(numbers.last(), Some(&101));
    let keys = server.command(&["KEYS", "test:*:e:*"]);
    let kept: usize = server.command(&["XLEN", &keys]).parse().unwrap();
    assert!(kept <= 9, "{kept}");
    // Somebody reads elsewhere: nothing is.
    let id = here.lose(&session, "work", arguments, 0);
    let events = there.resume(&session, &id).ok().unwrap();
    sleep(MOMENT).await;
    here.gate.add_permits(1);
    let (numbers, answered) = rest(events);
    assert!(answered);
    assert_eq!(numbers, (1..=101).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_waits_while_its_client_reads_elsewhere() {
    let server = redis_server!();
    let [here, there]: [Http; 2] = listening(&server).await;
    let session = here.open();
    let id = here.lose(&session, "ask", json!({}), 0);
    let mut events = there.resume(&session, &id).ok().unwrap();
    let question = block_in_place(|| events.until("elicitation/create"));
    sleep(UNREAD + UNREAD / 2).await;
    let form = json!({ "action": "accept", "content": { "value": 7 } });
    let answer = json!({ "jsonrpc": "2.0", "id": question["id"], "result": form });
    let request = session.request(&answer);
    let posted = block_in_place(|| Client::connect(there.local.address()).ask(&request));
    assert_eq!(posted.status, 202);
    let answer = block_in_place(|| events.answer());
    let text = &answer["result"]["content"][0]["text"];
    assert_eq!(text, "7 of them", "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_store_is_away_a_response_is_resumed_where_it_is_and_later_everywhere() {
    let mut server = redis_server!();
    let [here, there]: [Http; 2] = listening(&server).await;
    let session = here.open();
    let id = here.lose(&session, "work", json!({ "before": 2, "after": 1 }), 1);
    assert_eq!(there.status(&session, &id), 200);
    server.kill();
    until(async || !there.redis.is_reachable()).await;
    assert_eq!(there.status(&session, &id), 503);
    assert_eq!(here.status(&session, &id), 200);
    here.gate.add_permits(1);
    until(async || here.server.in_flight() == 0).await;
    assert_eq!(
        rest(here.resume(&session, &id).ok().unwrap()),
        (vec![2, 3, 4], true)
    );
    // Without persistence the store has forgotten all: what is still kept is told to it anew.
    server.run().unwrap();
    until(async || there.redis.is_reachable()).await;
    let unanswered = json!({ "before": 1 });
    let going_on = here.lose(&session, "work", unanswered, 1);
    until(async || there.status(&session, &going_on) == 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_replica_said_before_it_died_is_read_and_its_reader_is_not_left_waiting() {
    let server = redis_server!();
    let [here, there]: [Http; 2] = listening(&server).await;
    let session = here.open();
    let answered = here.lose(&session, "work", json!({ "before": 1 }), 0);
    here.gate.add_permits(1);
    until(async || here.server.in_flight() == 0).await;
    let open = here.lose(&session, "work", json!({ "before": 1 }), 0);
    sleep(MOMENT).await;
    let mut events = there.resume(&session, &open).ok().unwrap();
    assert!(block_in_place(|| events.next()).is_some());
    drop(here);
    let answered = there.resume(&session, &answered).ok().unwrap();
    assert_eq!(rest(answered), (vec![1, 2], true));
    // When its time is over, here by hand.
    for key in server.command(&["KEYS", "test:*:e:*"]).lines() {
        server.command(&["PEXPIRE", key, "1"]);
    }
    block_in_place(|| events.end());
    assert_eq!(there.status(&session, &open), 400);
}

fn stream_of(owner: &str, session: u128, stream: u128) -> EventStream {
    EventStream {
        owner: who(owner),
        session,
        stream,
    }
}

#[tokio::test]
async fn a_log_is_its_owners_bounded_and_added_to_once() {
    let server = redis_server!();
    let redis = replica(&server).await;
    let keep = Duration::from_secs(60);
    let message = |text: &'static str| StoredEvent::Message(text.into());
    let ours = stream_of("ada", 1, 2);
    let some = [
        (0, StoredEvent::Begun),
        (1, message("a")),
        (2, message("b")),
    ];
    for _ in 0..2 {
        assert!(redis.append(&ours, &some, 0, keep).await.unwrap());
    }
    let more = [
        (2, message("b")),
        (3, StoredEvent::Answer("{\"c\":\"\\u0000\"}".into())),
    ];
    assert!(redis.append(&ours, &more, 2, keep).await.unwrap());
    let found = redis.after(&ours, 0).await.unwrap();
    let (events, last) = (more.to_vec(), 3);
    assert_eq!(found, Some(StoredEvents { events, last }));
    let found = redis.after(&ours, 3).await.unwrap().unwrap();
    assert_eq!((found.events, found.last), (vec![], 3));
    for other in [
        stream_of("bob", 1, 2),
        stream_of("ada", 3, 2),
        stream_of("ada", 1, 3),
    ] {
        assert_eq!(redis.after(&other, 0).await.unwrap(), None);
        // What would have a gap is not begun.
        assert!(!redis.append(&other, &more, 1, keep).await.unwrap());
        assert!(!redis.append(&other, &[], 0, keep).await.unwrap());
        assert_eq!(redis.after(&other, 0).await.unwrap(), None);
    }
    redis.remove(&ours).await.unwrap();
    assert_eq!(redis.after(&ours, 0).await.unwrap(), None);
}
