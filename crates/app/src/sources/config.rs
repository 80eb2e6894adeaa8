//! The TOML file of `--config`: one key for each flag, in kebab-case or snake_case. Tables are for what no flag can say:
//! `[profiles.NAME]` is in `profiles.rs`, and another table is a line beside it.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::{profiles, unknown};
use crate::features;
use crate::program::Program;
use crate::settings::selection::Profile;

/// A value of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Value {
    /// Of its key; the file begins with 1.
    pub(super) line: usize,
    /// The key as it is written.
    pub(super) key: String,
    /// As texts; a value that is no list is one.
    pub(super) texts: Vec<String>,
}

/// What a file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Config {
    /// The values, by the flags of their settings.
    pub(super) values: BTreeMap<String, Value>,
    /// The profiles, by name.
    pub(super) profiles: BTreeMap<String, Profile>,
}

/// What a text says.
///
/// # Errors
/// Line and sentence for a text that is no TOML, or for a key that is no setting. No value is in there.
pub(super) fn parse(text: &str, program: &Program) -> Result<Config, (usize, String)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let line_of = |at: usize| {
        text.as_bytes()[..at.min(text.len())]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1
    };
    let table = DeTable::parse(text).map_err(|error| {
        let line = line_of(error.span().map_or(0, |span| span.start));
        (
            line,
            format!("This is not valid TOML: {}.", error.message()),
        )
    })?;
    let mut keys: Vec<_> = table.get_ref().iter().collect();
    // The first mistake of the file is told, not of the alphabet.
    keys.sort_by_key(|(key, _)| key.span().start);
    let mut config = Config::default();
    for (key, value) in keys {
        let line = line_of(key.span().start);
        let key = key.get_ref().as_ref();
        let flag = key.replace('_', "-");
        if program.setting(&flag).is_none() {
            if let (profiles::TABLE, DeValue::Table(table)) = (key, value.get_ref()) {
                config.profiles = profiles::read(table, &line_of)?;
                continue;
            }
            return Err((line, stranger(program, key, &flag, value.get_ref())));
        }
        let Some(texts) = texts(value.get_ref()) else {
            return Err((
                line,
                format!("{key} must be a text, a number, true, false or a list of these."),
            ));
        };
        if texts.iter().any(|text| text.contains('\0')) {
            return Err((line, format!("{key} must have no NUL in its value.")));
        }
        let value = Value {
            line,
            key: key.to_owned(),
            texts,
        };
        if config.values.insert(flag, value).is_some() {
            return Err((line, format!("{key} is given twice.")));
        }
    }
    Ok(config)
}

/// The sentence for a key that is no setting.
fn stranger(program: &Program, key: &str, flag: &str, value: &DeValue<'_>) -> String {
    let shown = unknown::shown(key);
    if let Some(feature) = features::of_flag(flag) {
        return format!("{shown} {}.", features::left_out(feature, program.name()));
    }
    let flags = || program.settings.iter().map(|setting| setting.flag.as_str());
    match (unknown::nearest(&flag.to_ascii_lowercase(), flags()), value) {
        (Some(meant), _) => format!("{shown} is not a setting; did you mean {meant}?"),
        (None, DeValue::Table(_)) => format!(
            "[{shown}] is not a table of this file; write settings at its top, as in port = 8000."
        ),
        (None, _) => format!("{shown} is not a setting; --help-all lists them."),
    }
}

/// A value as flags have it; none for what is no value or list of values.
fn texts(value: &DeValue<'_>) -> Option<Vec<String>> {
    match value {
        DeValue::Array(values) => values.iter().map(|value| scalar(value.get_ref())).collect(),
        value => scalar(value).map(|text| vec![text]),
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => match number.radix() {
            10 => Some(number.as_str().to_owned()),
            radix => i128::from_str_radix(number.as_str(), radix)
                .ok()
                .map(|number| number.to_string()),
        },
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(value) => Some(value.to_string()),
        DeValue::Datetime(time) => Some(time.to_string()),
        DeValue::Array(_) | DeValue::Table(_) => None,
    }
}
