//! What a line looks like, whatever its fields hold.

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use super::*;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What is logged meanwhile.
fn logged(format: Format, log: impl FnOnce()) -> String {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(lines.clone())
        .with_ansi(false)
        .event_format(NamedLines::new("zebra \"2\"", format))
        .finish();
    tracing::subscriber::with_default(subscriber, log);
    String::from_utf8(std::mem::take(&mut *lines.0.lock().unwrap())).unwrap()
}

const HOSTILE: &str = "\u{1b}[31mred\u{1b}[0m\nINFO forged: line\r\u{7f}\u{9b}2J\u{202e}txt.exe\u{200b}\u{2028}\"\\ é 漢 \u{e0041}";

fn hostile_event() {
    tracing::info!(
        text = HOSTILE,
        shown = %HOSTILE,
        debug = ?HOSTILE,
        "{HOSTILE}"
    );
}

/// Nothing but printable characters.
fn is_clean(line: &str) -> bool {
    line.chars()
        .all(|c| !c.is_control() && !"\u{202e}\u{200b}\u{2028}\u{e0041}".contains(c))
}

#[test]
fn text_is_time_level_name_message_and_fields() {
    let text = logged(Format::Text, || {
        tracing::warn!(
            count = 3,
            left = -1_i64,
            took = 0.5,
            name = "a b",
            yes = true,
            none = None::<u64>,
            "done"
        );
    });
    let (time, rest) = text.split_once(' ').unwrap();
    assert!(time.ends_with('Z'), "{time}");
    assert_eq!(
        rest,
        " WARN zebra \"2\": done count=3 left=-1 took=0.5 name=\"a b\" yes=true\n"
    );
}

#[test]
fn json_is_an_object_a_line() {
    let text = logged(Format::Json, || {
        tracing::warn!(
            count = 3,
            took = 0.5,
            nan = f64::NAN,
            name = "a b",
            yes = true,
            none = None::<u64>,
            "done"
        );
        tracing::info!(only = 1);
    });
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(lines[0]["time"].as_str().unwrap().ends_with('Z'));
    let mut first = lines[0].clone();
    first.as_object_mut().unwrap().remove("time");
    assert_eq!(
        first,
        json!({
            "level": "WARN", "server": "zebra \"2\"", "message": "done",
            "fields": { "count": 3, "took": 0.5, "nan": null, "name": "a b", "yes": true },
        })
    );
    assert_eq!(
        (&lines[1]["message"], &lines[1]["fields"]),
        (&json!(""), &json!({"only": 1}))
    );
}

#[test]
fn no_control_character_gets_through_and_a_line_stays_one() {
    let text = logged(Format::Text, hostile_event);
    assert_eq!(text.matches('\n').count(), 1, "{text}");
    assert!(is_clean(text.trim_end_matches('\n')), "{text:?}");
    assert!(
        text.contains(r"\u{1b}[31mred\u{1b}[0m\nINFO forged: line\r\u{7f}\u{9b}2J\u{202e}txt.exe"),
        "{text}"
    );
    assert!(text.contains("é 漢"), "{text}");
    let json = logged(Format::Json, hostile_event);
    assert_eq!(json.matches('\n').count(), 1, "{json}");
    assert!(is_clean(json.trim_end_matches('\n')), "{json:?}");
    let line: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(line["message"], HOSTILE);
    assert_eq!(line["fields"]["text"], HOSTILE);
    assert_eq!(line["fields"]["shown"], HOSTILE);
}

#[test]
fn a_long_field_is_cut() {
    let long = "é".repeat(MAX_FIELD);
    for format in [Format::Text, Format::Json] {
        let text = logged(format, || tracing::info!(long = &*long, shown = %long, "x"));
        assert!(text.len() < 2 * MAX_FIELD + 300, "{}", text.len());
        assert_eq!(text.matches('…').count(), 2);
    }
}

#[test]
fn a_terminal_has_requests_in_columns_and_the_rest_short() {
    use super::super::{ComponentName, Outcome, Refused, Served, Transport, log};
    use std::time::Duration;

    let served = Served {
        method: "tools/call",
        component: Some(ComponentName {
            kind: "tool",
            name: "gre\u{1b}et",
        }),
        unknown: None,
        outcome: Outcome::Ok,
        code: None,
        duration: Duration::from_micros(1234),
        bytes: 94,
        cache: None,
        principal: None,
        session: None,
        client: None,
        request_id: "1",
        trace: None,
        span: None,
        revision: "2025-11-25",
        transport: Transport::Http,
    };
    let refused = Refused {
        reason: "host",
        why: "The host is none of this server's; see --allowed-hosts.",
        status: Some(403),
        address: Some([127, 0, 0, 1].into()),
        transport: Transport::Http,
    };
    let text = logged(Format::Terminal { colours: false }, || {
        log::served(&served);
        log::served(&Served {
            component: None,
            method: "tools/list",
            outcome: Outcome::Error,
            code: Some(-32602),
            principal: Some("ada"),
            cache: Some(super::super::CacheUse::Hit),
            ..served
        });
        log::refused(&refused);
        tracing::info!(count = 3, "ready");
        tracing::warn!("{HOSTILE}");
    });
    let lines: Vec<&str> = text.lines().collect();
    let rest = |at: usize| {
        let (time, rest) = lines[at].split_once(' ').unwrap();
        assert_eq!((time.len(), time.matches(':').count()), (8, 2), "{time}");
        rest
    };
    assert_eq!(
        rest(0),
        "tools/call gre\\u{1b}et               ok                1.2 ms      94 B  anonymous"
    );
    assert_eq!(
        rest(1),
        "tools/list                           error -32602      1.2 ms      94 B  ada  cached"
    );
    assert_eq!(
        rest(2),
        "refused: host                        403            The host is none of this server's; see --allowed-hosts. (127.0.0.1)"
    );
    assert_eq!(rest(3), "ready count=3");
    assert!(rest(4).starts_with("WARN \\u{1b}"), "{text}");
    assert_eq!(lines.len(), 5);
    assert!(lines.iter().all(|line| is_clean(line)), "{text}");
}
