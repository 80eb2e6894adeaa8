//! `shell`: one connection, and many commands over it, typed or from a script on stdin.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `mod` | the loop, and which verbs there are |
//! | `words` | a line as words |
//! | `complete` | what Tab offers |
//! | `history` | lines of before |
//!
//! A verb is a name in [`VERBS`]: it has to do its work by [`client::run`](crate::client::run).

mod complete;
mod history;
mod words;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _};
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args as _, Command};
use pymcp_kit::telemetry;
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{CompletionType, Config, Editor};

use self::complete::{Completions, Lists};
use self::words::words;
use super::BuiltIn;
use crate::client::{self, Connection, Open, Stop, TargetArgs, UserArgs};
use crate::host::Host;
use crate::output::{Output, visible};
use crate::program::Program;
use crate::refusal::{Line, refusal};
use crate::sources::{self, Origins};
use crate::verbs::parsed;
use crate::{Error, Result};

pub(crate) const NAME: &str = "shell";

/// The verbs of the program that the shell has too.
const VERBS: [&str; 7] = [
    "list", "call", "read", "prompt", "complete", "ping", "inspect",
];

const HELP: &str = "help";
const QUIT: [&str; 2] = ["quit", "exit"];

/// Bytes of a line of a script.
const MAX_LINE: u64 = 1 << 20;

/// Characters of the server's name in the prompt.
const MAX_PROMPT: usize = 32;

/// Connect to a server once, and type many commands
///
/// Commands are those of the program, without what says which server: `list`, `call`, `read`, `prompt`, `complete`, `ping`,
/// `inspect`, and `help` and `quit`. Tab completes commands, names, arguments and values; Ctrl-C ends the call that is under
/// way, and not the shell. Where stdin is no terminal it is a script of such lines, which ends at the first that fails, with its
/// exit code.
#[derive(Debug, clap::Args)]
#[group(skip)]
struct Args {
    #[command(flatten)]
    user: UserArgs,
    #[command(flatten)]
    target: TargetArgs,
}

pub(crate) fn command() -> Command {
    Args::augment_args(Command::new(NAME))
}

pub(crate) fn run(matches: &ArgMatches, host: Host<'_>) -> Result<()> {
    let Args { user, target } = parsed::<Args>(matches)?;
    let program = host.program;
    let is_terminal = io::stdin().is_terminal();
    let editor = is_terminal.then(editor).transpose()?;
    let runtime = client::runtime()?;
    let connection = runtime.block_on(async {
        let stop = match is_terminal {
            true => Stop::each_time(),
            // A script ends with its first interrupt.
            false => Stop::once()?,
        };
        Connection::open(host, &target, user, stop).await
    })?;
    let shell = Shell {
        program,
        open: Open {
            runtime: &runtime,
            connection: &connection,
        },
        verbs: verbs(),
    };
    let ended = match editor {
        Some(editor) => shell.typed(editor),
        none => {
            // Nothing of it may be left when the connection is closed.
            drop(none);
            shell.script()
        }
    };
    runtime.block_on(connection.close());
    runtime.shutdown_background();
    ended
}

/// What reads lines from a terminal. It has to be made before Ctrl-C is listened for: it takes that signal for itself, and
/// who comes later is asked first.
fn editor<'a>() -> Result<Editor<Completions<'a>, MemHistory>> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .auto_add_history(false)
        .build();
    Editor::with_history(config, MemHistory::new()).map_err(no_terminal)
}

fn no_terminal(error: ReadlineError) -> Error {
    Error::other(format!("This terminal cannot be used: {error}."))
}

/// A verb as the shell has it.
struct Verb {
    built_in: &'static BuiltIn,
    command: Command,
}

/// The verbs that the program has, without what says which server and how.
fn verbs() -> BTreeMap<&'static str, Verb> {
    let of_connection = of_connection();
    let found = VERBS.iter().filter_map(|name| {
        let built_in = super::named(name)?;
        let command = (built_in.command)().mut_args(|argument| {
            match of_connection.iter().any(|id| argument.get_id() == id) {
                true => argument.hide(true),
                false => argument,
            }
        });
        Some((*name, Verb { built_in, command }))
    });
    found.collect()
}

/// The arguments that a connection is made with.
fn of_connection() -> Vec<String> {
    let command = UserArgs::augment_args(TargetArgs::augment_args(Command::new(NAME)));
    command
        .get_arguments()
        .map(|argument| argument.get_id().to_string())
        .collect()
}

/// What becomes of a line.
#[derive(Debug, PartialEq)]
enum Then {
    Go,
    Quit,
}

struct Shell<'a> {
    program: &'a Program,
    open: Open<'a>,
    verbs: BTreeMap<&'static str, Verb>,
}

impl Shell<'_> {
    /// Reads a script; ends at the first line that fails.
    fn script(&self) -> Result<()> {
        let mut stdin = io::stdin().lock();
        for number in 1_u64.. {
            let mut line = String::new();
            let read = (&mut stdin).take(MAX_LINE).read_line(&mut line);
            let at = |sentence: &str| format!("line {number}: {sentence}");
            let failed = |what: &str| Error::setting(at(what));
            match read {
                Ok(0) => break,
                Ok(_) if line.ends_with('\n') || (line.len() as u64) < MAX_LINE => {}
                Ok(_) => return Err(failed(&format!("It has more than {MAX_LINE} bytes."))),
                Err(_) => return Err(failed("It is no UTF-8 text.")),
            }
            if self.line(&line).map_err(|error| error.map(at))? == Then::Quit {
                break;
            }
        }
        Ok(())
    }

    /// Reads what a person types, until they leave or the server does.
    fn typed<'s>(&'s self, mut editor: Editor<Completions<'s>, MemHistory>) -> Result<()> {
        editor.set_helper(Some(self.completions()));
        let file = history::file(&self.program.name, |name| {
            std::env::var_os(name).map(PathBuf::from)
        });
        for line in file.iter().flat_map(|file| history::read(file)) {
            // A line that is there already is no matter.
            let _ = editor.add_history_entry(line);
        }
        let connection = self.open.connection;
        self.greet();
        let prompt = format!("{}> ", self.server_name());
        loop {
            // What was said meanwhile comes first.
            telemetry::flush();
            let line = match editor.readline(&prompt) {
                Ok(line) => line,
                Err(ReadlineError::Interrupted) => continue,
                Err(ReadlineError::Eof) => return Ok(()),
                Err(error) => return Err(no_terminal(error)),
            };
            let line = line.trim_end();
            // One that was typed twice is kept once; a file that cannot be written forgets with the shell.
            if history::is_kept(line)
                && editor.add_history_entry(line).unwrap_or(false)
                && let Some(file) = &file
            {
                let _ = history::add(file, line);
            }
            match self.line(line) {
                Ok(Then::Go) => {}
                Ok(Then::Quit) => return Ok(()),
                Err(error) => {
                    if let Some(text) = error.text() {
                        telemetry::say(&text);
                    }
                }
            }
            if connection.is_closed() {
                let gone = format!("{} has closed the connection.", connection.target());
                return Err(Error::unreached(gone));
            }
        }
    }

    /// What the server calls itself, as far as a prompt has room for it.
    fn server_name(&self) -> String {
        let server = self.open.connection.server();
        let name = server.server_info.as_ref().map(|info| info.name.as_str());
        let name = visible(name.unwrap_or(&self.program.name)).replace(['\n', '\t'], " ");
        name.chars().take(MAX_PROMPT).collect()
    }

    fn greet(&self) {
        let connection = self.open.connection;
        let (name, target) = (self.server_name(), connection.target());
        let version = connection.server().protocol_version.to_string();
        telemetry::say(&format!(
            "Connected to {name} ({target}, MCP {}). help lists the commands, Tab completes, Ctrl-D ends.",
            visible(&version)
        ));
    }

    fn completions(&self) -> Completions<'_> {
        let verbs = self.verbs.iter();
        let commands = verbs.map(|(name, verb)| ((*name).to_owned(), verb.command.clone()));
        let others = [HELP, QUIT[0]].map(|name| (name.to_owned(), Command::new(name)));
        Completions {
            commands: commands.chain(others).collect(),
            server: Lists::new(self.open),
        }
    }

    /// Does what a line says.
    fn line(&self, line: &str) -> Result<Then> {
        let words = words(line).map_err(|what| Error::setting(format!("{what}.")))?;
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        match &words[..] {
            [] => Ok(Then::Go),
            [quit] if QUIT.contains(quit) => Ok(Then::Quit),
            [HELP] => self.help(),
            [HELP, name] => self.help_of(name),
            [name, ..] => {
                let verb = self.verbs.get(name).ok_or_else(|| self.unknown(name))?;
                self.run(verb, &words)
            }
        }
    }

    fn run(&self, verb: &Verb, words: &[&str]) -> Result<Then> {
        if words.contains(&"-") {
            return Err(Error::setting(
                "- reads stdin, from which the shell reads its commands; use @FILE.",
            ));
        }
        let parsed = verb.command.clone().try_get_matches_from(words);
        let matches = match parsed {
            Ok(matches) => matches,
            Err(error) if error.use_stderr() => {
                let words: Vec<OsString> = words.iter().map(Into::into).collect();
                let line = Line::of(&verb.command, &words);
                return Err(refusal(&error, self.program, &Origins::default(), &line));
            }
            Err(help) => {
                // Nobody is left to tell when stdout is closed.
                let _ = help.print();
                return Ok(Then::Go);
            }
        };
        let given = |id: &&String| {
            matches!(matches.try_contains_id(id), Ok(true))
                && matches.value_source(id) == Some(ValueSource::CommandLine)
        };
        if let Some(argument) = of_connection().iter().find(given) {
            let flag = argument.replace('_', "-");
            return Err(Error::setting(format!(
                "--{flag} is said of the whole connection; give it to {NAME}."
            )));
        }
        let host = Host::connected(self.program, self.open);
        (verb.built_in.run)(&matches, host).map(|()| Then::Go)
    }

    fn unknown(&self, name: &str) -> Error {
        let known = self.verbs.keys().copied().chain([HELP, QUIT[0]]);
        let meant = sources::nearest(name, known);
        let meant = meant.map_or_else(
            || ".".to_owned(),
            |meant| format!("; did you mean {meant}?"),
        );
        let name = sources::shown(name);
        Error::setting(format!("{name} is not a command of the shell{meant}"))
            .hint("help lists the commands.")
    }

    /// All commands with what they do.
    fn all(&self) -> Vec<Command> {
        let verbs = self.verbs.values().map(|verb| verb.command.clone());
        let own = [
            (HELP, "Say what the commands do"),
            (QUIT[0], "End the shell"),
        ];
        let own = own.map(|(name, about)| Command::new(name).about(about));
        verbs.chain(own).collect()
    }

    fn help(&self) -> Result<Then> {
        let output = Output::new(Default::default());
        for command in self.all() {
            let about = command.get_about().map(ToString::to_string);
            output.line(format_args!(
                "{:10} {}",
                command.get_name(),
                about.unwrap_or_default()
            ))?;
        }
        output.line("help NAME says more of one of them. Ctrl-C ends the call that is under way, Ctrl-D the shell.")?;
        Ok(Then::Go)
    }

    fn help_of(&self, name: &str) -> Result<Then> {
        let mut all = self.all().into_iter();
        let command = all.find(|command| command.get_name() == name);
        let mut command = command.ok_or_else(|| self.unknown(name))?;
        let output = Output::new(Default::default());
        output.line(command.render_long_help().ansi().to_string().trim_end())?;
        Ok(Then::Go)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verb_is_one_of_the_program_and_hides_what_a_connection_is_made_with() {
        let verbs = verbs();
        assert!(verbs.contains_key("ping"));
        for Verb { command, .. } in verbs.into_values() {
            let mut command = command;
            command.build();
            let help = command.render_long_help().to_string();
            for flag in ["--url", "--bearer", "--trace", "COMMAND"] {
                assert!(!help.contains(flag), "{help}");
            }
        }
    }
}
