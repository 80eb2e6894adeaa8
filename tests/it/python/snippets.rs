//! What this Python can do: ordinary code as a model writes it, run and compared with what CPython
//! makes of it. `docs/python-support.md` is written from the result (`UPDATE_SNAPSHOTS=1`), so it
//! can't promise more than there is.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;
use serde_json::json;

use super::{run, serve, texts};

/// How many snippets the engine can run; with a new one there will be more.
const SUPPORTED: usize = 91;

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
        "# What this Python can do\n\n\
        {supported} of these {} ordinary snippets run and give what CPython gives. The table is written by the test that runs them \
        (`tests/it/python/snippets.rs`); the code is in `tests/it/python/snippets.jsonl`. Type checking is off here: it refuses a few more.\n",
        snippets.len()
    );
    for (category, rows) in categories {
        let _ = write!(
            page,
            "\n## {category}\n\n| snippet | runs |\n| --- | --- |\n{}\n",
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
