//! When a token expires, as people write it.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, Utc};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Days that a token can be made for.
const MAX_DAYS: u64 = 3650;

/// When a new token expires; `None` is never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expiry(pub(crate) Option<SystemTime>);

/// Reads `90d`, a date, a time or `never`, for clap.
///
/// # Errors
/// What is allowed.
pub(crate) fn expiry(text: &str) -> Result<Expiry, String> {
    after(text.trim(), SystemTime::now()).ok_or_else(|| {
        format!(
            "a number of days from 1d to {MAX_DAYS}d, a date or time to come such as 2027-01-31 or \
             2027-01-31T12:00:00Z, or never"
        )
    })
}

fn after(text: &str, now: SystemTime) -> Option<Expiry> {
    if text.eq_ignore_ascii_case("never") {
        return Some(Expiry(None));
    }
    let end = match text.strip_suffix(['d', 'D']) {
        Some(days) => {
            let days: u32 = days.parse().ok()?;
            let allowed = (1..=MAX_DAYS).contains(&u64::from(days));
            allowed.then_some(now + DAY * days)?
        }
        None => parse(text)?,
    };
    (end > now).then_some(Expiry(Some(end)))
}

/// Reads a date or a time of RFC 3339. A date is its beginning in UTC.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    if let Ok(date) = text.parse::<NaiveDate>() {
        return Some(date.and_time(NaiveTime::MIN).and_utc().into());
    }
    DateTime::parse_from_rfc3339(text).ok().map(Into::into)
}

/// Writes a time as RFC 3339 has it, in UTC, to the second.
pub(crate) fn written(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_days_a_date_a_time_or_never() {
        let now = parse("2026-01-31T12:00:00Z").unwrap();
        let of = |text| after(text, now).map(|Expiry(end)| end.map(written));
        for (text, end) in [
            ("90d", "2026-05-01T12:00:00Z"),
            ("1D", "2026-02-01T12:00:00Z"),
            ("2027-01-31", "2027-01-31T00:00:00Z"),
            ("2027-01-31T12:00:00+02:00", "2027-01-31T10:00:00Z"),
            ("2027-01-31t12:00:00z", "2027-01-31T12:00:00Z"),
        ] {
            assert_eq!(of(text), Some(Some(end.into())), "{text}");
        }
        assert_eq!(of("never"), Some(None));
        for bad in [
            "",
            "d",
            "0d",
            "-1d",
            "3651d",
            "99999999999d",
            "90",
            "2026-01-31",
            "2027-02-30",
            "2027-01-31T12:00:00",
            "31.01.2027",
            "1.5d",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
        assert!(expiry("soon").unwrap_err().starts_with("a number of days"));
    }
}
