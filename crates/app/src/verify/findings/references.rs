//! Schemas that are elsewhere: what they hold can change after somebody has read the definition.

use std::collections::BTreeSet;

use pymcp_kit::manifest::Item;

use super::texts::visit;
use crate::doctor::finding::{Findings, Rule, Severity, quoted};

const REMOTE: Rule = Rule {
    id: "reference-remote",
    severity: Severity::Warning,
    about: "A schema refers to another document.",
    breaks: "Whoever serves that document decides what the schema says, after it was read and locked.",
    mend: "Put what it refers to in its place.",
};

pub(super) const RULES: &[&Rule] = &[&REMOTE];

pub(super) fn check(items: &[Item], found: &mut Findings) {
    for item in items {
        let mut ids = BTreeSet::new();
        visit(&item.content, &mut |at, text| {
            if at.ends_with("/$id") && text != "$id" {
                ids.insert(text.trim_end_matches('#').to_owned());
            }
        });
        visit(&item.content, &mut |at, text| {
            // The name of the member has the same place.
            let is_reference = at.ends_with("/$ref") || at.ends_with("/$dynamicRef");
            let document = text.split('#').next().unwrap_or_default();
            let is_here = text.starts_with('$') || document.is_empty() || ids.contains(document);
            if is_reference && !is_here {
                let what = format!("It refers to {}.", quoted(text));
                super::add(found, &REMOTE, item, at, what);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use pymcp_kit::manifest::ItemKind::Tool;
    use serde_json::json;

    use super::super::tests::found;

    #[test]
    fn what_is_within_is_none() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": "https://a.example/a",
            "properties": {
                "a": { "$ref": "#/$defs/A" },
                "b": { "$ref": "https://a.example/a#/$defs/A" },
                "c": { "$ref": "https://b.example/b.json" },
            },
        });
        assert_eq!(
            found([(Tool, "t", json!({ "inputSchema": schema }))]),
            [(
                "reference-remote".to_owned(),
                "/inputSchema/properties/c/$ref".to_owned()
            )]
        );
    }
}
