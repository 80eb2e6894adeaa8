//! What this Python can do: ordinary code as a model writes it, run and compared with what CPython
//! makes of it. `docs/python-support.md` is written from the result (`UPDATE_SNAPSHOTS=1`), so it
//! can't promise more than there is.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;
use serde_json::json;

use super::{run, serve, texts};

/// How many snippets run as in CPython, at the least.
const SUPPORTED: usize = 165;

/// What the page says before the tables.
const HEAD: &str = "\
# What this Python can do

The interpreter is [RustPython](https://rustpython.github.io), with CPython's own standard library in it. This page is
written by the test that runs the snippets below (`tests/it/python/snippets.rs`).

- **The language** is the whole of it: classes with inheritance, properties and metaclasses, generators, `match`, `with`,
  decorators, exception groups, `async`, comprehensions, all ways of formatting, `exec` and `eval`. `await` works at top level.
- **The standard library** imports and behaves as in an empty container: `asyncio`, `collections`, `csv`, `dataclasses`,
  `datetime`, `decimal`, `enum`, `fractions`, `functools`, `hashlib`, `heapq`, `itertools`, `json`, `logging`, `math`, `pathlib`,
  `pickle`, `random`, `re`, `statistics`, `string`, `tempfile`, `textwrap`, `typing`, `unittest`, `urllib.parse`, `uuid`,
  `zipfile`, `zoneinfo` and most others. Packages from outside it, such as NumPy, are not there.
- **Files** live in memory, count towards the memory of the run, and end with it. The environment is empty.
- **Processes, sockets, signals, threads and `ctypes`** are refused with an exception that says so. `time.sleep` sleeps, within
  the time of the run; `input()` raises `EOFError`; `exit()` ends the run with what was printed.
- Nothing is left of a run for the next one: no names, modules, files, memory or random numbers.
- **Slow**, and the slower the longer a text is: thousands of matches of a pattern in one text, and characters by their index in a
  text that is not ASCII alone. Lines, or `list(text)`, are quicker.

Three judges in CI compare it with CPython: the snippets below, more than 800 expressions and programs
(`tests/python/run differential`) and HumanEval's 164 reference solutions with their tests (`tests/python/run humaneval`).
";

/// What the comparison with CPython allows to differ, as a list.
fn differences() -> String {
    let mut list = String::new();
    for line in include_str!("../../python/differences.txt").lines() {
        let known = line.strip_prefix('[').and_then(|_| line.split_once(" ## "));
        if let Some((case, reason)) = known {
            let code = case.split_once("] ").map_or(case, |(_, code)| code);
            let _ = writeln!(list, "- `{code}`: {reason}");
        }
    }
    list
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Snippet {
    name: String,
    category: String,
    code: String,
    expected: String,
}

#[test]
fn the_table_of_supported_python_is_true() {
    let snippets: Vec<Snippet> = include_str!("snippets.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(snippets.len() >= 100);
    // Whether it runs must not depend on how busy the machine is.
    let mut server = serve(&["--python-timeout", "60"]);
    let mut categories = BTreeMap::<&str, Vec<String>>::new();
    let mut supported = 0;
    for snippet in &snippets {
        let arguments = json!({ "code": snippet.code, "check_types": false });
        let answer = run(&mut server, &arguments);
        let found = texts(&answer)
            .first()
            .copied()
            .unwrap_or_default()
            .to_owned();
        let runs = answer["result"]["isError"] == false && found == snippet.expected;
        supported += usize::from(runs);
        let outcome = match (runs, answer["result"]["isError"] == true) {
            (true, _) => "yes".to_owned(),
            (false, true) => format!("no: {}", last_line(&found)),
            (false, false) => format!(
                "no: `{}` instead of `{}`",
                cell(&found),
                cell(&snippet.expected)
            ),
        };
        let row = format!("| {} | {outcome} |", snippet.name.replace('-', " "));
        categories.entry(&snippet.category).or_default().push(row);
    }
    let mut page = format!(
        "{HEAD}\n## Known differences\n\n{}\n## Ordinary snippets\n\n\
        {supported} of these {} run and give what CPython gives (`tests/it/python/snippets.jsonl`).\n",
        differences(),
        snippets.len()
    );
    for (category, rows) in categories {
        let _ = write!(
            page,
            "\n### {category}\n\n| snippet | runs |\n| --- | --- |\n{}\n",
            rows.join("\n")
        );
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/python-support.md");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap();
    let changed: Vec<_> = page.lines().filter(|line| !known.contains(line)).collect();
    assert_eq!(known, page, "{changed:#?}");
    assert!(supported >= SUPPORTED, "{supported}");
}

/// What went wrong, without the way there.
fn last_line(text: &str) -> String {
    let line = text.lines().rfind(|line| !line.trim().is_empty());
    cell(line.unwrap_or_default())
}

fn cell(text: &str) -> String {
    let line = text
        .replace('\n', " ")
        .replace('|', "\\|")
        .replace('<', "&lt;");
    match line.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
