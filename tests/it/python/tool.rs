//! The tool as clients see it, apart from values.

use std::time::{Duration, Instant};

use pymcp_kit::testing::message::{call, modern, notification, request};
use pymcp_kit::testing::raw::{Session, StdioServer, mirrored, signal};
use serde_json::json;

use super::{run, serve, texts};
use crate::support::process::children;
use crate::support::{over_http, over_stdio};

#[test]
fn printed_output_follows_the_value_and_says_what_it_is() {
    let mut server = serve(&[]);
    let answer = run(
        &mut server,
        &json!({ "code": "print('one')\nprint('two', end='')\n{'a': 1}" }),
    );
    let mut result = answer["result"].clone();
    result.as_object_mut().unwrap().remove("_meta");
    assert_eq!(
        result,
        json!({
            "content": [
                { "type": "text", "text": "{\"a\":1}" },
                { "type": "text", "text": "one\ntwo", "_meta": { "pymcp/stream": "stdout" } },
            ],
            "structuredContent": { "a": 1 },
            "isError": false,
        })
    );
    // What the original's stdout would have been is only text here: every line was JSON-RPC so far.
    let forged = r#"print('{"jsonrpc":"2.0","id":"run","result":{}}')"#;
    let answer = run(&mut server, &json!({ "code": forged }));
    assert_eq!(
        texts(&answer),
        ["{\"jsonrpc\":\"2.0\",\"id\":\"run\",\"result\":{}}\n"]
    );
    let answer = run(
        &mut server,
        &json!({ "code": "print('before')\n1 / 0", "script_name": "calc.py" }),
    );
    assert_eq!(answer["result"]["isError"], true);
    let [traceback, printed] = texts(&answer)[..] else {
        panic!("{answer}")
    };
    assert!(
        traceback.contains("calc.py\", line 2") && traceback.contains("~~^~~"),
        "{traceback}"
    );
    assert!(
        traceback.ends_with("ZeroDivisionError: division by zero"),
        "{traceback}"
    );
    assert_eq!(printed, "before\n");
    let code = "import sys\nprint('out')\nprint('err', file=sys.stderr)\n1 / 0";
    let answer = run(&mut server, &json!({ "code": code }));
    assert_eq!(texts(&answer)[1..], ["out\n", "err\n"]);
    let streams = [1, 2].map(|at| &answer["result"]["content"][at]["_meta"]["pymcp/stream"]);
    assert_eq!(streams, ["stdout", "stderr"]);
}

#[test]
fn values_that_json_cannot_hold_are_exact_text() {
    let mut server = serve(&[]);
    let arguments = json!({ "code": "{'big': x + 1, 'nan': float('nan')}", "check_types": false });
    // As text, because a JSON value in a test would round it.
    let line = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call",
        "params": { "name": "run_python_code", "arguments": arguments } });
    let line = line.to_string().replace(
        r#""code":"#,
        r#""inputs":{"x":1180591620717411303424},"code":"#,
    );
    server.send_line(line.as_bytes());
    let answer = server.recv().value;
    assert_eq!(
        texts(&answer),
        [r#"{"big":1180591620717411303425,"nan":"NaN"}"#]
    );
    assert_eq!(
        answer["result"]["structuredContent"],
        json!({ "big": "1180591620717411303425", "nan": "NaN" })
    );
    // A key that the JSON library has for itself can't make a result of another shape.
    let code = r#"{'$serde_json::private::RawValue': '5'}"#;
    let answer = run(&mut server, &json!({ "code": code }));
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    assert!(texts(&answer)[0].contains("use another one"), "{answer}");
}

#[test]
fn progress_is_reported_while_it_runs() {
    let mut server = serve(&["--python-timeout", "3"]);
    let mut message = call(
        2,
        "run_python_code",
        json!({ "code": "while True:\n    pass" }),
    );
    message["params"]["_meta"] = json!({ "progressToken": "p" });
    server.send(&message);
    let mut seen = 0;
    let answer = loop {
        let message = server.recv().value;
        if message["method"] != "notifications/progress" {
            break message;
        }
        assert_eq!(message["params"]["progressToken"], "p");
        seen += 1;
    };
    assert!(seen >= 2, "{seen}");
    assert!(texts(&answer)[0].contains("more than 3 s"), "{answer}");
}

#[test]
fn a_cancelled_run_ends_at_once() {
    let mut server = serve(&["--python-workers", "1", "--python-timeout", "60"]);
    run(&mut server, &json!({ "code": "1" }));
    server.send(&call(
        2,
        "run_python_code",
        json!({ "code": "while True:\n    pass" }),
    ));
    server.send(&notification(
        "notifications/cancelled",
        json!({ "requestId": 2 }),
    ));
    let started = Instant::now();
    let answer = run(&mut server, &json!({ "code": "2" }));
    assert_eq!(texts(&answer), ["2"]);
    assert!(
        started.elapsed() < Duration::from_secs(15),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn a_client_that_leaves_ends_its_run() {
    let server = over_http(&["--python-workers", "1", "--python-timeout", "60"], &[]);
    let session = Session::plain(server.address());
    session.post(&call(1, "run_python_code", json!({ "code": "1" })));
    let endless = call(
        2,
        "run_python_code",
        json!({ "code": "while True:\n    pass" }),
    );
    let mut client = server.connect();
    client.send(mirrored(&modern(endless, json!({}))).bytes());
    client.finish_sending();
    drop(client);
    let answer = session
        .post(&call(3, "run_python_code", json!({ "code": "3" })))
        .message();
    assert_eq!(texts(&answer), ["3"]);
}

#[test]
fn workers_end_with_the_server_even_when_it_is_killed() {
    let mut server = serve(&["--python-timeout", "60"]);
    run(&mut server, &json!({ "code": "1" }));
    // One that is busy where no interpreter looks at a clock or at its input.
    let hang =
        "a = b = [1]\nfor _ in range(60):\n    a, b = [a, a], [b, b]\nprint('x' * 5000)\na == b";
    server.send(&call(
        2,
        "run_python_code",
        json!({ "code": hang, "check_types": false }),
    ));
    server.send(&request(3, "ping", json!({})));
    server.recv();
    let workers = children(server.pid());
    assert!(!workers.is_empty());
    signal(server.pid(), "KILL");
    let deadline = Instant::now() + Duration::from_secs(20);
    while workers.iter().any(|pid| !is_gone(*pid)) {
        assert!(Instant::now() < deadline, "{workers:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process has ended, be it waited for or not: its new parent may take its time.
fn is_gone(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        stat.rsplit(')')
            .next()
            .is_some_and(|rest| rest.trim_start().starts_with('Z'))
    }) || std::fs::metadata(format!("/proc/{pid}")).is_err()
}

#[test]
fn one_client_does_not_fill_the_queue_for_the_others() {
    let args = [
        "--python-workers",
        "1",
        "--python-timeout",
        "3",
        "--python-queue",
        "16",
    ];
    let server = over_http(&args, &[]);
    let greedy = Session::plain(server.address());
    greedy.post(&call(1, "run_python_code", json!({ "code": "1" })));
    let (sender, answers) = std::sync::mpsc::channel();
    for id in 2..30 {
        let code = json!({ "code": "while True:\n    pass" });
        let mut client = greedy.start(&call(id, "run_python_code", code));
        let sender = sender.clone();
        std::thread::spawn(move || {
            let response = client.try_response();
            response.map(|response| sender.send(response.message()))
        });
    }
    // One runs, sixteen wait, and the rest is refused: the queue is full.
    let refused = |answer: serde_json::Value| texts(&answer)[0].contains("runs are waiting");
    assert!(answers.iter().any(refused));
    // Who comes new has a place all the same, and is served next.
    for _ in 0..2 {
        let other = Session::plain(server.address());
        let answer = other.ask(&call(1, "run_python_code", json!({ "code": "2" })));
        assert_eq!(texts(&answer), ["2"]);
    }
}

#[test]
fn code_sees_utc_whatever_the_host_has() {
    let offset = |args: &[&str], zone: &str| {
        let mut server = over_stdio(args, &[("TZ", zone)]);
        server.initialize("2025-11-25", &json!({})).unwrap();
        let code = "from datetime import datetime, timezone\n\
            [datetime.now().isoformat(), datetime.now(timezone.utc).isoformat()]";
        let answer = run(&mut server, &json!({ "code": code }));
        let [naive, aware]: [String; 2] = serde_json::from_str(texts(&answer)[0]).unwrap();
        let naive: chrono::NaiveDateTime = naive.parse().unwrap();
        let aware: chrono::DateTime<chrono::Utc> = aware.parse().unwrap();
        let seconds = (naive - aware.naive_utc()).as_seconds_f64();
        (seconds / 60.0).round()
    };
    for zone in ["Asia/Kolkata", "IST-5:30", "<-0330>3:30"] {
        assert_eq!(offset(&[], zone), 0.0, "{zone}");
    }
    for (set, minutes) in [("+05:30", 330.0), ("-03:30", -210.0)] {
        assert_eq!(
            offset(&["--python-utc-offset", set], "EST5"),
            minutes,
            "{set}"
        );
    }
}

#[test]
fn nothing_runs_before_it_is_needed() {
    let mut server = serve(&[]);
    server.send(&request(2, "tools/list", json!({})));
    server.recv();
    assert_eq!(children(server.pid()), [0; 0]);
    run(&mut server, &json!({ "code": "1" }));
    assert!(!children(server.pid()).is_empty());
}

#[test]
fn limits_are_settings() {
    let mut server = serve(&[
        "--python-code-size",
        "1",
        "--python-memory",
        "16",
        "--python-value-size",
        "1",
        "--python-output-size",
        "1",
        "--python-recursion",
        "50",
        "--python-timeout",
        "3",
        "--python-isolation",
        "process",
    ]);
    let mut fails = |code: &str, says: &str| {
        let answer = run(&mut server, &json!({ "code": code, "check_types": false }));
        assert_eq!(answer["result"]["isError"], true, "{answer}");
        assert!(texts(&answer)[0].contains(says), "{says}: {answer}");
    };
    fails(&"#".repeat(1025), "at most 1 KiB");
    fails("'x' * (20 * 2 ** 20)", "more than 16 MiB");
    fails("'x' * 1025", "larger than 1 KiB");
    fails(
        "def f(n):\n    return f(n + 1)\nf(0)",
        "RecursionError: maximum recursion depth exceeded",
    );
    fails("while True:\n    pass", "more than 3 s");
    let answer = run(
        &mut server,
        &json!({ "code": "print('x' * 2000)\n5", "check_types": false }),
    );
    assert_eq!(texts(&answer)[0], "5");
    assert!(
        texts(&answer)[1].ends_with("x\n[977 more bytes were printed and dropped]"),
        "{answer}"
    );
}

/// The bounds of a run and that of a result are two things, and a run that printed a lot has not failed.
#[test]
fn a_value_and_what_was_printed_share_a_result() {
    let mut server = serve(&[]);
    let mut run = |code: &str| run(&mut server, &json!({ "code": code, "check_types": false }));
    for (code, value) in [
        ("print('x' * 2 ** 20)\n5", "5"),
        ("print('\\n' * 2 ** 20)\n5", "5"),
        (
            "import sys\nfor f in (sys.stdout, sys.stderr):\n    print('x' * 2 ** 20, file=f)\n5",
            "5",
        ),
    ] {
        let answer = run(code);
        assert_eq!(answer["result"]["isError"], false, "{code}");
        assert_eq!(texts(&answer)[0], value);
        let printed = texts(&answer).pop().unwrap();
        assert!(
            printed.ends_with("bytes were printed and dropped]"),
            "{code}"
        );
        let bytes = answer.to_string().len();
        assert!((900 << 10..1100 << 10).contains(&bytes), "{bytes}");
    }
    // As text and as structure.
    let answer = run("print('said')\n{'a': 'x' * 600_000}");
    assert_eq!(answer["result"]["isError"], true);
    assert!(texts(&answer)[0].ends_with("return less."), "{answer}");
    assert_eq!(texts(&answer)[1], "said\n");
    let mut server = serve(&["--python-value-size", "2048"]);
    let code = "'x' * 1_500_000";
    let answer = super::run(&mut server, &json!({ "code": code, "check_types": false }));
    assert_eq!(answer["result"]["isError"], false);
}

#[test]
fn the_description_tells_a_model_what_there_is() {
    let mut server = serve(&[]);
    server.send(&request(2, "tools/list", json!({})));
    let listed = server.recv().value;
    let tools = listed["result"]["tools"].as_array().unwrap();
    let tool = tools
        .iter()
        .find(|tool| tool["name"] == "run_python_code")
        .unwrap();
    let description = tool["description"].as_str().unwrap();
    assert!(description.len() < 600, "{description}");
    assert!(description.contains("CPython 3.14"), "{description}");
    // What it says works does, checked as by default.
    for (code, value) in [
        ("import sys\nsys.version_info[:2]", "[3,14]"),
        (
            "class A:\n    def __init__(self, x):\n        self.x = x\nclass B(A):\n    @property\n    def y(self):\n        return self.x * 2\nB(2).y",
            "4",
        ),
        ("def f():\n    yield 1\nlist(f())", "[1]"),
        ("match 1:\n    case 1:\n        x = 'one'\nx", "one"),
        ("'%05.1f' % 1.25", "001.2"),
        ("async def f():\n    return 1\nawait f()", "1"),
        ("import statistics\nstatistics.mean([1, 2, 3])", "2"),
        (
            "with open('a.txt', 'w') as file:\n    file.write('hi')\nopen('a.txt').read()",
            "hi",
        ),
        ("import random\n0 <= random.random() < 1", "true"),
        (
            "from datetime import datetime\ndatetime.now().year > 2000",
            "true",
        ),
    ] {
        let answer = run(&mut server, &json!({ "code": code }));
        assert_eq!(texts(&answer), [value], "{code}");
    }
    // And what it says is not there is not: not even a file of the call before.
    for code in [
        "import numpy",
        "open('a.txt')",
        "import socket\nsocket.create_connection(('127.0.0.1', 80))",
        "import os\nos.fork()",
        "import subprocess\nsubprocess.run(['ls'])",
        "import threading\nthreading.Thread(target=print).start()",
        "import os\nos.environ['PATH']",
    ] {
        let answer = run(&mut server, &json!({ "code": code, "check_types": false }));
        assert_eq!(answer["result"]["isError"], true, "{code}: {answer}");
    }
}

#[test]
fn findings_that_stop_nothing_follow_what_was_printed() {
    let mut server = serve(&[]);
    let code = "print('one')\ndef f(a: int = None):\n    return a\n{'f': f()}";
    let answer = run(
        &mut server,
        &json!({ "code": code, "script_name": "calc.py" }),
    );
    let result = &answer["result"];
    assert_eq!(result["isError"], false, "{answer}");
    assert_eq!(result["structuredContent"], json!({ "f": null }));
    let [value, printed, noted] = texts(&answer)[..] else {
        panic!("{answer}")
    };
    assert_eq!([value, printed], ["{\"f\":null}", "one\n"]);
    assert!(
        noted.contains("\ncalc.py:2:7: error[invalid-parameter-default]"),
        "{noted}"
    );
    assert_eq!(
        result["content"][2]["_meta"],
        json!({ "pymcp/stream": "diagnostics" })
    );
    // Neither without the check, nor where there is nothing to say.
    for arguments in [
        json!({ "code": code, "check_types": false }),
        json!({ "code": "print('one')\n{'f': None}" }),
    ] {
        assert_eq!(texts(&run(&mut server, &arguments)).len(), 2, "{arguments}");
    }
}

#[test]
fn the_check_stops_only_what_would_fail() {
    let mut server = serve(&[]);
    for (code, value) in [
        ("d = {'a': 1, 'b': 2}\nmax(d, key=d.get)", "b"),
        ("import re\nre.search(r'\\d', 'a1').group()", "1"),
        (
            "rows = [{'n': 'x', 'v': 1}, {'n': 'y', 'v': 2}]\nsum(r['v'] for r in rows)",
            "3",
        ),
        ("def f(a: int = None):\n    return a or 5\nf()", "5"),
        (
            "try:\n    import numpy\nexcept ImportError:\n    numpy = 'none'\nnumpy",
            "none",
        ),
    ] {
        let answer = run(&mut server, &json!({ "code": code }));
        assert_eq!(answer["result"]["isError"], false, "{code}: {answer}");
        assert_eq!(texts(&answer)[0], value, "{code}");
    }
    for (code, says) in [
        ("print('before')\nundefined", "unresolved-reference"),
        ("print('before')\nimport numpy", "unresolved-import"),
        (
            "print('before')\nimport math\nmath.sqroot(2)",
            "no member `sqroot`",
        ),
        ("print('before')\ndef f(a): ...\nf()", "missing-argument"),
        ("def f():\n    await g()\nasync def g(): ...", "async"),
    ] {
        let answer = run(
            &mut server,
            &json!({ "code": code, "script_name": "calc.py" }),
        );
        assert_eq!(answer["result"]["isError"], true, "{code}: {answer}");
        let [stopped] = texts(&answer)[..] else {
            panic!("{code}: {answer}")
        };
        assert!(stopped.contains(says), "{code}: {stopped}");
        assert!(stopped.contains("calc.py"), "{code}: {stopped}");
    }
}

#[test]
fn inputs_may_be_json_in_a_string() {
    let mut server = serve(&[]);
    let answer = run(
        &mut server,
        &json!({ "code": "[x + 1, rows[0]['a']]", "inputs": "{\"x\": 1, \"rows\": [{\"a\": 2}]}" }),
    );
    assert_eq!(texts(&answer), ["[2,2]"]);
    let answer = run(&mut server, &json!({ "code": "1", "inputs": "x" }));
    assert_eq!(answer["result"]["isError"], true, "{answer}");
}

#[test]
fn declarations_are_the_checkers_alone() {
    let mut server = serve(&[]);
    let run_with = |server: &mut StdioServer, code: &str, declared: &str| {
        run(
            server,
            &json!({ "code": code, "inputs": { "n": 1 }, "type_definitions": declared }),
        )
    };
    assert_eq!(texts(&run_with(&mut server, "n + 1", "")), ["2"]);
    assert_eq!(texts(&run_with(&mut server, "n + 1", "n: int")), ["2"]);
    let answer = run_with(&mut server, "n + 1", "n: str");
    assert_eq!(texts(&answer)[0], "2");
    assert!(
        texts(&answer)[1].contains("unsupported-operator"),
        "{answer}"
    );
    let answer = run_with(&mut server, "n + 1", "n: = str");
    assert!(
        texts(&answer)[1].contains("type_definitions:1:"),
        "{answer}"
    );
}
