//! Python to JSON.
//!
//! | Python | text | in a dict's strict JSON |
//! | --- | --- | --- |
//! | `str` | as it is (quoted inside others) | string |
//! | `int` | its digits | number; a decimal string beyond ±(2^53 − 1) |
//! | `float` | `2.0`, `NaN`, `-Infinity` | number; `null` where not finite |
//! | `list`, `tuple`, named tuple | array; nothing when empty | array |
//! | `set`, `frozenset` | array, sorted if it is all integers or all strings | array |
//! | `dict`, dataclass instance | object; keys as text | object |
//! | `bytes` | the text where it is UTF-8, else Base64 | string |
//! | dates, times, paths, types | quoted: ISO 8601, or what `str()` gives | string |
//! | exceptions | their message | string |
//! | anything else | what `repr()` gives | string |

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use monty_types::{MontyDateTime, MontyObject, MontyTime, MontyTimeDelta};
use num_bigint::BigInt;
use serde_json::value::RawValue;

use crate::limits::size;
use crate::run::{Kind, Limit, Value};
use crate::wire::RunError;

/// How deep values may be nested: readers of JSON give up at about 128.
const MAX_DEPTH: usize = 100;

/// Integers that every reader of JSON gets exactly (RFC 8259 §6).
const EXACT: std::ops::RangeInclusive<i64> = -((1 << 53) - 1)..=(1 << 53) - 1;

/// A key that `serde_json` has for itself: an object with it is read as something else.
const RESERVED: &str = "$serde_json::private::RawValue";

/// The value of a run.
pub(super) fn render(value: &MontyObject, limit: usize) -> Result<Value, RunError> {
    use MontyObject as M;
    let text = match value {
        M::None => None,
        M::List(items) | M::Tuple(items) if items.is_empty() => None,
        M::String(text) | M::Repr(text) => Some(bounded(text.clone(), limit)?),
        M::Bytes(bytes) => Some(bounded(bytes_text(bytes), limit)?),
        M::Exception { arg, .. } => Some(bounded(arg.clone().unwrap_or_default(), limit)?),
        other => Some(json(other, limit, false)?),
    };
    let is_object = match value {
        M::Dict(_) => true,
        M::ClassInstance(instance) => instance.class_type.is_dataclass,
        _ => false,
    };
    let object = match is_object {
        true => Some(raw(json(value, limit, true)?)?),
        false => None,
    };
    Ok(Value { text, object })
}

/// The arguments of a host function: an array of the positional ones, an object of those by name.
pub(super) fn arguments(
    args: &[MontyObject],
    kwargs: &[(MontyObject, MontyObject)],
    limit: usize,
) -> Result<(Box<RawValue>, Box<RawValue>), RunError> {
    let mut writer = Writer::new(limit, true);
    writer.array(args.iter(), 0)?;
    let positional = std::mem::take(&mut writer.out);
    writer.limit -= positional.len();
    writer.object(kwargs.iter(), 0)?;
    Ok((raw(positional)?, raw(writer.out)?))
}

fn bounded(text: String, limit: usize) -> Result<String, RunError> {
    match text.len() <= limit {
        true => Ok(text),
        false => Err(too_large(limit)),
    }
}

fn too_large(limit: usize) -> RunError {
    RunError::new(
        Kind::Limit(Limit::Value),
        format!(
            "The value is larger than {}, which is the limit; return less of it.",
            size(limit)
        ),
    )
}

fn json(value: &MontyObject, limit: usize, strict: bool) -> Result<String, RunError> {
    let mut writer = Writer::new(limit, strict);
    writer.value(value, 0)?;
    Ok(writer.out)
}

fn raw(json: String) -> Result<Box<RawValue>, RunError> {
    RawValue::from_string(json)
        .map_err(|error| RunError::new(Kind::Exception, format!("The value is no JSON: {error}.")))
}

/// Writes JSON, and stops at its limit: values share their parts, and can be exponentially larger
/// written than they are.
struct Writer {
    out: String,
    limit: usize,
    strict: bool,
}

impl Writer {
    fn new(limit: usize, strict: bool) -> Self {
        Self {
            out: String::new(),
            limit,
            strict,
        }
    }

    fn push(&mut self, text: &str) -> Result<(), RunError> {
        if text.len() > self.limit - self.out.len() {
            return Err(too_large(self.limit));
        }
        self.out.push_str(text);
        Ok(())
    }

    fn string(&mut self, text: &str) -> Result<(), RunError> {
        // Checked before, since escaping only makes it longer.
        if text.len() > self.limit - self.out.len() {
            return Err(too_large(self.limit));
        }
        self.push(&serde_json::Value::from(text).to_string())
    }

    fn value(&mut self, value: &MontyObject, depth: usize) -> Result<(), RunError> {
        use MontyObject as M;
        if depth > MAX_DEPTH {
            return Err(RunError::new(
                Kind::Limit(Limit::Value),
                format!(
                    "The value is nested deeper than {MAX_DEPTH} levels, which is the limit; return it flatter."
                ),
            ));
        }
        match value {
            M::None => self.push("null"),
            M::Bool(true) => self.push("true"),
            M::Bool(false) => self.push("false"),
            M::Int(integer) if self.strict && !EXACT.contains(integer) => {
                self.push(&format!("\"{integer}\""))
            }
            M::Int(integer) => self.push(&integer.to_string()),
            M::BigInt(integer) if self.strict => self.push(&format!("\"{integer}\"")),
            M::BigInt(integer) => self.push(&integer.to_string()),
            M::Float(number) => self.float(*number),
            M::String(text) | M::Repr(text) | M::Path(text) | M::Cycle(_, text) => {
                self.string(text)
            }
            M::Bytes(bytes) => self.string(&bytes_text(bytes)),
            M::List(items) | M::Tuple(items) | M::NamedTuple { values: items, .. } => {
                self.array(items.iter(), depth)
            }
            M::Set(items) | M::FrozenSet(items) => self.array(in_order(items).into_iter(), depth),
            M::Dict(members) => self.object(members.iter(), depth),
            M::ClassInstance(instance) if instance.class_type.is_dataclass => {
                self.object(instance.attrs.iter(), depth)
            }
            M::Date(date) => self.string(&format!(
                "{:04}-{:02}-{:02}",
                date.year, date.month, date.day
            )),
            M::DateTime(moment) => self.string(&iso_datetime(moment)),
            M::Time(time) => self.string(&iso_time(time)),
            M::TimeDelta(span) => self.string(&iso_duration(span)),
            M::TimeZone(zone) => self.string(&match &zone.name {
                Some(name) => name.clone(),
                None if zone.offset_seconds == 0 => "UTC".to_owned(),
                None => format!("UTC{}", iso_offset(zone.offset_seconds)),
            }),
            M::Exception { arg, .. } => self.string(arg.as_deref().unwrap_or_default()),
            M::Type(_) | M::Function { .. } => self.string(&value.to_string()),
            M::Ellipsis
            | M::NotImplemented
            | M::BuiltinFunction(_)
            | M::FileHandle(_)
            | M::ClassInstance(_) => self.string(&value.py_repr()),
        }
    }

    fn array<'a>(
        &mut self,
        items: impl Iterator<Item = &'a MontyObject>,
        depth: usize,
    ) -> Result<(), RunError> {
        self.push("[")?;
        for (at, item) in items.enumerate() {
            if at > 0 {
                self.push(",")?;
            }
            self.value(item, depth + 1)?;
        }
        self.push("]")
    }

    fn object<'a>(
        &mut self,
        members: impl Iterator<Item = &'a (MontyObject, MontyObject)>,
        depth: usize,
    ) -> Result<(), RunError> {
        self.push("{")?;
        for (at, (name, value)) in members.enumerate() {
            if at > 0 {
                self.push(",")?;
            }
            let name = key(name);
            if self.strict && name == RESERVED {
                return Err(RunError::new(
                    Kind::Exception,
                    format!("The key '{RESERVED}' cannot be written as JSON; use another one."),
                ));
            }
            self.string(&name)?;
            self.push(":")?;
            self.value(value, depth + 1)?;
        }
        self.push("}")
    }

    fn float(&mut self, number: f64) -> Result<(), RunError> {
        if number.is_finite() {
            return self.push(&serde_json::Value::from(number).to_string());
        }
        self.push(match number {
            _ if self.strict => "null",
            _ if number.is_nan() => "NaN",
            _ if number > 0.0 => "Infinity",
            _ => "-Infinity",
        })
    }
}

/// The elements of a set: sorted where they are all integers or all strings, so that equal sets
/// are equal text.
fn in_order(items: &[MontyObject]) -> Vec<&MontyObject> {
    let mut items: Vec<&MontyObject> = items.iter().collect();
    let integer = |item: &&MontyObject| match item {
        MontyObject::Int(integer) => Some(BigInt::from(*integer)),
        MontyObject::BigInt(integer) => Some(integer.clone()),
        _ => None,
    };
    let string = |item: &MontyObject| matches!(item, MontyObject::String(_));
    if items.iter().all(|item| integer(item).is_some()) {
        items.sort_by_cached_key(integer);
    } else if items.iter().all(|item| string(item)) {
        items.sort_by_cached_key(|item| item.to_string());
    }
    items
}

/// A dict's key as text: `1`, `true`, `None`, and `1,2` for a tuple.
fn key(key: &MontyObject) -> String {
    use MontyObject as M;
    match key {
        M::None => "None".into(),
        M::Bool(flag) => flag.to_string(),
        M::Tuple(parts) => parts.iter().map(self::key).collect::<Vec<_>>().join(","),
        M::Bytes(bytes) => bytes_text(bytes),
        M::Date(_) | M::DateTime(_) | M::Time(_) | M::TimeDelta(_) => {
            let quoted = json(key, usize::MAX, false).unwrap_or_default();
            quoted.trim_matches('"').to_owned()
        }
        M::Path(text) => text.clone(),
        other => other.to_string(),
    }
}

fn bytes_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => STANDARD.encode(bytes),
    }
}

fn iso_datetime(moment: &MontyDateTime) -> String {
    let MontyDateTime {
        year,
        month,
        day,
        hour,
        minute,
        second,
        ..
    } = moment;
    let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    text + &iso_rest(moment.microsecond, moment.offset_seconds)
}

fn iso_time(time: &MontyTime) -> String {
    let text = format!("{:02}:{:02}:{:02}", time.hour, time.minute, time.second);
    text + &iso_rest(time.microsecond, time.offset_seconds)
}

/// What follows the seconds of a time: their fraction, and the offset from UTC.
fn iso_rest(microsecond: u32, offset: Option<i32>) -> String {
    let mut rest = String::new();
    if microsecond > 0 {
        let _ = write!(rest, ".{microsecond:06}");
    }
    match offset {
        Some(0) => rest.push('Z'),
        Some(offset) => rest.push_str(&iso_offset(offset)),
        None => {}
    }
    rest
}

fn iso_offset(offset: i32) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    let seconds = offset.unsigned_abs();
    let mut text = format!("{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60);
    if !seconds.is_multiple_of(60) {
        let _ = write!(text, ":{:02}", seconds % 60);
    }
    text
}

/// ISO 8601: `P1DT5S`, `-PT0.5S`, `PT0S`.
fn iso_duration(span: &MontyTimeDelta) -> String {
    let micros = (i128::from(span.days) * 86_400 + i128::from(span.seconds)) * 1_000_000
        + i128::from(span.microseconds);
    let magnitude = micros.unsigned_abs();
    let (whole, rest) = (magnitude / 1_000_000, magnitude % 1_000_000);
    let (days, hours, minutes, seconds) = (
        whole / 86_400,
        whole / 3600 % 24,
        whole / 60 % 60,
        whole % 60,
    );
    let mut text = String::from(if micros < 0 { "-P" } else { "P" });
    if days > 0 {
        let _ = write!(text, "{days}D");
    }
    if whole % 86_400 > 0 || rest > 0 || days == 0 {
        text.push('T');
        if hours > 0 {
            let _ = write!(text, "{hours}H");
        }
        if minutes > 0 {
            let _ = write!(text, "{minutes}M");
        }
        if rest > 0 {
            let digits = format!("{rest:06}");
            let _ = write!(text, "{seconds}.{}S", digits.trim_end_matches('0'));
        } else if seconds > 0 || (hours == 0 && minutes == 0) {
            let _ = write!(text, "{seconds}S");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: MontyObject) -> Option<String> {
        render(&value, 1 << 20).unwrap().text
    }

    fn span(days: i32, seconds: i32, microseconds: i32) -> MontyObject {
        MontyObject::TimeDelta(MontyTimeDelta {
            days,
            seconds,
            microseconds,
        })
    }

    #[test]
    fn durations_are_iso_8601() {
        for (value, expected) in [
            (span(1, 5, 0), "P1DT5S"),
            (span(0, 0, 0), "PT0S"),
            (span(2, 0, 0), "P2D"),
            (span(0, 3661, 0), "PT1H1M1S"),
            (span(0, 60, 500_000), "PT1M0.5S"),
            (span(-1, 86_399, 500_000), "-PT0.5S"),
        ] {
            assert_eq!(text(value), Some(format!("\"{expected}\"")));
        }
    }

    #[test]
    fn a_dict_is_strict_json_too() {
        let dict = MontyObject::dict(vec![
            (MontyObject::Int(1), MontyObject::Float(f64::NAN)),
            (MontyObject::None, MontyObject::Int(i64::MAX)),
            (
                MontyObject::Tuple(vec![MontyObject::Int(1), MontyObject::Bool(true)]),
                MontyObject::Int(1 << 52),
            ),
        ]);
        let value = render(&dict, 1 << 20).unwrap();
        assert_eq!(
            value.text.unwrap(),
            r#"{"1":NaN,"None":9223372036854775807,"1,true":4503599627370496}"#
        );
        assert_eq!(
            value.object.unwrap().get(),
            r#"{"1":null,"None":"9223372036854775807","1,true":4503599627370496}"#
        );
    }

    #[test]
    fn a_value_is_cut_off_to_the_byte() {
        let list = |n| MontyObject::List(vec![MontyObject::Int(1); n]);
        assert_eq!(render(&list(5), 11).unwrap().text.unwrap().len(), 11);
        let refused = render(&list(6), 11).unwrap_err();
        assert_eq!(refused.kind, Kind::Limit(Limit::Value));
        assert!(render(&MontyObject::String("\u{0}".repeat(10)), 10).is_ok());
        assert!(
            render(
                &MontyObject::List(vec![MontyObject::String("\u{0}".repeat(2))]),
                10
            )
            .is_err()
        );
    }

    #[test]
    fn a_key_that_is_read_as_something_else_is_refused() {
        let reserved = MontyObject::dict(vec![(
            MontyObject::String(RESERVED.into()),
            MontyObject::String("5".into()),
        )]);
        let nested = MontyObject::dict(vec![(MontyObject::None, reserved.clone())]);
        for value in [reserved, nested] {
            assert!(render(&value, 1 << 20).unwrap_err().message.contains("key"));
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |levels| {
            (0..levels).fold(MontyObject::Int(1), |value, _| {
                MontyObject::List(vec![value])
            })
        };
        assert!(render(&nested(MAX_DEPTH), 1 << 20).is_ok());
        assert!(render(&nested(MAX_DEPTH + 1), 1 << 20).is_err());
    }
}
