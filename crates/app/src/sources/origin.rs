//! Which source a setting comes from, and how a sentence says so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::program::Program;

/// The source of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag,
    Variable {
        name: String,
    },
    EnvFile {
        path: PathBuf,
        line: usize,
        name: String,
    },
    Config {
        path: PathBuf,
        line: usize,
        key: String,
    },
}

/// The sources of all settings that are given, by flag. Others have their default.
#[derive(Debug, Default)]
pub(crate) struct Origins(BTreeMap<String, Origin>);

impl Origins {
    pub(super) fn set(&mut self, flag: &str, origin: Origin) {
        self.0.insert(flag.to_owned(), origin);
    }

    #[cfg(test)]
    pub(super) fn get(&self, flag: &str) -> Option<&Origin> {
        self.0.get(flag)
    }

    /// Whether a setting is given by any source.
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.0.contains_key(flag)
    }

    /// What the source calls a setting: its flag, its variable with the flag, or its key.
    pub(crate) fn name(&self, program: &Program, flag: &str) -> String {
        match self.0.get(flag) {
            Some(Origin::Flag) => format!("--{flag}"),
            Some(Origin::Variable { name } | Origin::EnvFile { name, .. }) => {
                format!("{name} (--{flag})")
            }
            Some(Origin::Config { key, .. }) => key.clone(),
            None => match program.setting(flag) {
                Some(setting) => format!("{} (--{flag})", setting.variable()),
                None => format!("--{flag}"),
            },
        }
    }

    /// Where a value comes from, for people; none for a default.
    pub(crate) fn source(&self, flag: &str) -> Option<String> {
        Some(match self.0.get(flag)? {
            Origin::Flag => format!("--{flag}"),
            Origin::Variable { name } => name.clone(),
            Origin::EnvFile { path, line, .. } | Origin::Config { path, line, .. } => {
                format!("{}, line {line}", path.display())
            }
        })
    }

    /// Whether the setting of this flag comes from the command line, which others on the machine can see.
    #[cfg(feature = "redis")]
    pub(crate) fn is_flag(&self, flag: &str) -> bool {
        matches!(self.0.get(flag), Some(Origin::Flag))
    }

    /// The file that a value comes from, if it comes from one.
    pub(crate) fn file(&self, flag: &str) -> Option<&Path> {
        match self.0.get(flag)? {
            Origin::EnvFile { path, .. } | Origin::Config { path, .. } => Some(path),
            _ => None,
        }
    }

    /// File and line of a value that comes from a file.
    pub(crate) fn place(&self, flag: &str) -> Option<String> {
        match self.0.get(flag)? {
            Origin::EnvFile { path, line, .. } | Origin::Config { path, line, .. } => {
                Some(format!("{}, line {line}", path.display()))
            }
            _ => None,
        }
    }

    /// A sentence that names settings by their flags, as the sources name them.
    pub(crate) fn named(&self, program: &Program, sentence: &str) -> String {
        let mut text = String::with_capacity(sentence.len());
        let mut rest = sentence;
        for (flag, at) in flags(sentence) {
            let before = at - (sentence.len() - rest.len());
            text.push_str(&rest[..before]);
            match program.setting(flag) {
                Some(_) => text.push_str(&self.name(program, flag)),
                None => text.extend(["--", flag]),
            }
            rest = &rest[before + 2 + flag.len()..];
        }
        text.push_str(rest);
        text
    }

    /// The same, with file and line of the first setting that comes from a file.
    pub(crate) fn located(&self, program: &Program, sentence: &str) -> String {
        let named = self.named(program, sentence);
        match flags(sentence).find_map(|(flag, _)| self.place(flag)) {
            Some(place) => format!("{place}: {named}"),
            None => named,
        }
    }
}

/// The flags that a sentence has as words, without their dashes, and where.
fn flags(sentence: &str) -> impl Iterator<Item = (&str, usize)> {
    sentence.match_indices("--").filter_map(|(at, dashes)| {
        let before = sentence[..at].chars().next_back();
        let begins = before.is_none_or(|c| c.is_whitespace() || "(`[".contains(c));
        let after = &sentence[at + dashes.len()..];
        let end = after
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))
            .unwrap_or(after.len());
        (begins && end > 0).then_some((&after[..end], at))
    })
}
