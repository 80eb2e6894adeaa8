use std::fmt::Write as _;
use std::time::Duration;

use super::db::MAX_CHECKS;
use super::*;

/// On a stack as large as the engine's.
fn with_checker(test: impl FnOnce(&mut Checker) + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(256 << 20);
    let ran = thread
        .spawn(|| {
            let mut checker = Checker::cold();
            while checker.warm_more() {}
            test(&mut checker)
        })
        .unwrap()
        .join();
    if let Err(panicked) = ran {
        std::panic::resume_unwind(panicked);
    }
}

/// What an interpreter has that typeshed does not know.
fn has(module: &str, member: Option<&str>) -> bool {
    matches!(
        (module, member),
        ("_ours", None) | ("random", Some("TWOPI"))
    )
}

fn check(checker: &mut Checker, source: &str) -> Result<Vec<String>, RunError> {
    check_with(checker, source, &Declared::default())
}

fn check_with(
    checker: &mut Checker,
    source: &str,
    declared: &Declared,
) -> Result<Vec<String>, RunError> {
    let deadline = Instant::now() + Duration::from_secs(120);
    checker.check(source, "calc.py", declared, deadline, usize::MAX, &mut has)
}

#[test]
fn what_fails_when_it_is_run_stops_it() {
    with_checker(|checker| {
        for (source, rule) in [
            ("x = ", "invalid-syntax"),
            ("def f(:\n  pass", "invalid-syntax"),
            ("return 1", "invalid-syntax"),
            (
                "def f():\n    await g()\nasync def g(): ...",
                "invalid-syntax",
            ),
            (
                "[0 for i in range(3) if await i]\ndef f():\n    return [await i for i in []]",
                "invalid-syntax",
            ),
            ("nonlocal x", "invalid-syntax"),
            ("print(undefined_name)", "unresolved-reference"),
            ("def f():\n    return missing\nf()", "unresolved-reference"),
            ("reveal_type(1)", "undefined-reveal"),
            ("import numpy as np", "unresolved-import"),
            ("from requests import get", "unresolved-import"),
            ("from math import no_such_thing", "unresolved-import"),
            ("import distutils", "unresolved-import"),
            ("import os.nothing", "unresolved-import"),
            ("import math\nmath.squareroot(2)", "unresolved-attribute"),
            ("import os\nos.path.jion('a', 'b')", "unresolved-attribute"),
            ("import datetime\ndatetime.now()", "unresolved-attribute"),
            ("def f(a, b): ...\nf(1)", "missing-argument"),
            ("class A: ...\nA(1)", "too-many-positional-arguments"),
            ("import _theirs", "unresolved-import"),
            ("def f(a): ...\nf(1, 2)", "too-many-positional-arguments"),
            ("def f(a): ...\nf(1, c=2)", "unknown-argument"),
            ("def f(a): ...\nf(1, a=2)", "parameter-already-assigned"),
            (
                "def f(a, /): ...\nf(a=1)",
                "positional-only-parameter-as-kwarg",
            ),
            (
                "class A:\n    def m(self, x): ...\nA().m()",
                "missing-argument",
            ),
            ("import math\nmath.sqrt()", "missing-argument"),
            (
                "import textwrap\ntextwrap.dedent('a', no_such=1)",
                "unknown-argument",
            ),
            (
                "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\nP()",
                "missing-argument",
            ),
            (
                "try:\n    import numpy\nexcept KeyError:\n    pass",
                "unresolved-import",
            ),
            (
                "try:\n    print()\nexcept Exception:\n    import numpy",
                "unresolved-import",
            ),
        ] {
            let stopped = check(checker, source).expect_err(source);
            assert_eq!(stopped.kind, Kind::Types, "{source}: {stopped:?}");
            assert!(stopped.message.contains(rule), "{source}: {stopped:?}");
            assert!(
                stopped.message.contains("--> calc.py:"),
                "{source}: {stopped:?}"
            );
        }
    });
}

#[test]
fn what_may_well_run_does() {
    with_checker(|checker| {
        for source in [
            "d = {'a': 1, 'b': 2}\nmax(d, key=d.get)",
            "import re\nre.search(r'\\d', 'a1').group()",
            "rows = [{'n': 'a', 'v': 1}, {'n': 'b', 'v': 2}]\nsum(r['v'] for r in rows)",
            "def f(a: int = None):\n    return a\nf()",
            "x: int = 'text'",
            "1 + 'a'",
            "[1][5]",
            "None.upper()",
            "'a'.no_such_method()",
            "len(5)",
            "x = 5\nx()",
            // Top-level await, in all its forms.
            "import asyncio\nawait asyncio.sleep(0)",
            "async def g():\n    yield 1\nasync for x in g():\n    print(x)\n[y async for y in g()]",
            "import asyncio\nasync with asyncio.Lock():\n    pass",
            "from __future__ import annotations\nx: Undefined = 1",
            "'''doc'''\nfrom __future__ import annotations, division\nx = 1",
            // Annotations are not evaluated.
            "def f(x: List[int]) -> Optional[int]:\n    return None\nf([])",
            "def f(x: 'Later'): ...\nfrom typing import cast\ncast('Whatever', 1)",
            // The code expects it.
            "try:\n    import numpy as np\nexcept ImportError:\n    np = None",
            "try:\n    import tomllib2\nexcept (ImportError, KeyError):\n    tomllib2 = None",
            "try:\n    undefined_name\nexcept NameError as error:\n    print(error)",
            "try:\n    undefined_name\nexcept:\n    pass",
            "def f(a): ...\ntry:\n    f()\nexcept TypeError as e:\n    print(e)",
            "import math\ntry:\n    math.nothing\nexcept AttributeError:\n    pass",
            "import math\nif hasattr(math, 'sumprod2'):\n    math.sumprod2([1], [2])",
            "from contextlib import suppress\nwith suppress(NameError):\n    undefined_name",
            "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        with self.assertRaises(TypeError):\n            len()",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import numpy",
            // Defined in ways that no checker sees.
            "exec('y = 1')\ny",
            "globals()['y'] = 1\ny",
            "import math\nmath.tau2 = 6\nmath.tau2",
            // Defined later or elsewhere, or only perhaps.
            "def f():\n    return g()\ndef g():\n    return 1\nf()",
            "import random\nif random.random() > 0.5:\n    z = 1\nprint(z)",
            "for i in range(3):\n    if i:\n        print(before)\n    before = i",
            "import random\nf = (lambda a: a) if random.random() > 0.5 else (lambda: 1)\nf()",
            "class A:\n    def __getattr__(self, name): return name\nA().anything",
            "class A: pass\na = A()\na.x = 1\na.x",
            // Not in typeshed, and there all the same.
            "import _ours\n_ours.anything",
            "import random\nrandom.TWOPI",
            "from random import TWOPI",
            // Some class, perhaps with other arguments.
            "class Base:\n    @classmethod\n    def make(cls):\n        return cls(1)\nclass B(Base):\n    def __init__(self, a): ...\nB.make()",
            "class Base:\n    def copy(self):\n        return type(self)(1)\nclass B(Base):\n    def __init__(self, a): ...\nB(1).copy()",
            "import encodings.utf_8, posix, _random, _thread",
            "import importlib\nimportlib.util",
            // Names that the interpreter always has.
            "print(__name__, __doc__, __builtins__)\nexit",
        ] {
            if let Err(stopped) = check(checker, source) {
                panic!("{source}\n{}", stopped.message);
            }
        }
    });
}

#[test]
fn findings_have_a_place_in_what_the_caller_wrote() {
    with_checker(|checker| {
        let declared = Declared {
            given: "n: int\n".into(),
            given_names: vec!["n".into()],
            declared: "class P:\n    x: int\nlimit: int\n".into(),
            declared_hidden: Vec::new(),
        };
        let found = check_with(checker, "\nn + 'a'\n", &declared).unwrap();
        assert_eq!(
            found,
            [
                "calc.py:2:1: error[unsupported-operator] Operator `+` is not supported between objects of type `int` and `Literal[\"a\"]`"
            ]
        );
        let stopped = check_with(checker, "# é\nprint(nope, P)\n", &declared).unwrap_err();
        assert!(
            stopped.message.starts_with(
                "error[unresolved-reference]: Name `nope` used when not defined\n --> calc.py:2:7\n"
            ),
            "{}",
            stopped.message
        );
        assert!(!stopped.message.contains("_pymcp"), "{}", stopped.message);
        // A given name may be used for something else, and a declared one is held to it.
        let found = check_with(checker, "n = str(n)\nn.upper()", &declared).unwrap();
        assert_eq!(found, [""; 0]);
        let found = check_with(checker, "limit = 'a'\n", &declared).unwrap();
        assert!(found[0].contains("invalid-assignment"), "{found:?}");
        // Advice on how to set up ty is none here.
        let stopped = check(checker, "import numpy").unwrap_err().message;
        assert!(
            stopped.contains("standard library") && !stopped.contains("docs.astral"),
            "{stopped}"
        );
        let stopped = check(checker, "import distutils").unwrap_err().message;
        assert!(
            stopped.contains("3.0-3.11") || stopped.contains("3.11"),
            "{stopped}"
        );
    });
}

#[test]
fn declarations_that_cannot_be_read_are_told() {
    with_checker(|checker| {
        let declared = Declared {
            declared: "x: = int\n".into(),
            ..Declared::default()
        };
        let found = check_with(checker, "1", &declared).unwrap();
        assert!(found[0].starts_with("type_definitions:1:"), "{found:?}");
    });
}

#[test]
fn nothing_is_left_for_the_next_check() {
    with_checker(|checker| {
        let declared = Declared {
            given: "n: int\n".into(),
            given_names: vec!["n".into()],
            ..Declared::default()
        };
        assert!(check_with(checker, "x = n", &declared).is_ok());
        for source in ["n", "x", "import main", "import shown"] {
            assert!(check(checker, source).is_err(), "{source}");
        }
    });
}

#[test]
fn a_checker_outlives_its_database() {
    with_checker(|checker| {
        for round in 0..=MAX_CHECKS {
            let declared = Declared {
                given: format!("n{round}: int\n"),
                given_names: vec![format!("n{round}")],
                ..Declared::default()
            };
            let found = check_with(checker, &format!("n{round} + 'a'"), &declared).unwrap();
            assert!(found[0].contains("unsupported-operator"), "{found:?}");
        }
    });
}

#[test]
fn findings_are_bounded() {
    with_checker(|checker| {
        let many = "1 + 'a'\n".repeat(1_000);
        let found = check(checker, &many).unwrap();
        assert_eq!(found.len(), MAX_DIAGNOSTICS);
        assert_eq!(found.last().unwrap(), "[981 more]");
        let mut long = String::new();
        for at in 0..100 {
            let _ = writeln!(long, "1 + ('{}', {at})", "x".repeat(900));
        }
        let found = check(checker, &long).unwrap();
        let bytes: usize = found.iter().map(String::len).sum();
        assert!(bytes <= MAX_DIAGNOSTICS_SIZE && found.len() > 1, "{bytes}");
        let stopped = check(checker, &"nope\n".repeat(1_000)).unwrap_err().message;
        assert!(
            stopped.ends_with("more]") && stopped.len() < 2 * MAX_DIAGNOSTICS_SIZE,
            "{stopped}"
        );
    });
}

#[test]
fn a_source_may_be_long() {
    with_checker(|checker| {
        let mut source = String::from("import json, math, re\n");
        for at in 0..250 {
            let _ = writeln!(
                source,
                "def f{at}(a: int, b=None):\n    c = [x * {at} for x in range(a) if x % 2]\n    d = {{'k': c, 'n': math.sqrt(a)}}\n    return json.dumps(d)"
            );
        }
        source.push_str("f0(1)\nf249(2, b=3)\n");
        assert!(source.lines().count() > 1_000);
        assert_eq!(check(checker, &source).unwrap(), [""; 0]);
    });
}

#[test]
fn deep_nesting_is_refused_or_checked_but_survived() {
    with_checker(|checker| {
        let chain = |levels: usize| vec!["1"; levels].join(" + ");
        assert!(check(checker, &chain(500)).is_ok());
        let refused = check(checker, &chain(30_000)).unwrap_err();
        assert!(
            refused.message.contains("check_types: false"),
            "{refused:?}"
        );
        let nested_ifs = (0..150).fold(String::new(), |code, level| {
            code + &" ".repeat(level) + "if 1:\n"
        });
        for (name, deep) in [
            ("open", "(".repeat(30_000)),
            ("lists", "[".repeat(5_000) + "1" + &"]".repeat(5_000)),
            ("attributes", format!("x{}", ".a".repeat(20_000))),
            ("calls", format!("x{}", "()".repeat(20_000))),
            ("subscripts", format!("x{}", "[0]".repeat(20_000))),
            ("not", "not ".repeat(15_000) + "1"),
            ("lambdas", "lambda: ".repeat(8_000) + "1"),
            ("conditions", "1 if x else ".repeat(5_000) + "1"),
            ("ifs", nested_ifs + &" ".repeat(150) + "x"),
            ("strings", "f'{".repeat(150) + "1" + &"}'".repeat(150)),
            ("powers", "1 ** ".repeat(15_000) + "1"),
            (
                "attributes in bounds",
                format!("x = 1\nx{}", ".a".repeat(900)),
            ),
            ("lists in bounds", "[".repeat(150) + "1" + &"]".repeat(150)),
        ] {
            let started = Instant::now();
            let deadline = started + Duration::from_secs(5);
            let _ = checker.check(
                &deep,
                "calc.py",
                &Declared::default(),
                deadline,
                usize::MAX,
                &mut has,
            );
            assert!(started.elapsed() < Duration::from_secs(20), "{name}");
        }
        assert!(check(checker, "import json\njson.dumps(1)").is_ok());
    });
}

#[test]
fn a_check_ends_with_its_run() {
    with_checker(|checker| {
        // Types that double with every line.
        let mut source = String::from("import random\nx0 = random.random() > 0.5\n");
        for at in 1..400 {
            let _ = writeln!(
                source,
                "def f{at}(a):\n    if a == {at}:\n        return f{}(a)\n    return (f{}(a), f{}(a), f{at}(a))",
                (at + 7) % 400,
                (at + 1) % 400,
                (at * 3) % 400
            );
        }
        let started = Instant::now();
        let given_up = checker.check(
            &source,
            "calc.py",
            &Declared::default(),
            started + Duration::from_millis(1),
            usize::MAX,
            &mut has,
        );
        let given_up = given_up.unwrap_err();
        assert_eq!(given_up.kind, Kind::Limit(Limit::Time), "{given_up:?}");
        assert!(
            given_up.message.contains("check_types: false"),
            "{given_up:?}"
        );
        // The next check begins anew.
        assert!(check(checker, "import json\njson.dumps(1)").is_ok());
    });
}

#[test]
fn no_thread_is_started() {
    // In a process of its own in the tests of workers; here at least none with ty's names or rayon's.
    with_checker(|checker| {
        let _ = check(checker, "import json\njson.dumps(1)\nnope");
        let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
            return;
        };
        for task in tasks {
            let name =
                std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap_or_default();
            assert!(!name.contains("rayon") && !name.contains("salsa"), "{name}");
        }
    });
}
