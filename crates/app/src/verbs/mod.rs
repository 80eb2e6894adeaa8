//! The verbs of every program, one a file: its arguments, and what it does. To add one, add a file and a line below.
//! A verb of the author's with the same name takes its place.

pub(crate) mod audit;
pub(crate) mod call;
pub(crate) mod complete;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod health;
pub(crate) mod inspect;
pub(crate) mod install;
pub(crate) mod keys;
pub(crate) mod list;
pub(crate) mod lock;
pub(crate) mod man;
pub(crate) mod manifest;
pub(crate) mod ping;
pub(crate) mod prompt;
pub(crate) mod read;
pub(crate) mod review;
pub(crate) mod serve;
pub(crate) mod shell;
pub(crate) mod token;
pub(crate) mod uninstall;
pub(crate) mod verify;
pub(crate) mod version;
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

/// All of them beside `serve`, whose arguments are the settings.
pub(crate) const BUILT_IN: &[BuiltIn] = &[
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
        name: audit::NAME,
        command: audit::command,
        run: |matches, _| audit::run(matches),
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
        name: health::NAME,
        command: health::command,
        run: |matches, _| health::run(matches),
    },
    BuiltIn {
        name: install::NAME,
        command: install::command,
        run: |matches, host| install::run(matches, host.program),
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
        name: man::NAME,
        command: man::command,
        run: man::run,
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
        name: uninstall::NAME,
        command: uninstall::command,
        run: |matches, host| uninstall::run(matches, host.program),
    },
    BuiltIn {
        name: verify::NAME,
        command: verify::command,
        run: verify::run,
    },
    BuiltIn {
        name: version::NAME,
        command: version::command,
        run: version::run,
    },
];

/// Those that `--help` has; `--help-all` has every one.
const COMMON: [&str; 6] = [
    call::NAME,
    doctor::NAME,
    inspect::NAME,
    install::NAME,
    list::NAME,
    shell::NAME,
];

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
    BUILT_IN.iter().find(|verb| verb.name == name)
}
