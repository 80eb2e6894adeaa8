//! Nothing of a run reaches the next one, of whatever caller: each has its own interpreter, files, clock and memory.

use serde_json::json;

use super::{run, serve, texts};

/// What the first run leaves behind in some place; found by the second, if it can.
const CANARY: &str = "leak-7b2e-of-the-run-before";

/// A run that leaves something, and one that looks for it. `CANARY` is a variable in both. The second says `clean`, or
/// what it found.
const PAIRS: &[(&str, &str, &str)] = &[
    (
        "globals",
        "left = CANARY\n__name__ = CANARY\nimport __main__\n__main__.left2 = CANARY",
        "import __main__\nfound = [n for n in (*globals(), *vars(__main__)) if 'left' in n]\n'clean' if not found and __name__ != CANARY else found",
    ),
    (
        "builtins",
        "import builtins\nbuiltins.left = CANARY\nbuiltins.len = lambda x: CANARY\nbuiltins.print = None\ndel builtins.sum",
        "import builtins\n'clean' if not hasattr(builtins, 'left') and len('ab') == 2 and print and sum([1]) == 1 else 'found'",
    ),
    (
        "modules",
        "import sys, types, json, math, re\nm = types.ModuleType('left')\nsys.modules['left'] = m\njson.dumps = lambda x: CANARY\nmath.pi = 3\nre.left = CANARY\nimport colorsys, wave",
        "import sys, json, math, re\nfound = [n for n in ('left', 'colorsys', 'wave') if n in sys.modules]\n'clean' if not found and json.dumps(1) == '1' and math.pi > 3.1 and not hasattr(re, 'left') else found",
    ),
    (
        "types of the library",
        "import collections, decimal, enum, datetime\ncollections.Counter.left = CANARY\ndecimal.getcontext().prec = 3\nenum.Enum.left = CANARY\ndecimal.Decimal.left = CANARY if False else None",
        "import collections, decimal, enum\n'clean' if not hasattr(collections.Counter, 'left') and decimal.getcontext().prec == 28 and not hasattr(enum.Enum, 'left') else 'found'",
    ),
    (
        "settings of the interpreter",
        "import sys, os, gc, random\nsys.setrecursionlimit(77777)\nsys.path.append(CANARY)\nsys.argv.append(CANARY)\nsys.meta_path.insert(0, CANARY)\nos.environ['LEFT'] = CANARY\nos.chdir('/')\ngc.disable()\nsys.stdout = None\nsys.excepthook = None",
        "import sys, os, gc\nfound = [x for x in (*sys.path, *sys.argv, *sys.meta_path, *os.environ) if x in (CANARY, 'LEFT')]\n'clean' if not found and sys.getrecursionlimit() != 77777 and gc.isenabled() and sys.stdout is not None else ['found', *found]",
    ),
    (
        "caches and registries",
        "import re, functools, codecs, abc, copyreg, logging, warnings, struct\nre.compile(CANARY)\ncodecs.register_error('left', lambda e: ('', e.end))\nlogging.getLogger(CANARY)\nlogging.getLogger().setLevel(5)\nwarnings.simplefilter('error')\n@functools.singledispatch\ndef f(x): pass\nclass Left: pass\nabc.ABC.register(Left) if hasattr(abc.ABC, 'register') else None",
        "import re, codecs, logging\ntry:\n    codecs.lookup_error('left')\n    found = ['codec']\nexcept LookupError:\n    found = []\nfound += [c.__name__ for c in object.__subclasses__() if c.__name__ == 'Left']\nfound += [n for n in logging.root.manager.loggerDict if n == CANARY]\nfound += [k for k in getattr(re, '_cache', {}) if CANARY in str(k)]\n'clean' if not found and logging.getLogger().level != 5 else found",
    ),
    (
        "objects in memory",
        "import sys\nkeep = [CANARY.encode() * 1000, [CANARY] * 1000, {CANARY: CANARY}]\nsys.intern(CANARY + '-interned')\nclass Left: tag = CANARY\nkeep.append(Left())\n1",
        "import gc\nhere = [globals(), list(globals().values())]\nfound = []\nfor o in gc.get_objects():\n    if type(o).__name__ == 'Left' or (type(o) is list and len(o) == 1000) or (type(o) is dict and len(o) == 1 and CANARY in o and o[CANARY] == CANARY):\n        found.append(type(o).__name__)\n'clean' if not found else found",
    ),
    (
        "fresh memory",
        "keep = [bytearray(CANARY.encode() * 500000) for _ in range(1)]\ndel keep\n1",
        "found = []\nfor n in (64, 4096, 100_000, 2_000_000):\n    if bytearray(n).count(0) != n or bytes(n).count(0) != n:\n        found.append(n)\n'clean' if not found else found",
    ),
    (
        "files",
        "import os, tempfile, pathlib\nopen('left.txt', 'w').write(CANARY)\npathlib.Path('/tmp/left.txt').write_text(CANARY)\nos.makedirs('/left/deep', exist_ok=True)\ntempfile.mkstemp(prefix='left')\nf = open('/tmp/open.txt', 'w')\nf.write(CANARY)\n1",
        "import os\nfound = [os.path.join(d, n) for d, ds, fs in os.walk('/') for n in (*ds, *fs) if 'left' in n or n == 'open.txt']\nfound += [n for n in os.listdir('.') if 'left' in n]\n'clean' if not found and not os.path.exists('/left') else found",
    ),
    (
        "what happens at the end",
        "import atexit, weakref\natexit.register(print, CANARY)\nclass A:\n    def __del__(self): print(CANARY)\nkeep = A()\nweakref.finalize(keep, print, CANARY)\n1",
        "'clean'",
    ),
    (
        "output that was not flushed",
        "import sys\nsys.stdout.write(CANARY)\nsys.stderr.write(CANARY)\nprint(CANARY, end='')\n1",
        "'clean'",
    ),
    (
        "the clock",
        "import time, datetime\ntime.time = lambda: 0.0\ntime.sleep = None\ntime.monotonic = lambda: -1.0\nclass D(datetime.datetime):\n    @classmethod\n    def now(cls, tz=None): return cls(1999, 1, 1)\ndatetime.datetime = D\n1",
        "import time, datetime\ntime.sleep(0)\n'clean' if time.time() > 1e9 and time.monotonic() >= 0 and datetime.datetime.now().year > 2000 else 'found'",
    ),
    (
        "asyncio",
        "import asyncio\nloop = asyncio.new_event_loop()\nasyncio.set_event_loop(loop)\nasync def f():\n    while True: await asyncio.sleep(0)\ntask = loop.create_task(f(), name=CANARY)\n1",
        "import asyncio\nasync def main(): return [t.get_name() for t in asyncio.all_tasks()]\nnames = asyncio.run(main())\n'clean' if CANARY not in names else names",
    ),
    (
        "tracing",
        "import sys\ndef t(*a): print(CANARY)\ntry:\n    sys.settrace(t)\n    sys.setprofile(t)\nexcept AttributeError:\n    pass\n1",
        "import sys\ndef f(): pass\nf()\n'clean' if getattr(sys, 'gettrace', lambda: None)() is None else 'found'",
    ),
    (
        "what an error left",
        "try:\n    raise ValueError(CANARY)\nexcept ValueError as e:\n    kept = e\nraise KeyError(CANARY)",
        "import sys, traceback\nfound = [getattr(sys, n, None) for n in ('last_value', 'last_exc', 'last_traceback')] + [sys.exc_info()[1]]\n'clean' if not any(found) else str(found)",
    ),
    (
        "type definitions",
        "only_here: int = 5\ndef only_here_too(x: int) -> int: return x\nonly_here",
        "try:\n    only_here\n    r = 'found'\nexcept NameError:\n    r = 'clean'\nr",
    ),
    (
        "a run that was killed",
        "keep = [CANARY]\nwhile True: pass",
        "'clean' if 'keep' not in globals() else 'found'",
    ),
    (
        "a run that ran out of memory",
        "keep = []\nwhile True: keep.append(CANARY * 10000)",
        "keep = [b'x' * 1_000_000 for _ in range(20)]\n'clean'",
    ),
    (
        "a run that ended itself",
        "import os, sys\nopen('/tmp/left', 'w').write(CANARY)\nprint(CANARY)\nsys.exit(3)",
        "import os\n'clean' if not os.path.exists('/tmp/left') else 'found'",
    ),
];

#[test]
fn nothing_leaks_from_one_run_to_the_next() {
    // One after the other, so that whatever serves both of them is the same. The limit is for the run that is killed by
    // it: what the others need is far below, on a busy machine as well.
    let mut server = serve(&["--python-workers", "1", "--python-timeout", "10"]);
    let mut found = Vec::new();
    for (name, leave, look) in PAIRS {
        let inputs = json!({ "CANARY": CANARY });
        run(
            &mut server,
            &json!({ "code": leave, "check_types": false, "inputs": inputs }),
        );
        let answer = run(
            &mut server,
            &json!({ "code": look, "check_types": false, "inputs": inputs }),
        );
        if answer["result"]["isError"] != false || texts(&answer) != ["clean"] {
            found.push(format!("{name}: {answer}"));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn randomness_is_new_in_each_run() {
    let mut server = serve(&["--python-workers", "1"]);
    let code = "import random, uuid, secrets, os, tempfile\n\
        [str(random.random()), random.getrandbits(64).to_bytes(8, 'big').hex(), str(uuid.uuid4()), secrets.token_hex(8), \
        os.urandom(8).hex(), str(random.Random().random()), tempfile.mktemp()]";
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..5 {
        let answer = run(&mut server, &json!({ "code": code, "check_types": false }));
        let values: Vec<String> = serde_json::from_str(texts(&answer)[0]).unwrap();
        assert_eq!(values.len(), 7);
        for value in values {
            assert!(seen.insert(value.clone()), "{value} twice");
        }
    }
}

#[test]
fn a_run_has_all_its_time_and_memory_whatever_the_one_before_used() {
    let mut server = serve(&["--python-workers", "1", "--python-timeout", "8"]);
    let code = "import time\nkeep = bytearray(30_000_000)\nend = time.monotonic() + 4.1\nn = 0\n\
        while time.monotonic() < end:\n    n += 1\nlen(keep)";
    for _ in 0..3 {
        let answer = run(&mut server, &json!({ "code": code, "check_types": false }));
        assert_eq!(texts(&answer), ["30000000"], "{answer}");
    }
}
