//! What code can do, and what comes back.

use std::collections::BTreeSet;

use libtest_mimic::Trial;
use pymcp_python::{Config, Kind, Limit, MODULES, Pool, Request};
use serde_json::value::RawValue;

use crate::{code, config, run, text, trial};

fn checked(source: &str) -> Request {
    Request {
        check_types: true,
        ..code(source)
    }
}

fn with_inputs(source: &str, inputs: &str) -> Request {
    Request {
        inputs: Some(RawValue::from_string(inputs.to_owned()).unwrap()),
        ..code(source)
    }
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("values_are_rendered", values),
        trial("inputs_are_exact", inputs),
        trial("errors_carry_line_caret_and_name", errors),
        trial("printed_output_comes_back", output),
        trial("limits_say_which_and_how_much", limits),
        trial("types_are_checked", types),
        trial("the_clock_is_the_hosts", clock),
        trial("nothing_else_of_the_host_is_there", refused),
        trial("the_modules_are_those_that_import", modules),
        trial("a_run_leaves_nothing_for_the_next", isolation),
        trial("a_long_list_takes_n_log_n_comparisons", sorting),
    ]
}

async fn sorting() {
    let pool = Pool::new(config());
    let source = "\
class Item:
    compared = 0
    def __init__(self, key, at):
        self.key, self.at = key, at
    def __lt__(self, other):
        Item.compared += 1
        return self.key < other.key
items = [Item(i * 7919 % 997, i) for i in range(4000)]
up, down = sorted(items), sorted(items, reverse=True)
both = [[item.key for item in up], [-item.key for item in down]]
stable = all(
    a.at < b.at for run in (up, down) for a, b in zip(run, run[1:]) if a.key == b.key
)
[all(a <= b for keys in both for a, b in zip(keys, keys[1:])), stable, Item.compared < 2 * 4000 * 12]";
    assert_eq!(text_of(&pool, code(source)).await, "[true,true,true]",);
}

async fn values() {
    let pool = Pool::new(config());
    for (source, expected) in [
        ("'hello'", "hello"),
        ("[1, 'a', None, 2.5, True]", r#"[1,"a",null,2.5,true]"#),
        ("1e16", "1e+16"),
        ("4 / 2", "2.0"),
        ("float('nan')", "\"NaN\""),
        ("2 ** 100", "1267650600228229401496703205376"),
        ("None", ""),
        ("[]", ""),
        ("()", ""),
        ("set()", "[]"),
        ("{3, 1, 2}", "[1,2,3]"),
        ("frozenset(['b', 'a'])", r#"["a","b"]"#),
        ("{2, 'b', 1}", r#"[2,"b",1]"#),
        ("{}", "{}"),
        ("b'abc'", "abc"),
        ("b'\\xff\\xfe'", "//4="),
        ("len", "\"<built-in function len>\""),
        ("int", "\"<class 'int'>\""),
        ("range(5)", "range(0, 5)"),
        ("a = []\na.append(a)\na", r#"["[...]"]"#),
        ("ValueError('why')", "why"),
        (
            "from datetime import date\ndate(2024, 1, 2)",
            "\"2024-01-02\"",
        ),
        (
            "from datetime import datetime, timezone\ndatetime(2024, 1, 2, 3, 4, 5, 600, timezone.utc)",
            "\"2024-01-02T03:04:05.000600Z\"",
        ),
        (
            "from datetime import timedelta\ntimedelta(days=1, seconds=5)",
            "\"P1DT5S\"",
        ),
        ("from pathlib import Path\nPath('/a/b')", "\"/a/b\""),
        ("from datetime import timezone\ntimezone.utc", "\"UTC\""),
        (
            "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\n    y: str\nP(1, 'a')",
            r#"{"x":1,"y":"a"}"#,
        ),
        (
            "from collections import namedtuple\nnamedtuple('P', 'x y')(1, 2)",
            "[1,2]",
        ),
        ("x = 5", ""),
        ("if True:\n    5", ""),
    ] {
        assert_eq!(text(run(&pool, source).await), expected, "{source}");
    }
    let outcome = run(&pool, "{'big': 2 ** 60, 'nan': float('nan'), 1: (1, 2)}")
        .await
        .unwrap();
    assert_eq!(
        outcome.value.object.unwrap().get(),
        r#"{"big":"1152921504606846976","nan":"NaN","1":[1,2]}"#
    );
}

async fn inputs() {
    let pool = Pool::new(config());
    let result = pool
        .run(with_inputs("x + 1", r#"{"x": 1180591620717411303424}"#))
        .await;
    assert_eq!(text(result), "1180591620717411303425");
    let result = pool
        .run(with_inputs(
            "d['a'][1] + y",
            r#"{"d": {"a": [1, 2]}, "y": 0.5}"#,
        ))
        .await;
    assert_eq!(text(result), "2.5");
    for (inputs, expected) in [
        (r#"{"not valid": 1}"#, "'not valid'"),
        (r#"{"class": 1}"#, "'class'"),
        (r#"{"x": 1, "x": 2}"#, "more than once"),
        ("[1]", "object"),
    ] {
        let failure = pool.run(with_inputs("1", inputs)).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Inputs, "{inputs}: {failure:?}");
        assert!(failure.message.contains(expected), "{failure}");
    }
    let deep = format!(r#"{{"x": {}{}}}"#, "[".repeat(5000), "]".repeat(5000));
    assert!(pool.run(with_inputs("1", &deep)).await.is_err());
    assert_eq!(text(run(&pool, "1").await), "1");
}

async fn errors() {
    let pool = Pool::new(config());
    let failing = |source: &str, name: &str| Request {
        script_name: name.into(),
        ..code(source)
    };
    let failure = pool
        .run(failing("x = 1\nx / 0", "calc.py"))
        .await
        .unwrap_err();
    assert_eq!(failure.kind, Kind::Exception);
    for part in [
        "calc.py",
        "line 2",
        "x / 0",
        "~~^~~",
        "ZeroDivisionError: division by zero",
    ] {
        assert!(failure.message.contains(part), "{part}: {failure}");
    }
    let failure = pool
        .run(failing("def f(:\n  pass", "calc.py"))
        .await
        .unwrap_err();
    assert_eq!(failure.kind, Kind::Syntax);
    assert!(failure.message.contains("calc.py") && failure.message.contains("line 1"));
    // Frames that are not the code's are left out.
    let failure = pool
        .run(failing(
            "import asyncio\nasync def f():\n    1 / 0\nawait f()",
            "calc.py",
        ))
        .await
        .unwrap_err();
    assert!(failure.message.starts_with("Traceback"), "{failure}");
    assert!(failure.message.contains("line 3, in f"), "{failure}");
    assert!(!failure.message.contains("_sandbox"), "{failure}");
    for (source, said) in [
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import sys\nsys.exit('why')", "SystemExit: why"),
        ("input()", "EOFError"),
        ("import nothing_like_it", "ModuleNotFoundError"),
        (
            "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('v') from e",
            "direct cause",
        ),
    ] {
        let failure = pool.run(failing(source, "calc.py")).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Exception, "{source}");
        assert!(failure.message.contains(said), "{source}: {failure}");
    }
    for source in ["print('p')\nexit()", "print('p')\nraise SystemExit(0)"] {
        let outcome = run(&pool, source).await.unwrap();
        assert_eq!(outcome.stdout.text, "p\n", "{source}");
        assert_eq!(outcome.value.text, None, "{source}");
    }
    // A name is only a label.
    for (name, shown) in [
        ("../../etc/x <b>", "../../etc/x <b>"),
        ("", "main.py"),
        ("a\nb\u{1b}[31m", "ab[31m"),
    ] {
        for check_types in [false, true] {
            let request = Request {
                check_types,
                ..failing("undefined + 1", name)
            };
            let failure = pool.run(request).await.unwrap_err();
            assert!(failure.message.contains(shown), "{name:?}: {failure}");
        }
    }
    let request = failing("1 / 0", &"n".repeat(1 << 20));
    assert!(pool.run(request).await.unwrap_err().message.len() < 1000);
}

async fn output() {
    let pool = Pool::new(config());
    let outcome = run(&pool, "print(1, 'a', sep='-', end='!\\n')\nprint('é')\n42")
        .await
        .unwrap();
    assert_eq!(outcome.stdout.text, "1-a!\né\n");
    assert_eq!(outcome.value.text.as_deref(), Some("42"));
    let failure = run(&pool, "print('before')\n1 / 0").await.unwrap_err();
    assert_eq!(failure.stdout.text, "before\n");
    let mut request = code("for i in range(1000):\n    print('é' * 10)\n'done'");
    request.limits.output = 5001;
    let outcome = pool.run(request).await.unwrap();
    // The 5001st byte is half a character.
    assert_eq!(outcome.stdout.text.len(), 5000);
    assert_eq!(outcome.stdout.dropped, 21 * 1000 - 5000);
    assert_eq!(outcome.value.text.as_deref(), Some("done"));
}

async fn limits() {
    let pool = Pool::new(config());
    let mut request = code(&format!("x = 1 #{}", "x".repeat(64 << 10)));
    let failure = pool.run(request.clone()).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Limit(Limit::Source));
    assert!(failure.message.contains("64 KiB"), "{failure}");
    request.limits.source = 65 << 10;
    assert!(pool.run(request).await.is_ok());

    let large = format!(r#"{{"x": "{}"}}"#, "x".repeat(1 << 20));
    let mut request = with_inputs("len(x)", &large);
    let failure = pool.run(request.clone()).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Limit(Limit::Inputs));
    assert!(failure.message.contains("1 MiB"), "{failure}");
    request.limits.inputs = 2 << 20;
    assert_eq!(text(pool.run(request).await), "1048576");

    let failure = run(&pool, "'x' * (2 ** 20 + 1)").await.unwrap_err();
    assert_eq!(failure.kind, Kind::Limit(Limit::Value));
    assert!(failure.message.contains("1 MiB"), "{failure}");
    assert_eq!(text(run(&pool, "'x' * 2 ** 20").await).len(), 1 << 20);

    let deep = "def f(n):\n    return 0 if n == 0 else 1 + f(n - 1)\n";
    assert_eq!(text(run(&pool, &format!("{deep}f(900)")).await), "900");
    // Whatever recurses ends in an exception, and not the process.
    for source in [
        &format!("{deep}f(1100)"),
        "x = []\nfor i in range(100000):\n    x = [x]\nrepr(x)",
        "class A:\n    def __eq__(self, other):\n        return self == other\nA() == A()",
        "class A:\n    def __repr__(self):\n        return repr(self)\nA()",
        "import json\nx = []\nfor i in range(100000):\n    x = [x]\njson.dumps(x)",
        "import json\njson.loads('[' * 100000)",
        "def g(n):\n    return g(n)\nsorted([1, 2], key=g)",
        "def g():\n    yield from g()\nlist(g())",
    ] {
        let failure = run(&pool, source).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Exception, "{source}: {failure}");
        assert!(failure.message.contains("Error"), "{source}: {failure}");
    }
    // Who wants no limit meets another one.
    let endless = "import sys\nsys.setrecursionlimit(10 ** 9)\ndef f():\n    return f()\nf()";
    let failure = run(&pool, endless).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Limit(Limit::Memory), "{failure}");

    let failure = run(&pool, "x = 'x' * (100 * 2 ** 20)").await.unwrap_err();
    assert_eq!(failure.kind, Kind::Limit(Limit::Memory), "{failure:?}");
    assert!(failure.message.contains("64 MiB"), "{failure}");
    assert_eq!(
        text(run(&pool, "len('x' * (40 * 2 ** 20))").await),
        "41943040"
    );
}

async fn types() {
    let pool = Pool::new(config());
    // What would fail stops the run before it begins.
    let failure = pool
        .run(checked("print('before')\nundefined"))
        .await
        .unwrap_err();
    assert_eq!(failure.kind, Kind::Types);
    assert_eq!(failure.stdout.text, "");
    for part in ["unresolved-reference", "main.py:2:1", "^"] {
        assert!(failure.message.contains(part), "{part}: {failure}");
    }
    // What need not fail is told beside the value.
    let outcome = pool.run(checked("x: int = 'a'\nx")).await.unwrap();
    assert_eq!(outcome.value.text.as_deref(), Some("a"));
    assert_eq!(outcome.value.diagnostics.len(), 1, "{outcome:?}");
    assert!(outcome.value.diagnostics[0].starts_with("main.py:1:10: error[invalid-assignment]"));
    let outcome = pool.run(code("x: int = 'a'\nx")).await.unwrap();
    assert_eq!(outcome.value.diagnostics, [""; 0]);

    let inputs = r#"{"x": 5, "rows": [{"a": 1, "b": "t"}], "_y": 1.5, "none": null}"#;
    let with_types = |source: &str, stubs: Option<&str>| Request {
        check_types: true,
        stubs: stubs.map(str::to_owned),
        ..with_inputs(source, inputs)
    };
    let told = async |request: Request| {
        let value = pool.run(request).await.unwrap().value;
        (value.text.unwrap_or_default(), value.diagnostics.concat())
    };
    let quiet = |text: &str| (text.to_owned(), String::new());
    let source = "[x + 1, rows[0]['a'] + _y, none is None]";
    assert_eq!(told(with_types(source, None)).await, quiet("[6,2.5,true]"));
    let (text, said) = told(with_types("isinstance(x, int) or x + 'a'", Some("x: str"))).await;
    assert_eq!((text.as_str(), said.as_str()), ("true", ""));
    let (text, said) = told(with_types("x + 2", Some("x: str"))).await;
    assert!(text == "7" && said.contains("`str`"), "{said}");
    // Nor does the checker object to what code may do to a list or dict.
    let source = "rows.append(2.5)\nrows[0]['c'] = 1\nlen(rows)";
    assert_eq!(told(with_types(source, None)).await, quiet("2"));
    let declared = "class P:\n    x: int";
    assert_eq!(
        told(with_types("x + _y", Some(declared))).await,
        quiet("6.5")
    );
    let future = "from __future__ import annotations\nx: int = 1\nx";
    assert_eq!(text_of(&pool, checked(future)).await, "1");
    // An input may be used as something else later.
    assert_eq!(told(with_types("x = str(x)\nx", None)).await, quiet("5"));
    // Files of one check are not there in the next.
    for module in ["_pymcp_declared", "main", "type_stubs"] {
        let _ = pool.run(with_types("x + 2", Some("x: int"))).await;
        let failure = pool.run(checked(&format!("import {module}\n{module}.x")));
        assert!(failure.await.is_err(), "{module}");
    }
}

async fn text_of(pool: &Pool, request: Request) -> String {
    text(pool.run(request).await)
}

async fn clock() {
    let pool = Pool::new(Config {
        utc_offset: -3600,
        ..config()
    });
    let source = "from datetime import date, datetime, timezone, timedelta\n\
        zone = timezone(timedelta(hours=2))\n\
        [datetime.now().isoformat(), datetime.now(zone).isoformat(), str(date.today())]";
    let shown: Vec<String> = serde_json::from_str(&text(run(&pool, source).await)).unwrap();
    let now = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()).naive_utc();
    let naive: chrono::NaiveDateTime = shown[0].parse().unwrap();
    let off = now - chrono::Duration::hours(1) - naive;
    assert!(off.num_seconds().abs() < 60, "{shown:?}");
    assert!(shown[1].ends_with("+02:00"), "{shown:?}");
    assert_eq!(shown[2], shown[0][..10], "{shown:?}");
}

async fn refused() {
    let pool = Pool::new(config());
    for (source, error) in [
        ("open('/etc/passwd').read()", "FileNotFoundError"),
        ("import os\nos.environ['PATH']", "KeyError"),
        ("import os\nos.system('id')", "PermissionError"),
        ("import os\nos.fork()", "PermissionError"),
        (
            "from pathlib import Path\nPath('/etc/passwd').read_text()",
            "FileNotFoundError",
        ),
        ("import socket\nsocket.socket()", "PermissionError"),
        (
            "import subprocess\nsubprocess.run(['id'])",
            "PermissionError",
        ),
        ("import ctypes", "ImportError"),
    ] {
        let failure = run(&pool, source).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Exception, "{source}: {failure:?}");
        assert!(failure.message.contains(error), "{source}: {failure}");
    }
}

/// Of the modules that Python has, those that can be imported are those that the tool's description
/// promises.
async fn modules() {
    const PYTHONS: &str = "abc argparse array ast asyncio base64 binascii bisect builtins bz2 calendar \
        cmath codecs collections colorsys concurrent configparser contextlib contextvars copy csv ctypes \
        dataclasses datetime decimal difflib dis email enum errno fileinput fnmatch fractions functools gc \
        getpass glob graphlib gzip hashlib heapq hmac html http importlib inspect io ipaddress itertools json \
        keyword linecache locale logging lzma math mimetypes multiprocessing numbers operator os pathlib \
        pickle pkgutil platform pprint queue random re secrets select shelve shlex shutil signal site socket \
        sqlite3 ssl stat statistics string struct subprocess symtable sys sysconfig tarfile tempfile textwrap \
        threading time timeit token tokenize tomllib traceback types typing unicodedata unittest urllib uuid \
        warnings weakref xml zipfile zlib zoneinfo";
    let pool = Pool::new(config());
    let mut importable = BTreeSet::new();
    for module in PYTHONS.split_whitespace() {
        if run(&pool, &format!("import {module}")).await.is_ok() {
            importable.insert(module);
        }
    }
    assert_eq!(importable, MODULES.iter().copied().collect());
}

async fn isolation() {
    let pool = Pool::new(config());
    for (first, second, stopped) in [
        ("x = 5", "x", Kind::Types),
        ("import math\nmath.pi = 3", "math", Kind::Types),
        ("def f():\n    return 1", "f()", Kind::Types),
        // The check knows that this fails, but not that it must.
        ("len = 5", "len(5)", Kind::Exception),
    ] {
        let _ = run(&pool, first).await;
        assert_eq!(
            run(&pool, second).await.unwrap_err().kind,
            Kind::Exception,
            "{second}"
        );
        let failure = pool.run(checked(second)).await.unwrap_err();
        assert_eq!(failure.kind, stopped, "{second}: {failure:?}");
    }
    assert_eq!(text(run(&pool, "import math\nmath.pi > 3.1").await), "true");
    assert_eq!(pool.stats().killed_for_memory + pool.stats().crashed, 0);
}
