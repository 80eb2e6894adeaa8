//! The verbs of every program, one a file: its arguments, and what it does. To add one, add a file and a line below; one of
//! the feature `verbs` is named in `features.rs` as well.
//! A verb of the author's with the same name takes its place.

pub(crate) mod audit;
#[cfg(feature = "verbs")]
pub(crate) mod call;
#[cfg(feature = "verbs")]
pub(crate) mod complete;
#[cfg(feature = "verbs")]
pub(crate) mod completions;
#[cfg(feature = "verbs")]
pub(crate) mod doctor;
pub(crate) mod health;
#[cfg(feature = "verbs")]
pub(crate) mod inspect;
#[cfg(feature = "verbs")]
pub(crate) mod install;
pub(crate) mod keys;
#[cfg(feature = "verbs")]
pub(crate) mod list;
pub(crate) mod lock;
#[cfg(feature = "verbs")]
pub(crate) mod man;
pub(crate) mod manifest;
#[cfg(feature = "verbs")]
pub(crate) mod ping;
#[cfg(feature = "verbs")]
pub(crate) mod prompt;
#[cfg(feature = "verbs")]
pub(crate) mod read;
#[cfg(feature = "verbs")]
pub(crate) mod review;
pub(crate) mod serve;
#[cfg(feature = "verbs")]
pub(crate) mod shell;
pub(crate) mod token;
#[cfg(feature = "verbs")]
pub(crate) mod uninstall;
#[cfg(feature = "verbs")]
pub(crate) mod verify;
pub(crate) mod version;
#[cfg(feature = "verbs")]
pub(crate) mod watch;

use clap::{ArgMatches, Command, FromArgMatches};

use crate::host::Host;
use crate::{Error, Result};

/// A verb that every program has.
pub(crate) struct BuiltIn {
    name: &'static str,
    pub(crate) command: fn() -> Command,
    pub(crate) run: fn(&ArgMatches, Host<'_>) -> Result<()>,
}

/// Those that look at servers, and those for the machine of a person: of the feature `verbs`.
#[cfg(feature = "verbs")]
pub(crate) const OF_FEATURE: &[BuiltIn] = &[
    BuiltIn {
        name: list::NAME,
        command: list::command,
        run: list::run,
    },
    BuiltIn {
        name: call::NAME,
        command: call::command,
        run: call::run,
    },
    BuiltIn {
        name: read::NAME,
        command: read::command,
        run: read::run,
    },
    BuiltIn {
        name: prompt::NAME,
        command: prompt::command,
        run: prompt::run,
    },
    BuiltIn {
        name: complete::NAME,
        command: complete::command,
        run: complete::run,
    },
    BuiltIn {
        name: inspect::NAME,
        command: inspect::command,
        run: inspect::run,
    },
    BuiltIn {
        name: review::NAME,
        command: review::command,
        run: review::run,
    },
    BuiltIn {
        name: ping::NAME,
        command: ping::command,
        run: ping::run,
    },
    BuiltIn {
        name: watch::NAME,
        command: watch::command,
        run: watch::run,
    },
    BuiltIn {
        name: shell::NAME,
        command: shell::command,
        run: shell::run,
    },
    BuiltIn {
        name: doctor::NAME,
        command: doctor::command,
        run: doctor::run,
    },
    BuiltIn {
        name: completions::NAME,
        command: completions::command,
        run: completions::run,
    },
    BuiltIn {
        name: install::NAME,
        command: install::command,
        run: |matches, host| install::run(matches, host.program),
    },
    BuiltIn {
        name: man::NAME,
        command: man::command,
        run: man::run,
    },
    BuiltIn {
        name: uninstall::NAME,
        command: uninstall::command,
        run: |matches, host| uninstall::run(matches, host.program),
    },
    BuiltIn {
        name: verify::NAME,
        command: verify::command,
        run: verify::run,
    },
];
#[cfg(not(feature = "verbs"))]
pub(crate) const OF_FEATURE: &[BuiltIn] = &[];

/// Those that go with serving, beside `serve`, whose arguments are the settings.
const OF_SERVERS: &[BuiltIn] = &[
    BuiltIn {
        name: audit::NAME,
        command: audit::command,
        run: |matches, _| audit::run(matches),
    },
    BuiltIn {
        name: health::NAME,
        command: health::command,
        run: |matches, _| health::run(matches),
    },
    BuiltIn {
        name: keys::NAME,
        command: keys::command,
        run: |matches, _| keys::run(matches),
    },
    BuiltIn {
        name: lock::NAME,
        command: lock::command,
        run: lock::run,
    },
    BuiltIn {
        name: manifest::NAME,
        command: manifest::command,
        run: manifest::run,
    },
    BuiltIn {
        name: token::NAME,
        command: token::command,
        run: |matches, host| token::run(matches, host.program),
    },
    BuiltIn {
        name: version::NAME,
        command: version::command,
        run: version::run,
    },
];

/// Those that `--help` has; `--help-all` has every one.
const COMMON: [&str; 6] = ["call", "doctor", "inspect", "install", "list", "shell"];

/// All of them but `serve`.
pub(crate) fn built_in() -> impl Iterator<Item = &'static BuiltIn> {
    OF_FEATURE.iter().chain(OF_SERVERS)
}

impl BuiltIn {
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn is_common(&self) -> bool {
        COMMON.contains(&self.name)
    }
}

/// The arguments of a verb, of what clap has matched.
pub(crate) fn parsed<A: FromArgMatches>(matches: &ArgMatches) -> Result<A> {
    A::from_arg_matches(matches).map_err(|error| Error::setting(error.to_string()))
}

/// The one of this name.
pub(crate) fn named(name: &str) -> Option<&'static BuiltIn> {
    built_in().find(|verb| verb.name == name)
}
