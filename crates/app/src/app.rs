//! A program, put together and run.

use std::ffi::OsString;
use std::marker::PhantomData;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, Command, FromArgMatches as _};
use pymcp_kit::telemetry;

use crate::command;
use crate::confine::Confinement;
use crate::host::{Fact, Host, Settled};
use crate::prepared::Prepared;
use crate::program::{Program, upper};
use crate::refusal::{Line, refusal};
use crate::settings::{Files, Shared, pinned};
use crate::sources::{self, Environment, Sources};
use crate::verbs::{self, BuiltIn, serve};
use crate::{Error, Result, features};

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
    facts: Vec<Fact>,
    lock: Option<String>,
    decides: Vec<(String, String)>,
    unpinned: Vec<String>,
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
            facts: Vec::new(),
            lock: None,
            decides: Vec::new(),
            unpinned: Vec::new(),
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
            facts: self.facts,
            lock: self.lock,
            decides: self.decides,
            unpinned: self.unpinned,
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

    /// Has the program start only as this lock says: `.lock(include_str!("../zebra-2.lock"))`, the text of the file that the
    /// verb `lock` writes (`code/1`). It pins what the author wrote: every component with its words, schemas, scopes and
    /// limits, before any profile. A server that differs ends with exit code 1, and stderr says in which component and
    /// field. What a setting of yours changes in a component is named with [`App::decides`].
    pub fn lock(mut self, lock: impl Into<String>) -> Self {
        self.lock = Some(lock.into());
        self
    }

    /// Lets a setting of yours (a flag, without dashes) decide a field of a component, or a whole one, although a lock is
    /// built in: `.decides("stock", "server server /instructions")`, the place as the difference shows it. Where the
    /// setting is not given, the lock holds there as well; `--locked` holds everywhere.
    pub fn decides(mut self, flag: impl Into<String>, place: impl Into<String>) -> Self {
        self.decides.push((flag.into(), place.into()));
        self
    }

    /// Leaves a setting of yours (a flag, without dashes) out of what `--locked` pins: one that changes nothing of what
    /// callers may do or how much, such as the path of a file.
    pub fn unpinned(mut self, flag: impl Into<String>) -> Self {
        self.unpinned.push(flag.into());
        self
    }

    /// Warns about unknown environment variables with this prefix (with its underscore) as about those with the program's
    /// own: where an alias begins with it, and nothing else that is set beside the program does.
    pub fn warn_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefixes.push(prefix.into());
        self
    }

    /// Adds a verb: `name` on the command line, with arguments `A`, whose documentation is its help. It is given the
    /// arguments and what the program is. `#[command(hide = true)]` on `A` keeps it out of the help. It takes the place of
    /// a verb of every program with that name, so that a verb that comes with a later version takes none of yours.
    ///
    /// # Panics
    /// When the name is `serve`, which every program needs, or that of another verb of yours.
    pub fn verb<A: Args>(
        mut self,
        name: &'static str,
        run: impl Fn(A, &Program) -> Result<()> + 'static,
    ) -> Self {
        assert_ne!(name, serve::NAME, "every program has its own verb {name}");
        let is_taken = self
            .verbs
            .iter()
            .any(|verb| verb.command.get_name() == name);
        assert!(!is_taken, "the verb {name} is there already");
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

    /// Adds a line to what `version --verbose` says, such as `fact("features", || "search".to_owned())`: what the program
    /// was built with, or what it finds on this machine. `value` is called when somebody asks. A fact of the same name, such
    /// as the program's own `allocator`, is replaced.
    pub fn fact(mut self, name: impl Into<String>, value: impl Fn() -> String + 'static) -> Self {
        self.facts.push(Fact {
            name: name.into(),
            value: Box::new(value),
        });
        self
    }

    /// Runs the program with the process's command line and environment, and says how it ended: 0, or 2 for a setting or
    /// an argument that cannot be used, 3 for another server that cannot be reached, or 1 for anything else.
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
                let confinement = Confinement::begin(&shared);
                let format = shared.log_format.of_stderr();
                telemetry::init(&program.name, shared.log_level.into(), format);
                sources.announce(&program);
                let prepare = async { server(settings).await.map(Into::into) };
                serve::run(&program, &sources.origins, &shared, confinement, prepare)
                    .map_err(|error| located(error, &program, &sources))
            }
            Ok(Asked::BuiltIn(verb, matches)) => {
                let settle = |files: &Files| {
                    let Serve {
                        shared,
                        settings,
                        sources,
                    } = self.settings_of(&program, files, &environment)?;
                    let prepare = async { server(settings).await.map(Into::into) };
                    Ok(Settled::new(shared, sources, prepare))
                };
                let documented = || self.documented(&program);
                let host = Host::new(&program, settle).about(documented, &self.facts);
                (verb.run)(&matches, host)
            }
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
                if let Some(text) = error.text() {
                    telemetry::say(&format!("{}: {text}", program.name));
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
    /// When an alias or a default is given for a flag that the program does not have, or one decides something or is
    /// unpinned.
    pub fn program(&self) -> Program {
        let mut settings = command::settings::<S>(&self.prefix, &self.defaults);
        let named = self.defaults.iter().chain(&self.decides);
        for flag in named.map(|(flag, _)| flag).chain(&self.unpinned) {
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
            lock: self.lock.clone(),
            decides: self.decides.clone(),
        }
    }

    /// What the command line asks for, with the settings of all sources.
    fn read(
        &self,
        program: &Program,
        arguments: Vec<OsString>,
        environment: &Environment,
    ) -> Result<Asked<'_, S>> {
        if let Some(verb) = sources::verb(&arguments)
            && let Some(feature) = features::of_verb(verb)
            && !self.verbs.iter().any(|own| own.command.get_name() == verb)
        {
            let left_out = features::left_out(feature, &program.name);
            return Err(Error::setting(format!("{verb} {left_out}.")));
        }
        // Clap says no more than what is wrong with a line that it does not understand; what may have been meant, and
        // the help, need all of it.
        let alone = self.alone(program, &arguments);
        let whole = || {
            let more = self.verbs.iter().map(|verb| verb.command.clone());
            command::command::<S>(program, &self.about, &self.defaults, more, |_| true)
        };
        let sources = Sources::gather(
            program,
            alone.clone(),
            &[serve::NAME],
            arguments,
            environment,
        )?;
        let asks = |command: Command| command.try_get_matches_from(&sources.arguments);
        let matches = match asks(alone).or_else(|_| asks(whole())) {
            Ok(matches) => matches,
            Err(error) if error.use_stderr() => {
                return Err(self.refused(&error, program, &whole(), &sources));
            }
            Err(error) => return Ok(Asked::Help(self.help(error, program, whole(), &sources))),
        };
        let settings = match matches.subcommand() {
            Some((serve::NAME, settings)) => settings,
            Some((name, matches)) => {
                let mut own = self.verbs.iter();
                let own = own.find(|verb| verb.command.get_name() == name);
                return match (own, verbs::named(name)) {
                    (Some(verb), _) => Ok(Asked::Verb(verb, matches.clone())),
                    (None, Some(verb)) => Ok(Asked::BuiltIn(verb, matches.clone())),
                    (None, None) => Err(Error::setting(format!("{name} is not a command."))),
                };
            }
            None => &matches,
        };
        let refused = |error| self.refused(&error, program, &whole(), &sources);
        let mut shared = Shared::from_arg_matches(settings).map_err(refused)?;
        shared.pinned = pinned::resolved(program, &self.unpinned, settings);
        let known = shared.selection.with(&sources.profiles);
        known.map_err(|error| located(error, program, &sources))?;
        Ok(Asked::Serve(Box::new(Serve {
            shared,
            settings: S::from_arg_matches(settings).map_err(refused)?,
            sources,
        })))
    }

    /// The command line with no verb but the one that is asked for.
    fn alone(&self, program: &Program, arguments: &[OsString]) -> Command {
        let mut own = self.verbs.iter().map(|verb| &verb.command);
        let find = |name: &str| {
            if name == serve::NAME {
                return Some(Command::new(name.to_owned()));
            }
            let own = own.find(|verb| verb.get_name() == name).cloned();
            own.or_else(|| verbs::named(name).map(|verb| (verb.command)()))
        };
        let verb = sources::verb(arguments).and_then(find);
        command::alone::<S>(program, &self.about, &self.defaults, verb)
    }

    fn refused(
        &self,
        error: &clap::Error,
        program: &Program,
        command: &Command,
        sources: &Sources,
    ) -> Error {
        refusal(
            error,
            program,
            &sources.origins,
            &Line::of(command, &sources.arguments),
        )
    }

    /// The command line as documents have it: with the names of variables, and without what is hidden.
    fn documented(&self, program: &Program) -> Command {
        let more = self.verbs.iter().map(|verb| verb.command.clone());
        let shown = |verb: &Command| !verb.is_hide_set();
        let command = command::command::<S>(program, &self.about, &self.defaults, more, shown);
        command::for_documents(program, command)
    }

    /// The settings that `serve` would have with these files and no flags.
    fn settings_of(
        &self,
        program: &Program,
        files: &Files,
        environment: &Environment,
    ) -> Result<Serve<S>> {
        let mut arguments = vec![program.name.clone().into(), serve::NAME.into()];
        arguments.extend(files.arguments());
        match self.read(program, arguments, environment)? {
            Asked::Serve(serve) => Ok(*serve),
            _ => unreachable!("the verb is that of the settings"),
        }
    }

    /// What the sources say with these flags.
    #[cfg(test)]
    pub(crate) fn sources_for_test(
        &self,
        program: &Program,
        flags: &[&str],
        environment: &Environment,
    ) -> Sources {
        let words = [program.name(), serve::NAME];
        let arguments = words.iter().chain(flags).map(OsString::from).collect();
        match self.read(program, arguments, environment) {
            Ok(Asked::Serve(serve)) => serve.sources,
            _ => panic!("{flags:?} are no settings"),
        }
    }

    /// What a lock pins of the settings with these flags.
    #[cfg(test)]
    pub(crate) fn pinned_for_test(&self, flags: &[&str]) -> Vec<(String, serde_json::Value)> {
        let program = self.program();
        let words = [program.name(), serve::NAME];
        let arguments = words.iter().chain(flags).map(OsString::from).collect();
        match self.read(&program, arguments, &Environment::default()) {
            Ok(Asked::Serve(serve)) => serve.shared.pinned,
            _ => panic!("{flags:?} are no settings"),
        }
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
        let own = |name: &str| self.verbs.iter().any(|own| own.command.get_name() == name);
        let command = command::for_help(program, command, all, own);
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
    BuiltIn(&'static BuiltIn, ArgMatches),
    Verb(&'a Verb, ArgMatches),
    Help(clap::Error),
}

struct Serve<S> {
    shared: Shared,
    settings: S,
    sources: Sources,
}

/// An error whose sentence names settings as their sources do.
pub(crate) fn located(error: Error, program: &Program, sources: &Sources) -> Error {
    let is_setting = error.code() == Error::USAGE;
    error.map(|sentence| match is_setting {
        true => sources.origins.located(program, sentence),
        false => sources.origins.named(program, sentence),
    })
}
