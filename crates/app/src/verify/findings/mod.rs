//! What is wrong with what a server shows, whatever a lock says: plain functions over its manifest. A family of checks is a file with
//! its rules and one function; to add one, add a [`Rule`] to a family, or a family to [`FAMILIES`].
//!
//! | file | what it looks for |
//! | --- | --- |
//! | `texts` | every text of a definition, with its place |
//! | `fold` | texts and names as they look |
//! | `hidden` | characters that nobody sees |
//! | `instructions` | texts that tell a model what to do with others' tools, files and words |
//! | `names` | names that look like others |
//! | `references` | schemas that are elsewhere |
//!
//! No rule here is one of taste: what it finds is a reason not to use the server before somebody has read that text.

mod fold;
mod hidden;
mod instructions;
mod names;
mod references;
mod texts;

use pymcp_kit::manifest::{Item, Manifest};

use crate::doctor::finding::{Finding, Findings, Rule};

/// Bytes of a pointer that a finding repeats.
const MAX_POINTER: usize = 300;

/// Rules that belong together, and what looks for them.
struct Family {
    rules: &'static [&'static Rule],
    check: fn(&[Item], &mut Findings),
}

const FAMILIES: &[Family] = &[
    Family {
        rules: hidden::RULES,
        check: hidden::check,
    },
    Family {
        rules: instructions::RULES,
        check: instructions::check,
    },
    Family {
        rules: names::RULES,
        check: names::check,
    },
    Family {
        rules: references::RULES,
        check: references::check,
    },
];

/// Every rule.
pub(super) fn rules() -> impl Iterator<Item = &'static Rule> {
    FAMILIES
        .iter()
        .flat_map(|family| family.rules.iter().copied())
}

/// What is found in what a server shows, the worst first.
pub(super) fn of(manifest: &Manifest) -> Vec<Finding> {
    let mut found = Findings::default();
    for family in FAMILIES {
        (family.check)(manifest.items(), &mut found);
    }
    found.sorted()
}

/// Adds a finding about a place in an item.
fn add(found: &mut Findings, rule: &Rule, item: &Item, at: &str, what: String) {
    let end = at.floor_char_boundary(MAX_POINTER);
    let more = if end < at.len() { "…" } else { "" };
    let at = format!("{}{more}", &at[..end]);
    found.add_at(rule, format!("{} {}", item.kind, item.name), at, what);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use pymcp_kit::manifest::{ItemKind, Projection};
    use serde_json::{Value, json};

    use super::*;
    use crate::doctor;

    /// The manifest of a server that shows this.
    pub(super) fn manifest<const N: usize>(items: [(ItemKind, &str, Value); N]) -> Manifest {
        let items = items.map(|(kind, name, content)| (kind, name.to_owned(), content));
        Manifest::new(Projection::Shown, items).unwrap()
    }

    /// The rules and places of what is found in it.
    pub(super) fn found<const N: usize>(
        items: [(ItemKind, &str, Value); N],
    ) -> Vec<(String, String)> {
        let found = of(&manifest(items)).into_iter();
        found
            .map(|one| (one.id.into_owned(), one.at.unwrap_or_default()))
            .collect()
    }

    #[test]
    fn a_rule_has_an_id_of_its_own_and_sentences() {
        let mut ids: BTreeSet<_> = doctor::rules().map(|rule| rule.id).collect();
        for rule in rules().filter(|rule| rule.id != "hidden-characters") {
            assert!(ids.insert(rule.id), "{} twice", rule.id);
            for text in [rule.about, rule.breaks, rule.mend] {
                assert!(
                    text.ends_with('.') && text.len() > 10,
                    "{}: {text}",
                    rule.id
                );
            }
        }
    }

    #[test]
    fn a_place_is_named_by_a_pointer_of_bounded_length() {
        let name = "x".repeat(1000);
        let found = found([(
            ItemKind::Tool,
            "t",
            json!({ "inputSchema": { &name: "a\u{200b}b" } }),
        )]);
        assert_eq!(found.len(), 1);
        assert!(found[0].1.starts_with("/inputSchema/xxx"), "{found:?}");
        assert!(found[0].1.len() < MAX_POINTER + 5);
    }
}
