//! A program, put together and run.

use std::ffi::OsString;
use std::marker::PhantomData;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, Command, FromArgMatches as _};
use pymcp_kit::telemetry;

use crate::command;
use crate::log;
use crate::prepared::Prepared;
use crate::program::{Program, upper};
use crate::refusal::refusal;
use crate::settings::Shared;
use crate::sources::{Environment, Sources};
use crate::verbs::{health, serve};
use crate::{Error, Result};

#[cfg(test)]
mod tests;

/// What the help says a program is, unless told otherwise.
const ABOUT: &str =
    "A Model Context Protocol server. Without a command it serves one client on stdin and stdout.";

/// The program around a server: settings, verbs, logs, signals, transports and exit codes, under a name of its own.
///
/// `S` are the author's own settings, a [`clap::Args`]; there need not be any.
pub struct App<S = ()> {
    name: String,
    version: String,
    about: String,
    prefix: String,
    prefixes: Vec<String>,
    aliases: Vec<(String, String)>,
    defaults: Vec<command::Default>,
    verbs: Vec<Verb>,
    settings: PhantomData<fn() -> S>,
}

/// A verb that the author adds.
struct Verb {
    command: Command,
    run: Box<RunVerb>,
}

type RunVerb = dyn Fn(&ArgMatches, &Program) -> Result<()>;

impl App {
    /// A program that is called `name` in everything it says. Its environment variables begin with the name in capitals:
    /// those of `zebra-2` with `ZEBRA_2_`.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            prefix: format!("{}_", upper(&name)),
            name,
            version: version.into(),
            about: ABOUT.to_owned(),
            prefixes: Vec::new(),
            aliases: Vec::new(),
            defaults: Vec::new(),
            verbs: Vec::new(),
            settings: PhantomData,
        }
    }
}

impl<S: Args> App<S> {
    /// Takes settings of the author's own, beside those that every program has. A flag `--foo-bar` has the variable
    /// `<PREFIX>_FOO_BAR` and the key `foo-bar` in the configuration file; a variable that clap's `env` names is an alias.
    ///
    /// Of clap's attributes three mean more than usual: `hide_short_help` keeps a setting out of `--help`, which has the
    /// common ones only; `hide_env_values` marks a secret, whose value is shown nowhere; `help_heading` is its group in
    /// `--help-all`. Flags must differ from those that every program has.
    pub fn settings<T: Args>(self) -> App<T> {
        App {
            name: self.name,
            version: self.version,
            about: self.about,
            prefix: self.prefix,
            prefixes: self.prefixes,
            aliases: self.aliases,
            defaults: self.defaults,
            verbs: self.verbs,
            settings: PhantomData,
        }
    }

    /// Has environment variables begin with another word than the name: `env_prefix("ACME")` makes `ACME_PORT`.
    pub fn env_prefix(mut self, prefix: &str) -> Self {
        self.prefix = format!("{}_", upper(prefix.trim_end_matches('_')));
        self
    }

    /// One sentence that says what the program is, for its help.
    pub fn about(mut self, about: impl Into<String>) -> Self {
        self.about = about.into();
        self
    }

    /// Gives the setting of `flag` (without dashes) another default than every program has: `default_value("transport",
    /// "http")`, `default_value("request-timeout", "120")`. The help says it.
    pub fn default_value(mut self, flag: impl Into<String>, value: impl Into<String>) -> Self {
        self.defaults.push((flag.into(), value.into()));
        self
    }

    /// Reads the setting of `flag` (without dashes) also from this environment variable, if the program's own variable is
    /// not set. Aliases are asked in the order in which they were added.
    pub fn alias(mut self, flag: impl Into<String>, variable: impl Into<String>) -> Self {
        self.aliases.push((flag.into(), variable.into()));
        self
    }

    /// Warns about unknown environment variables with this prefix (with its underscore) as about those with the program's
    /// own: where an alias begins with it, and nothing else that is set beside the program does.
    pub fn warn_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefixes.push(prefix.into());
        self
    }

    /// Adds a verb: `name` on the command line, with arguments `A`, whose documentation is its help. It is given the
    /// arguments and what the program is. `#[command(hide = true)]` on `A` keeps it out of the help.
    pub fn verb<A: Args>(
        mut self,
        name: &'static str,
        run: impl Fn(A, &Program) -> Result<()> + 'static,
    ) -> Self {
        self.verbs.push(Verb {
            command: A::augment_args(Command::new(name)),
            run: Box::new(move |matches, program| {
                let arguments = A::from_arg_matches(matches)
                    .map_err(|error| Error::setting(error.to_string()))?;
                run(arguments, program)
            }),
        });
        self
    }

    /// Runs the program with the process's command line and environment, and says how it ended: 0, or 2 for a setting or
    /// an argument that cannot be used, or 1 for anything else.
    ///
    /// `server` makes the server of the settings when it is to be served, within the runtime. What the settings say
    /// of the cache and of time limits goes over what the builder says of them; [`App::default_value`] changes their defaults.
    ///
    /// # Panics
    /// When an alias or a default is given for a flag that the program does not have.
    pub fn run<P: Into<Prepared>>(self, server: impl AsyncFnOnce(S) -> Result<P>) -> ExitCode {
        #[cfg(unix)]
        crate::signals::outlive_full_files();
        let (program, arguments) = (self.program(), std::env::args_os().collect());
        let environment = Environment::of_process();
        let ended = match self.read(&program, arguments, &environment) {
            Ok(Asked::Serve(serve)) => {
                let Serve {
                    shared,
                    settings,
                    sources,
                } = *serve;
                log::init(&program.name, shared.log_level.into());
                sources.announce(&program);
                let prepare = async { server(settings).await.map(Into::into) };
                serve::run(&program, &sources.origins, &shared, prepare)
                    .map_err(|error| located(error, &program, &sources))
            }
            Ok(Asked::Health(matches)) => health::run(&matches),
            Ok(Asked::Verb(verb, matches)) => (verb.run)(&matches, &program),
            Ok(Asked::Help(help)) => {
                // Nobody is left to tell when stdout is closed.
                let _ = help.print();
                Ok(())
            }
            Err(error) => Err(error),
        };
        let code = match ended {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                if let Some(sentence) = error.sentence() {
                    telemetry::say(&format!("{}: {sentence}", program.name));
                }
                ExitCode::from(error.code())
            }
        };
        telemetry::flush();
        code
    }

    /// What the program is, with all its settings: for documents that are made of them.
    ///
    /// # Panics
    /// When an alias or a default is given for a flag that the program does not have.
    pub fn program(&self) -> Program {
        let mut settings = command::settings::<S>(&self.prefix, &self.defaults);
        for (flag, _) in &self.defaults {
            let known = settings.iter().any(|setting| setting.flag == *flag);
            assert!(known, "--{flag} is not a setting");
        }
        for (flag, variable) in &self.aliases {
            let setting = settings.iter_mut().find(|setting| setting.flag == *flag);
            let setting = setting.unwrap_or_else(|| panic!("--{flag} is not a setting"));
            setting.variables.push(variable.clone());
        }
        Program {
            name: self.name.clone(),
            version: self.version.clone(),
            prefix: self.prefix.clone(),
            prefixes: self.prefixes.clone(),
            settings,
        }
    }

    /// What the command line asks for, with the settings of all sources.
    fn read(
        &self,
        program: &Program,
        arguments: Vec<OsString>,
        environment: &Environment,
    ) -> Result<Asked<'_, S>> {
        let more = self.verbs.iter().map(|verb| verb.command.clone());
        let command = command::command::<S>(program, &self.about, &self.defaults, more);
        let sources = Sources::gather(
            program,
            command.clone(),
            &[serve::NAME],
            arguments,
            environment,
        )?;
        let asks = || command.clone().try_get_matches_from(&sources.arguments);
        let matches = match asks() {
            Ok(matches) => matches,
            Err(error) if error.use_stderr() => {
                return Err(refusal(&error, program, &sources.origins));
            }
            Err(error) => return Ok(Asked::Help(self.help(error, program, command, &sources))),
        };
        let settings = match matches.subcommand() {
            Some((serve::NAME, settings)) => settings,
            Some((health::NAME, matches)) => return Ok(Asked::Health(matches.clone())),
            Some((name, matches)) => {
                let verb = self
                    .verbs
                    .iter()
                    .find(|verb| verb.command.get_name() == name);
                let verb =
                    verb.ok_or_else(|| Error::setting(format!("{name} is not a command.")))?;
                return Ok(Asked::Verb(verb, matches.clone()));
            }
            None => &matches,
        };
        let refused = |error| refusal(&error, program, &sources.origins);
        Ok(Asked::Serve(Box::new(Serve {
            shared: Shared::from_arg_matches(settings).map_err(refused)?,
            settings: S::from_arg_matches(settings).map_err(refused)?,
            sources,
        })))
    }

    /// The help with the names of the variables.
    fn help(
        &self,
        error: clap::Error,
        program: &Program,
        command: Command,
        sources: &Sources,
    ) -> clap::Error {
        if error.kind() != ErrorKind::DisplayHelp {
            return error;
        }
        let all = sources
            .arguments
            .iter()
            .any(|argument| command::asks_for_all(argument));
        let command = command::for_help(program, command, all);
        let full = command.try_get_matches_from(&sources.arguments);
        full.err().unwrap_or(error)
    }
}

impl<S> std::fmt::Debug for App<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("name", &self.name)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// What a command line asks for.
enum Asked<'a, S> {
    Serve(Box<Serve<S>>),
    Health(ArgMatches),
    Verb(&'a Verb, ArgMatches),
    Help(clap::Error),
}

struct Serve<S> {
    shared: Shared,
    settings: S,
    sources: Sources,
}

/// An error whose sentence names settings as their sources do.
fn located(error: Error, program: &Program, sources: &Sources) -> Error {
    let is_setting = error.code() == Error::USAGE;
    error.map(|sentence| match is_setting {
        true => sources.origins.located(program, sentence),
        false => sources.origins.named(program, sentence),
    })
}
