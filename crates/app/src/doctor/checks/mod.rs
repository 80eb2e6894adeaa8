//! What is checked: plain functions over what was observed, that yield findings. A family of checks is a file with its rules and one
//! function; to add a check, add a [`Rule`] to a family and to its `RULES`, or a family to [`FAMILIES`]. `docs/doctor.md`
//! has every rule and is written from here.

pub(crate) mod auth;
mod era;
mod http;
mod lists;
pub(crate) mod machine;
mod names;
mod output;
mod protocol;
mod references;
mod schemas;
mod session;
mod start;
mod texts;

pub(crate) use self::lists::tokens;
pub(crate) use self::texts::HIDDEN;

use super::finding::{Findings, Rule};
use super::observed::Observed;

/// Rules that belong together.
pub(crate) struct Family {
    /// The heading in the documents.
    pub(crate) title: &'static str,
    pub(crate) rules: &'static [&'static Rule],
    /// Looks for all of them in what was seen of a server; none for what is not asked of a server.
    check: Option<fn(&Observed, &mut Findings)>,
}

/// All of them.
pub(crate) const FAMILIES: &[Family] = &[
    Family {
        title: "This machine",
        rules: machine::RULES,
        check: None,
    },
    Family {
        title: "Start and stream",
        rules: start::RULES,
        check: Some(start::check),
    },
    Family {
        title: "Revisions",
        rules: era::RULES,
        check: Some(era::check),
    },
    Family {
        title: "Messages",
        rules: protocol::RULES,
        check: Some(protocol::check),
    },
    Family {
        title: "HTTP",
        rules: http::RULES,
        check: Some(http::check),
    },
    Family {
        title: "Sessions over HTTP",
        rules: session::RULES,
        check: Some(session::check),
    },
    Family {
        title: "Lists",
        rules: lists::RULES,
        check: Some(lists::check),
    },
    Family {
        title: "Names",
        rules: names::RULES,
        check: Some(names::check),
    },
    Family {
        title: "Schemas of arguments",
        rules: schemas::RULES,
        check: Some(schemas::check),
    },
    Family {
        title: "Results with a schema",
        rules: output::RULES,
        check: Some(output::check),
    },
    Family {
        title: "Descriptions",
        rules: texts::RULES,
        check: Some(texts::check),
    },
    Family {
        title: "Authentication",
        rules: auth::RULES,
        check: None,
    },
];

/// Every rule.
pub(crate) fn rules() -> impl Iterator<Item = &'static Rule> {
    FAMILIES
        .iter()
        .flat_map(|family| family.rules.iter().copied())
}

/// Judges what was seen of a server.
pub(crate) fn judge(seen: &Observed, found: &mut Findings) {
    for check in FAMILIES.iter().filter_map(|family| family.check) {
        check(seen, found);
    }
}

/// What a definition is called, for a finding about it.
fn called<'a>(definition: &'a serde_json::Value, kind: &'a str) -> String {
    let name = definition["name"].as_str().unwrap_or("without a name");
    format!("{kind} {name}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_rule_has_an_id_of_its_own_and_sentences() {
        let mut ids = BTreeSet::new();
        for rule in rules() {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(rule.id.chars().all(plain), "{}", rule.id);
            assert!(ids.insert(rule.id), "{} twice", rule.id);
            for text in [rule.about, rule.breaks, rule.mend] {
                assert!(
                    text.ends_with('.') && text.len() > 10,
                    "{}: {text}",
                    rule.id
                );
            }
        }
        assert!(ids.len() > 70, "{}", ids.len());
    }
}
