//! JSON, with comments or without.

use jsonc_parser::cst::{CstInputValue, CstObject, CstRootNode};
use jsonc_parser::tokens::Token;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::Value;

use super::{Fields, Slot};

/// What clients read: comments and trailing commas or neither, and nothing of JSON5.
fn options(comments: bool) -> ParseOptions {
    ParseOptions {
        allow_comments: comments,
        allow_trailing_commas: comments,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

fn parsed(text: &str, comments: bool) -> Result<CstRootNode, String> {
    CstRootNode::parse(text, &options(comments)).map_err(|error| {
        format!(
            "line {}, column {}",
            error.line_display(),
            error.column_display()
        )
    })
}

pub(super) fn value(text: &str, comments: bool) -> Result<Value, String> {
    if !comments {
        // The other parser lets some comments pass.
        let value = match text.trim().is_empty() {
            true => Ok(Value::Null),
            false => serde_json::from_str(text),
        };
        return value.map_err(|error| format!("line {}, column {}", error.line(), error.column()));
    }
    let root = parsed(text, comments)?;
    if root.value().is_none() {
        return Ok(Value::Null);
    }
    root.to_serde_value()
        .ok_or_else(|| "it has a value that cannot be read".to_owned())
}

pub(super) fn set(
    slot: &Slot,
    text: &str,
    entry: &Fields,
    comments: bool,
) -> Result<String, String> {
    if text.trim().is_empty() {
        return written(slot, entry);
    }
    let root = parsed(text, comments)?;
    let top = root.object_value_or_create();
    let top = top.ok_or_else(|| slot.for_a_person())?;
    once(&top, slot.key)?;
    let servers = top.object_value_or_create(slot.key);
    let servers = servers.ok_or_else(|| slot.for_a_person())?;
    once(&servers, &slot.name)?;
    let value = input(&Value::Object(entry.clone()));
    match servers.get(&slot.name) {
        Some(property) => property.set_value(value),
        None => drop(servers.append(&slot.name, value)),
    }
    Ok(root.to_string())
}

pub(super) fn remove(slot: &Slot, text: &str, comments: bool) -> Result<String, String> {
    let root = parsed(text, comments)?;
    let top = root.object_value().ok_or_else(|| slot.for_a_person())?;
    once(&top, slot.key)?;
    let servers = top.object_value(slot.key);
    let servers = servers.ok_or_else(|| slot.for_a_person())?;
    once(&servers, &slot.name)?;
    cut(text, slot, comments).ok_or_else(|| slot.for_a_person())
}

/// The text without the entry and a comma; every comment around it stays, and of its line what others wrote there. The
/// parser's own removal takes the comments on the line with it.
fn cut(text: &str, slot: &Slot, comments: bool) -> Option<String> {
    let collected = CollectOptions {
        tokens: true,
        ..CollectOptions::default()
    };
    let parsed = parse_to_ast(text, &collected, &options(comments)).ok()?;
    let (tokens, root) = (parsed.tokens?, parsed.value?);
    let Some(own) = root.as_object()?.get_object(slot.key)?.get(&slot.name) else {
        return Some(text.to_owned());
    };
    // The tokens do not have the comments.
    let before = tokens
        .iter()
        .rfind(|token| token.range.end <= own.range.start)?;
    let after = tokens
        .iter()
        .find(|token| token.range.start >= own.range.end)?;
    let (mut head, mut tail) = (
        text[..own.range.start].to_owned(),
        text[own.range.end..].to_owned(),
    );
    if after.token == Token::Comma {
        tail.remove(after.range.start - own.range.end);
    } else if before.token == Token::Comma {
        head.remove(before.range.start);
    }
    let blank = [' ', '\t'];
    let (line, rest) = (head.trim_end_matches(blank), tail.trim_start_matches(blank));
    let is_all = before.token == Token::OpenBrace && head.trim_end().len() == before.range.end;
    Some(if is_all && tail.trim_start().starts_with('}') {
        format!("{}{}", head.trim_end(), tail.trim_start())
    } else if rest.starts_with(['\r', '\n']) {
        // A line of its own goes; of one with something before it, the rest.
        let whole = line
            .strip_suffix('\n')
            .map(|line| line.strip_suffix('\r').unwrap_or(line));
        format!("{}{rest}", whole.unwrap_or(line))
    } else if rest.starts_with('}') {
        format!("{line}{tail}")
    } else {
        format!("{head}{rest}")
    })
}

fn written(slot: &Slot, entry: &Fields) -> Result<String, String> {
    let servers = Fields::from_iter([(slot.name.clone(), Value::Object(entry.clone()))]);
    let file = Fields::from_iter([(slot.key.to_owned(), Value::Object(servers))]);
    let text = serde_json::to_string_pretty(&file).map_err(|_| slot.for_a_person())?;
    Ok(text + "\n")
}

/// Readers differ in which of two equal names counts.
fn once(object: &CstObject, name: &str) -> Result<(), String> {
    let named = |name: &str| {
        let properties = object.properties().into_iter();
        properties
            .filter(|property| property.decoded_name().as_deref() == Some(name))
            .count()
    };
    match named(name) {
        0 | 1 => Ok(()),
        _ => Err(format!("has '{name}' twice; remove one of them")),
    }
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(bool) => CstInputValue::Bool(*bool),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(items) => CstInputValue::Array(items.iter().map(input).collect()),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| (name.clone(), input(value)));
            CstInputValue::Object(fields.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::*;

    #[test]
    fn the_entry_goes_and_every_comment_stays() {
        let slot = Slot {
            format: Format::Jsonc,
            key: "servers",
            name: "own".to_owned(),
        };
        for (servers, left) in [
            (r#"{"own": {"a": 1}}"#, "{}"),
            ("{\n  \"own\": {\n    \"a\": 1\n  },\n}", "{}"),
            (r#"{ "a": 1, "own": {} }"#, r#"{ "a": 1 }"#),
            (r#"{ "own": {}, "a": 1 }"#, r#"{ "a": 1 }"#),
            (r#"{"a": 1, "own": {}, "b": 2}"#, r#"{"a": 1, "b": 2}"#),
            ("{\n  \"a\": 1,\n  \"own\": {}\n}", "{\n  \"a\": 1\n}"),
            (
                "{\r\n  \"a\": 1,\r\n  \"own\": {},\r\n}",
                "{\r\n  \"a\": 1,\r\n}",
            ),
            // Behind it on its line, with and without its comma, and before that.
            (
                "{\n  \"own\": {}, /* of a */\n  \"a\": 1\n}",
                "{\n  /* of a */\n  \"a\": 1\n}",
            ),
            (
                "{\n  \"a\": 1,\n  \"own\": {} // last\n}",
                "{\n  \"a\": 1\n  // last\n}",
            ),
            (r#"{"a": 1, "own": {},/* c */}"#, r#"{"a": 1, /* c */}"#),
            (
                r#"{"own": {} /* x */ , /* y */ "a": 1}"#,
                r#"{/* x */  /* y */ "a": 1}"#,
            ),
            // Before it, and on its own line after another's.
            ("{\n  /* of own */ \"own\": {}\n}", "{\n  /* of own */\n}"),
            ("{\n  // of own\n  \"own\": {}\n}", "{\n  // of own\n}"),
            (
                "{\n  \"a\": 1, // of a\n  \"own\": {}\n}",
                "{\n  \"a\": 1 // of a\n}",
            ),
            ("{ // c\n  \"own\": {} }", "{ // c\n }"),
            (
                "{\"a\": 1 // of a\n  , \"own\": {}\n}",
                "{\"a\": 1 // of a\n}",
            ),
        ] {
            let file = |servers: &str| {
                format!(
                    "// {{\"servers\": {{\"own\": 1}}}}\n{{\"x\": [1, 2], \"servers\": {servers}}} // end\n"
                )
            };
            assert_eq!(slot.remove(&file(servers)), Ok(file(left)), "{servers}");
        }
    }
}
