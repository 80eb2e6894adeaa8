//! Patterns that say what a message must mean.
//!
//! A pattern is JSON. Objects match when every member they name matches (others may be there too), arrays element by
//! element, numbers by value, everything else when equal. An object whose keys all begin with `$` is a list of
//! conditions that must all hold:
//!
//! | condition | holds when the value … |
//! | --- | --- |
//! | `$any: true` | is there |
//! | `$absent: true` | is not there |
//! | `$optional: P` | is not there, or matches `P` |
//! | `$type: "number"` | is of this JSON type |
//! | `$in: [P, …]` | matches one of them |
//! | `$all: [P, …]` | matches all of them |
//! | `$re: "…"` | is a string the expression finds something in (or a list: all of them) |
//! | `$contains: "…"` | is a string with this in it, in whatever case (or a list: all of them) |
//! | `$lacks: "…"` | is a string without this in it, in whatever case |
//! | `$count: ["…", n]` | is a string with this in it exactly `n` times |
//! | `$json: P` | is a string that holds JSON, which matches `P` |
//! | `$range: [low, high]` | is a number between the two, both included |
//! | `$digits: [n, r]` | is a string of `n` decimal digits, a number that leaves `r` when divided by 2^61 − 1 |
//! | `$as: "name"` | whatever it is; it is remembered under that name |
//! | `$same: "name"` | equals what was remembered |
//! | `$differs: "name"` | does not equal what was remembered |
//! | `$is: "name"` | matches the shared pattern of that name |
//! | `$is: ["name", P]` | likewise, with `P` in the place of each `{"$hole": true}` |

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde_json::{Map, Value};

/// What `$as` remembered, for the rest of a case.
pub(super) type Memory = BTreeMap<String, Value>;

/// The patterns that `$is` names.
pub(super) type Shared = BTreeMap<String, Value>;

pub(super) struct Matcher<'a> {
    pub(super) shared: &'a Shared,
    pub(super) memory: &'a mut Memory,
}

impl<'a> Matcher<'a> {
    /// `Err` says where and how the value differs.
    pub(super) fn check(&mut self, pattern: &Value, value: &Value) -> Result<(), String> {
        self.walk(pattern, Some(value), "$")
    }

    fn walk(&mut self, pattern: &Value, value: Option<&Value>, at: &str) -> Result<(), String> {
        if let Some(conditions) = conditions(pattern) {
            for (name, argument) in conditions {
                self.condition(name, argument, value, at)?;
            }
            return Ok(());
        }
        let value = value.ok_or_else(|| format!("{at}: missing, expected {pattern}"))?;
        match (pattern, value) {
            (Value::Object(members), Value::Object(object)) => {
                for (key, member) in members {
                    self.walk(member, object.get(key), &format!("{at}.{key}"))?;
                }
                Ok(())
            }
            (Value::Array(patterns), Value::Array(values)) if patterns.len() == values.len() => {
                for (i, (pattern, value)) in patterns.iter().zip(values).enumerate() {
                    self.walk(pattern, Some(value), &format!("{at}[{i}]"))?;
                }
                Ok(())
            }
            _ => ensure(equal(pattern, value), || {
                format!("{at}: expected {pattern}, got {}", brief(value))
            }),
        }
    }

    fn named(&self, name: &Value) -> &'a Value {
        self.shared
            .get(text(name))
            .unwrap_or_else(|| panic!("no shared pattern is called {name}"))
    }

    fn condition(
        &mut self,
        name: &str,
        argument: &Value,
        value: Option<&Value>,
        at: &str,
    ) -> Result<(), String> {
        match (name, value) {
            ("$absent", None) | ("$optional", None) => return Ok(()),
            ("$is", value) => {
                let pattern = match argument {
                    Value::Array(_) => {
                        let [name, filling] = list(argument) else {
                            panic!("$is: {argument}")
                        };
                        &fill(self.named(name), filling)
                    }
                    name => self.named(name),
                };
                return self.walk(pattern, value, at);
            }
            _ => {}
        }
        let value =
            value.ok_or_else(|| format!("{at}: missing, expected {{{name}: {argument}}}"))?;
        let holds = match name {
            "$any" | "$hole" => true,
            "$absent" => false,
            "$type" => type_of(value) == text(argument),
            "$optional" => return self.walk(argument, Some(value), at),
            "$all" => {
                for pattern in list(argument) {
                    self.walk(pattern, Some(value), at)?;
                }
                true
            }
            "$in" => list(argument)
                .iter()
                .any(|p| self.walk(p, Some(value), at).is_ok()),
            "$json" => {
                let inner = value
                    .as_str()
                    .and_then(|s| serde_json::from_str::<Value>(s).ok());
                let inner = inner.ok_or_else(|| format!("{at}: no JSON in {}", brief(value)))?;
                return self.walk(argument, Some(&inner), &format!("{at}<json>"));
            }
            "$range" => value.as_f64().is_some_and(|n| {
                let bounds: Vec<_> = list(argument).iter().filter_map(Value::as_f64).collect();
                (bounds[0]..=bounds[1]).contains(&n)
            }),
            "$as" => {
                self.memory.insert(text(argument).to_owned(), value.clone());
                true
            }
            "$same" => self.memory[text(argument)] == *value,
            "$differs" => self.memory[text(argument)] != *value,
            _ => match value.as_str() {
                Some(string) => text_condition(name, argument, string),
                None => false,
            },
        };
        ensure(holds, || {
            format!("{at}: {{{name}: {argument}}} fails for {}", brief(value))
        })
    }
}

/// The conditions of a pattern that is one; a mix of conditions and members is a mistake in the data.
fn conditions(pattern: &Value) -> Option<&Map<String, Value>> {
    let members = pattern.as_object()?;
    let marked = members.keys().filter(|key| key.starts_with('$')).count();
    assert!(
        marked == 0 || marked == members.len(),
        "a mixed pattern: {pattern}"
    );
    (marked > 0).then_some(members)
}

fn text_condition(name: &str, argument: &Value, string: &str) -> bool {
    let lower = string.to_lowercase();
    match name {
        "$re" => all(argument, |e| {
            Regex::new(e)
                .unwrap_or_else(|error| panic!("{e}: {error}"))
                .is_match(string)
        }),
        "$contains" => all(argument, |part| lower.contains(&part.to_lowercase())),
        "$lacks" => all(argument, |part| !lower.contains(&part.to_lowercase())),
        "$count" => {
            let [part, n] = list(argument) else {
                panic!("$count: {argument}")
            };
            Some(string.matches(text(part)).count() as u64) == n.as_u64()
        }
        "$digits" => {
            let [n, rest] = list(argument) else {
                panic!("$digits: {argument}")
            };
            Some(string.len() as u64) == n.as_u64() && remainder(string) == rest.as_u64()
        }
        unknown => panic!("no condition is called {unknown}"),
    }
}

fn all(argument: &Value, holds: impl Fn(&str) -> bool) -> bool {
    match argument {
        Value::Array(parts) => parts.iter().all(|part| holds(text(part))),
        one => holds(text(one)),
    }
}

/// The shared pattern with its holes filled.
fn fill(pattern: &Value, filling: &Value) -> Value {
    match pattern {
        Value::Object(members) if members.contains_key("$hole") => filling.clone(),
        Value::Object(members) => members
            .iter()
            .map(|(key, member)| (key.clone(), fill(member, filling)))
            .collect(),
        Value::Array(items) => items.iter().map(|item| fill(item, filling)).collect(),
        other => other.clone(),
    }
}

/// The number modulo the Mersenne prime 2^61 − 1, which tells numbers of thousands of digits apart.
fn remainder(digits: &str) -> Option<u64> {
    const PRIME: u128 = (1 << 61) - 1;
    let rest = digits.chars().try_fold(0, |rest: u128, digit| {
        Some((rest * 10 + u128::from(digit.to_digit(10)?)) % PRIME)
    })?;
    u64::try_from(rest).ok()
}

fn equal(pattern: &Value, value: &Value) -> bool {
    match (pattern, value) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a == b,
            _ => a.as_f64() == b.as_f64(),
        },
        _ => pattern == value,
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("the pattern wants a string, not {value}"))
}

fn list(value: &Value) -> &[Value] {
    value
        .as_array()
        .unwrap_or_else(|| panic!("the pattern wants a list, not {value}"))
}

fn ensure(holds: bool, reason: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(reason()) }
}

/// The value, cut where nobody would read on.
pub(super) fn brief(value: &impl ToString) -> String {
    let full = value.to_string();
    match full.char_indices().nth(1200) {
        Some((end, _)) => format!("{}… ({} bytes)", &full[..end], full.len()),
        None => full,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(pattern: &Value, value: &Value) -> bool {
        let shared = Shared::from([
            ("yes".to_owned(), json!({ "a": 1 })),
            ("holed".to_owned(), json!({ "a": [{ "$hole": true }] })),
        ]);
        let mut memory = Memory::from([("one".to_owned(), json!(1))]);
        Matcher {
            shared: &shared,
            memory: &mut memory,
        }
        .check(pattern, value)
        .is_ok()
    }

    #[test]
    fn each_condition_holds_and_fails() {
        let cases = [
            (
                json!({ "a": 1 }),
                json!({ "a": 1.0, "b": 2 }),
                json!({ "a": 2 }),
            ),
            (json!({ "a": 1 }), json!({ "a": 1 }), json!({ "b": 1 })),
            (json!([1, 2]), json!([1, 2]), json!([1, 2, 3])),
            (
                json!({ "a": { "$any": true } }),
                json!({ "a": null }),
                json!({}),
            ),
            (
                json!({ "a": { "$absent": true } }),
                json!({}),
                json!({ "a": null }),
            ),
            (
                json!({ "a": { "$optional": 1 } }),
                json!({}),
                json!({ "a": 2 }),
            ),
            (
                json!({ "a": { "$optional": 1 } }),
                json!({ "a": 1 }),
                json!({ "a": null }),
            ),
            (json!({ "$type": "number" }), json!(1.5), json!("1.5")),
            (json!({ "$in": [1, null] }), json!(null), json!(2)),
            (
                json!({ "$all": [{ "$type": "string" }, "x"] }),
                json!("x"),
                json!("y"),
            ),
            (json!({ "$re": "^a+$" }), json!("aa"), json!("ab")),
            (json!({ "$re": ["a", "b"] }), json!("ab"), json!("a")),
            (json!({ "$contains": ["A", "b"] }), json!("ab"), json!("a")),
            (json!({ "$contains": "1" }), json!("1"), json!(1)),
            (json!({ "$lacks": "x" }), json!("ab"), json!("aXb")),
            (json!({ "$count": ["a", 2] }), json!("aba"), json!("aaa")),
            (
                json!({ "$json": { "a": 1 } }),
                json!("{\"a\":1}"),
                json!("{}"),
            ),
            (json!({ "$range": [0, 1.5] }), json!(1.5), json!(1.6)),
            (
                json!({ "$digits": [19, 1] }),
                json!("2305843009213693952"),
                json!("2305843009213693951"),
            ),
            (json!({ "$same": "one" }), json!(1), json!(2)),
            (json!({ "$differs": "one" }), json!(2), json!(1)),
            (
                json!({ "$is": "yes" }),
                json!({ "a": 1 }),
                json!({ "a": 0 }),
            ),
            (
                json!({ "$is": "holed" }),
                json!({ "a": [1] }),
                json!({ "a": [] }),
            ),
            (
                json!({ "$is": ["holed", 2] }),
                json!({ "a": [2] }),
                json!({ "a": [1] }),
            ),
            (
                json!({ "$as": "two", "$type": "number" }),
                json!(2),
                json!("2"),
            ),
            (
                json!([{ "$as": "two" }, { "$same": "two" }]),
                json!([7, 7]),
                json!([7, 8]),
            ),
        ];
        for (pattern, good, bad) in cases {
            assert!(matches(&pattern, &good), "{pattern} should match {good}");
            assert!(!matches(&pattern, &bad), "{pattern} should not match {bad}");
        }
    }
}
