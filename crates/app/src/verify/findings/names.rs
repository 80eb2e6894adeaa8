//! Names that look like others: of this server, or of tools that a client has beside it.

use std::collections::BTreeMap;

use pymcp_kit::manifest::{Item, ItemKind};

use super::fold;
use crate::doctor::finding::{Findings, Rule, Severity, quoted};

const ALIKE: Rule = Rule {
    id: "name-alike",
    severity: Severity::Error,
    about: "Two names look the same.",
    breaks: "A person consents to one and a model calls the other.",
    mend: "Rename one of them.",
};
const FOREIGN: Rule = Rule {
    id: "name-lookalike",
    severity: Severity::Error,
    about: "A name is written with letters of other scripts, and looks like one in plain Latin letters.",
    breaks: "It passes for a tool of another server, or for one that was reviewed.",
    mend: "Write it in one script; do not use a server that means it.",
};
const KINDS: Rule = Rule {
    id: "name-across-kinds",
    severity: Severity::Note,
    about: "A tool and a prompt have the same name.",
    breaks: "Clients that offer both by their names offer one of them, or the wrong one.",
    mend: "Rename one of them.",
};

pub(super) const RULES: &[&Rule] = &[&ALIKE, &FOREIGN, &KINDS];

pub(super) fn check(items: &[Item], found: &mut Findings) {
    let mut seen: BTreeMap<String, &Item> = BTreeMap::new();
    // Resources are known by their URIs, in which the case of a letter counts.
    let named = |item: &&Item| matches!(item.kind, ItemKind::Tool | ItemKind::Prompt);
    for item in items.iter().filter(named) {
        let looks = fold::name(&item.name);
        match seen.get(&looks) {
            Some(other) if other.name == item.name => {
                let what = format!("There is a {} of that name as well.", other.kind);
                super::add(found, &KINDS, item, "", what);
            }
            Some(other) => {
                let what = format!("It looks like {} {}.", other.kind, quoted(&other.name));
                super::add(found, &ALIKE, item, "", what);
            }
            None => {}
        }
        if !item.name.is_ascii() && looks.is_ascii() {
            let escaped = quoted(&escaped(&item.name));
            let what = format!(
                "It looks like '{}' and is {escaped}.",
                fold::text(&item.name)
            );
            super::add(found, &FOREIGN, item, "", what);
        }
        seen.insert(looks, item);
    }
}

/// A name whose letters deceive, with all that is not ASCII as an escape.
fn escaped(name: &str) -> String {
    let mut escaped = String::new();
    for c in name.chars() {
        match c.is_ascii() {
            true => escaped.push(c),
            false => escaped.extend(c.escape_unicode()),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use pymcp_kit::manifest::ItemKind::{Prompt, Resource, Tool};
    use serde_json::json;

    use super::super::of;
    use super::super::tests::{found, manifest};

    fn ids<const N: usize>(names: [(pymcp_kit::manifest::ItemKind, &str); N]) -> Vec<String> {
        let items = names.map(|(kind, name)| (kind, name, json!({})));
        found(items).into_iter().map(|(id, _)| id).collect()
    }

    #[test]
    fn names_that_look_like_others_are_found() {
        for (names, expected) in [
            ([(Tool, "read_file"), (Tool, "write_file")], &[][..]),
            ([(Tool, "read_file"), (Tool, "Read_File")], &["name-alike"]),
            (
                [(Tool, "read_file"), (Tool, "reаd_file")],
                &["name-alike", "name-lookalike"],
            ),
            // No twin is here: it is that of another server's.
            ([(Tool, "sеarch"), (Tool, "x")], &["name-lookalike"]),
            (
                [(Tool, "summary"), (Prompt, "summary")],
                &["name-across-kinds"],
            ),
            // Other scripts are nobody's disguise.
            ([(Tool, "поиск"), (Tool, "検索")], &[]),
            ([(Resource, "data://A"), (Resource, "data://a")], &[]),
        ] {
            assert_eq!(ids(names), expected, "{names:?}");
        }
    }

    #[test]
    fn letters_that_deceive_are_shown() {
        let found = of(&manifest([(Tool, "sеarch", json!({}))]));
        assert_eq!(
            found[0].what,
            "It looks like 'search' and is 's\\u{435}arch'."
        );
    }
}
