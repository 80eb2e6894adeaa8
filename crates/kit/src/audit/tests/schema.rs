//! What a line says: as the schema has it, bounded, and documented.

use std::collections::BTreeSet;

use super::super::chain::{MAX_OWN_BYTES, Marks};
use super::*;

fn full<'a>(text: &'a str, arguments: &Map<String, Value>) -> Entry<'a> {
    Entry {
        principal: Some(text),
        client: Some(text),
        client_version: Some(text),
        era: Some(crate::protocol::Era::Modern),
        revision: Some(text),
        transport: text,
        method: text,
        name: Some(text),
        arguments: Some(key().arguments(arguments)),
        decision: Decision::Denied { reason: text },
        scopes: Some(text),
        outcome: Some(Outcome::ToolError),
        code: Some(i64::MIN),
        ms: u64::MAX,
        bytes: u64::MAX,
        cached: true,
        manifest: Some(text),
        request: Some(text),
        trace: Some(text),
        ..call("")
    }
}

fn of(text: &str) -> Map<String, Value> {
    let member = |n: usize| (format!("{n}{text}"), json!([text, {text: [text]}]));
    (0..100).map(member).collect()
}

#[test]
fn a_line_is_bounded_and_has_no_control_character_whatever_it_is_about() {
    for text in [
        "\u{0}", "\u{1b}", "\"", "\\", "\u{9b}", "\u{202e}", "€", "😀", "x",
    ] {
        let text = text.repeat(10_000);
        let body = Event::Call(&full(&text, &of(&text))).body();
        assert!(
            body.len() + MAX_OWN_BYTES <= MAX_LINE_BYTES,
            "{}",
            body.len()
        );
        let shown = String::from_utf8(body).unwrap();
        assert!(!shown.chars().any(|c| c.is_control() || c == '\u{202e}'));
        let line: Value = serde_json::from_str(&shown).unwrap();
        assert!(line["name"].as_str().unwrap().ends_with('…'));
    }
}

#[test]
fn lines_are_what_the_schema_says() {
    let schema = jsonschema::validator_for(&serde_json::to_value(schema()).unwrap()).unwrap();
    let arguments = of("a");
    let (full, least) = (full("a", &arguments), call("greet"));
    let opened = |because, before, torn_bytes| {
        Event::Opened(Opened {
            time: SystemTime::now(),
            because,
            server: "zebra-2 1.0",
            key: "0123456789abcdef",
            before,
            torn_bytes,
        })
    };
    let time = SystemTime::now();
    let most = Marks {
        lost: u64::MAX,
        withheld: true,
    };
    for (event, marks) in [
        (Event::Call(&least), Marks::default()),
        (Event::Call(&full), most),
        (opened(Because::New, None, None), Marks::default()),
        (opened(Because::Rotated, Some("a"), Some(5)), most),
        (Event::Closed(Closed { time }), Marks::default()),
    ] {
        let mut written = Vec::new();
        let before = Head {
            sequence: u64::MAX - 1,
            hash: Digest::NONE,
        };
        let body = event.body();
        before.follow(marks, &body, &mut written);
        assert!(written.len() <= body.len() + MAX_OWN_BYTES);
        let text = String::from_utf8(written).unwrap();
        assert!(text.ends_with("}\n"), "{text}");
        let value = serde_json::from_str(&text).unwrap();
        let errors: Vec<_> = schema
            .iter_errors(&value)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{text}: {errors:?}");
    }
    for bad in [
        json!({}),
        json!({"sequence": 1, "previous": "x", "kind": "call"}),
    ] {
        assert!(!schema.is_valid(&bad), "{bad}");
    }
}

/// Each member of each kind is written, and no other.
#[test]
fn a_line_has_all_that_the_schema_has() {
    let arguments = of("a");
    let opened = Event::Opened(Opened {
        time: SystemTime::now(),
        because: Because::Rotated,
        server: "a",
        key: "a",
        before: Some("a"),
        torn_bytes: Some(1),
    });
    let time = SystemTime::now();
    let events = [
        opened,
        Event::Call(&full("a", &arguments)),
        Event::Closed(Closed { time }),
    ];
    let schema = serde_json::to_value(schema()).unwrap();
    for event in events {
        let line: Map<String, Value> = serde_json::from_slice(&event.body()).unwrap();
        let written: BTreeSet<_> = line.keys().map(String::as_str).collect();
        let mut due = BTreeSet::new();
        members(&schema, &schema, line["kind"].as_str().unwrap(), &mut due);
        for own in ["sequence", "previous", "lost", "withheld"] {
            assert!(due.remove(own), "{own}");
        }
        assert_eq!(written, due);
    }
}

/// The names of members that a line of this kind can have.
fn members<'a>(whole: &'a Value, schema: &'a Value, kind: &str, found: &mut BTreeSet<&'a str>) {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let of_kind = schema["properties"]["kind"]["const"].as_str();
    if of_kind.is_some_and(|of_kind| of_kind != kind) {
        return;
    }
    if let Some(place) = schema["$ref"].as_str() {
        members(whole, whole.pointer(&place[1..]).unwrap(), kind, found);
    }
    found.extend(properties.map(|(name, _)| name.as_str()));
    for several in ["oneOf", "anyOf", "allOf"] {
        let several = schema[several].as_array().into_iter().flatten();
        several.for_each(|schema| members(whole, schema, kind, found));
    }
}

/// `UPDATE_SNAPSHOTS=1` writes it.
#[test]
fn the_page_has_the_schema() {
    const BEGIN: &str = "<!-- schema: generated -->\n```json\n";
    const END: &str = "\n```\n<!-- end of schema -->";
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/audit.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (found, after) = rest.split_once(END).unwrap();
    let due = serde_json::to_string_pretty(&schema()).unwrap();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some_and(|value| value == "1") {
        std::fs::write(&page, [before, BEGIN, &due, END, after].concat()).unwrap();
        return;
    }
    assert!(
        found == due,
        "docs/audit.md has another schema. If that is as it should be: UPDATE_SNAPSHOTS=1 cargo test -p pymcp-kit audit"
    );
}

/// What a line costs, beside what is written by hand without a chain, hashes or groups: `cargo test --release -p pymcp-kit
/// audit::tests::schema::cost -- --ignored --nocapture`.
#[cfg(unix)]
#[test]
#[ignore = "it prints times, which say something on a quiet machine alone"]
#[allow(clippy::print_stdout)]
fn cost() {
    use rustix::time::{ClockId, clock_gettime};
    use std::io::Write as _;
    const CALLS: u32 = 50_000;
    let spent = || {
        let now = clock_gettime(ClockId::ProcessCPUTime);
        now.tv_sec as f64 * 1e6 + now.tv_nsec as f64 / 1e3
    };
    let arguments = json!({"name": "Ada", "count": 5});
    let arguments = arguments.as_object().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let at_once = |audit: Option<Audit>| {
        let begin = spent();
        let calls: Vec<_> = (0..64)
            .map(|_| {
                let (audit, arguments) = (audit.clone(), arguments.clone());
                runtime.spawn(async move {
                    for _ in 0..CALLS / 64 {
                        let Some(audit) = &audit else {
                            tokio::task::yield_now().await;
                            continue;
                        };
                        let mut entry = call("greet");
                        entry.arguments = Some(audit.arguments(&arguments));
                        audit.record(&entry).written().await.unwrap();
                    }
                })
            })
            .collect();
        for call in calls {
            runtime.block_on(call).unwrap();
        }
        (spent() - begin) / f64::from(CALLS)
    };
    let log = Log::new();
    let audit = log.open();
    let without = at_once(None);
    let with = at_once(Some(audit.clone()));
    audit.close();
    let mut file = std::fs::File::create(log.folder.path().join("plain")).unwrap();
    let begin = spent();
    for _ in 0..CALLS {
        let mut line = Event::Call(&call("greet")).body();
        line.push(b'\n');
        file.write_all(&line).unwrap();
    }
    let plain = (spent() - begin) / f64::from(CALLS);
    println!(
        "audit {:.2} µs a call; a plain line and write {plain:.2} µs; ratio {:.2}",
        with - without,
        (with - without) / plain
    );
}
