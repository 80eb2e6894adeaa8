//! What is counted, under which names, and how much of it there can be.

use std::collections::BTreeSet;

use crate::telemetry::{ComponentName, Outcome, Transport};

use super::*;

const TOOL: Served<'static> = Served {
    method: "tools/call",
    component: Some(ComponentName {
        kind: "tool",
        name: "greet",
    }),
    unknown: None,
    outcome: Outcome::Ok,
    code: None,
    duration: Duration::from_millis(30),
    bytes: 120,
    cache: Some(CacheUse::Miss),
    principal: Some("ali"),
    session: None,
    client: Some(("client", "1")),
    request_id: "1",
    trace: None,
    span: None,
    revision: "2026-07-28",
    transport: Transport::Http,
};

const REFUSED: Refused<'static> = Refused {
    reason: "host",
    why: "No.",
    status: Some(403),
    address: None,
    transport: Transport::Http,
};

/// One of everything.
fn filled() -> Metrics {
    let metrics = Metrics::new();
    readings::fill(&metrics);
    metrics.manifest(|| "sha256:0123".to_owned());
    metrics.served(&TOOL);
    metrics.served(&Served {
        method: "prompts/get",
        component: Some(ComponentName {
            kind: "prompt",
            name: "recipe",
        }),
        outcome: Outcome::Error,
        code: Some(-32602),
        cache: Some(CacheUse::Hit),
        revision: "2025-11-25",
        transport: Transport::Stdio,
        ..TOOL
    });
    metrics.refused(&REFUSED);
    metrics.served(&Served {
        outcome: Outcome::Error,
        code: Some(Code::FORBIDDEN.0),
        cache: None,
        ..TOOL
    });
    metrics.opened(Lasting::Connection);
    let session = Lasting::Session {
        revision: "2025-11-25",
        transport: Transport::Http,
    };
    metrics.opened(session);
    metrics.opened(session);
    metrics.closed(session, Duration::from_secs(90));
    metrics
}

#[test]
fn names_types_units_labels_and_buckets_stay_as_they_are() {
    let text = filled().text();
    let mut lines: Vec<_> = text.lines().collect();
    // The series of one metric come in any order; the values of counters of the process are its own.
    lines.retain(|line| !line.starts_with("mcp_server_log_lines_lost_total"));
    lines.sort_unstable();
    let expected = include_str!("snapshot.txt");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/metrics/snapshot.txt");
        std::fs::write(path, lines.join("\n") + "\n").unwrap();
    } else {
        assert_eq!(
            lines.join("\n") + "\n",
            expected,
            "UPDATE_SNAPSHOTS=1 writes it anew"
        );
    }
}

#[test]
fn labels_are_bounded_whatever_comes() {
    let metrics = Metrics::new();
    for number in 0..MAX_SERIES * 2 {
        let name = format!("tool-{number}");
        metrics.served(&Served {
            component: Some(ComponentName {
                kind: "tool",
                name: &name,
            }),
            ..TOOL
        });
    }
    assert_eq!(metrics.0.numbers.operations.len(), MAX_SERIES + 1);
    let text = metrics.text();
    assert!(text.contains(&format!(
        "mcp_server_operation_duration_seconds_count{{mcp_method_name=\"tools/call\",gen_ai_tool_name=\"other\",mcp_protocol_version=\"2026-07-28\",network_transport=\"tcp\"}} {MAX_SERIES}"
    )), "{}", &text[..2000]);
    // What a client makes up is no label, and one of its codes is one of the surplus.
    for code in 0..1000 {
        metrics.served(&Served {
            component: None,
            unknown: Some("made up"),
            outcome: Outcome::Error,
            code: Some(code),
            ..TOOL
        });
    }
    assert_eq!(metrics.0.numbers.operations.len(), MAX_SERIES + 2);
    assert!(!metrics.text().contains("made up"));
}

#[test]
fn reasons_are_bounded() {
    let metrics = Metrics::new();
    let reasons: BTreeSet<String> = (0..MAX_REASONS * 2).map(|n| format!("r{n}")).collect();
    for reason in reasons {
        metrics.refused(&Refused {
            reason: reason.leak(),
            ..REFUSED
        });
    }
    let text = metrics.text();
    assert_eq!(
        text.matches("mcp_server_refusals_total{").count(),
        MAX_REASONS + 1
    );
    assert!(text.contains(&format!(
        "mcp_server_refusals_total{{reason=\"other\"}} {MAX_REASONS}"
    )));
}

#[test]
fn a_number_that_is_kept_anyway_is_asked_for_when_it_is_read_and_the_first_place_to_ask_counts() {
    let metrics = Metrics::new();
    let taken = Arc::new(AtomicU64::new(3));
    let asked = Arc::clone(&taken);
    metrics.places("requests", 1024, move || {
        asked.load(Ordering::Relaxed) as usize
    });
    metrics.places("requests", 1, || 1);
    metrics.places("questions", 8, || 2);
    for expected in [3, 5] {
        taken.store(expected, Ordering::Relaxed);
        let text = metrics.text();
        for line in [
            &format!("mcp_server_places{{kind=\"requests\"}} {expected}\n"),
            "mcp_server_places_max{kind=\"requests\"} 1024\n",
            "mcp_server_places{kind=\"questions\"} 2\n",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        // What is nowhere to be had has a name, so that a query for it is none for something unknown.
        assert!(
            text.contains("# TYPE mcp_server_audit_sequence gauge\n"),
            "{text}"
        );
        assert!(!text.contains("\nmcp_server_audit_sequence "), "{text}");
    }
}

#[test]
fn a_name_of_a_component_stays_within_its_quotes() {
    let metrics = Metrics::new();
    metrics.served(&Served {
        component: Some(ComponentName {
            kind: "tool",
            name: "a\"b\\c\nd",
        }),
        ..TOOL
    });
    let text = metrics.text();
    assert!(text.contains(r#"gen_ai_tool_name="a\"b\\c\nd""#), "{text}");
}

#[test]
fn a_duration_is_in_the_bucket_whose_bound_it_does_not_exceed() {
    let metrics = Metrics::new();
    for milliseconds in [10, 11, 299_999, 300_000, 300_001] {
        let duration = Duration::from_millis(milliseconds);
        metrics.served(&Served { duration, ..TOOL });
    }
    let text = metrics.text();
    let count = |bound: &str| {
        let line = text
            .lines()
            .find(|line| line.contains(&format!("le=\"{bound}\"")));
        line.unwrap().rsplit_once(' ').unwrap().1.to_owned()
    };
    let counts = ["0.01", "0.02", "120.0", "300.0", "+Inf"].map(count);
    assert_eq!(counts, ["1", "2", "2", "4", "5"]);
}

#[test]
fn the_document_has_a_row_for_each_metric_with_its_type_and_labels() {
    let document = include_str!("../../../../docs/observability.md");
    let text = filled().text();
    let mut rows = 0;
    for line in text.lines() {
        let Some((name, kind)) = line
            .strip_prefix("# TYPE ")
            .and_then(|line| line.split_once(' '))
        else {
            continue;
        };
        let row = document
            .lines()
            .find(|row| row.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("{name} is not in docs/observability.md"));
        assert_eq!(row.split('|').nth(2).unwrap().trim(), kind, "{row}");
        let labels = row.split('|').nth(3).unwrap();
        let said: BTreeSet<_> = labels.split('`').skip(1).step_by(2).collect();
        let sets = text
            .lines()
            .filter(|line| line.starts_with(name) && line.contains('{'));
        let used: BTreeSet<_> = sets
            .flat_map(|line| line.split(['{', ',']).skip(1))
            .filter_map(|pair| pair.split_once("=\"").map(|(label, _)| label))
            .filter(|label| *label != "le")
            .collect();
        assert_eq!(said, used, "{row}");
        rows += 1;
    }
    assert_eq!(document.matches("\n| `mcp_server_").count(), rows);
}
