//! One conversation, recorded once per revision and transport, and replayed.
//!
//! `transcripts/<revision>-<transport>.jsonl` holds what the client and the server said, a line each in the order in
//! which the client saw it (see `support/link.rs`), with names in the place of what is new each time (see
//! `transcripts/names.rs`). The replay says the client's lines and wants the server's, all of them and nothing else.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p pymcp-kit --test wire transcripts` has the conversation (`transcripts/script.rs`) again and writes
//! it down; the diff is for the reviewer.

mod names;
mod script;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use self::names::Names;
use crate::support::gate::Fate;
use crate::support::link::{Transport, Way, connect, message};
use crate::support::peer::Line;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire/transcripts")
}

fn file(way: Way) -> String {
    let transport = match way.transport {
        Transport::Stdio => "stdio",
        Transport::Http | Transport::Sse => "http",
    };
    format!("{}-{transport}.jsonl", way.version)
}

fn record(way: Way) {
    let mut names = Names::default();
    let lines = script::conversation(way);
    let text: String = lines
        .iter()
        .map(|line| serde_json::to_string(&names.put_into(line)).unwrap() + "\n")
        .collect();
    fs::write(folder().join(file(way)), text).unwrap();
}

fn read(way: Way) -> Vec<Line> {
    let file = file(way);
    let text = fs::read_to_string(folder().join(&file));
    let text = text.unwrap_or_else(|error| panic!("{file}: {error}; UPDATE_SNAPSHOTS=1 writes it"));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{file}: {error}")))
        .collect()
}

fn replay(way: Way) {
    let (server, gate) = script::server();
    let mut link = connect(&server, way);
    let mut names = Names::default();
    for (i, line) in read(way).iter().enumerate() {
        match line {
            Line::Client(line) => link.play(&names.fill(line)),
            Line::Server(expected) => {
                let heard = link.hear();
                names.check(expected, &heard).unwrap_or_else(|reason| {
                    panic!(
                        "{}:{}: {reason}\n  expected: {expected}\n  got:      {heard}\n\
                         If that is as it should be: UPDATE_SNAPSHOTS=1 cargo test -p pymcp-kit --test wire transcripts",
                        file(way),
                        i + 1
                    )
                });
            }
        }
    }
    assert_eq!(gate.fate(), Fate::Cancelled);
}

fn updating() -> bool {
    std::env::var_os("UPDATE_SNAPSHOTS").is_some_and(|value| value == "1")
}

fn golden(way: Way) {
    if updating() {
        record(way);
    }
    replay(way);
}

macro_rules! transcripts {
    ($($test:ident: $version:literal over $transport:ident,)*) => {
        const WAYS: &[Way] = &[$(Way { version: $version, transport: Transport::$transport }),*];

        $(#[test]
        fn $test() {
            golden(Way { version: $version, transport: Transport::$transport });
        })*
    };
}

transcripts! {
    v2024_11_05_stdio: "2024-11-05" over Stdio,
    v2024_11_05_http: "2024-11-05" over Sse,
    v2025_03_26_stdio: "2025-03-26" over Stdio,
    v2025_03_26_http: "2025-03-26" over Http,
    v2025_06_18_stdio: "2025-06-18" over Stdio,
    v2025_06_18_http: "2025-06-18" over Http,
    v2025_11_25_stdio: "2025-11-25" over Stdio,
    v2025_11_25_http: "2025-11-25" over Http,
    v2026_07_28_stdio: "2026-07-28" over Stdio,
    v2026_07_28_http: "2026-07-28" over Http,
}

/// What a conversation comes to: what was asked, reported and answered, without the words of a revision.
fn story(lines: &[Line]) -> Vec<Value> {
    let mut story = Vec::new();
    for line in lines {
        let Line::Server(line) = line else { continue };
        let Some(message) = message(line) else {
            continue;
        };
        let (params, result) = (&message["params"], &message["result"]);
        match message["method"].as_str() {
            Some("notifications/progress") => story.push(params["progress"].clone()),
            Some("notifications/message") => story.push(params["data"].clone()),
            Some(method) => story.push(json!([method, params])),
            None => {}
        }
        for question in result["inputRequests"].as_object().into_iter().flatten() {
            story.push(json!([question.1["method"], question.1["params"]]));
        }
        let tools = result["tools"].as_array().into_iter().flatten();
        story.extend(tools.cloned());
        story.extend(result.get("content").cloned());
    }
    story
}

#[test]
fn every_transcript_is_of_the_same_conversation() {
    if updating() {
        // The others write them right now.
        return;
    }
    let stories: Vec<_> = WAYS.iter().map(|way| story(&read(*way))).collect();
    let first = &stories[0];
    assert!(first.len() > 10, "{first:?}");
    for (way, story) in WAYS.iter().zip(&stories) {
        assert_eq!(story, first, "{way:?}");
    }
    let written: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter(|name| name.ends_with(".jsonl"))
        .collect();
    assert_eq!(written, WAYS.iter().map(|way| file(*way)).collect());
}
