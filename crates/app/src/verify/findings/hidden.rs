//! Characters that nobody sees and models read, in any text and name.

use std::collections::BTreeSet;

use pymcp_kit::manifest::Item;
use pymcp_kit::text::{hidden, marked};

use super::texts::{around, visit};
use crate::doctor::HIDDEN;
use crate::doctor::finding::{Findings, Rule};

pub(super) const RULES: &[&Rule] = &[&HIDDEN];

/// Characters that tags spell which a finding repeats.
const MAX_SPELT: usize = 80;

pub(super) fn check(items: &[Item], found: &mut Findings) {
    for item in items {
        if let Some(what) = judged(&item.name) {
            super::add(found, &HIDDEN, item, "", format!("Its name has {what}."));
        }
        visit(&item.content, &mut |at, text| {
            if let Some(what) = judged(text) {
                super::add(found, &HIDDEN, item, at, format!("It has {what}."));
            }
        });
    }
}

/// Which kinds of characters hide in a text, where the first one is, and what tags spell.
fn judged(text: &str) -> Option<String> {
    // Nearly every text is of these.
    if text
        .bytes()
        .all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\t'))
    {
        return None;
    }
    let (mut at, mut first, mut kinds, mut spelt) = (0, None, BTreeSet::new(), String::new());
    for (c, kind) in marked(text) {
        if let Some(kind) = kind {
            first.get_or_insert(at..at + c.len_utf8());
            kinds.insert(kind);
            if let Some(letter) = tag(c)
                && spelt.len() < MAX_SPELT
            {
                spelt.push(letter);
            }
        }
        at += c.len_utf8();
    }
    let first = first?;
    let kinds: Vec<_> = kinds.into_iter().collect();
    let spells = match spelt.is_empty() {
        true => String::new(),
        false => format!(", whose tags spell '{spelt}'"),
    };
    Some(format!(
        "{} characters in {}{spells}",
        kinds.join(" and "),
        around(text, first)
    ))
}

/// The letter of ASCII that a tag stands for.
fn tag(c: char) -> Option<char> {
    let letter = u32::from(c).checked_sub(0xe0000)?;
    let letter = char::from_u32(letter).filter(|c| (' '..='~').contains(c));
    letter.filter(|_| hidden(c) == Some("tag"))
}

#[cfg(test)]
mod tests {
    use pymcp_kit::manifest::ItemKind::{Resource, Server, Tool};
    use serde_json::json;

    use super::super::of;
    use super::super::tests::{found, manifest};

    #[test]
    fn what_hides_is_found_anywhere_and_its_place_is_named() {
        let all = found([
            (Server, "s", json!({ "instructions": "a\u{202e}b" })),
            (
                Tool,
                "t",
                json!({
                    "title": "x\u{feff}",
                    "inputSchema": {
                        "properties": { "a\u{200b}": { "description": "fine", "enum": ["\u{2066}"] } },
                        "x-unknown": ["\u{ad}"],
                    },
                }),
            ),
            (
                Resource,
                "data://x\u{200d}y",
                json!({ "name": "fine 👩\u{200d}💻" }),
            ),
        ]);
        let mut places: Vec<_> = all.iter().map(|(_, at)| at.as_str()).collect();
        places.sort_unstable();
        assert_eq!(
            places,
            [
                "",
                "/inputSchema/properties/a\\u{200b}",
                "/inputSchema/properties/a\\u{200b}/enum/0",
                "/inputSchema/x-unknown/0",
                "/instructions",
                "/title",
            ]
        );
        assert!(all.iter().all(|(id, _)| id == "hidden-characters"));
    }

    #[test]
    fn what_tags_spell_is_said() {
        let spelt: String = "hi you"
            .chars()
            .filter_map(|c| char::from_u32(0xe0000 + c as u32))
            .collect();
        let shown = manifest([(Tool, "t", json!({ "description": format!("Adds.{spelt}") }))]);
        let found = of(&shown);
        assert!(
            found[0].what.ends_with("whose tags spell 'hi you'."),
            "{}",
            found[0].what
        );
        assert!(
            found[0].what.contains("Adds.\\u{e0068}"),
            "{}",
            found[0].what
        );
    }
}
