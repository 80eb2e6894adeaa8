//! One text for everything that means the same JSON: what caches and sealed state compare by, what audit lines hash, and
//! what a manifest's digests are of.
//!
//! It is RFC 8785 (JSON Canonicalization Scheme): members sorted by the UTF-16 code units of their names, numbers as
//! ECMAScript writes them, no escape that need not be. In one point it says more than the RFC: an integer beyond 2^53
//! keeps all its digits, which I-JSON (RFC 7493 §2.2), and so the RFC, knows only as a string; otherwise two calls that
//! differ in such an argument would be one.

use std::cmp::Ordering;

use serde_json::Value;
use serde_json::value::RawValue;

/// Writes an object with its members sorted.
pub(crate) fn object(object: &serde_json::Map<String, Value>, out: &mut Vec<u8>) {
    let mut members: Vec<_> = object.iter().collect();
    members.sort_unstable_by(|(left, _), (right, _)| utf16_order(left, right));
    out.push(b'{');
    for (i, (name, member)) in members.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        scalar(name, out);
        out.push(b':');
        value(member, out);
    }
    out.push(b'}');
}

/// Writes a value.
pub(crate) fn value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(members) => object(members, out),
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                self::value(item, out);
            }
            out.push(b']');
        }
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            // A `Number` is finite.
            Some(double) => {
                let mut buffer = ryu_js::Buffer::new();
                out.extend_from_slice(buffer.format_finite(double).as_bytes());
            }
            None => scalar(number, out),
        },
        Value::String(text) => scalar(text, out),
        Value::Bool(_) | Value::Null => scalar(value, out),
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

/// The order of two texts by their UTF-16 code units (RFC 8785 §3.2.3). That of their bytes differs from it only between
/// U+E000…U+FFFF (from `EE`) and what UTF-16 writes with surrogates (from `F0`).
fn utf16_order(left: &str, right: &str) -> Ordering {
    let rank = |byte: u8| match byte {
        0xee | 0xef => byte + 0x10,
        0xf0.. => byte - 2,
        _ => byte,
    };
    let (left, right) = (left.as_bytes(), right.as_bytes());
    match left.iter().zip(right).find(|(left, right)| left != right) {
        Some((left, right)) => rank(*left).cmp(&rank(*right)),
        None => left.len().cmp(&right.len()),
    }
}

/// What `serde_json` writes as RFC 8785 wants it.
fn scalar(scalar: &(impl serde::Serialize + ?Sized), out: &mut Vec<u8>) {
    // Writing to memory cannot fail.
    let _ = serde_json::to_writer(out, scalar);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
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

    fn canonical(json: &str) -> String {
        both(json).0
    }

    /// RFC 8785 §3.2.2 and §3.2.3.
    #[test]
    fn it_is_what_the_rfc_shows() {
        let values = r#"{
            "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
            "literals": [null, true, false]
        }"#;
        assert_eq!(
            canonical(values),
            r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#
        );
        let names = r#"{
            "\u20ac": 5, "\r": 1, "\ufb33": 7, "1": 2, "\ud83d\ude00": 6, "\u0080": 3, "\u00f6": 4
        }"#;
        assert_eq!(
            canonical(names),
            "{\"\\r\":1,\"1\":2,\"\u{80}\":3,\"ö\":4,\"€\":5,\"😀\":6,\"\u{fb33}\":7}"
        );
    }

    /// RFC 8785 appendix B.
    #[test]
    fn numbers_are_as_the_rfc_shows() {
        for (bits, text) in [
            (0x0000_0000_0000_0000, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            let mut written = Vec::new();
            value(&json!(f64::from_bits(bits)), &mut written);
            assert_eq!(String::from_utf8(written).unwrap(), text);
        }
        // In full, whatever a double makes of them.
        for integer in [
            "9007199254740993",
            "18446744073709551615",
            "-9223372036854775808",
        ] {
            assert_eq!(canonical(integer), integer);
        }
    }

    /// Any JSON whose integers are those of I-JSON.
    fn any_json() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-(1_i64 << 53)..=1 << 53).prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        scalar.prop_recursive(6, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..8)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn another_implementation_writes_the_same(json in any_json()) {
            let mut written = Vec::new();
            value(&json, &mut written);
            let other = serde_json_canonicalizer::to_vec(&json).unwrap();
            prop_assert_eq!(String::from_utf8(written).unwrap(), String::from_utf8(other).unwrap());
        }

        #[test]
        fn what_is_written_is_read_and_written_the_same(json in any_json()) {
            let mut written = Vec::new();
            value(&json, &mut written);
            let text = String::from_utf8(written).unwrap();
            prop_assert_eq!(canonical(&text), text);
        }

        #[test]
        fn the_order_of_names_is_that_of_utf16(left: String, right: String) {
            let expected = left.encode_utf16().cmp(right.encode_utf16());
            prop_assert_eq!(utf16_order(&left, &right), expected);
        }
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
