//! TOML, by lines: a table of its own for each server. What is not plain (servers in braces, dotted keys) is a person's.
//! `toml_edit` would keep neither the line ends nor the place of the last comments.

use std::fmt::Write as _;
use std::ops::Range;

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::{Fields, Slot};

pub(super) fn value(text: &str) -> Result<Value, String> {
    let table = DeTable::parse(text).map_err(|error| {
        let before = error.span().map_or(0, |span| span.start);
        // Its own text repeats lines of the file.
        let line = 1 + text.bytes().take(before).filter(|b| *b == b'\n').count();
        format!("line {line}")
    })?;
    Ok(read(&DeValue::Table(table.into_inner())))
}

/// A value as JSON has it; what JSON has not, such as a date, as its text.
fn read(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(&**text),
        DeValue::Boolean(bool) => Value::from(*bool),
        DeValue::Integer(number) => match number.to_string().parse::<i64>() {
            Ok(number) => Value::from(number),
            Err(_) => Value::from(format!("{number:?}")),
        },
        DeValue::Float(number) => Value::from(format!("{number:?}")),
        DeValue::Datetime(time) => Value::from(time.to_string()),
        DeValue::Array(items) => items.iter().map(|item| read(item.get_ref())).collect(),
        DeValue::Table(table) => {
            let fields = table.iter();
            let fields =
                fields.map(|(name, item)| (name.get_ref().to_string(), read(item.get_ref())));
            Value::Object(fields.collect())
        }
    }
}

pub(super) fn set(slot: &Slot, text: &str, entry: &Fields) -> Result<String, String> {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let end = super::line_end(&lines);
    let tables = tables(&lines);
    let mut own = tables.iter().filter(|table| table.is(slot));
    let mut added = String::new();
    let at = match own.next() {
        // In its place, without the tables below it.
        Some(first) => {
            let rest: Vec<_> = own.collect();
            rest.into_iter()
                .rev()
                .for_each(|table| cut(&mut lines, table));
            lines.drain(first.lines.clone());
            first.lines.start
        }
        None => {
            let servers = tables
                .iter()
                .rfind(|table| table.path.first() == Some(&slot.key));
            let at = servers.map_or(lines.len(), |servers| servers.lines.end);
            if at > 0 {
                added.push_str(end);
            }
            at
        }
    };
    if at > 0 && !lines[at - 1].ends_with('\n') {
        added.insert_str(0, end);
    }
    let table = written(slot, entry, end).ok_or_else(|| slot.for_a_person())?;
    added.push_str(&table);
    lines.insert(at, &added);
    Ok(lines.concat())
}

pub(super) fn remove(slot: &Slot, text: &str) -> Result<String, String> {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let tables = tables(&lines);
    let own: Vec<_> = tables.iter().filter(|table| table.is(slot)).collect();
    own.into_iter()
        .rev()
        .for_each(|table| cut(&mut lines, table));
    Ok(lines.concat())
}

/// Takes a table out. Of the empty lines around it one is enough.
fn cut(lines: &mut Vec<&str>, table: &Table<'_>) {
    let Range { mut start, end } = table.lines;
    let is_empty = |at: usize| lines.get(at).is_none_or(|line| line.trim().is_empty());
    if start > 0 && is_empty(start - 1) && is_empty(end) {
        start -= 1;
    }
    lines.drain(start..end);
}

/// A table as lines.
struct Table<'a> {
    /// The words of its head, without quotes.
    path: Vec<&'a str>,
    /// From its head to its last value.
    lines: Range<usize>,
}

impl Table<'_> {
    /// Whether it is the entry, or a table within it.
    fn is(&self, slot: &Slot) -> bool {
        matches!(&*self.path, [key, name, ..] if *key == slot.key && *name == slot.name)
    }
}

/// Every line that looks like the head of a table begins one. In a list of several lines that is wrong, which is noticed
/// when the text is read again.
fn tables<'a>(lines: &[&'a str]) -> Vec<Table<'a>> {
    let mut tables: Vec<Table<'a>> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(path) = head(line) {
            tables.push(Table {
                path,
                lines: at..at,
            });
        }
        if let Some(table) = tables.last_mut() {
            table.lines.end = at + 1;
        }
    }
    tables
}

fn head(line: &str) -> Option<Vec<&str>> {
    let (path, rest) = line.strip_prefix('[')?.split_once(']')?;
    let rest = rest.trim_start_matches(']').trim_start();
    let words = path.trim_start_matches('[').split('.').map(|word| {
        let word = word.trim();
        let quoted = |quote| word.strip_prefix(quote)?.strip_suffix(quote);
        quoted('"').or_else(|| quoted('\'')).unwrap_or(word)
    });
    let words: Vec<_> = words.collect();
    let is_head =
        (rest.is_empty() || rest.starts_with('#')) && words.iter().all(|word| !word.is_empty());
    is_head.then_some(words)
}

fn written(slot: &Slot, entry: &Fields, end: &str) -> Option<String> {
    // Writing to a string cannot fail.
    let mut text = format!("[{}.{}]{end}", slot.key, key(&slot.name));
    for (name, value) in entry {
        let _ = write!(text, "{} = {}{end}", key(name), inline(value)?);
    }
    Some(text)
}

/// A value on one line. Strings and lists of JSON are TOML.
fn inline(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| Some(format!("{} = {}", key(name), inline(value)?)));
            let fields = fields.collect::<Option<Vec<_>>>()?;
            format!("{{ {} }}", fields.join(", "))
        }
        Value::Array(items) => {
            let items = items.iter().map(inline).collect::<Option<Vec<_>>>()?;
            format!("[{}]", items.join(", "))
        }
        // U+007F has to be escaped, which JSON does not do.
        value => value.to_string().replace('\u{7f}', "\\u007f"),
    })
}

fn key(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    match !name.is_empty() && name.bytes().all(plain) {
        true => name.to_owned(),
        false => Value::from(name).to_string(),
    }
}
