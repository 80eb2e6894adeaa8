//! What each kind of request costs the store: `docs/scaling.md` has these figures, and this holds them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pymcp_kit::limits::Rate;
use pymcp_kit::store::redis::RedisBuckets;
use pymcp_kit::store::{
    BucketLimits, BucketStore, BudgetStore, EventStore, EventStream, NonceStore, Spending,
    StoredEvent,
};
use pymcp_kit::tasks::{Change, RedisTasks, TaskLimits, TaskStore, Tasks};

use super::server::RedisServer;
use super::{caller, redis_server, replica, who};

const TTL: Duration = Duration::from_secs(60);
const TIMES: usize = 200;

/// What a replica asks at most in a second by itself: the time, who is there, the versions of tasks.
const OFTEN: usize = 4;

fn number(server: &RedisServer, section: &str, name: &str) -> usize {
    let info = server.command(&["INFO", section]);
    let line = info.lines().find_map(|line| line.strip_prefix(name));
    let value = line.map_or("0", |line| line.trim_start_matches(':'));
    let digits = value.strip_prefix("calls=").unwrap_or(value);
    let digits = digits.split(|c: char| !c.is_ascii_digit()).next().unwrap();
    digits.parse().unwrap_or(0)
}

/// Commands that came from a client, and bytes that went both ways, for each of `TIMES`; what keeps the connection is not
/// counted, and what the measuring itself takes only once.
async fn cost(server: &RedisServer, what: impl AsyncFn(usize)) -> Cost {
    // The scripts are known from here on.
    what(TIMES).await;
    server.command(&["CONFIG", "RESETSTAT"]);
    let began = Instant::now();
    for turn in 0..TIMES {
        what(turn).await;
    }
    let bytes = number(server, "stats", "total_net_input_bytes")
        + number(server, "stats", "total_net_output_bytes");
    // No script has one of these.
    let direct = ["evalsha", "hmget", "exists", "xrange"];
    let calls: usize = direct
        .iter()
        .map(|name| number(server, "commandstats", &format!("cmdstat_{name}")))
        .sum();
    Cost {
        calls,
        besides: OFTEN * (began.elapsed().as_secs() as usize + 1),
        bytes: bytes / TIMES,
    }
}

struct Cost {
    /// What was asked, all times together.
    calls: usize,
    /// What the replica may have asked meanwhile on its own account.
    besides: usize,
    /// For each time.
    bytes: usize,
}

#[tokio::test]
async fn each_kind_of_request_costs_what_the_page_says() {
    let server = redis_server!();
    let redis = replica(&server).await;
    let (alice, ada) = (caller("alice"), who("alice"));
    let limits = TaskLimits {
        tasks_per_caller: 4 * TIMES,
        ..TaskLimits::default()
    };
    let buckets = RedisBuckets::new(&redis, BucketLimits::default());
    let store = Arc::new(RedisTasks::new(&redis, limits));
    let tasks = Tasks::new(Arc::clone(&store) as Arc<dyn TaskStore>, limits);
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/scaling.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut wrong = Vec::new();
    let mut holds = |kind: &str, cost: Cost, each: usize| {
        let Cost {
            calls,
            besides,
            bytes,
        } = cost;
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| {kind} |")));
        let row = row.unwrap_or_else(|| panic!("docs/scaling.md has no row: {kind}"));
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let said: (usize, usize) = (cells[2].parse().unwrap(), cells[3].parse().unwrap());
        let all = each * TIMES;
        assert_eq!(said.0, each, "{kind}");
        assert!(
            (all..all + besides.min(TIMES / 2)).contains(&calls),
            "{kind}: {calls}"
        );
        if !(said.1 * 9 / 10..=said.1 * 11 / 10).contains(&bytes) {
            wrong.push(format!(
                "{kind}: {bytes} bytes, and the page says {}",
                said.1
            ));
        }
    };

    let claim = async |turn: usize| {
        redis.claim(&alice, turn as u128, TTL).await.unwrap();
    };
    holds("a state is used", cost(&server, claim).await, 1);
    let look = async |turn: usize| {
        redis.is_used(&ada, turn as u128).await.unwrap();
    };
    holds(
        "a state that holds nothing is looked up",
        cost(&server, look).await,
        1,
    );
    let spend = async |_| {
        let spending = Spending {
            name: "",
            rate: Rate::per_hour(1_000_000),
            cost: 1,
        };
        redis.spend(&ada, &[spending]).await.unwrap().unwrap();
    };
    holds("a call with a budget", cost(&server, spend).await, 1);
    let set = async |turn: usize| {
        let name = format!("value-{}", turn % 8);
        buckets
            .set(&ada, &name, [b'x'; 100].into(), TTL)
            .await
            .unwrap();
    };
    holds(
        "a value of 100 bytes is remembered",
        cost(&server, set).await,
        1,
    );
    let begin = async |_| {
        let (worker, _) = tasks.create(&alice, None).await.unwrap();
        std::mem::forget(worker);
    };
    holds("a task begins", cost(&server, begin).await, 1);
    let (_worker, task) = tasks.create(&alice, None).await.unwrap();
    let poll = async |_| {
        tasks.get(&ada, &task.task_id).await.unwrap();
    };
    holds("a task is polled", cost(&server, poll).await, 1);
    let change = async |turn: usize| {
        let change = Change::Message(format!("step {turn}"));
        store.change(&ada, &task.task_id, change).await.unwrap();
    };
    holds("a task changes", cost(&server, change).await, 2);
    let stream = EventStream {
        owner: ada.clone(),
        session: 1,
        stream: 2,
    };
    let message = StoredEvent::Message([b'x'; 100].to_vec().into());
    let begun = [(0, StoredEvent::Begun)];
    redis.append(&stream, &begun, 0, TTL).await.unwrap();
    let last = AtomicU64::new(0);
    let say = async |_| {
        let number = last.fetch_add(1, Ordering::Relaxed) + 1;
        let events = [(number, message.clone())];
        assert!(redis.append(&stream, &events, 1, TTL).await.unwrap());
    };
    holds(
        "100 bytes are said in a response that can be resumed",
        cost(&server, say).await,
        1,
    );
    let before = last.load(Ordering::Relaxed) - 1;
    let read = async |_| {
        let found = redis.after(&stream, before).await.unwrap();
        assert_eq!(found.unwrap().events.len(), 1);
    };
    holds(
        "they are read at another replica",
        cost(&server, read).await,
        1,
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}
