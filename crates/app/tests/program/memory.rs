//! What a server has resident while nobody asks it anything.

use std::time::{Duration, Instant};

use pymcp_kit::testing::message::{asks_user, call, request};
use serde_json::json;

use super::{PATIENCE, zebra};

/// Time between two looks at what the system says, which nothing signals.
const LOOK: Duration = Duration::from_millis(200);

/// KiB of files and of all else (proc_pid_status(5)).
fn resident(pid: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let kib = |name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.unwrap().split_whitespace().next().unwrap();
        number.parse().unwrap()
    };
    (kib("RssFile:"), kib("RssAnon:"))
}

#[test]
fn a_server_that_idles_gives_back_code_that_it_ran_and_runs_it_again() {
    let confined = zebra(&["--confine=auto"], &[]);
    let open = zebra(&["--confine=off"], &[]);
    let servers = [confined, open].map(|zebra| {
        let mut server = zebra.raw_stdio();
        server.initialize("2025-11-25", &asks_user()).unwrap();
        server.send(&request(2, "tools/list", json!({})));
        let listed = server.recv().value;
        let used = resident(server.pid());
        (server, listed, used)
    });
    for (mut server, listed, used) in servers {
        let patience = Instant::now() + PATIENCE;
        let idle = loop {
            let now = resident(server.pid());
            if now.0 < used.0 / 2 {
                break now;
            }
            assert!(Instant::now() < patience, "{used:?} KiB, then {now:?}");
            std::thread::sleep(LOOK);
        };
        assert!(idle.1 <= used.1 + 1024, "{used:?} KiB, then {idle:?}");
        server.send(&request(2, "tools/list", json!({})));
        assert_eq!(server.recv().value, listed);
        server.send(&call(3, "feed", json!({ "zebras": 2 })));
        assert_eq!(server.recv().value["method"], "elicitation/create");
    }
}
