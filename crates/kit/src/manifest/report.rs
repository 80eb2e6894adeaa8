//! A change as a person reads it: a line that says what differs and how much it matters, and below it the lines that went
//! and came.

use std::fmt;

use serde_json::Value;

use crate::text;

use super::{Change, Class};

/// Lines around a change that are shown.
const AROUND: usize = 2;

/// How a line of a change is marked, behind two spaces.
const SAME: char = ' ';
const WENT: char = '-';
const CAME: char = '+';

impl Change {
    /// Where it is, on one line: `tool take /definition/description`, or `tool take` for the whole.
    pub fn place(&self) -> String {
        let name = text::visible(&self.name);
        match self.path.as_str() {
            "" => format!("{} {name}", self.kind),
            path => format!("{} {name} {}", self.kind, text::visible(path)),
        }
    }
}

impl fmt::Display for Change {
    /// `breaking  tool take /inputSchema/properties/count/maximum`, then the lines of both values: `  - 9` and `  + 12`.
    /// What hides is written as an escape.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<8}  {}", self.class, self.place())?;
        match (self.path.is_empty(), &self.before, &self.after) {
            (true, None, _) => f.write_str(" is new")?,
            (true, _, None) => f.write_str(" is gone")?,
            _ => {}
        }
        let (old, new) = (lines(self.before.as_ref()), lines(self.after.as_ref()));
        for (mark, line) in marked(&old, &new) {
            write!(f, "\n  {mark} {}", text::visible(line))?;
        }
        Ok(())
    }
}

/// How many changes there are, by class: `3 changes: 1 breaking, 2 routing`.
pub fn count(changes: &[Change]) -> String {
    let classes = Class::ALL.iter().filter_map(|class| {
        let of = changes.iter().filter(|change| change.class == *class);
        let count = of.count();
        (count > 0).then(|| format!("{count} {class}"))
    });
    let classes: Vec<_> = classes.collect();
    let s = if changes.len() == 1 { "" } else { "s" };
    format!("{} change{s}: {}", changes.len(), classes.join(", "))
}

/// A text of several lines as they are, an element of a list of plain values a line, anything else as JSON.
fn lines(value: Option<&Value>) -> Vec<String> {
    let is_plain = |value: &Value| !value.is_object() && !value.is_array();
    let text = match value {
        None => return Vec::new(),
        Some(Value::String(text)) if text.contains('\n') => text.clone(),
        Some(Value::Array(list)) if !list.is_empty() && list.iter().all(is_plain) => {
            return list.iter().map(Value::to_string).collect();
        }
        Some(value) => {
            let mut sorted = value.clone();
            sorted.sort_all_objects();
            format!("{sorted:#}")
        }
    };
    text.split('\n').map(str::to_owned).collect()
}

/// The lines of both: what is the same at the begin and at the end is shown near the change only.
fn marked<'a>(old: &'a [String], new: &'a [String]) -> Vec<(char, &'a str)> {
    let pairs = old.iter().zip(new);
    let head = pairs.take_while(|(old, new)| old == new).count();
    let most = old.len().min(new.len()) - head;
    let ends = old.iter().rev().zip(new.iter().rev());
    let tail = ends.take(most).take_while(|(old, new)| old == new).count();
    let mut marked = Vec::new();
    let mut add = |mark: char, lines: &'a [String]| {
        marked.extend(lines.iter().map(|line| (mark, line.as_str())));
    };
    add(SAME, &old[head.saturating_sub(AROUND)..head]);
    add(WENT, &old[head..old.len() - tail]);
    add(CAME, &new[head..new.len() - tail]);
    let end = old.len() - tail;
    add(SAME, &old[end..(end + AROUND).min(old.len())]);
    marked
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::manifest::ItemKind;

    fn change(path: &str, before: Option<Value>, after: Option<Value>) -> Change {
        Change {
            kind: ItemKind::Tool,
            name: "take".into(),
            path: path.into(),
            class: Class::Routing,
            before,
            after,
        }
    }

    #[test]
    fn a_change_names_its_place_and_shows_both_values() {
        let bound = change("/maximum", Some(json!(9)), Some(json!(12)));
        assert_eq!(
            bound.to_string(),
            "routing   tool take /maximum\n  - 9\n  + 12"
        );
        let new = change("", None, Some(json!({ "a": 1 })));
        assert_eq!(
            new.to_string(),
            "routing   tool take is new\n  + {\n  +   \"a\": 1\n  + }"
        );
        let list = change("/effects", Some(json!(["a"])), Some(json!(["a", "b"])));
        let shown = list.to_string();
        assert_eq!(
            shown.lines().skip(1).collect::<Vec<_>>(),
            ["    \"a\"", "  + \"b\""]
        );
        let one = |members: &str| Some(serde_json::from_str(members).unwrap());
        let order = change(
            "/anyOf",
            one(r#"[{"a":1,"b":2}]"#),
            one(r#"[{"b":3,"a":1}]"#),
        );
        let shown = order.to_string();
        assert!(
            shown.contains("\n  -     \"b\": 2\n  +     \"b\": 3\n"),
            "{shown}"
        );
        let gone = change("", Some(json!(1)), None);
        assert!(
            gone.to_string()
                .starts_with("routing   tool take is gone\n  - 1")
        );
    }

    #[test]
    fn of_long_texts_what_is_near_the_change_is_shown() {
        let before = json!("a\nb\nc\nd\ne\nf\ng");
        let after = json!("a\nb\nc\nD\ne\nf\ng");
        let shown = change("/description", Some(before), Some(after)).to_string();
        let lines: Vec<_> = shown.lines().skip(1).collect();
        assert_eq!(
            lines,
            ["    b", "    c", "  - d", "  + D", "    e", "    f"]
        );
    }

    #[test]
    fn what_hides_is_shown() {
        let change = change(
            "/\u{202e}x",
            Some(json!("a\u{200b}")),
            Some(json!("a\n\u{1b}[2J")),
        );
        let shown = change.to_string();
        assert!(shown.is_ascii(), "{shown}");
        assert!(!shown.contains('\u{1b}'), "{shown}");
    }

    #[test]
    fn changes_are_counted_by_class() {
        let one = change("", None, None);
        let breaking = Change {
            class: Class::Breaking,
            ..one.clone()
        };
        assert_eq!(count(std::slice::from_ref(&one)), "1 change: 1 routing");
        assert_eq!(
            count(&[one.clone(), breaking, one]),
            "3 changes: 1 breaking, 2 routing"
        );
    }
}
