//! The tables `[profiles.NAME]` of the configuration file. What they mean is in `settings/selection`.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::unknown::{nearest, shown};
use crate::settings::selection::{FULL, Profile, SAFE, is_name};

/// The table that has them.
pub(super) const TABLE: &str = "profiles";

/// The keys of a profile.
const KEYS: [&str; 3] = ["extends", "enable", "disable"];

/// Line and sentence.
type Refused = (usize, String);

/// The line of a place in the text.
type LineOf<'a> = dyn Fn(usize) -> usize + 'a;

/// The profiles of the table, by name.
///
/// # Errors
/// The first thing that is no profile, or that a profile does not have.
pub(super) fn read(
    table: &DeTable<'_>,
    line_of: &LineOf<'_>,
) -> Result<BTreeMap<String, Profile>, Refused> {
    let mut profiles = BTreeMap::new();
    for (name, value) in in_order(table) {
        let line = line_of(name.span().start);
        let name = name.get_ref().as_ref();
        if [FULL, SAFE].contains(&name) {
            let what = "is a profile that every server has; call yours by another name";
            return Err((line, format!("[{TABLE}.{name}] {what}.")));
        }
        if !is_name(name) {
            let name = shown(name);
            return Err((
                line,
                format!("[{TABLE}.{name}] must have a name of letters, digits, - and _."),
            ));
        }
        let DeValue::Table(keys) = value.get_ref() else {
            return Err((
                line,
                format!(
                    "{TABLE}.{name} must be a table, as in [{TABLE}.{name}] and enable = [\"tag:reading\"] below it."
                ),
            ));
        };
        profiles.insert(name.to_owned(), profile(name, line, keys, line_of)?);
    }
    Ok(profiles)
}

fn profile(
    name: &str,
    line: usize,
    keys: &DeTable<'_>,
    line_of: &LineOf<'_>,
) -> Result<Profile, Refused> {
    let mut profile = Profile {
        line,
        ..Profile::default()
    };
    for (key, value) in in_order(keys) {
        let line = line_of(key.span().start);
        let key = key.get_ref().as_ref();
        let refused = |what: &str| (line, format!("{key} of [{TABLE}.{name}] must be {what}."));
        let list = || {
            texts(value.get_ref())
                .filter(|texts| !texts.is_empty() && texts.iter().all(|text| is_entry(text)))
                .map(|texts| (texts, line))
                .ok_or_else(|| {
                    refused("a list of names, URIs, tag:WORD and effect:KIND, with at least one")
                })
        };
        match key {
            "enable" => profile.enable = Some(list()?),
            "disable" => profile.disable = Some(list()?),
            "extends" => match value.get_ref() {
                DeValue::String(base) => profile.extends = Some((base.trim().to_owned(), line)),
                _ => return Err(refused("the name of a profile")),
            },
            key => {
                let meant = nearest(&key.to_ascii_lowercase(), KEYS.into_iter());
                let meant = match meant {
                    Some(meant) => format!("did you mean {meant}?"),
                    None => format!("a profile has {}.", KEYS.join(", ")),
                };
                let key = shown(key);
                return Err((
                    line,
                    format!("[{TABLE}.{name}] has '{key}', which is no key of a profile; {meant}"),
                ));
            }
        }
    }
    Ok(profile)
}

/// As they are written, so that the first mistake of the file is told.
fn in_order<'a, 'i>(
    table: &'a DeTable<'i>,
) -> Vec<(&'a Spanned<DeString<'i>>, &'a Spanned<DeValue<'i>>)> {
    let mut keys: Vec<_> = table.iter().collect();
    keys.sort_by_key(|(key, _)| key.span().start);
    keys
}

fn texts(value: &DeValue<'_>) -> Option<Vec<String>> {
    let DeValue::Array(values) = value else {
        return None;
    };
    let text = |value: &Spanned<DeValue<'_>>| match value.get_ref() {
        DeValue::String(text) => Some(text.trim().to_owned()),
        _ => None,
    };
    values.iter().map(text).collect()
}

fn is_entry(text: &str) -> bool {
    !text.is_empty() && !text.contains('\0')
}
