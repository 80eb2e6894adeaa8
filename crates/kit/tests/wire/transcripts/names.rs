//! Names for what is new each time: `$session`, `$endpoint`, `$event-1`, `$ask-1`, `$state-1` … are learnt from the
//! server and repeated by the client; `$ms` is any time.

use serde_json::{Map, Value, json};

use crate::support::link::message;
use crate::support::peer::Line;

/// Any time that something took.
const TIME: &str = "$ms";

#[derive(Default)]
pub(super) struct Names(Vec<(String, Value)>);

impl Names {
    /// The line with names for its values.
    pub(super) fn put_into(&mut self, line: &Line) -> Line {
        match line {
            Line::Client(line) => Line::Client(self.named(line, false)),
            Line::Server(line) => Line::Server(self.named(line, true)),
        }
    }

    fn named(&mut self, line: &Value, from_server: bool) -> Value {
        let mut named = self.walk(line);
        if line["event"] == "endpoint" {
            named["data"] = self.name("endpoint", &line["data"]);
        } else if let Some(target) = line.get("target")
            && target != "/mcp"
            && target != "/sse"
        {
            named["target"] = self.name("endpoint", target);
        }
        if let (None, Some(id)) = (line.get("jsonrpc"), line.get("id")) {
            named["id"] = self.name("event", id);
        }
        // A question, or the answer to one.
        let message = message(line);
        if let Some(message) = message
            && message.get("method").is_some() == from_server
            && let Some(id) = message.get("id")
        {
            let name = self.name("ask", id);
            let mut places = ["body", "data"].into_iter();
            match places.find(|place| line[place]["jsonrpc"] == "2.0") {
                Some(place) => named[place]["id"] = name,
                None => named["id"] = name,
            }
        }
        named
    }

    fn walk(&mut self, value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let named = members.iter().map(|(key, member)| {
                    let named = match key.to_lowercase().as_str() {
                        "mcp-session-id" => self.name("session", member),
                        "requeststate" => self.name("state", member),
                        "tool_response_time_ms" => json!(TIME),
                        _ => self.walk(member),
                    };
                    (key.clone(), named)
                });
                Value::Object(named.collect::<Map<_, _>>())
            }
            Value::Array(items) => items.iter().map(|item| self.walk(item)).collect(),
            other => other.clone(),
        }
    }

    /// The name of a value; a new one when it has none.
    fn name(&mut self, kind: &str, value: &Value) -> Value {
        let mut others = 0;
        for (name, known) in &self.0 {
            if kind_of(name) == kind {
                if known == value {
                    return json!(name);
                }
                others += 1;
            }
        }
        let name = match kind {
            "session" | "endpoint" => format!("${kind}"),
            _ => format!("${kind}-{}", others + 1),
        };
        self.0.push((name.clone(), value.clone()));
        json!(name)
    }

    /// The client's line with values for its names.
    pub(super) fn fill(&self, line: &Value) -> Value {
        match line {
            Value::String(name) if name.starts_with('$') => {
                let known = self.get(name);
                known
                    .unwrap_or_else(|| panic!("{name} was not learnt"))
                    .clone()
            }
            Value::Object(members) => members
                .iter()
                .map(|(key, member)| (key.clone(), self.fill(member)))
                .collect(),
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            other => other.clone(),
        }
    }

    fn get(&self, name: &str) -> Option<&Value> {
        let known = self.0.iter().find(|(known, _)| known == name);
        known.map(|(_, value)| value)
    }

    /// Whether the server said this, and nothing else; learns what is new.
    pub(super) fn check(&mut self, expected: &Value, heard: &Value) -> Result<(), String> {
        match (expected, heard) {
            (Value::String(name), heard) if name == TIME => match heard.is_number() {
                true => Ok(()),
                false => Err(format!("{heard} is no time")),
            },
            (Value::String(name), heard) if name.starts_with('$') => self.learn(name, heard),
            (Value::Object(expected), Value::Object(heard)) => {
                if let Some(key) = heard.keys().find(|key| !expected.contains_key(*key)) {
                    return Err(format!("\"{key}\" is new"));
                }
                for (key, member) in expected {
                    let heard = heard.get(key).ok_or(format!("\"{key}\" is missing"))?;
                    self.check(member, heard)?;
                }
                Ok(())
            }
            (Value::Array(expected), Value::Array(heard)) if expected.len() == heard.len() => {
                let mut pairs = expected.iter().zip(heard);
                pairs.try_for_each(|(expected, heard)| self.check(expected, heard))
            }
            _ if expected == heard => Ok(()),
            _ => Err(format!("{heard} instead of {expected}")),
        }
    }

    fn learn(&mut self, name: &str, value: &Value) -> Result<(), String> {
        if let Some(known) = self.get(name) {
            return match known == value {
                true => Ok(()),
                false => Err(format!("{name} was {known} before, now it is {value}")),
            };
        }
        let same =
            |(other, known): &&(String, Value)| kind_of(other) == kind_of(name) && known == value;
        if let Some((other, _)) = self.0.iter().find(same) {
            return Err(format!("{name} is the same as {other}"));
        }
        self.0.push((name.to_owned(), value.clone()));
        Ok(())
    }
}

/// What a name is for: `state` of `$state-2`.
fn kind_of(name: &str) -> &str {
    let kind = name.split('-').next().unwrap_or_default();
    kind.trim_start_matches('$')
}

#[test]
fn what_differs_is_found() {
    let expected = json!({ "id": "$ask-1", "a": [1, { "took": "$ms" }], "b": "$ask-1" });
    let good = json!({ "b": 7, "a": [1, { "took": 0.5 }], "id": 7 });
    assert_eq!(Names::default().check(&expected, &good), Ok(()));
    for bad in [
        json!({ "id": 7, "a": [1, { "took": 0.5 }], "b": 8 }),
        json!({ "id": 7, "a": [1, { "took": "x" }], "b": 7 }),
        json!({ "id": 7, "a": [1], "b": 7 }),
        json!({ "id": 7, "a": [1, { "took": 0.5 }] }),
        json!({ "id": 7, "a": [1, { "took": 0.5 }], "b": 7, "c": 1 }),
    ] {
        assert!(Names::default().check(&expected, &bad).is_err(), "{bad}");
    }
    let twice = Names::default().check(&json!(["$state-1", "$state-2"]), &json!(["x", "x"]));
    assert!(twice.is_err());
    let mut names = Names::default();
    names.check(&expected, &good).unwrap();
    assert_eq!(names.fill(&json!(["$ask-1"])), json!([7]));
}
