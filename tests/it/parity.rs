//! Conversations with the Python original, replayed against the binary.
//!
//! `parity/<group>.jsonl` holds one case a line. A case is a fresh server and a list of steps:
//!
//! - `send`: an object is sent as a message (`"jsonrpc": "2.0"` is added), a string as the line it is. In an object
//!   `{"$use": name}` stands for what `$as` remembered, and `{"$repeat": [head, unit, n]}` for the string `head` and
//!   `n` times `unit`.
//! - `send_latin1`: a line with one byte for each character, for what is not UTF-8.
//! - `expect`: the next message matches the pattern (see `parity/pattern.rs`). With `"line": text` the line also holds
//!   that text, for what a parsed number would lose; with `"optional": true` a message that does not match is left for
//!   the next step; some message has to come, though.
//! - `expect_none`: no message comes before the answer to a ping.
//! - `wait_ms`: for what only time brings about.
//!
//! Unless `handshake` is false, the case begins in an initialised session of revision `protocol` (2025-11-25), with a
//! client of these `capabilities` (none). `env` are settings of the server. `why` says why the original's answer was
//! another one; `docs/parity.md` has them all. Every case ends with the end of input: whatever the server still says
//! then is a failure, as is an exit code other than 0.

mod pattern;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use pymcp_kit::testing::PATIENCE;
use pymcp_kit::testing::raw::{Message, Silence, StdioServer};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use self::pattern::{Matcher, Memory, Shared, brief};
use crate::support::over_stdio;

/// The id of the pings behind `expect_none`; no case uses it.
const FENCE: &str = "fence";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    case: String,
    #[serde(default)]
    why: Option<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default = "yes")]
    handshake: bool,
    #[serde(default = "newest")]
    protocol: String,
    #[serde(default)]
    capabilities: Map<String, Value>,
    steps: Vec<Step>,
}

fn yes() -> bool {
    true
}

fn newest() -> String {
    "2025-11-25".to_owned()
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Step {
    Send {
        send: Value,
    },
    SendLatin1 {
        send_latin1: String,
    },
    Expect {
        expect: Value,
        #[serde(default)]
        line: Option<String>,
        #[serde(default)]
        optional: bool,
    },
    ExpectNone {
        expect_none: bool,
    },
    Wait {
        wait_ms: u64,
    },
}

struct Replay<'a> {
    server: StdioServer,
    shared: &'a Shared,
    memory: Memory,
    last_sent: String,
    /// A message that an optional step did not take.
    held_back: Option<Message>,
}

impl<'a> Replay<'a> {
    fn run(case: &Case, shared: &'a Shared) -> Result<(), String> {
        let env: Vec<_> = case
            .env
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        let mut replay = Self {
            server: over_stdio(&[], &env),
            shared,
            memory: Memory::new(),
            last_sent: "(nothing)".to_owned(),
            held_back: None,
        };
        if case.handshake {
            let capabilities = Value::Object(case.capabilities.clone());
            replay
                .server
                .initialize(&case.protocol, &capabilities)
                .map_err(|reason| replay.report("handshake", &reason))?;
        }
        for (number, step) in case.steps.iter().enumerate() {
            replay
                .step(step)
                .map_err(|reason| replay.report(&format!("step {}", number + 1), &reason))?;
        }
        replay
            .end()
            .map_err(|reason| replay.report("end of input", &reason))
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Send {
                send: Value::String(line),
            } => self.send(line.as_bytes()),
            Step::Send { send } => {
                let mut message = self.fill(send);
                if let Some(members) = message.as_object_mut() {
                    members.insert("jsonrpc".to_owned(), json!("2.0"));
                }
                self.send(message.to_string().as_bytes());
            }
            Step::SendLatin1 { send_latin1 } => {
                let bytes: Vec<u8> = send_latin1
                    .chars()
                    .map(|c| u8::try_from(c).expect("a character of Latin-1"))
                    .collect();
                self.send(&bytes);
            }
            Step::Expect {
                expect,
                line,
                optional,
            } => {
                return self.expect(expect, line.as_deref(), *optional);
            }
            Step::ExpectNone { expect_none } => {
                assert!(*expect_none, "`expect_none` is only ever true");
                self.server
                    .send(&json!({ "jsonrpc": "2.0", "id": FENCE, "method": "ping" }));
                return self.expect(&json!({ "id": FENCE, "result": {} }), None, false);
            }
            Step::Wait { wait_ms } => thread::sleep(Duration::from_millis(*wait_ms)),
        }
        Ok(())
    }

    fn send(&mut self, line: &[u8]) {
        self.last_sent = String::from_utf8_lossy(line).into_owned();
        self.server.send_line(line);
    }

    fn expect(
        &mut self,
        pattern: &Value,
        line: Option<&str>,
        optional: bool,
    ) -> Result<(), String> {
        let message = match self.held_back.take() {
            Some(message) => message,
            None => self
                .server
                .next(PATIENCE)
                .map_err(|silence| format!("expected: {pattern}\n  got:      {silence}"))?,
        };
        let mut matcher = Matcher {
            shared: self.shared,
            memory: &mut self.memory,
        };
        let verdict = matcher
            .check(pattern, &message.value)
            .and_then(|()| match line {
                Some(text) if !message.line.contains(text) => Err(format!("the line lacks {text}")),
                _ => Ok(()),
            });
        match verdict {
            Err(_) if optional => self.held_back = Some(message),
            Err(reason) => {
                let got = brief(&message.line);
                return Err(format!(
                    "{reason}\n  expected: {pattern}\n  got:      {got}"
                ));
            }
            Ok(()) => {}
        }
        Ok(())
    }

    /// Closes the input; nothing more may come, and the server must end well.
    fn end(&mut self) -> Result<(), String> {
        self.server.close_stdin();
        let leftover = match self.held_back.take() {
            Some(message) => Ok(message),
            None => self.server.next(PATIENCE),
        };
        match leftover {
            Ok(message) => return Err(format!("unexpected message: {}", brief(&message.line))),
            Err(Silence::Closed) => {}
            Err(silence) => return Err(silence.to_string()),
        }
        let status = self.server.wait();
        if status.success() {
            Ok(())
        } else {
            Err(format!("the server ended with {status}"))
        }
    }

    /// The message with `$use` and `$repeat` filled in.
    fn fill(&self, template: &Value) -> Value {
        match template {
            Value::Object(members) => {
                if let Some(name) = members.get("$use").and_then(Value::as_str) {
                    return self.memory[name].clone();
                }
                if let Some([head, unit, n]) = members
                    .get("$repeat")
                    .and_then(Value::as_array)
                    .map(Vec::as_slice)
                {
                    let n = n
                        .as_u64()
                        .and_then(|n| usize::try_from(n).ok())
                        .expect("a count");
                    let [head, unit] = [head, unit].map(|s| s.as_str().expect("a string"));
                    return format!("{head}{}", unit.repeat(n)).into();
                }
                members
                    .iter()
                    .map(|(k, v)| (k.clone(), self.fill(v)))
                    .collect()
            }
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            other => other.clone(),
        }
    }

    fn report(&self, place: &str, reason: &str) -> String {
        let stderr = self.server.stderr();
        let sent = brief(&self.last_sent);
        format!(
            "{place}\n  sent:     {sent}\n  {reason}\n  stderr:   {}",
            brief(&stderr)
        )
    }
}

fn parse<T: for<'de> Deserialize<'de>>(file: &str, text: &str) -> Vec<T> {
    text.lines()
        .enumerate()
        .map(|(i, line)| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{file}:{}: {error}", i + 1))
        })
        .collect()
}

fn shared() -> Shared {
    #[derive(Deserialize)]
    struct Named {
        name: String,
        pattern: Value,
    }
    parse::<Named>("shared.jsonl", include_str!("parity/shared.jsonl"))
        .into_iter()
        .map(|named| (named.name, named.pattern))
        .collect()
}

fn replay(group: &str, text: &str) {
    let shared = shared();
    let failures: Vec<String> = parse::<Case>(group, text)
        .iter()
        .filter_map(|case| {
            let failure = Replay::run(case, &shared).err()?;
            Some(format!("{group} / {} / {failure}", case.case))
        })
        .collect();
    assert!(
        failures.is_empty(),
        "{} cases differ:\n\n{}\n",
        failures.len(),
        failures.join("\n\n")
    );
}

macro_rules! groups {
    ($($test:ident $group:literal,)*) => {
        /// Every group and its cases.
        const GROUPS: &[(&str, &str)] =
            &[$(($group, include_str!(concat!("parity/", $group, ".jsonl")))),*];

        $(#[test]
        fn $test() {
            replay($group, include_str!(concat!("parity/", $group, ".jsonl")));
        })*
    };
}

groups! {
    completion "completion",
    generate_password "generate_password",
    greet "greet",
    initialize "initialize",
    logging_set_level "logging-setLevel",
    malformed "malformed",
    method "method",
    notification "notification",
    permutations "permutations",
    ping "ping",
    pirate_summary "pirate_summary",
    prompts_get "prompts-get",
    prompts_list "prompts-list",
    resources_list "resources-list",
    resources_read "resources-read",
    resources_subscribe "resources-subscribe",
    resources_templates_list "resources-templates-list",
    tasks "tasks",
    text_web_search "text_web_search",
    tools_call "tools-call",
    tools_list "tools-list",
    vonmises_random "vonmises_random",
}

#[test]
fn every_case_is_well_formed_and_none_is_lost() {
    let mut files: BTreeSet<String> =
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/parity"))
            .expect("the folder with the cases")
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|name| name.strip_suffix(".jsonl").map(str::to_owned))
            .collect();
    assert!(files.remove("shared"));
    let groups: BTreeSet<String> = GROUPS
        .iter()
        .map(|(group, _)| (*group).to_owned())
        .collect();
    assert_eq!(files, groups);

    let mut total = 0;
    for (group, text) in GROUPS {
        let cases: Vec<Case> = parse(group, text);
        let names: BTreeSet<&str> = cases.iter().map(|case| case.case.as_str()).collect();
        assert_eq!(names.len(), cases.len(), "{group}: a name is used twice");
        for case in &cases {
            let checks = case.steps.iter().any(|step| {
                matches!(
                    step,
                    Step::Expect {
                        optional: false,
                        ..
                    } | Step::ExpectNone { .. }
                )
            });
            assert!(checks, "{group} / {}: expects nothing", case.case);
            assert!(
                case.why.as_deref() != Some(""),
                "{group} / {}: an empty why",
                case.case
            );
        }
        total += cases.len();
    }
    assert!(total >= 392, "only {total} cases");
}
