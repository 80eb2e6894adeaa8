//! One text for everything that means the same JSON: what caches and sealed state compare by.

use std::collections::BTreeMap;

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

/// Writes a value that is still text. Numbers stay as they were written, so that two of them which
/// only a wider type than `f64` can tell apart are not the same.
pub(crate) fn raw(value: &RawValue, out: &mut Vec<u8>) {
    let text = value.get();
    if let Ok(members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(text) {
        out.push(b'{');
        for (name, member) in members {
            string(&name, out);
            out.push(b':');
            raw(member, out);
            out.push(b',');
        }
        out.push(b'}');
    } else if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(text) {
        out.push(b'[');
        for item in items {
            raw(item, out);
            out.push(b',');
        }
        out.push(b']');
    } else if let Ok(text) = serde_json::from_str::<String>(text) {
        string(&text, out);
    } else {
        out.extend_from_slice(text.as_bytes());
    }
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
        raw(
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
    }
}
