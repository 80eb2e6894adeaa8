//! What goes over the bus: `docs/scaling.md` has these figures, and this holds them.

use serde_json::json;
use tokio::task::block_in_place;

use super::super::server::RedisServer;
use super::super::{redis_server, until};
use super::stage::{Http, Overheard, listening};

const TIMES: usize = 50;

/// Replicas that hear what is said to all.
const REPLICAS: usize = 2;

fn number(server: &RedisServer, section: &str, name: &str) -> usize {
    let info = server.command(&["INFO", section]);
    let line = info.lines().find_map(|line| line.strip_prefix(name));
    let value = line.map_or("0", |line| line.trim_start_matches(':'));
    let digits = value.strip_prefix("calls=").unwrap_or(value);
    let digits = digits.split(|c: char| !c.is_ascii_digit()).next().unwrap();
    digits.parse().unwrap_or(0)
}

/// Publications for each of `TIMES`, their bytes with the answer, and the bytes that each of those who hear them gets.
async fn cost(server: &RedisServer, hear: usize, what: impl AsyncFn(usize)) -> [usize; 3] {
    server.command(&["CONFIG", "RESETSTAT"]);
    for turn in 0..TIMES {
        what(turn).await;
    }
    let published = || number(server, "commandstats", "cmdstat_publish");
    until(async || published() >= TIMES).await;
    let input = number(server, "stats", "total_net_input_bytes");
    let output = number(server, "stats", "total_net_output_bytes");
    // Each publication is answered with a number.
    let answers = TIMES * 4;
    [
        published() / TIMES,
        (input + answers) / TIMES,
        output.saturating_sub(answers) / TIMES / hear,
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_message_costs_what_the_page_says() {
    let server = redis_server!();
    let all: [Http; REPLICAS] = listening(&server).await;
    let [here, there] = &all;
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/scaling.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut wrong = Vec::new();
    let mut holds = |kind: &str, found: [usize; 3]| {
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| {kind} |")));
        let row = row.unwrap_or_else(|| panic!("docs/scaling.md has no row: {kind}"));
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let said = [2, 3, 4].map(|cell| cells[cell].parse::<usize>().unwrap());
        assert_eq!(said[0], found[0], "{kind}");
        // What keeps the connections is counted as well.
        if (1..3).any(|n| !(said[n] * 8 / 10..=said[n] * 12 / 10).contains(&found[n])) {
            wrong.push(format!("{kind}: {found:?}, and the page says {said:?}"));
        }
    };
    let components = here.replica.server.components();
    let updated = async |_| components.updated("data://c");
    holds(
        "a resource or a list is said to have changed",
        cost(&server, REPLICAS, updated).await,
    );
    let session = here.open();
    there.done(&session, "ping", json!({}));
    let cancel = async |turn: usize| there.cancel(&session, 1000 + turn as u64);
    holds(
        "a request is cancelled at another replica",
        cost(&server, REPLICAS, cancel).await,
    );
    let overheard = Overheard::of(&server);
    let mut events = block_in_place(|| here.call(&session, 1, "order").events());
    let question = block_in_place(|| events.until("elicitation/create"));
    let question = question["id"].as_u64().unwrap();
    let form = json!({ "action": "accept", "content": { "value": 1 } });
    there.answer(&session, &json!(question), form.clone());
    block_in_place(|| events.answer());
    until(async || overheard.of_kind("answered").len() == 1).await;
    drop(overheard);
    let answer = async |turn: usize| {
        there.answer(&session, &json!(question + 1 + turn as u64), form.clone())
    };
    holds(
        "a question is answered at another replica",
        cost(&server, 1, answer).await,
    );
    let subscribe = async |turn: usize| {
        let uri = json!({ "uri": format!("data://c/{turn}") });
        there.done(&session, "resources/subscribe", uri);
    };
    holds(
        "a resource is subscribed to at another replica than the stream's",
        cost(&server, REPLICAS, subscribe).await,
    );
    // Of those that are subscribed to nothing.
    let sessions: Vec<_> = (0..TIMES).map(|_| here.open()).collect();
    let listen = async |turn: usize| drop(there.listen(&sessions[turn]));
    holds(
        "a `GET` stream is opened",
        cost(&server, REPLICAS, listen).await,
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}
