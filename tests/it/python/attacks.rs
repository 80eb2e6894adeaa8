//! Hostile code against the whole server, over HTTP. Whatever it does, it is answered in time, the
//! server stays as it is, and an honest client notices nothing.
//!
//! `attacks.jsonl`, one attack a line: `name`, `class`, the tool's `arguments`, `must_error` where no
//! answer but an error is right, and what the answer `says` where that is known. In the arguments `{"$repeat": [text, n]}` and `{"$concat": […]}`
//! stand for long strings.

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pymcp_kit::testing::message::{call, text};
use pymcp_kit::testing::raw::{HttpServer, Response, Session};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::over_http;
use crate::support::process::{children, resident_memory};

/// Seconds that a run may take here.
const LIMIT: u64 = 1;

/// What an answer may take longer. The binary that is built with the tests is not optimised, and starts
/// workers that much slower.
fn margin() -> Duration {
    match std::env::var_os("PYMCP_TEST_BINARY") {
        Some(_) => Duration::from_millis(1_500),
        None => Duration::from_secs(10),
    }
}

/// What the host has, and no answer may show.
const CANARY: &str = "canary-5e1f0c";

/// One of them leaves the other tests a CPU; the release build is attacked when nothing else runs.
fn attackers() -> usize {
    match std::env::var_os("PYMCP_TEST_BINARY") {
        Some(_) => 2,
        None => 1,
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attack {
    name: String,
    class: String,
    arguments: Value,
    #[serde(default)]
    must_error: bool,
    says: Option<String>,
}

#[allow(clippy::print_stdout)] // figures, for whoever asks with --nocapture
#[test]
fn hostile_code_hurts_nobody() {
    let attacks = include_str!("attacks.jsonl").lines();
    // An unoptimised binary takes minutes for all of them; a sixth has every class.
    let every = if std::env::var_os("PYMCP_TEST_BINARY").is_some() {
        1
    } else {
        6
    };
    let attacks: Vec<Attack> = attacks
        .step_by(every)
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(attacks.len() >= 148);
    let limit = LIMIT.to_string();
    let args = [
        "--python-timeout",
        &limit,
        "--python-workers",
        "3",
        "--python-sandbox",
        "require",
        "--log-level",
        "CRITICAL",
    ];
    let mut server = over_http(&args, &[("HOST_SECRET", CANARY)]);
    warm_up(&Session::plain(server.address()));

    // Warmed up by a few, then the first half beside an honest client, then the second alone.
    let (few, others) = attacks.split_at(20);
    let half = others.len() / 2;
    let mut worst = Worst::default();
    worst.merge(attack(&server, few));
    let before = resident_memory(server.pid());
    let (honest_calls, attacked) =
        beside_an_honest_client(&server, || attack(&server, &others[..half]));
    worst.merge(attacked);
    assert!(honest_calls > 20, "{honest_calls}");
    worst.merge(attack(&server, &others[half..]));
    let after = resident_memory(server.pid());

    println!(
        "{} attacks, {honest_calls} honest calls beside half of them; the longest took {:?}; late once: {:?}; the server went from {before} to {after} KiB",
        attacks.len(),
        worst.longest,
        worst.again
    );
    assert!(
        worst.late.is_empty(),
        "answered too late: {:#?}",
        worst.late
    );
    assert!(worst.wrong.is_empty(), "{:#?}", worst.wrong);
    assert!(
        after < before + 8 * 1024,
        "the server grew from {before} to {after} KiB"
    );
    honest_call(&Session::plain(server.address()), 1);
    let zygotes = children(server.pid());
    assert!(zygotes.len() <= 1, "{zygotes:?}");
    nothing_runs(&zygotes);
    server.terminate();
    assert!(server.wait().success(), "{}", server.stderr());
    let deadline = Instant::now() + Duration::from_secs(20);
    while zygotes
        .iter()
        .any(|pid| fs::metadata(format!("/proc/{pid}")).is_ok())
    {
        assert!(
            Instant::now() < deadline,
            "it outlives its server: {zygotes:?}"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until none of the workers computes or has a process of its own: each run has ended with its
/// answer, and what is there waits for one.
fn nothing_runs(zygotes: &[u32]) {
    let computes = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
        state.starts_with('R') || !children(*pid).is_empty()
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let workers: Vec<_> = zygotes.iter().flat_map(|pid| children(*pid)).collect();
        assert!(workers.len() <= 4, "{workers:?}");
        if !workers.iter().any(computes) {
            break;
        }
        assert!(Instant::now() < deadline, "still running: {workers:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// What went wrong.
#[derive(Default)]
struct Worst {
    /// Late at the first attempt.
    again: Vec<String>,
    /// Late at both.
    late: Vec<String>,
    wrong: Vec<String>,
    longest: Duration,
}

impl Worst {
    fn merge(&mut self, other: Self) {
        self.again.extend(other.again);
        self.late.extend(other.late);
        self.wrong.extend(other.wrong);
        self.longest = self.longest.max(other.longest);
    }

    /// Notes what is wrong with an answer, and says so if it is late.
    fn judge(&mut self, attack: &Attack, response: &Response, took: Duration) -> Option<String> {
        let name = format!("{} ({})", attack.name, attack.class);
        let answer = response.message();
        let failed = answer["result"]["isError"] == true || answer["error"].is_object();
        let leaks = response.body.contains(CANARY) || response.body.contains("root:x:0");
        let busy = answer.to_string().contains("All Python workers are busy");
        let mute = attack
            .says
            .as_ref()
            .is_some_and(|part| !response.body.contains(part.as_str()));
        if leaks || busy || mute || (attack.must_error && !failed) {
            let shown: String = response.body.chars().take(300).collect();
            self.wrong.push(format!("{name}: {shown}"));
        }
        self.longest = self.longest.max(took);
        (took > Duration::from_secs(LIMIT) + margin()).then(|| format!("{name}: {took:?}"))
    }
}

/// Runs all of them, a few at a time.
fn attack(server: &HttpServer, attacks: &[Attack]) -> Worst {
    let (next, worst) = (AtomicUsize::new(0), Mutex::new(Worst::default()));
    thread::scope(|scope| {
        for _ in 0..attackers() {
            scope.spawn(|| {
                let session = Session::plain(server.address());
                while let Some(attack) = attacks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let arguments = expand(&attack.arguments);
                    let message = call("attack", "run_python_code", arguments);
                    let attempt = || {
                        let started = Instant::now();
                        let response = session.post(&message);
                        let took = started.elapsed();
                        worst.lock().unwrap().judge(attack, &response, took)
                    };
                    // A machine that others use as well may stand still for a while. What has no bound has none the
                    // second time either.
                    if let Some(first) = attempt() {
                        let second = attempt();
                        let mut worst = worst.lock().unwrap();
                        worst.again.push(first);
                        worst.late.extend(second);
                    }
                }
            });
        }
    });
    worst.into_inner().unwrap()
}

/// Runs `work` while somebody else uses the server; how many calls that one made, all of which
/// succeeded.
fn beside_an_honest_client<T: Send>(
    server: &HttpServer,
    work: impl FnOnce() -> T + Send,
) -> (usize, T) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let honest = scope.spawn(|| {
            let session = Session::plain(server.address());
            let mut calls = 0;
            while !done.load(Ordering::Relaxed) {
                honest_call(&session, calls);
                calls += 1;
            }
            calls
        });
        let result = work();
        done.store(true, Ordering::Relaxed);
        (honest.join().unwrap(), result)
    })
}

/// Calls until the server has what each call needs: on a busy machine the first check of an unoptimised binary may take
/// longer than a run has.
fn warm_up(session: &Session) {
    let ready = (0..30).any(|n| {
        let call = call(n, "run_python_code", json!({ "code": "sum(range(9))" }));
        session.post(&call).message()["result"]["isError"] == false
    });
    assert!(ready, "no run ends in time");
}

fn honest_call(session: &Session, n: usize) {
    let arguments = json!({ "code": "print(x)\nsum(range(x))", "inputs": { "x": n } });
    let answer = session
        .post(&call(n, "run_python_code", arguments))
        .message();
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    assert_eq!(
        text(&answer),
        (n * n.saturating_sub(1) / 2).to_string(),
        "{answer}"
    );
    assert_eq!(
        answer["result"]["content"][1]["text"],
        format!("{n}\n"),
        "{answer}"
    );
    let answer = session
        .post(&call(n, "greet", json!({ "name": "H" })))
        .message();
    assert_eq!(answer["result"]["isError"], false, "{answer}");
}

/// The arguments with their long strings.
fn expand(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            if let Some(Value::Array(repeat)) = members.get("$repeat") {
                let (unit, times) = (repeat[0].as_str().unwrap(), repeat[1].as_u64().unwrap());
                return unit.repeat(times as usize).into();
            }
            if let Some(Value::Array(parts)) = members.get("$concat") {
                let parts = parts.iter().map(expand);
                return parts
                    .map(|part| part.as_str().unwrap().to_owned())
                    .collect::<String>()
                    .into();
            }
            let members = members
                .iter()
                .map(|(name, value)| (name.clone(), expand(value)));
            Value::Object(members.collect())
        }
        Value::Array(items) => items.iter().map(expand).collect(),
        other => other.clone(),
    }
}
