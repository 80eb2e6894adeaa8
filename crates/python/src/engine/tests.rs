//! Values, on an interpreter of the test's own.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::json;
use serde_json::value::RawValue;

use super::*;
use crate::run::{Kind, Limit};

/// Runs a test with an interpreter, on a stack that is large enough for its start.
fn with_interpreter(test: fn(&VirtualMachine, &Types)) {
    let test = move || {
        let (interpreter, _interrupt) = start::interpreter();
        interpreter.enter(|vm| test(vm, &Types::new(vm)));
    };
    let thread = std::thread::Builder::new()
        .stack_size(256 << 20)
        .spawn(test);
    assert!(thread.unwrap().join().is_ok());
}

/// The value of an expression, or of the name `value` that statements define.
fn evaluate(vm: &VirtualMachine, source: &str) -> PyObjectRef {
    let scope = vm.new_scope_with_main().unwrap();
    let names = scope.globals.clone();
    let Ok(program) = source::compile(source, "main.py") else {
        panic!("{source}")
    };
    let code = vm.ctx.new_code(program.code);
    if let Err(error) = vm.run_code_obj(code, scope) {
        panic!("{source}: {}", errors::raised(vm, error, "main.py").message);
    }
    names.get_item(source::VALUE, vm).unwrap()
}

fn rendered(
    vm: &VirtualMachine,
    types: &Types,
    source: &str,
    limit: usize,
) -> Result<Value, RunError> {
    match value::render(&evaluate(vm, source), limit, types, vm) {
        Ok(value) => Ok(value),
        Err(Fault::Refused(error)) => Err(error),
        Err(Fault::Raised(error)) => Err(errors::raised(vm, error, "main.py")),
    }
}

#[test]
fn the_whole_library_is_unpacked() {
    with_interpreter(|vm, types| {
        // A module's code is named after it; what stands for code that is packed, is not.
        let left = "import _imp\n[n for n in _imp._frozen_module_names() if \
            _imp.get_frozen_object(n).co_filename == 'frozen']";
        let started = "import _imp\nm = _imp.init_frozen('colorsys')\n[m.__origname__, m.rgb_to_hsv(0, 0, 2)[2]]";
        let unknown = "import _imp\ntry:\n    _imp.get_frozen_object('nothing')\nexcept ImportError as e:\n    m = e.msg\nm";
        // Columns are left out where they are packed, lines are not.
        let lines = "import textwrap\ntry:\n    textwrap.wrap('a', 0)\nexcept ValueError as e:\n    t = e.__traceback__\n\
            while t.tb_next:\n    t = t.tb_next\n\
            code = t.tb_frame.f_code\n\
            [code.co_name, code.co_firstlineno < t.tb_lineno < code.co_firstlineno + 40, \
            {p[2] for p in code.co_positions()}, len({p[0] for p in code.co_positions()}) > 5]";
        for (source, text) in [
            (left, None),
            (lines, Some(r#"["_wrap_chunks",true,[null],true]"#)),
            (started, Some(r#"["colorsys",2]"#)),
            (unknown, Some("No such frozen object named nothing")),
        ] {
            let value = rendered(vm, types, source, 1 << 20).unwrap();
            assert_eq!(value.text.as_deref(), text, "{source}");
        }
    });
}

#[test]
fn every_kind_of_value_has_its_form() {
    with_interpreter(|vm, types| {
        for (source, text) in [
            (
                "[float('inf'), -float('inf')]",
                r#"["Infinity","-Infinity"]"#,
            ),
            ("float('nan')", r#""NaN""#),
            ("10**30", "1000000000000000000000000000000"),
            ("{3, 1, 2}", "[1,2,3]"),
            ("bytearray(b'ab')", "ab"),
            ("b'\\xff\\xfe'", "//4="),
            ("1 + 2j", "(1+2j)"),
            ("range(5)", "range(0, 5)"),
            ("int", "\"<class 'int'>\""),
            ("len", "\"<built-in function len>\""),
            ("ValueError('m')", "m"),
            ("from decimal import Decimal\nDecimal('1.10')", r#""1.10""#),
            (
                "from fractions import Fraction\n[Fraction(1, 3)]",
                r#"["1/3"]"#,
            ),
            (
                "import uuid\nuuid.UUID(int=5)",
                r#""00000000-0000-0000-0000-000000000005""#,
            ),
            ("from pathlib import Path\nPath('/a/b')", r#""/a/b""#),
            (
                "from enum import Enum\nclass C(Enum):\n    A = 'x'\nC.A",
                "x",
            ),
            (
                "from enum import IntEnum\nclass C(IntEnum):\n    A = 2\n{C.A: [C.A]}",
                r#"{"2":[2]}"#,
            ),
            (
                "from datetime import datetime, timezone\ndatetime(2024, 1, 2, 3, 4, 5, 600, timezone.utc)",
                r#""2024-01-02T03:04:05.000600Z""#,
            ),
            (
                "from datetime import date, time\n[date(2024, 1, 2), time(1, 2)]",
                r#"["2024-01-02","01:02:00"]"#,
            ),
            (
                "from datetime import timedelta\ntimedelta(days=-1, seconds=86399, microseconds=500000)",
                r#""-PT0.5S""#,
            ),
            (
                "from datetime import timezone, timedelta\n[timezone.utc, timezone(timedelta(hours=2))]",
                r#"["UTC","UTC+02:00"]"#,
            ),
            (
                "from collections import namedtuple\nnamedtuple('P', 'x y')(1, 2)",
                "[1,2]",
            ),
            (
                "from collections import deque, Counter\n[deque([1]), Counter('aab'), {'a': 1}.items()]",
                r#"[[1],{"a":2,"b":1},[["a",1]]]"#,
            ),
            ("a = []\na.append(a)\na", r#"["[...]"]"#),
            ("d = {}\nd['d'] = d\nd", r#"{"d":"{...}"}"#),
            ("x = [1]\n[x, x]", "[[1],[1]]"),
            (
                "{None: 1, True: 2, (1, 2): 3, 1.5: 4}",
                r#"{"None":1,"true":2,"1,2":3,"1.5":4}"#,
            ),
            ("'\\ud800'", "\u{fffd}"),
        ] {
            let value = rendered(vm, types, source, 1 << 20).unwrap();
            assert_eq!(value.text.as_deref(), Some(text), "{source}");
        }
        for source in ["None", "[]", "()"] {
            assert!(
                rendered(vm, types, source, 10).unwrap().text.is_none(),
                "{source}"
            );
        }
        let source = "from dataclasses import dataclass\nfrom typing import ClassVar\n@dataclass\nclass P:\n    \
            n: int\n    k: ClassVar[int] = 3\nP(2 ** 60)";
        let value = rendered(vm, types, source, 1 << 20).unwrap();
        assert_eq!(value.text.as_deref(), Some(r#"{"n":1152921504606846976}"#));
        assert_eq!(
            value.object.unwrap().get(),
            r#"{"n":"1152921504606846976"}"#
        );
    });
}

#[test]
fn what_has_no_json_is_refused_by_name() {
    with_interpreter(|vm, types| {
        for (source, said) in [
            ("(x for x in [1])", "list(...)"),
            ("[map(str, [1])]", "list(...)"),
            ("async def f():\n    pass\nf()", "await"),
            ("{1: 'a', '1': 'b'}", "keys 1 and '1'"),
            ("{True: 'a', 'true': 'b'}", "keys True and 'true'"),
            (
                "class A:\n    def __repr__(self):\n        raise KeyError('r')\nA()",
                "KeyError: 'r'",
            ),
            ("{'$serde_json::private::RawValue': 5}", "key"),
        ] {
            let error = rendered(vm, types, source, 1 << 20).unwrap_err();
            assert_eq!(error.kind, Kind::Exception, "{source}");
            assert!(error.message.contains(said), "{source}: {}", error.message);
        }
    });
}

#[test]
fn values_are_bounded_to_the_byte() {
    with_interpreter(|vm, types| {
        let value = rendered(vm, types, "[1] * 5", 11).unwrap();
        assert_eq!(value.text.unwrap().len(), 11);
        for source in [
            "[1] * 6",
            "'x' * 12",
            "['\\0' * 2]",
            "10 ** 100000",
            "x = [1] * 10\nfor i in range(40):\n    x = [x, x]\nx",
        ] {
            let error = rendered(vm, types, source, 11).unwrap_err();
            assert_eq!(error.kind, Kind::Limit(Limit::Value), "{source}");
        }
        let nested = |levels: usize| format!("x = 1\nfor i in range({levels}):\n    x = [x]\nx");
        assert!(rendered(vm, types, &nested(100), 1 << 20).is_ok());
        assert!(rendered(vm, types, &nested(101), 1 << 20).is_err());
    });
}

/// JSON whose numbers every reader gets exactly.
fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-(1_i64 << 53) + 1..1 << 53).prop_map(Value::from),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..8)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

#[test]
fn json_comes_back_from_python_as_it_went() {
    with_interpreter(|vm, types| {
        let mut runner = TestRunner::new(Config::with_cases(256));
        let tested = runner.run(&json(), |value| {
            let inputs = RawValue::from_string(json!({ "x": value }).to_string())
                .map_err(|error| TestCaseError::fail(error.to_string()))?;
            let inputs = input::read(Some(&inputs)).unwrap();
            let dict = vm.ctx.new_dict();
            let object = input::object(&inputs[0].1, vm).unwrap();
            dict.set_item("x", object, vm).unwrap();
            let Ok(rendered) = value::render(dict.as_object(), 1 << 20, types, vm) else {
                return Err(TestCaseError::fail("no JSON"));
            };
            for text in [
                rendered.text.as_deref(),
                rendered.object.as_deref().map(RawValue::get),
            ] {
                let back: serde_json::Value = serde_json::from_str(text.unwrap()).unwrap();
                prop_assert_eq!(&back["x"], &value);
            }
            Ok(())
        });
        assert!(tested.is_ok(), "{tested:?}");
    });
}
