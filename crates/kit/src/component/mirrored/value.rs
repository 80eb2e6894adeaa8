//! Whether a header says what an argument says.

use std::borrow::Cow;

use serde_json::{Number, Value};

/// The largest integer that every JSON client keeps exact: 2^53 − 1.
pub(super) const MAX_SAFE: i128 = (1 << 53) - 1;

/// `=?base64?…?=` (SEP-2243 value encoding); anything else is literal.
pub(crate) fn decode(value: &str) -> Option<Cow<'_, str>> {
    use base64::Engine as _;
    match value
        .strip_prefix("=?base64?")
        .and_then(|rest| rest.strip_suffix("?="))
    {
        None => Some(value.into()),
        Some(encoded) => {
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(encoded)
                .ok()?;
            String::from_utf8(bytes).ok().map(Cow::Owned)
        }
    }
}

/// What no header can repeat counts as absent here; the tool's own schema refuses it.
pub(super) fn is_primitive(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_))
}

/// By what the body holds: arguments are compared before they are put right, as clients write them.
pub(super) fn equal(header: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => header == text,
        Value::Bool(flag) => header == if *flag { "true" } else { "false" },
        Value::Number(number) => match integer(number) {
            Some(integer) => decimal(header) == Some(integer),
            // A fraction, which no schema of a mirrored argument lets through: refused there, with
            // better words. Not an integer that was rounded, which could equal a different one.
            None => number
                .as_f64()
                .is_some_and(|n| n.fract() != 0.0 && header.parse() == Ok(n)),
        },
        _ => false,
    }
}

/// The integer that a JSON number is, as far as it is exact.
fn integer(number: &Number) -> Option<i128> {
    match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(n), _, _) => Some(n.into()),
        (_, Some(n), _) => Some(n.into()),
        // Exact below 2^53, so that the conversion is, too.
        (_, _, Some(n)) if n.fract() == 0.0 && n.abs() <= MAX_SAFE as f64 => Some(n as i128),
        _ => None,
    }
}

/// The integer that a JSON number such as `42`, `42.0`, `4.2e1` or `-0` is, exactly.
fn decimal(text: &str) -> Option<i128> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (rest, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return None,
        None => (mantissa, ""),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || mantissa.len() > 400 {
        return None;
    }
    let mut all = format!("{whole}{fraction}");
    let mut scale = i64::from(exponent) - i64::try_from(fraction.len()).ok()?;
    while scale < 0 && all.ends_with('0') {
        all.pop();
        scale += 1;
    }
    let significant = all.trim_start_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    // 39 digits are the most that an `i128` has.
    let zeros = usize::try_from(scale).ok().filter(|zeros| *zeros < 39)?;
    let magnitude: i128 = format!("{significant}{}", "0".repeat(zeros)).parse().ok()?;
    Some(if negative { -magnitude } else { magnitude })
}
