//! One text for everything that means the same JSON: what caches and sealed state compare by.

use serde_json::Value;
use serde_json::value::RawValue;

/// Writes an object with its members sorted.
pub(crate) fn object(object: &serde_json::Map<String, Value>, out: &mut Vec<u8>) {
    let mut members: Vec<_> = object.iter().collect();
    members.sort_by_key(|(name, _)| *name);
    out.push(b'{');
    for (name, member) in members {
        string(name, out);
        out.push(b':');
        value(member, out);
        out.push(b',');
    }
    out.push(b'}');
}

/// Writes a value.
pub(crate) fn value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(members) => object(members, out),
        Value::Array(items) => {
            out.push(b'[');
            for item in items {
                self::value(item, out);
                out.push(b',');
            }
            out.push(b']');
        }
        scalar => drop(serde_json::to_writer(out, scalar)),
    }
}

/// Digits of an integer that every `f64` holds exactly.
const EXACT_DIGITS: usize = 15;

/// Writes a value that is still text, in time that grows with its length only. Numbers that an
/// `f64` rounds count as they were written, so that no two of them are the same.
pub(crate) fn text(json: &RawValue, out: &mut Vec<u8>) {
    // A `RawValue` is JSON; what is not could only be written as it is.
    match serde_json::from_str(json.get()) {
        Ok(parsed) => value(&parsed, out),
        Err(_) => out.extend_from_slice(json.get().as_bytes()),
    }
    for number in long_numbers(json.get()) {
        out.push(b'#');
        out.extend_from_slice(number.as_bytes());
    }
}

fn long_numbers(json: &str) -> impl Iterator<Item = &str> {
    let mut in_string = false;
    let mut escaped = false;
    let apart = move |c: char| {
        if in_string {
            in_string = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            return true;
        }
        in_string = c == '"';
        !(c.is_ascii_digit() || ".+-eE".contains(c))
    };
    json.split(apart).filter(|token| token.len() > EXACT_DIGITS)
}

fn string(text: &str, out: &mut Vec<u8>) {
    // Writing to memory cannot fail.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn both(json: &str) -> (String, String) {
        let (mut parsed, mut unparsed) = (Vec::new(), Vec::new());
        value(&serde_json::from_str(json).unwrap(), &mut parsed);
        text(
            &serde_json::from_str::<Box<RawValue>>(json).unwrap(),
            &mut unparsed,
        );
        (
            String::from_utf8(parsed).unwrap(),
            String::from_utf8(unparsed).unwrap(),
        )
    }

    #[test]
    fn the_order_of_members_does_not_matter_and_everything_else_does() {
        assert_eq!(
            both(r#"{"a":1,"b":[{"d":1,"c":2}]}"#),
            both(r#"{"b": [{"c":2,"d":1}], "\u0061":1}"#)
        );
        for (left, right) in [
            (json!({"a": 1}), json!({"a": "1"})),
            (json!({"a": null}), json!({})),
            (json!([1, 2]), json!([2, 1])),
            (json!({"a": {"b": 1}}), json!({"a": {}, "b": 1})),
        ] {
            let (left, right) = (both(&left.to_string()), both(&right.to_string()));
            assert_ne!(left.0, right.0);
            assert_ne!(left.1, right.1);
        }
    }

    #[test]
    fn digits_that_a_double_cannot_hold_count() {
        let (left, right) = (
            both("1000000000000000000000000000000"),
            both("1000000000000000000000000000001"),
        );
        assert_ne!(left.1, right.1);
        // Digits in a text are text.
        let in_text = both(r#"["\\", "\"1000000000000000000000000000001", 1]"#);
        assert_eq!(in_text.0, in_text.1);
    }

    /// Anybody may send this, so what it costs must not grow with how deep it is.
    #[test]
    fn what_is_deep_takes_no_longer_than_what_is_long() {
        use std::time::Instant;
        let nested = |depth: usize| {
            let text = "x".repeat(200_000);
            let json = format!("{}\"{text}\"{}", "[".repeat(depth), "]".repeat(depth));
            RawValue::from_string(json).unwrap()
        };
        let (flat, deep) = (nested(1), nested(100));
        let time = |json: &RawValue| {
            let (begin, mut written) = (Instant::now(), Vec::new());
            text(json, &mut written);
            assert!(written.len() > 200_000);
            begin.elapsed()
        };
        // Each time the best of several, as others use the machine meanwhile.
        let best = |json: &RawValue| (0..7).map(|_| time(json)).min().unwrap();
        let (short, long) = (best(&flat), best(&deep));
        assert!(long < short * 4, "{short:?} and {long:?}");
    }
}
