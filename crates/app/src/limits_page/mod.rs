//! The page of all limits, made of the limits themselves: `docs/limits.md`.
//!
//! Every struct of limits is taken apart without `..`, so that a limit that is added does not compile until it has its
//! row: add one in `rows.rs`, and run `pymcp docs` in this repository.

mod rows;

use std::fmt::Write as _;
use std::time::Duration;

use pymcp_kit::limits::{Limit, Rate};

/// A limit on the page.
struct Row {
    /// The field, or the fixed bound.
    name: &'static str,
    default: String,
    /// What would happen without it.
    why: &'static str,
    /// The flag without its dashes.
    setting: Option<&'static str>,
    metric: Option<Limit>,
}

/// Limits of one kind.
struct Section {
    title: &'static str,
    rows: Vec<Row>,
}

impl Section {
    fn new(title: &'static str) -> Self {
        let rows = Vec::new();
        Self { title, rows }
    }

    /// A limit that an author sets in code.
    fn add(mut self, name: &'static str, default: impl Shown, why: &'static str) -> Self {
        self.rows.push(Row {
            name,
            default: default.shown(),
            why,
            setting: None,
            metric: None,
        });
        self
    }

    /// The last one can be set from outside.
    fn setting(mut self, flag: &'static str) -> Self {
        if let Some(row) = self.rows.last_mut() {
            row.setting = Some(flag);
        }
        self
    }

    /// What the last one refuses is counted.
    fn metric(mut self, limit: Limit) -> Self {
        if let Some(row) = self.rows.last_mut() {
            row.metric = Some(limit);
        }
        self
    }
}

/// The tables of every limit that a program has, as Markdown: default, why, setting, and under which name its refusals are
/// counted ([`Limit::as_str`]). For `docs/limits.md`, between the markers `<!-- limits -->`.
pub fn limits_page() -> String {
    let mut page = String::new();
    for section in rows::sections() {
        // Writing to a string cannot fail.
        let _ = write!(
            page,
            "\n### {}\n\n| limit | default | why | setting | counted as |\n| --- | --- | --- | --- | --- |\n",
            section.title
        );
        for row in section.rows {
            let setting = row.setting.map(|flag| format!("`--{flag}`"));
            let metric = row.metric.map(|limit| format!("`{}`", limit.as_str()));
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {} | {} |",
                row.name,
                row.default,
                row.why,
                setting.unwrap_or_default(),
                metric.unwrap_or_default()
            );
        }
    }
    page.push('\n');
    page
}

/// How the value of a limit is written.
pub(crate) trait Shown {
    fn shown(&self) -> String;
}

/// Bytes.
pub(crate) struct Bytes(pub(crate) usize);

/// A rate that has a unit of its own.
struct PerSecond(u32);

impl Shown for Bytes {
    fn shown(&self) -> String {
        match self.0 {
            bytes if bytes >= 1 << 20 && bytes % (1 << 20) == 0 => format!("{} MiB", bytes >> 20),
            bytes if bytes >= 1 << 10 && bytes % (1 << 10) == 0 => format!("{} KiB", bytes >> 10),
            bytes => format!("{bytes} bytes"),
        }
    }
}

impl Shown for PerSecond {
    fn shown(&self) -> String {
        format!("{} a second", Bytes(self.0 as usize).shown())
    }
}

impl Shown for Duration {
    fn shown(&self) -> String {
        match self.as_secs() {
            0 => format!("{} ms", self.as_millis()),
            seconds if seconds >= 3600 && seconds % 3600 == 0 => format!("{} h", seconds / 3600),
            seconds if seconds >= 60 && seconds % 60 == 0 => format!("{} min", seconds / 60),
            seconds => format!("{seconds} s"),
        }
    }
}

impl Shown for usize {
    /// With commas between the thousands.
    fn shown(&self) -> String {
        let digits = self.to_string();
        let mut shown = String::new();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                shown.push(',');
            }
            shown.push(digit);
        }
        shown
    }
}

impl Shown for u64 {
    fn shown(&self) -> String {
        usize::try_from(*self).unwrap_or(usize::MAX).shown()
    }
}

impl Shown for Option<Rate> {
    fn shown(&self) -> String {
        self.map_or_else(|| "off".to_owned(), |rate| rate.to_string())
    }
}

impl Shown for Option<usize> {
    fn shown(&self) -> String {
        self.as_ref().map_or_else(|| "off".to_owned(), Shown::shown)
    }
}

impl Shown for &str {
    fn shown(&self) -> String {
        (*self).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::App;

    /// The page says what is so. `pymcp docs` writes it.
    #[test]
    fn the_page_in_docs_is_this_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/limits.md");
        let page = std::fs::read_to_string(path).unwrap();
        let (_, rest) = page.split_once("<!-- limits -->\n").unwrap();
        let (written, _) = rest.split_once("<!-- /limits -->").unwrap();
        assert!(written == limits_page(), "it should be:\n{}", limits_page());
    }

    #[test]
    fn every_setting_on_the_page_is_one_and_no_limit_is_missing() {
        let program = App::new("test", "1.0.0").program();
        let sections = rows::sections();
        let rows: Vec<&Row> = sections.iter().flat_map(|section| &section.rows).collect();
        for row in &rows {
            let Some(flag) = row.setting else { continue };
            let setting = program.setting(flag);
            let setting = setting.unwrap_or_else(|| panic!("--{flag} is no setting"));
            if setting.heading() == Some("Limits") && !setting.default().is_empty() {
                assert_eq!(setting.default(), row.default, "{flag}");
            }
        }
        for limit in Limit::ALL {
            assert!(
                rows.iter().any(|row| row.metric == Some(limit)),
                "{limit:?}"
            );
        }
        for setting in program.settings() {
            let is_limit = setting.heading() == Some("Limits");
            let has_row = rows.iter().any(|row| row.setting == Some(setting.flag()));
            assert!(!is_limit || has_row, "--{}", setting.flag());
        }
    }

    #[test]
    fn values_are_written_for_people() {
        for (shown, expected) in [
            (Bytes(1 << 20).shown(), "1 MiB"),
            (Bytes(4 << 10).shown(), "4 KiB"),
            (Bytes(1000).shown(), "1000 bytes"),
            (PerSecond(1024).shown(), "1 KiB a second"),
            (Duration::from_millis(250).shown(), "250 ms"),
            (Duration::from_secs(90).shown(), "90 s"),
            (Duration::from_secs(600).shown(), "10 min"),
            (Duration::from_secs(7200).shown(), "2 h"),
            (7_usize.shown(), "7"),
            (1_234_567_usize.shown(), "1,234,567"),
            (Some(Rate::per_minute(600)).shown(), "600/min"),
            (None::<Rate>.shown(), "off"),
        ] {
            assert_eq!(shown, expected);
        }
    }
}
