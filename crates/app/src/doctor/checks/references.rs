//! References in the schemas of arguments.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::finding::{Findings, Rule, Severity, quoted};

/// References that are followed.
const MAX_REFERENCES: usize = 500;

pub(super) const UNRESOLVED: Rule = Rule {
    id: "reference-unresolved",
    severity: Severity::Error,
    about: "A $ref leads nowhere, or to another document.",
    breaks: "Clients and providers refuse the tool, or all of them (github/copilot-cli#1876, anthropics/claude-code#76040).",
    mend: "Put what it refers to in its place.",
};
pub(super) const RECURSIVE: Rule = Rule {
    id: "reference-recursive",
    severity: Severity::Warning,
    about: "A schema contains itself.",
    breaks: "Converters of providers refuse it or do not end (n8n-io/n8n#25964, anthropics/claude-code#76881).",
    mend: "Take a type that does not contain itself, or an object without a schema where it would.",
};
pub(super) const REFERENCE: Rule = Rule {
    id: "reference",
    severity: Severity::Warning,
    about: "A schema has a $ref.",
    breaks: "Some clients do not follow it: the argument has no type for the model (github/copilot-cli#1876).",
    mend: "Put what it refers to in its place.",
};
/// Judges all references of a schema.
pub(super) fn judge(schema: &Value, subject: &str, found: &mut Findings) {
    let mut all = Vec::new();
    collect(schema, "", &mut all);
    let Some((_, first)) = all.first() else {
        return;
    };
    let lost = all
        .iter()
        .find(|(_, target)| resolve(schema, target).is_none());
    if let Some((_, target)) = lost {
        found.add(
            &UNRESOLVED,
            subject,
            format!("{} leads to nothing in its inputSchema.", quoted(target)),
        );
    } else if let Some((_, target)) = all.iter().find(|(_, target)| contains_itself(target, &all)) {
        found.add(
            &RECURSIVE,
            subject,
            format!("{} leads back to itself.", quoted(target)),
        );
    } else {
        found.add(
            &REFERENCE,
            subject,
            format!("Its inputSchema has the $ref {}.", quoted(first)),
        );
    }
}

/// All references with where they are, as JSON pointers.
fn collect(value: &Value, path: &str, all: &mut Vec<(String, String)>) {
    if all.len() >= MAX_REFERENCES {
        return;
    }
    let below = |name: &str| format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(target) if name == "$ref" || name == "$dynamicRef" => {
                        all.push((path.to_owned(), target.clone()));
                    }
                    _ => collect(value, &below(name), all),
                }
            }
        }
        Value::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                collect(value, &below(&at.to_string()), all);
            }
        }
        _ => {}
    }
}

/// What a reference within the document leads to.
fn resolve<'a>(schema: &'a Value, target: &str) -> Option<&'a Value> {
    let pointer = target.strip_prefix('#')?;
    match pointer.is_empty() || pointer.starts_with('/') {
        true => schema.pointer(pointer),
        // An anchor; whether there is one is found when the schema is compiled.
        false => Some(schema),
    }
}

/// Whether following references from this target leads back to it.
fn contains_itself(target: &str, all: &[(String, String)]) -> bool {
    let inside = |at: &str, target: &str| {
        let pointer = target.trim_start_matches('#');
        at == pointer
            || at
                .strip_prefix(pointer)
                .is_some_and(|rest| rest.starts_with('/'))
    };
    let (mut open, mut known) = (vec![target], BTreeSet::new());
    while let Some(next) = open.pop() {
        for (at, leads) in all {
            if inside(at, next) {
                if leads == target {
                    return true;
                }
                if known.insert(leads.as_str()) {
                    open.push(leads);
                }
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_are_told_apart() {
        let of = |schema: Value| {
            let mut found = Findings::default();
            judge(&schema, "x", &mut found);
            found
                .ids()
                .into_iter()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let defs = json!({ "A": { "type": "object", "properties": { "b": { "$ref": "#/$defs/B" } } }, "B": { "type": "string" } });
        assert_eq!(of(json!({ "type": "object" })), [""; 0]);
        let plain = json!({ "$defs": defs, "properties": { "a": { "$ref": "#/$defs/A" } } });
        assert_eq!(of(plain.clone()), ["reference"]);
        let mut lost = plain.clone();
        lost["$defs"]["A"]["properties"]["b"]["$ref"] = json!("#/$defs/C");
        assert_eq!(of(lost), ["reference-unresolved"]);
        let mut remote = plain.clone();
        remote["properties"]["a"]["$ref"] = json!("https://example.com/a.json");
        assert_eq!(of(remote), ["reference-unresolved"]);
        let mut circle = plain;
        circle["$defs"]["B"] = json!({ "items": { "$ref": "#/$defs/A" } });
        assert_eq!(of(circle), ["reference-recursive"]);
        assert_eq!(
            of(json!({ "properties": { "a": { "$ref": "#" } } })),
            ["reference-recursive"]
        );
    }
}
