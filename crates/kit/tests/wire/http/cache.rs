//! The response cache of the real process: what it takes of memory, and gives back.

use std::thread;
use std::time::{Duration, Instant};

use pymcp_kit::testing::message::call;
use pymcp_kit::testing::raw::Session;
use serde_json::json;

use crate::support::memory::resident_memory;
use crate::support::over_http;

/// KiB of all entries (`CacheConfig::total_bytes`).
const BOUND: u64 = 32 << 10;

#[test]
fn a_flood_of_answers_takes_the_memory_that_it_may_and_gives_it_back() {
    const CLIENTS: usize = 4;
    const CALLS: usize = 300;
    let ttl = Duration::from_secs(10);
    let server = over_http(&["--cache-ttl", "10"]);
    let hail = |session: &Session, from: usize, calls: usize, size: usize| {
        let mut client = server.connect();
        for at in from..from + calls {
            let name = format!("{at:0>size$}");
            let message = call(at, "hail", json!({ "name": name }));
            let answer = client.ask(&session.request(&message)).message();
            assert_eq!(answer["result"]["isError"], json!(false), "{at}");
        }
    };
    let session = Session::plain(server.address());
    // As much at once as there will be, and nothing that the cache keeps.
    thread::scope(|scope| {
        for client in 1..=CLIENTS {
            let session = &session;
            scope.spawn(move || hail(session, client * 100_000, 20, 60_000));
        }
    });
    let idle = resident_memory(server.pid());
    // A question and its answer have 60 kB: twice the bound together.
    thread::scope(|scope| {
        for client in 1..=CLIENTS {
            let session = &session;
            scope.spawn(move || hail(session, client * CALLS, CALLS, 20_000));
        }
    });
    let full = resident_memory(server.pid());
    assert!(full <= idle + BOUND * 3 / 2, "{idle} KiB, then {full} KiB");
    // Nobody asks any more.
    let deadline = Instant::now() + ttl + Duration::from_secs(60);
    loop {
        let rest = resident_memory(server.pid());
        if rest <= idle + BOUND / 4 {
            break;
        }
        assert!(Instant::now() < deadline, "{idle} {full} {rest}");
        thread::sleep(Duration::from_millis(100));
    }
}
