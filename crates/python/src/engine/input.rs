//! JSON to Python.

use std::borrow::Cow;
use std::collections::HashSet;

use malachite_bigint::BigInt;
use rustpython_vm::{PyObjectRef, PyResult, VirtualMachine};
use serde_json::value::RawValue;

use crate::run::Kind;
use crate::wire::RunError;

/// How deep JSON may be nested.
const MAX_DEPTH: usize = 200;

/// A JSON value, with its integers as they were written.
#[derive(Debug, PartialEq)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    Int(&'a str),
    Float(f64),
    Str(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// The inputs of a run, in their order: the members of a JSON object, which may be written as a
/// string of JSON too.
pub(super) fn read(inputs: Option<&RawValue>) -> Result<Vec<(String, Json<'_>)>, RunError> {
    let Some(inputs) = inputs else {
        return Ok(Vec::new());
    };
    let members = match parse(inputs.get())? {
        Json::Object(members) => members,
        Json::Str(Cow::Borrowed(text)) => written(text)?,
        // The text with its escapes resolved lives as long as the process, which has one run.
        Json::Str(Cow::Owned(text)) => written(Box::leak(text.into_boxed_str()))?,
        _ => return Err(no_object()),
    };
    let mut names = HashSet::new();
    if let Some((name, _)) = members
        .iter()
        .find(|(name, _)| !names.insert(name.as_ref()))
    {
        return Err(RunError::new(
            Kind::Inputs,
            format!("inputs has {name:?} more than once."),
        ));
    }
    if let Some((name, _)) = members.iter().find(|(name, _)| !is_variable(name)) {
        return Err(RunError::new(
            Kind::Inputs,
            format!(
                "Input name '{name}' is not a valid identifier: name the inputs as Python names variables."
            ),
        ));
    }
    Ok(members
        .into_iter()
        .map(|(name, value)| (name.into_owned(), value))
        .collect())
}

fn no_object() -> RunError {
    RunError::new(Kind::Inputs, "inputs has to be an object.")
}

/// The members of an object that is written inside a string.
fn written(text: &str) -> Result<Vec<(Cow<'_, str>, Json<'_>)>, RunError> {
    if serde_json::from_str::<&RawValue>(text).is_err() {
        return Err(no_object());
    }
    match parse(text)? {
        Json::Object(members) => Ok(members),
        _ => Err(no_object()),
    }
}

/// Whether Python can have a variable of this name.
fn is_variable(name: &str) -> bool {
    const KEYWORDS: &[&str] = &[
        "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class",
        "continue", "def", "del", "elif", "else", "except", "finally", "for", "from", "global",
        "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return",
        "try", "while", "with", "yield",
    ];
    let mut characters = name.chars();
    characters
        .next()
        .is_some_and(|c| c.is_alphabetic() || c == '_')
        && characters.all(|c| c.is_alphanumeric() || c == '_')
        && !KEYWORDS.contains(&name)
}

/// One JSON value as Python's.
pub(super) fn value(json: &RawValue, vm: &VirtualMachine) -> Result<PyResult, RunError> {
    parse(json.get()).map(|value| object(&value, vm))
}

/// A Python object of a JSON value.
pub(super) fn object(value: &Json<'_>, vm: &VirtualMachine) -> PyResult {
    Ok(match value {
        Json::Null => vm.ctx.none(),
        Json::Bool(flag) => vm.ctx.new_bool(*flag).into(),
        Json::Int(digits) => match digits.parse::<i64>() {
            Ok(small) => vm.ctx.new_int(small).into(),
            Err(_) => {
                let large: BigInt = digits
                    .parse()
                    .map_err(|_| vm.new_value_error("no integer"))?;
                vm.ctx.new_bigint(&large).into()
            }
        },
        Json::Float(number) => vm.ctx.new_float(*number).into(),
        Json::Str(text) => vm.ctx.new_str(text.as_ref()).into(),
        Json::Array(items) => {
            let items: PyResult<Vec<PyObjectRef>> =
                items.iter().map(|item| object(item, vm)).collect();
            vm.ctx.new_list(items?).into()
        }
        Json::Object(members) => {
            let dict = vm.ctx.new_dict();
            for (name, value) in members {
                dict.set_item(name.as_ref(), object(value, vm)?, vm)?;
            }
            dict.into()
        }
    })
}

/// Reads JSON that is known to be some: `text` is that of a [`RawValue`].
pub(super) fn parse(text: &str) -> Result<Json<'_>, RunError> {
    let mut reader = Reader { text, at: 0 };
    reader.value(0)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    /// What comes after white space.
    fn peek(&mut self) -> u8 {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    /// Whether `byte` comes next, which is read then.
    fn eats(&mut self, byte: u8) -> bool {
        let next = self.peek() == byte;
        self.at += usize::from(next);
        next
    }

    fn value(&mut self, depth: usize) -> Result<Json<'a>, RunError> {
        if depth > MAX_DEPTH {
            return Err(unreadable(&format!(
                "it is nested deeper than {MAX_DEPTH} levels"
            )));
        }
        match self.peek() {
            b'"' => self.string().map(Json::Str),
            b'[' => {
                self.at += 1;
                let mut items = Vec::new();
                while !self.eats(b']') {
                    items.push(self.value(depth + 1)?);
                    self.eats(b',');
                }
                Ok(Json::Array(items))
            }
            b'{' => {
                self.at += 1;
                let mut members = Vec::new();
                while !self.eats(b'}') {
                    self.peek();
                    let name = self.string()?;
                    self.eats(b':');
                    members.push((name, self.value(depth + 1)?));
                    self.eats(b',');
                }
                Ok(Json::Object(members))
            }
            b't' => Ok(self.word(4, Json::Bool(true))),
            b'f' => Ok(self.word(5, Json::Bool(false))),
            b'n' => Ok(self.word(4, Json::Null)),
            b'-' | b'0'..=b'9' => Ok(self.number()),
            _ => Err(unreadable("it is no JSON")),
        }
    }

    fn word(&mut self, bytes: usize, value: Json<'a>) -> Json<'a> {
        self.at += bytes;
        value
    }

    fn number(&mut self) -> Json<'a> {
        let rest = &self.text[self.at..];
        let end = rest
            .find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E'))
            .unwrap_or(rest.len());
        self.at += end;
        let number = &rest[..end];
        match number.contains(['.', 'e', 'E']) {
            true => Json::Float(number.parse().unwrap_or(f64::NAN)),
            false => Json::Int(number),
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, RunError> {
        let rest = &self.text[self.at..];
        let mut bytes = rest.bytes().enumerate().skip(1);
        let mut escapes = false;
        let end = loop {
            match bytes.next() {
                Some((at, b'"')) => break at,
                Some((_, b'\\')) => {
                    escapes = true;
                    bytes.next();
                }
                Some(_) => {}
                None => return Err(unreadable("it is no JSON")),
            }
        };
        self.at += end + 1;
        match escapes {
            false => Ok(Cow::Borrowed(&rest[1..end])),
            true => serde_json::from_str(&rest[..=end])
                .map(Cow::Owned)
                .map_err(|_| unreadable("a string has half a character (a lone surrogate)")),
        }
    }
}

fn unreadable(why: &str) -> RunError {
    RunError::new(Kind::Inputs, format!("The JSON cannot be read: {why}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    #[test]
    fn json_is_read_with_every_digit() {
        let text = r#" { "a" : [ 1 , -2.5e3, true,false ,null, "é\n\u00e9\"" ] , "b":{},"c":[], "d": 123456789012345678901234567890 } "#;
        let text = raw(text);
        let Json::Object(members) = parse(text.get()).unwrap() else {
            panic!()
        };
        assert_eq!(
            members[0].1,
            Json::Array(vec![
                Json::Int("1"),
                Json::Float(-2500.0),
                Json::Bool(true),
                Json::Bool(false),
                Json::Null,
                Json::Str("é\né\"".into()),
            ])
        );
        assert_eq!(members[1].1, Json::Object(Vec::new()));
        assert_eq!(members[2].1, Json::Array(Vec::new()));
        assert_eq!(members[3].1, Json::Int("123456789012345678901234567890"));
    }

    #[test]
    fn an_object_may_be_written_as_a_string() {
        for json in [r#"{"x": 1}"#, r#""{\"x\": 1}""#] {
            assert_eq!(
                read(Some(&raw(json))).unwrap(),
                [("x".to_owned(), Json::Int("1"))]
            );
        }
        for json in ["[1]", "1", r#""x""#, r#""[1]""#, r#""""#, "null"] {
            let error = read(Some(&raw(json))).unwrap_err();
            assert_eq!(error.message, "inputs has to be an object.", "{json}");
        }
    }

    #[test]
    fn names_that_python_cannot_have_are_refused() {
        for name in ["class", "", "1x", "a b", "a-b", "None"] {
            let json = serde_json::json!({ name: 1 }).to_string();
            let error = read(Some(&raw(&json))).unwrap_err();
            assert_eq!(error.kind, Kind::Inputs);
            assert!(error.message.contains(&format!("'{name}'")), "{error:?}");
        }
        assert!(read(Some(&raw(r#"{"_x1": 1, "été": 2, "len": 3}"#))).is_ok());
        assert!(read(Some(&raw(r#"{"x": 1, "x": 2}"#))).is_err());
    }

    #[test]
    fn depth_is_bounded_and_halves_of_characters_are_refused() {
        let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(raw(&nested(MAX_DEPTH)).get()).is_ok());
        assert!(parse(raw(&nested(MAX_DEPTH + 2)).get()).is_err());
        assert!(parse(raw(r#""\ud800""#).get()).is_err());
    }
}
