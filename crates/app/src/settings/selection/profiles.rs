//! The profiles of the configuration file: `[profiles.NAME]` with `enable`, `disable` and `extends`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::sources::{nearest, shown};
use crate::{Error, Result};

/// The profile that leaves out nothing.
pub(crate) const FULL: &str = "full";

/// The profile that leaves out what reaches beyond the process and its client.
pub(crate) const SAFE: &str = "safe";

/// Characters of a profile's name.
const MAX_NAME: usize = 64;

/// A profile, as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Profile {
    /// The line of its table; the file begins with 1.
    pub(crate) line: usize,
    /// The profile that it begins with, and where that is written.
    pub(crate) extends: Option<(String, usize)>,
    /// What alone is on, if it says so, and where that is written.
    pub(crate) enable: Option<(Vec<String>, usize)>,
    /// What is off, and where that is written.
    pub(crate) disable: Option<(Vec<String>, usize)>,
}

/// The profiles of a file, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Profiles {
    /// The file, for sentences.
    pub(crate) path: PathBuf,
    pub(crate) all: BTreeMap<String, Profile>,
}

/// One profile of those that count.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    Safe,
    Named(&'a str, &'a Profile),
}

/// A name that a profile can have: letters, digits, `-` and `_`.
pub(crate) fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(plain)
}

impl Profiles {
    /// File and line, as they stand before a sentence.
    pub(super) fn place(&self, line: usize) -> String {
        format!("{}, line {line}", self.path.display())
    }

    /// The profiles that count for one, the one that it begins with first.
    ///
    /// # Errors
    /// One of them is not there, or begins with itself.
    pub(super) fn chain<'a>(&'a self, name: &str) -> Result<Vec<Step<'a>>> {
        let mut steps = Vec::new();
        let mut next = (name, None);
        loop {
            let (name, named_at) = next;
            match name {
                FULL => break,
                SAFE => {
                    steps.push(Step::Safe);
                    break;
                }
                _ => {}
            }
            let Some((name, profile)) = self.all.get_key_value(name) else {
                return Err(self.unknown(name, named_at));
            };
            if steps.contains(&Step::Named(name, profile)) {
                return Err(Error::setting(format!(
                    "{}: [profiles.{name}] begins with itself, by way of extends.",
                    self.place(named_at.unwrap_or(profile.line))
                )));
            }
            steps.push(Step::Named(name, profile));
            match &profile.extends {
                Some((base, line)) => next = (base, Some(*line)),
                None => break,
            }
        }
        steps.reverse();
        Ok(steps)
    }

    /// What is said of a name that no profile has, which a line of the file names or else the setting.
    fn unknown(&self, name: &str, line: Option<usize>) -> Error {
        let names = || {
            let own = self.all.keys().map(String::as_str);
            [FULL, SAFE].into_iter().chain(own)
        };
        let known = names().collect::<Vec<_>>();
        let allowed = match self.all.is_empty() {
            true => format!("{FULL}, {SAFE} or a profile of the file of --config"),
            false => format!("one of {}", known.join(", ")),
        };
        let meant = nearest(name, names());
        let meant = meant.map_or_else(|| ".".into(), |meant| format!("; did you mean {meant}?"));
        let name = shown(name);
        Error::setting(match line {
            Some(line) => {
                let place = self.place(line);
                format!("{place}: extends is '{name}', but must be {allowed}{meant}")
            }
            None => format!("--profile is '{name}', but must be {allowed}{meant}"),
        })
    }
}
