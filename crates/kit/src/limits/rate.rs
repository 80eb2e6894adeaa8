//! How many in what time.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

/// The most that a rate can allow in its time.
const MAX: u32 = 1_000_000;

/// How many in what time: 1 to 1,000,000 a second, a minute or an hour. Written `5/s`, `60/min`, `1000/h`.
///
/// It is a bucket of as many tokens that fills up evenly (the generic cell rate algorithm, ITU-T I.371): whoever has been
/// quiet may have all of it at once, and then one each time a token has come back. So over any time nobody has more than
/// what the rate gives in that time, and one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    count: NonZeroU32,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Second,
    Minute,
    Hour,
}

impl Unit {
    const ALL: [(&'static str, Self); 3] = [
        ("s", Self::Second),
        ("min", Self::Minute),
        ("h", Self::Hour),
    ];
}

impl Rate {
    /// So many a second; 0 counts as 1, and more than 1,000,000 as that.
    pub fn per_second(count: u32) -> Self {
        Self::new(count, Unit::Second)
    }

    /// So many a minute; 0 counts as 1, and more than 1,000,000 as that.
    pub fn per_minute(count: u32) -> Self {
        Self::new(count, Unit::Minute)
    }

    /// So many an hour; 0 counts as 1, and more than 1,000,000 as that.
    pub fn per_hour(count: u32) -> Self {
        Self::new(count, Unit::Hour)
    }

    fn new(count: u32, unit: Unit) -> Self {
        let count = NonZeroU32::new(count.min(MAX)).unwrap_or(NonZeroU32::MIN);
        Self { count, unit }
    }

    /// How many.
    pub fn count(self) -> NonZeroU32 {
        self.count
    }

    /// In what time.
    pub fn period(self) -> Duration {
        Duration::from_secs(match self.unit {
            Unit::Second => 1,
            Unit::Minute => 60,
            Unit::Hour => 3600,
        })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            Unit::Second => "s",
            Unit::Minute => "min",
            Unit::Hour => "h",
        };
        write!(f, "{}/{unit}", self.count)
    }
}

/// A text that is no [`Rate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadRate;

impl fmt::Display for BadRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a rate such as 60/min: a whole number from 1 to {MAX}, then /s, /min or /h"
        )
    }
}

impl std::error::Error for BadRate {}

impl FromStr for Rate {
    type Err = BadRate;

    fn from_str(text: &str) -> Result<Self, BadRate> {
        let (count, unit) = text.trim().split_once('/').ok_or(BadRate)?;
        let count = count.parse().map_err(|_| BadRate)?;
        let unit = Unit::ALL.iter().find(|(name, _)| *name == unit);
        match unit {
            Some((_, unit)) if (1..=MAX).contains(&count) => Ok(Self::new(count, *unit)),
            _ => Err(BadRate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_they_are_written() {
        for (text, rate) in [
            ("5/s", Rate::per_second(5)),
            ("60/min", Rate::per_minute(60)),
            ("1000000/h", Rate::per_hour(MAX)),
        ] {
            assert_eq!(text.parse(), Ok(rate));
            assert_eq!(rate.to_string(), text);
        }
        assert_eq!(Rate::per_second(0), Rate::per_second(1));
        assert_eq!(Rate::per_hour(u32::MAX), Rate::per_hour(MAX));
        for bad in [
            "",
            "60",
            "/s",
            "0/s",
            "-1/s",
            "1000001/s",
            "60/m",
            "60/day",
            "1.5/s",
            "60/min/s",
        ] {
            assert_eq!(bad.parse::<Rate>(), Err(BadRate), "{bad}");
        }
    }
}
