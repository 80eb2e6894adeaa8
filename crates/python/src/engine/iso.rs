//! Times as ISO 8601.

use std::fmt::Write as _;

/// What `isoformat()` gives, with `Z` for UTC.
pub(super) fn with_zulu(mut written: String) -> String {
    if written.ends_with("+00:00") {
        written.truncate(written.len() - "+00:00".len());
        written.push('Z');
    }
    written
}

/// `P1DT5S`, `-PT0.5S`, `PT0S`.
pub(super) fn duration(days: i64, seconds: i64, microseconds: i64) -> String {
    let micros =
        (i128::from(days) * 86_400 + i128::from(seconds)) * 1_000_000 + i128::from(microseconds);
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

    #[test]
    fn durations_are_iso_8601() {
        for ((days, seconds, micros), expected) in [
            ((1, 5, 0), "P1DT5S"),
            ((0, 0, 0), "PT0S"),
            ((2, 0, 0), "P2D"),
            ((0, 3661, 0), "PT1H1M1S"),
            ((0, 60, 500_000), "PT1M0.5S"),
            ((-1, 86_399, 500_000), "-PT0.5S"),
        ] {
            assert_eq!(duration(days, seconds, micros), expected);
        }
    }

    #[test]
    fn utc_is_zulu() {
        assert_eq!(with_zulu("12:00:00+00:00".into()), "12:00:00Z");
        assert_eq!(with_zulu("12:00:00+00:30".into()), "12:00:00+00:30");
    }
}
