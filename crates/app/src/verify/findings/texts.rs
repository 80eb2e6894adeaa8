//! Every text of a definition, with its place.

use serde_json::Value;

/// Characters of a text before and behind what was found in it that a finding repeats.
const AROUND: usize = 60;

/// Calls `see` with each text in a value and its place as a JSON pointer (RFC 6901): texts, and the names of members.
pub(super) fn visit(value: &Value, see: &mut impl FnMut(&str, &str)) {
    inside(value, &mut String::new(), see);
}

fn inside(value: &Value, at: &mut String, see: &mut impl FnMut(&str, &str)) {
    let length = at.len();
    match value {
        Value::String(text) => see(at, text),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                at.push('/');
                at.push_str(&index.to_string());
                inside(item, at, see);
                at.truncate(length);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                at.push('/');
                for c in name.chars() {
                    match c {
                        '~' => at.push_str("~0"),
                        '/' => at.push_str("~1"),
                        c => at.push(c),
                    }
                }
                see(at, name);
                inside(member, at, see);
                at.truncate(length);
            }
        }
        _ => {}
    }
}

/// What is around a place in a text, in one line and within quotes.
pub(super) fn around(text: &str, place: std::ops::Range<usize>) -> String {
    let before = text[..place.start].char_indices().rev();
    let start = before.take(AROUND).last().map_or(place.start, |(at, _)| at);
    let behind = text[place.end..].char_indices();
    let end = behind
        .take(AROUND)
        .last()
        .map_or(place.end, |(at, c)| place.end + at + c.len_utf8());
    let (head, tail) = (
        if start > 0 { "…" } else { "" },
        if end < text.len() { "…" } else { "" },
    );
    let part = text[start..end].replace('\n', "\\n");
    format!("'{head}{part}{tail}'")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_and_names_have_their_pointers() {
        let mut seen = Vec::new();
        let value = json!({ "a/b": ["x", { "c~": "y" }], "n": 1 });
        visit(&value, &mut |at, text| {
            seen.push(format!("{at}={text}"));
        });
        assert_eq!(
            seen,
            [
                "/a~1b=a/b",
                "/a~1b/0=x",
                "/a~1b/1/c~0=c~",
                "/a~1b/1/c~0=y",
                "/n=n"
            ]
        );
    }

    #[test]
    fn what_is_around_is_short() {
        assert_eq!(around("a\nbc", 2..3), "'a\\nbc'");
        let text = format!("{}X{}", "ä".repeat(100), "ö".repeat(100));
        let around = around(&text, 200..201);
        assert!(around.starts_with("'…ä") && around.ends_with("ö…'"));
        assert_eq!(around.chars().filter(|c| *c == 'ä').count(), AROUND);
    }
}
