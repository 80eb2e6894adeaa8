use serde_json::{Value, json};

use super::*;

fn json(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

fn record() -> TaskRecord {
    TaskRecord::new(
        Principal::authenticated("alice"),
        "1f".into(),
        Duration::from_secs(300),
        Duration::from_secs(1),
    )
}

fn ask(key: &str) -> Change {
    Change::Ask {
        key: key.into(),
        request: json(r#"{"method":"elicitation/create","params":{"message":"?","x":1.0}}"#),
    }
}

fn answer(keys: &[&str]) -> Change {
    Change::Answer(
        keys.iter()
            .map(|key| ((*key).into(), json(r#"{"action":"accept"}"#)))
            .collect(),
    )
}

fn wire(record: &TaskRecord) -> Value {
    serde_json::to_value(record.detailed().into_result(None)).unwrap()
}

#[test]
fn the_wire_has_these_fields_and_no_others() {
    let mut task = record();
    task.created_at = "2026-07-28T10:30:00.25Z".parse().unwrap();
    task.apply(ask("b"), Duration::from_millis(1_500));
    assert_eq!(
        wire(&task),
        json!({
            "resultType": "complete",
            "taskId": "1f",
            "status": "input_required",
            "createdAt": "2026-07-28T10:30:00.250Z",
            "lastUpdatedAt": "2026-07-28T10:30:01.750Z",
            "ttlMs": 300_000,
            "pollIntervalMs": 1000,
            "inputRequests": {
                "b": { "method": "elicitation/create", "params": { "message": "?", "x": 1.0 } }
            }
        })
    );
    let notification = serde_json::to_value(task.detailed()).unwrap();
    assert!(notification.get("resultType").is_none());
    let seed = serde_json::to_value(task.task()).unwrap();
    assert!(seed.get("inputRequests").is_none());
}

#[test]
fn results_and_errors_go_out_as_they_came_in() {
    let mut done = record();
    let text = r#"{"content":[ ],"isError":true,"number":1.50}"#;
    done.apply(Change::Complete(json(text)), Duration::ZERO);
    let written = serde_json::to_string(&done.detailed()).unwrap();
    assert!(
        written.contains(&format!(r#""result":{text}"#)),
        "{written}"
    );
    assert_eq!(wire(&done)["status"], "completed");

    let mut failed = record();
    failed.apply(
        Change::Fail {
            error: json(r#"{"code":-32603,"message":"boom"}"#),
            message: "boom".to_owned(),
        },
        Duration::ZERO,
    );
    let written = wire(&failed);
    assert_eq!(written["status"], "failed");
    assert_eq!(written["statusMessage"], "boom");
    assert_eq!(written["error"]["code"], -32603);
    assert!(written.get("result").is_none());
}

#[test]
fn questions_are_outstanding_until_each_has_its_answer() {
    let mut task = record();
    task.apply(ask("a"), Duration::ZERO);
    task.apply(ask("b"), Duration::ZERO);
    assert!(task.apply(answer(&["a", "never"]), Duration::ZERO));
    assert!(task.status() == TaskStatus::InputRequired);
    assert_eq!(
        task.requests.keys().map(|key| &**key).collect::<Vec<_>>(),
        ["b"]
    );
    let version = task.version;
    assert!(!task.apply(answer(&["a", "never"]), Duration::ZERO));
    assert_eq!(task.version, version);
    assert!(task.apply(answer(&["b"]), Duration::ZERO));
    assert!(task.status() == TaskStatus::Working);
    assert_eq!(task.answers.len(), 2);
    assert!(!task.apply(Change::Close("a".into()), Duration::ZERO));
    assert!(task.version > version + 1, "a hidden change is a change");
    assert_eq!(task.answers.len(), 1);
}

#[test]
fn a_withdrawn_question_is_no_longer_outstanding() {
    let mut task = record();
    task.apply(ask("a"), Duration::ZERO);
    assert!(task.apply(Change::Close("a".into()), Duration::ZERO));
    assert!(task.status() == TaskStatus::Working);
    assert!(!task.apply(answer(&["a"]), Duration::ZERO));
}

#[test]
fn nothing_changes_after_the_end() {
    let ends = [
        Change::Complete(json("{}")),
        Change::Fail {
            error: json("{}"),
            message: String::new(),
        },
        Change::Cancel,
    ];
    for end in &ends {
        let mut task = record();
        task.apply(ask("a"), Duration::ZERO);
        assert!(task.apply(end.clone(), Duration::ZERO));
        let (status, version) = (task.status(), task.version);
        assert!(status.is_terminal() && task.requests.is_empty());
        let late = [answer(&["a"]), ask("b"), Change::Message("late".to_owned())];
        for change in ends.iter().cloned().chain(late) {
            assert!(!task.apply(change, Duration::from_secs(1)));
        }
        assert!((task.status(), task.version) == (status, version));
    }
}

#[test]
fn messages_are_short() {
    let mut task = record();
    task.apply(Change::Message("é".repeat(501)), Duration::ZERO);
    assert_eq!(task.status_message.as_deref(), Some(&*"é".repeat(500)));
    assert!(!task.apply(Change::Message("é".repeat(500)), Duration::ZERO));
}

#[test]
fn what_ends_late_can_still_be_fetched() {
    let mut task = record();
    task.apply(Change::Complete(json("{}")), Duration::from_secs(10));
    assert_eq!(task.ttl, Duration::from_secs(300));
    let mut late = record();
    late.apply(Change::Complete(json("{}")), Duration::from_secs(299));
    assert_eq!(late.ttl, Duration::from_secs(359));
}

#[test]
fn a_shared_store_can_write_and_read_it() {
    for owner in [
        Principal::ANONYMOUS,
        Principal::OWNER,
        Principal::authenticated("alice"),
    ] {
        let mut task = record();
        task.owner = owner;
        task.apply(ask("a"), Duration::ZERO);
        task.apply(answer(&["a"]), Duration::ZERO);
        task.apply(ask("b"), Duration::ZERO);
        for end in [None, Some(Change::Complete(json(r#"{"x":1.0}"#)))] {
            if let Some(end) = end {
                task.apply(end, Duration::ZERO);
            }
            let text = serde_json::to_string(&task).unwrap();
            let read: TaskRecord = serde_json::from_str(&text).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
            assert_eq!(read.owner, task.owner);
            assert_eq!(wire(&read), wire(&task));
        }
    }
}
