//! The store that replicas share, as the program names, shows and keeps it.

use std::time::{Duration, Instant};

use pymcp_kit::testing::message::{modern, request};
use pymcp_kit::testing::raw::{Client, HttpServer, Request, mirrored};
use serde_json::{Value, json};

use crate::{PATIENCE, run, text, zebra};

#[path = "../../../kit/tests/redis/server.rs"]
#[allow(dead_code)]
mod server;

#[path = "../../../kit/tests/redis/certificates.rs"]
#[allow(dead_code)]
mod certificates;

#[path = "../../../kit/tests/redis/nodes.rs"]
#[allow(dead_code)]
mod nodes;

use certificates::Certificates;
use nodes::Cluster;
use server::RedisServer;

const PASSWORD: &str = "s3cr3t-word";

/// A store with a user that has what `docs/scaling.md` says is needed.
fn store() -> Option<(RedisServer, String)> {
    let store = RedisServer::start(&["--maxmemory-policy", "noeviction"])?;
    let url = allow(&store);
    Some((store, url))
}

/// Adds the user, whom a store in memory forgets when it ends.
fn allow(store: &RedisServer) -> String {
    let rule = include_str!("../../../../docs/scaling.md")
        .lines()
        .find(|line| line.starts_with("ACL SETUSER"))
        .unwrap()
        .replace("PASSWORD", PASSWORD)
        .replace("my-server", "zebra-2");
    let words: Vec<_> = rule.split(' ').collect();
    assert_eq!(store.command(&words), "OK");
    store.url_of("app", PASSWORD)
}

fn named(url: &str) -> [(&'static str, &str); 2] {
    [("ZEBRA_2_STORE", url), ("ZEBRA_2_LOG_LEVEL", "DEBUG")]
}

#[test]
fn the_start_says_what_the_store_is_and_shows_no_password() {
    let Some((store, url)) = store() else { return };
    let output = run(&[], &named(&url));
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let line = said
        .lines()
        .find(|line| line.starts_with("zebra-2: store "));
    let line = line.unwrap_or_else(|| panic!("{said}"));
    let end = format!(" at {}, keys zebra-2:", store.url());
    assert!(line.ends_with(&end), "{line}");
    for warning in [
        "no bound of memory",
        "append-only file",
        "(--state-keys) is not set",
    ] {
        assert!(said.contains(warning), "{said}");
    }
    assert!(
        !said.contains("forgets values") && !said.contains(PASSWORD),
        "{said}"
    );

    // On a command line others can see it.
    let flag = format!("--store={url}");
    let said = text(&run(&[&flag], &[]).stderr);
    assert!(
        said.contains("--store has a password") && said.contains("ZEBRA_2_STORE"),
        "{said}"
    );
    assert!(!said.contains(PASSWORD), "{said}");

    // One with another prefix has no rights there, and is another server's.
    let said = text(&run(&["--store-prefix", "zebra-2.a"], &named(&url)).stderr);
    assert!(said.contains(", keys zebra-2.a:"), "{said}");
}

#[test]
fn a_store_that_cannot_be_used_is_exit_code_2_and_no_password_is_shown() {
    for (url, why) in [
        (
            "redis://:s3cr3t-word@127.0.0.1:1",
            "The store at redis://127.0.0.1:1 cannot be used: ",
        ),
        (
            "unix:///nowhere/redis.sock?pass=s3cr3t-word",
            "The store at unix:///nowhere/redis.sock cannot be used: ",
        ),
        (
            "s3cr3t-word@localhost",
            "ZEBRA_2_STORE (--store) must be a URL such as redis://localhost:6379",
        ),
        (
            "http://:s3cr3t-word@localhost",
            "must be a URL such as redis://localhost:6379",
        ),
    ] {
        let output = run(&[], &named(url));
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(why) && said.contains("--store"), "{said}");
        assert!(!said.contains(PASSWORD), "{said}");
    }
    let output = run(&["--store-prefix", "a:b"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("a word of 1 to 64 letters"),
        "{output:?}"
    );
    let Some((store, _)) = store() else { return };
    let wrong = store.url_of("app", "another-s3cr3t-word");
    let output = run(&[], &named(&wrong));
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(!said.contains(PASSWORD), "{said}");
}

#[test]
fn help_and_doctor_know_it_and_show_no_password() {
    let Some((store, url)) = store() else { return };
    for arguments in [&["--help"][..], &["--help-all"], &["version", "--verbose"]] {
        let output = run(arguments, &named(&url));
        assert!(!format!("{output:?}").contains(PASSWORD), "{arguments:?}");
    }
    let doctor = || {
        let output = run(&["doctor", "--json"], &named(&url));
        assert!(!format!("{output:?}").contains(PASSWORD), "{output:?}");
        text(&output.stdout)
    };
    let said = doctor();
    assert!(said.contains(&format!("at {}", store.url())), "{said}");
    assert!(said.contains("append-only file"), "{said}");
    assert!(
        said.contains("hear each other") && !said.contains("Replicas do not"),
        "{said}"
    );
    store.command(&["ACL", "SETUSER", "app", "-publish"]);
    let said = doctor();
    assert!(
        said.contains("Replicas do not hear each other") && said.contains("&zebra-2:*"),
        "{said}"
    );
    drop(store);
    let said = doctor();
    assert!(said.contains("cannot be used"), "{said}");
}

#[test]
fn readyz_and_metrics_say_whether_the_store_is_there() {
    let Some((mut store, url)) = store() else {
        return;
    };
    let metrics = ["--metrics-address", "127.0.0.1:0"];
    let program = zebra(&metrics, &named(&url)).raw_http("http");
    let ready = || {
        let response = program.ask(&Request::new("GET", "/readyz").with("Host", "localhost"));
        assert_eq!(response.status, 200, "{response:?}");
        let checks: Value = response.message();
        checks["checks"]["store"].clone()
    };
    assert_eq!(ready()["reachable"], true);
    until(|| ready()["bus"] == true);
    let said = program.stderr();
    let address = said
        .lines()
        .find_map(|line| line.split("metrics on http://").nth(1))
        .and_then(|rest| rest.strip_suffix("/metrics"))
        .unwrap();
    let metrics = || {
        let request = Request::new("GET", "/metrics").with("Host", "localhost");
        let response = Client::connect(address.parse().unwrap()).ask(&request);
        response.body
    };
    assert!(metrics().contains("mcp_server_store_up 1"));
    store.kill();
    until(|| ready()["reachable"] == false && ready()["bus"] == false);
    assert!(metrics().contains("mcp_server_store_up 0"));
    store.run().unwrap();
    allow(&store);
    until(|| ready()["reachable"] == true && ready()["bus"] == true);
    until(|| program.stderr().contains(" is back after "));
    let said = program.stderr();
    assert!(
        said.contains("cannot be reached") && !said.contains(PASSWORD),
        "{said}"
    );
}

/// Whom to trust is read at the start: the process is confined after that.
#[test]
fn a_store_over_tls_is_reached_again_and_one_that_is_not_trusted_is_a_sentence() {
    let certificates = Certificates::of("localhost", (2100, 1, 1));
    let Some((mut store, port)) = certificates.store(false, &[]) else {
        return;
    };
    allow(&store);
    let url = |ca: &str| {
        let ca = certificates.path(ca);
        format!("rediss://app:{PASSWORD}@localhost:{port}?ca={ca}")
    };
    let output = run(&[], &named(&url("other.pem")));
    let said = text(&output.stderr);
    let why = format!(
        "The store at rediss://localhost:{port} cannot be used: its certificate is signed by nobody who is trusted here; name \
         the file of its CA with ?ca=PATH."
    );
    assert!(
        output.status.code() == Some(2) && said.contains(&why),
        "{said}"
    );
    let program = zebra(&[], &named(&url("ca.pem"))).raw_http("http");
    let ready = || {
        let response = program.ask(&Request::new("GET", "/readyz").with("Host", "localhost"));
        let checks: Value = response.message();
        checks["checks"]["store"].clone()
    };
    until(|| ready()["bus"] == true);
    store.kill();
    until(|| ready()["reachable"] == false && ready()["bus"] == false);
    store.run().unwrap();
    allow(&store);
    until(|| ready()["reachable"] == true && ready()["bus"] == true);
}

/// A confined server may connect to all nodes that there were at its start, and to no other port.
#[test]
fn a_cluster_is_named_by_one_of_its_nodes_and_each_is_found_again() {
    let Some(mut cluster) = Cluster::start(3) else {
        return;
    };
    let url = cluster.url(1);
    let said = text(&run(&["doctor", "--json"], &named(&url)).stdout);
    assert!(said.contains("a cluster of 3 nodes at redis:"), "{said}");
    assert!(said.contains("hear each other"), "{said}");
    let program = zebra(&[], &named(&url)).raw_http("http");
    assert!(
        program
            .stderr()
            .contains(", a cluster of 3 nodes at redis:")
    );
    let ready = || {
        let response = program.ask(&Request::new("GET", "/readyz").with("Host", "localhost"));
        assert_eq!(response.status, 200, "{response:?}");
        let checks: Value = response.message();
        checks["checks"]["store"].clone()
    };
    until(|| ready()["bus"] == true);
    assert_eq!(
        (&ready()["nodes"], &ready()["nodes_up"]),
        (&json!(3), &json!(3))
    );
    for node in 0..3 {
        cluster.nodes[node].server.kill();
        until(|| ready()["nodes_up"] == 2 && ready()["reachable"] == false);
        cluster.nodes[node].server.run().unwrap();
        until(|| ready()["nodes_up"] == 3 && ready()["bus"] == true);
    }
    let allowed = program.stderr();
    for node in &cluster.nodes {
        assert!(allowed.contains(&node.port.to_string()), "{allowed}");
    }
}

/// Each has a file of its own, as on machines of their own.
#[test]
fn a_token_that_is_revoked_in_one_file_is_refused_by_all_replicas_within_a_second() {
    let Some((_store, url)) = store() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let made = run(&["token", "new", "ci", "--file", &file("one")], &[]);
    let token = text(&made.stdout).trim().to_owned();
    std::fs::copy(file("one"), file("two")).unwrap();
    let start = |name: &str| {
        let file = format!("--auth-tokens={}", file(name));
        zebra(&["--auth", "token", &file], &named(&url)).raw_http("http")
    };
    let (one, other) = (start("one"), start("two"));
    let message = modern(request(1, "tools/list", json!({})), json!({}));
    let message = mirrored(&message).with("X-Api-Key", &token);
    let status = |program: &HttpServer| program.ask(&message).status;
    assert_eq!((status(&one), status(&other)), (200, 200));
    let revoked = run(&["token", "revoke", "ci", "--file", &file("one")], &[]);
    let began = Instant::now();
    assert_eq!(revoked.status.code(), Some(0), "{revoked:?}");
    until(|| status(&other) == 401 && status(&one) == 401);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    until(|| other.stderr().contains("are refused: ci"));
    // The other's file has it still, and so has one that starts.
    let late = start("two");
    assert_eq!((status(&late), status(&other)), (401, 401));
}

fn until(what: impl Fn() -> bool) {
    let began = Instant::now();
    while !what() {
        assert!(began.elapsed() < PATIENCE, "it does not become so");
        std::thread::sleep(Duration::from_millis(20));
    }
}
