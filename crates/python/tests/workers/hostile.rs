//! Workers that break the protocol. The server must notice, answer, and have lost nothing.

use std::io::{self, Read as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use pymcp_python::{Config, Isolation, Kind, Limit, Pool, Request, Sandbox};

use crate::{code, config, program, text, trial};

const READY: &str = r#"{"Ready":{"environment":true,"descriptors":true,"no_new_privs":true,"rlimits":true,"landlock":true,"seccomp":true,"memory":true}}"#;
const DONE: &str = r#"{"Done":{"result":{"Ok":{"text":"1","object":null}},"dropped":[0,0]}}"#;

/// Behaves as `kind` says. Every one says that it is ready, unless that is the point.
pub(crate) fn run(kind: &str) -> ExitCode {
    match kind {
        "unconfined" => say(&READY.replace("true", "false")),
        "not ready" => say(DONE),
        _ => say(READY),
    }
    hear();
    behave(kind)
}

/// What comes after the request, on stdout or on the socket that a fork has on stdin.
pub(crate) fn behave(kind: &str) -> ! {
    match kind {
        "unconfined" => say(DONE),
        "garbage" => write(b"\x05\0\0\0garba"),
        "huge" => write(&[0xff; 4096]),
        "short" => write(b"\xff\0\0\0{"),
        "mute" => std::thread::sleep(Duration::from_secs(60)),
        "gone" => {}
        "twice" => {
            let stale = frame(&DONE.replace('1', "stale"));
            write(&[frame(DONE), stale].concat());
        }
        "ready twice" => say(READY),
        "flood" => loop {
            say(&format!(
                r#"{{"Output":["Stdout","{}"]}}"#,
                "x".repeat(1 << 16)
            ));
        },
        "nothing, for ever" => loop {
            say(r#"{"Output":["Stdout",""]}"#);
        },
        "calls" => loop {
            say(r#"{"Call":["nothing",[],{}]}"#);
            hear();
        },
        "many arguments" => say(&format!(
            r#"{{"Call":["f",[{}0],{{}}]}}"#,
            "0,".repeat(10 << 20)
        )),
        "busy" => {
            say(r#"{"Done":{"result":{"Err":{"kind":"busy","message":"m"}},"dropped":[0,0]}}"#)
        }
        "large value" => say(&DONE.replace('1', &"1".repeat(2 << 20))),
        "large message" => say(&format!(
            r#"{{"Done":{{"result":{{"Err":{{"kind":"exception","message":"{}"}}}},"dropped":[0,0]}}}}"#,
            "x".repeat(1 << 20)
        )),
        "deep" => say(&format!(
            r#"{{"Done":{{"result":{{"Ok":{{"text":null,"object":{}}}}},"dropped":[0,0]}}}}"#,
            "[".repeat(200_000)
        )),
        _ => {}
    }
    // Whoever did not say enough goes on to say nothing.
    if kind != "gone" {
        std::thread::sleep(Duration::from_secs(60));
    }
    std::process::exit(0)
}

fn say(message: &str) {
    write(&frame(message));
}

fn frame(message: &str) -> Vec<u8> {
    let mut frame = (message.len() as u32).to_le_bytes().to_vec();
    frame.extend_from_slice(message.as_bytes());
    frame
}

fn write(bytes: &[u8]) {
    let mut left = bytes;
    while !left.is_empty() {
        // A socket takes both directions; a pipe that is read from takes none.
        let written = rustix::io::write(rustix::stdio::stdin(), left)
            .or_else(|_| rustix::io::write(rustix::stdio::stdout(), left));
        match written {
            Ok(written) => left = &left[written..],
            Err(_) => std::process::exit(0),
        }
    }
}

/// Waits for one frame.
fn hear() {
    let mut head = [0; 4];
    let mut stdin = io::stdin().lock();
    if stdin.read_exact(&mut head).is_err() {
        std::process::exit(0);
    }
    let mut body = vec![0; u32::from_le_bytes(head) as usize];
    let _ = stdin.read_exact(&mut body);
}

fn config_of(kind: &str, sandbox: Sandbox) -> Config {
    Config {
        program: program(&["hostile", kind]),
        // A zygote would have to be one that lies, and that is not what may be hostile.
        isolation: Isolation::Process,
        sandbox,
        ..config()
    }
}

fn pool(kind: &str, sandbox: Sandbox) -> Pool {
    Pool::new(config_of(kind, sandbox))
}

fn request() -> Request {
    let mut request = code("1");
    request.limits.time = Duration::from_millis(700);
    request
}

/// Crashes within its deadline, and leaves nothing behind.
async fn crashes(kind: &str) {
    // As a process of its own, and as a fork.
    crashes_in(pool(kind, Sandbox::BestEffort), request(), kind).await;
    if cfg!(target_os = "linux") {
        let mut request = request();
        request.code = format!("hostile {kind}");
        crashes_in(crate::native::pool(), request, kind).await;
    }
}

async fn crashes_in(pool: Pool, request: Request, kind: &str) {
    let started = Instant::now();
    let failure = pool.run(request).await.unwrap_err();
    let took = started.elapsed();
    let expected = match kind {
        "mute" | "short" | "nothing, for ever" => Kind::Limit(Limit::Time),
        _ => Kind::Crashed,
    };
    let kind_found = match (kind, failure.kind) {
        // Empty output is out of order as well.
        ("nothing, for ever", Kind::Crashed) => Kind::Limit(Limit::Time),
        (_, kind) => kind,
    };
    assert_eq!(kind_found, expected, "{kind}: {failure:?}");
    assert!(took < Duration::from_secs(15), "{kind}: {took:?}");
    let stats = pool.stats();
    assert_eq!(
        stats.crashed + stats.killed_for_time,
        1,
        "{kind}: {stats:?}"
    );
}

pub(crate) fn trials() -> Vec<Trial> {
    let crashing = [
        ("hostile_garbage", "garbage"),
        ("hostile_huge_frame", "huge"),
        ("hostile_short_frame", "short"),
        ("hostile_mute", "mute"),
        ("hostile_gone", "gone"),
        ("hostile_ready_twice", "ready twice"),
        ("hostile_flood", "flood"),
        ("hostile_empty_output", "nothing, for ever"),
        ("hostile_calls", "calls"),
        ("hostile_many_arguments", "many arguments"),
        ("hostile_busy", "busy"),
        ("hostile_large_value", "large value"),
        ("hostile_large_message", "large message"),
        ("hostile_deep_json", "deep"),
    ];
    let mut trials: Vec<Trial> = crashing
        .into_iter()
        .map(|(name, kind)| trial(name, move || crashes(kind)))
        .collect();
    trials.extend([
        trial("hostile_answers_twice_are_for_nobody_else", || async {
            let pool = pool("twice", Sandbox::BestEffort);
            for _ in 0..3 {
                assert_eq!(text(pool.run(request()).await), "1");
            }
        }),
        trial("hostile_not_ready_is_unavailable", || async {
            let pool = pool("not ready", Sandbox::BestEffort);
            let failure = pool.run(request()).await.unwrap_err();
            assert_eq!(failure.kind, Kind::Unavailable, "{failure:?}");
        }),
        trial(
            "a_worker_that_lacks_layers_is_used_unless_they_are_required",
            || async {
                let failure = pool("unconfined", Sandbox::Require).run(request()).await;
                let failure = failure.unwrap_err();
                assert_eq!(failure.kind, Kind::Unavailable);
                assert!(failure.message.contains("Landlock, seccomp"), "{failure}");
                let refused = pool("unconfined", Sandbox::Require).probe().await;
                assert_eq!(refused.unwrap_err().kind, Kind::Unavailable);
                let pool = pool("unconfined", Sandbox::BestEffort);
                assert!(pool.run(request()).await.is_ok());
            },
        ),
        trial(
            "a_program_that_cannot_be_started_is_unavailable",
            || async {
                let mut config = config();
                config.program.path = "/nowhere/at/all".into();
                let failure = Pool::new(config).run(request()).await.unwrap_err();
                assert_eq!(failure.kind, Kind::Unavailable);
            },
        ),
    ]);
    trials
}
