//! YAML, by lines: no crate keeps its comments. What is not plain (a map in braces, anchors around it) is a person's.

use std::fmt::Write as _;
use std::ops::Range;

use serde_json::Value;

use super::{Fields, Slot};

pub(super) fn value(text: &str) -> Result<Value, String> {
    let nothing = |line: &str| line.trim().is_empty() || line.trim().starts_with('#');
    if text.lines().all(nothing) {
        return Ok(Value::Null);
    }
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| match error.location() {
        Some(place) => format!("line {}", place.line()),
        None => "it cannot be read".to_owned(),
    })
}

pub(super) fn set(slot: &Slot, text: &str, entry: &Fields) -> Result<String, String> {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let end = super::line_end(&lines);
    let (at, removed, indent, key) = match Block::find(&lines, slot.key) {
        None => (
            lines.len(),
            0,
            "  ".to_owned(),
            Some(format!("{}:{end}", slot.key)),
        ),
        Some(Block { line, entries, .. }) if entries.is_empty() => {
            let key = opened(lines[line], slot)?;
            (line, 1, "  ".to_owned(), Some(key + end))
        }
        Some(block) => {
            let own = block.entries.iter().find(|(name, _)| *name == slot.name);
            let (at, removed) = own.map_or((block.end, 0), |(_, own)| (own.start, own.len()));
            (at, removed, block.indent, None)
        }
    };
    let mut added = key.unwrap_or_default();
    let last = if at > 0 { lines[at - 1] } else { "\n" };
    if !last.ends_with('\n') {
        added.insert_str(0, end);
    }
    write_entry(&mut added, &slot.name, entry, &indent, end).ok_or_else(|| slot.for_a_person())?;
    lines.splice(at..at + removed, [&*added]);
    Ok(lines.concat())
}

pub(super) fn remove(slot: &Slot, text: &str) -> Result<String, String> {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let block = Block::find(&lines, slot.key).ok_or_else(|| slot.for_a_person())?;
    let own = block.entries.iter().find(|(name, _)| *name == slot.name);
    let Some((_, own)) = own else {
        return Err(slot.for_a_person());
    };
    lines.drain(own.clone());
    // A key with nothing below it has no map.
    let key = lines[block.line].replacen(':', ": {}", 1);
    if block.entries.len() == 1 {
        lines[block.line] = &key;
    }
    Ok(lines.concat())
}

/// The line of a key that has nothing below it, without its end, so that something may follow.
fn opened(line: &str, slot: &Slot) -> Result<String, String> {
    let rest = line
        .strip_prefix(slot.key)
        .and_then(|rest| rest.strip_prefix(':'));
    let rest = rest.map(|rest| rest.trim().strip_prefix("{}").unwrap_or(rest).trim());
    match rest {
        Some("") => Ok(format!("{}:", slot.key)),
        Some(comment) if comment.starts_with('#') => Ok(format!("{}: {comment}", slot.key)),
        _ => Err(slot.for_a_person()),
    }
}

/// A map at the top, as lines.
struct Block {
    /// The line of its key.
    line: usize,
    /// The line after its last one.
    end: usize,
    /// What stands before its names.
    indent: String,
    /// Its names, each with its lines.
    entries: Vec<(String, Range<usize>)>,
}

impl Block {
    fn find(lines: &[&str], key: &str) -> Option<Self> {
        let is_key = |line: &&str| name_of(line) == Some(key) && !line.starts_with([' ', '\t']);
        let line = lines.iter().position(is_key)?;
        let mut block = Self {
            line,
            end: line + 1,
            indent: String::new(),
            entries: Vec::new(),
        };
        for (at, line) in lines.iter().enumerate().skip(line + 1) {
            let content = line.trim_start_matches(' ');
            if content.trim().is_empty() || content.starts_with('#') {
                continue;
            }
            let indent = &line[..line.len() - content.len()];
            if indent.is_empty() {
                break;
            }
            if block.entries.is_empty() {
                block.indent = indent.to_owned();
            }
            if indent == block.indent
                && let Some(name) = name_of(line)
            {
                block.entries.push((name.to_owned(), at..at));
            }
            block.end = at + 1;
            if let Some((_, lines)) = block.entries.last_mut() {
                lines.end = at + 1;
            }
        }
        Some(block)
    }
}

/// The name that a line of a map begins with; quotes around it are left out.
fn name_of(line: &str) -> Option<&str> {
    let (name, rest) = line.trim().split_once(':')?;
    let name = name.trim_end();
    let quoted = |quote| name.strip_prefix(quote)?.strip_suffix(quote);
    let ends = rest.is_empty() || rest.starts_with([' ', '\t']);
    ends.then(|| quoted('"').or_else(|| quoted('\'')).unwrap_or(name))
}

fn write_entry(
    text: &mut String,
    name: &str,
    entry: &Fields,
    indent: &str,
    end: &str,
) -> Option<()> {
    // Writing to a string cannot fail.
    let _ = write!(text, "{indent}{}:{end}", key(name));
    for (name, value) in entry {
        let _ = write!(text, "{indent}  {}:", key(name));
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                text.push_str(end);
                for (name, value) in fields {
                    let value = serde_json::to_string(value).ok()?;
                    let _ = write!(text, "{indent}    {}: {value}{end}", key(name));
                }
            }
            // JSON is YAML.
            value => {
                let value = serde_json::to_string(value).ok()?;
                let _ = write!(text, " {value}{end}");
            }
        }
    }
    Some(())
}

/// A name as a key: in quotes where it could be read as something else.
fn key(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let is_plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(plain)
        && !words.contains(&&*name.to_ascii_lowercase());
    match is_plain {
        true => name.to_owned(),
        false => Value::from(name).to_string(),
    }
}
