//! Moments as RFC 3339 in UTC, for lines of which there are many a second.
//!
//! What a day is called takes most of the time that it takes to write one, and is the same for a whole second.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};

/// `2026-11-27T03:15:23`.
const SECOND: usize = 19;

/// With a dot, six digits and `Z`.
const MOST: usize = SECOND + 8;

/// The last second that was written on this thread, and how.
type Last = (u64, [u8; SECOND]);

thread_local! {
    static LAST: Cell<Option<Last>> = const { Cell::new(None) };
}

/// A moment as text.
pub(crate) struct Timestamp {
    bytes: [u8; MOST],
    length: usize,
}

impl Timestamp {
    /// With so many digits of the second, at most six. What is before 1970 or after 9999 is a clock that was never set, and
    /// is written as the nearest of both.
    pub(crate) fn new(time: SystemTime, digits: usize) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut bytes = [b'0'; MOST];
        bytes[..SECOND].copy_from_slice(&second(since.as_secs()));
        bytes[SECOND] = b'.';
        let mut rest = since.subsec_micros();
        for digit in bytes[SECOND + 1..MOST - 1].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        let length = SECOND + 2 + digits.min(6);
        bytes[length - 1] = b'Z';
        Self { bytes, length }
    }

    pub(crate) fn as_str(&self) -> &str {
        // All of it is ASCII.
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

fn second(seconds: u64) -> [u8; SECOND] {
    if let Some((last, text)) = LAST.get()
        && last == seconds
    {
        return text;
    }
    let text = written(seconds);
    LAST.set(Some((seconds, text)));
    text
}

fn written(seconds: u64) -> [u8; SECOND] {
    /// The last second that has a year of four digits.
    const NEWEST: u64 = 253_402_300_799;
    let seconds = i64::try_from(seconds.min(NEWEST)).unwrap_or_default();
    let time = DateTime::<Utc>::from_timestamp(seconds, 0).unwrap_or_default();
    let text = time.format("%Y-%m-%dT%H:%M:%S").to_string();
    let mut second = [b'0'; SECOND];
    // Never shorter or longer.
    for (to, from) in second.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    second
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::SecondsFormat;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_what_chrono_writes(seconds in 0_u64..253_402_300_800, nanos in 0_u32..1_000_000_000) {
            // A second that was just written does not stay.
            for nanos in [nanos, 0, 999_999_999] {
                let time = UNIX_EPOCH + Duration::new(seconds, nanos);
                let other = DateTime::<Utc>::from(time);
                for (digits, format) in [(3, SecondsFormat::Millis), (6, SecondsFormat::Micros)] {
                    let expected = other.to_rfc3339_opts(format, true);
                    let stamp = Timestamp::new(time, digits);
                    prop_assert_eq!(stamp.as_str(), expected);
                }
            }
        }
    }

    #[test]
    fn a_clock_that_was_never_set_has_a_time_all_the_same() {
        let before = UNIX_EPOCH - Duration::from_millis(1);
        assert_eq!(
            Timestamp::new(before, 3).as_str(),
            "1970-01-01T00:00:00.000Z"
        );
        let late = UNIX_EPOCH + Duration::from_secs(300_000_000_000);
        assert_eq!(
            Timestamp::new(late, 6).as_str(),
            "9999-12-31T23:59:59.000000Z"
        );
    }
}
