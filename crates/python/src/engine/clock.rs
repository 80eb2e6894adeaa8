//! The host's clock.

use chrono::{DateTime, Datelike as _, FixedOffset, Timelike as _, Utc};
use monty_types::{MontyDate, MontyDateTime, MontyObject, MontyTimeZone};

/// `date.today()`.
pub(super) fn today(utc_offset: i32) -> MontyObject {
    let now = at(utc_offset);
    MontyObject::Date(MontyDate {
        year: now.year(),
        month: now.month() as u8,
        day: now.day() as u8,
    })
}

/// `datetime.now()`, in a zone or without one.
pub(super) fn now(zone: Option<&MontyTimeZone>, utc_offset: i32) -> MontyObject {
    let now = at(zone.map_or(utc_offset, |zone| zone.offset_seconds));
    MontyObject::DateTime(MontyDateTime {
        year: now.year(),
        month: now.month() as u8,
        day: now.day() as u8,
        hour: now.hour() as u8,
        minute: now.minute() as u8,
        second: now.second() as u8,
        microsecond: (now.nanosecond() / 1000).min(999_999),
        offset_seconds: zone.map(|zone| zone.offset_seconds),
        timezone_name: zone.and_then(|zone| zone.name.clone()),
    })
}

fn at(offset: i32) -> DateTime<FixedOffset> {
    let now = DateTime::<Utc>::from(std::time::SystemTime::now());
    let offset = FixedOffset::east_opt(offset).unwrap_or_else(|| chrono::Offset::fix(&Utc));
    now.with_timezone(&offset)
}
