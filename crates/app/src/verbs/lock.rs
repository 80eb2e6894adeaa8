//! `lock`: writes the file that says what the server exposes, and shows what differs from it.

use std::path::{Path, PathBuf};

use clap::{ArgMatches, Args as _, Command};
use pymcp_kit::manifest::{Change, Lock, Manifest, Projection, count};
use pymcp_kit::reason::reason;
use serde_json::json;

use crate::host::Host;
use crate::output::{Output, OutputArgs};
use crate::program::Program;
use crate::settings::Files;
use crate::verbs::manifest::{Of, of_own};
use crate::verbs::{keys, parsed};
use crate::{Error, Result, file, lock};

pub(crate) const NAME: &str = "lock";

/// Write what the server exposes into a lock, or show what differs from it
///
/// A lock that is there and differs stays as it is, and the exit code is 1, until --accept. With --check nothing is
/// written: exit code 0 if nothing differs, 1 if something does, 2 if nothing could be compared. The settings are those of
/// the environment and of the files that are named.
#[derive(Debug, clap::Args)]
#[group(skip)]
struct Args {
    /// The lock; without it NAME.lock here, with the name of the program.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// Write nothing, and say whether something differs.
    #[arg(long, conflicts_with_all = ["accept", "sign"])]
    check: bool,

    /// Write what the server exposes now over what the lock says. Signatures in it are of what it said, and go.
    #[arg(long)]
    accept: bool,

    /// What the lock covers: code, which is what an author wrote and builds in, or full, which is what a server with its
    /// settings is (--locked). Without it what the lock covers that is there, else code.
    #[arg(long, value_name = "NAME", value_enum, hide_possible_values = true)]
    projection: Option<Of>,

    /// Sign the lock with the key in this file, which "keys signing" writes.
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,

    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn command() -> Command {
    Args::augment_args(Command::new(NAME))
}

pub(crate) fn run(matches: &ArgMatches, host: Host<'_>) -> Result<()> {
    let args = parsed::<Args>(matches)?;
    let program = host.program;
    let default = || PathBuf::from(format!("{}.lock", program.name));
    let path = args.file.clone().unwrap_or_else(default);
    let key = args.sign.as_deref().map(|file| {
        keys::signing(file).map_err(|must| {
            Error::setting(format!(
                "--sign is '{}', but must be {must}.",
                file.display()
            ))
        })
    });
    let key = key.transpose()?;
    let found = found(&path, &args)?;
    let projection = match (args.projection, &found) {
        (Some(asked), _) => asked.into(),
        (None, Some(found)) => found.manifest().projection(),
        (None, None) => Projection::Code,
    };
    let settled = host.settle(&args.files)?;
    // That nothing could be compared must not pass for a difference.
    let now = of_own(program, settled, projection).map_err(|error| match args.check {
        true => error.with_code(Error::USAGE),
        false => error,
    })?;
    let locking = Locking {
        program,
        path: &path,
        args: &args,
        now: &now,
        output: Output::new(args.output),
    };
    let (mut next, changes) = match found {
        None if args.check => return Err(locking.missing()),
        None => (Lock::of(&now), Vec::new()),
        Some(found) => match found.drift(&now) {
            Ok(changes) if changes.is_empty() && key.is_none() => return locking.same(),
            Ok(changes) if changes.is_empty() => (found, changes),
            Ok(changes) => {
                locking.show(&changes)?;
                (Lock::of(&now), changes)
            }
            Err(_) if args.accept => (Lock::of(&now), Vec::new()),
            Err(bad) => return Err(locking.unusable(&bad.to_string())),
        },
    };
    if let Some(key) = key {
        next.sign(&key)
            .map_err(|bad| locking.unusable(&bad.to_string()))?;
    }
    locking.write(&next, &changes)
}

/// The lock that is there, if one is.
fn found(path: &Path, args: &Args) -> Result<Option<Lock>> {
    if !path.try_exists().unwrap_or(true) {
        return Ok(None);
    }
    match lock::read(path) {
        Ok(lock) => Ok(Some(lock)),
        Err(_) if args.accept => Ok(None),
        Err(what) => {
            let error = Error::setting(format!("{} {what}.", path.display()));
            Err(error.hint("Name another file, or have it written anew with --accept."))
        }
    }
}

/// What the verb does once it knows the server and the lock.
struct Locking<'a> {
    program: &'a Program,
    path: &'a Path,
    args: &'a Args,
    now: &'a Manifest,
    output: Output,
}

impl Locking<'_> {
    fn missing(&self) -> Error {
        let (path, name) = (self.path.display(), &self.program.name);
        Error::setting(format!("There is no {path}."))
            .hint(format!("{name} lock {path} writes it."))
    }

    fn unusable(&self, what: &str) -> Error {
        let error = Error::setting(format!("{} {what}.", self.path.display()));
        error.hint("Name another file, or have it written anew with --accept.")
    }

    /// Prints the changes, and refuses to go on unless they are accepted.
    fn show(&self, changes: &[Change]) -> Result<()> {
        let refused = !self.args.accept;
        if !self.output.is_json() {
            for change in changes {
                for line in change.to_string().lines() {
                    self.output.line(lock::coloured(line))?;
                }
            }
        } else if refused {
            self.answer(false, changes)?;
        }
        if !refused {
            return Ok(());
        }
        let (path, name) = (self.path.display(), &self.program.name);
        let error = Error::other(format!(
            "The server differs from {path}: {}.",
            count(changes)
        ));
        Err(error.hint(format!(
            "If that is meant: {name} lock {path} --accept{}",
            match self.now.projection() {
                Projection::Full if self.args.projection.is_some() => " --projection full",
                _ => "",
            }
        )))
    }

    /// Nothing differs, and nothing is to be done.
    fn same(&self) -> Result<()> {
        match self.output.is_json() {
            true => self.answer(false, &[]),
            false => self.output.line(format_args!(
                "{} is what the server exposes: {}",
                self.path.display(),
                self.now.digest()
            )),
        }
    }

    fn write(&self, lock: &Lock, changes: &[Change]) -> Result<()> {
        let text = lock
            .to_text()
            .map_err(|bad| self.unusable(&bad.to_string()))?;
        let path = self.path.display();
        file::replace(self.path, &text).map_err(|error| {
            Error::other(format!("{path} cannot be written: {}.", reason(&error)))
        })?;
        if self.output.is_json() {
            return self.answer(true, changes);
        }
        self.output
            .line(format_args!("{path} is written: {}", self.now.digest()))?;
        for signer in lock.signers() {
            self.output.line(format_args!("  signed by {signer}"))?;
        }
        match self.now.projection() {
            Projection::Full => {
                let name = &self.program.name;
                self.output
                    .line(format_args!("  {name} serve --locked {path} holds a server to it."))
            }
            _ if self.program.lock.is_none() => self.output.line(format_args!(
                "  .lock(include_str!(\"../{path}\")) on the App in src/main.rs holds the program to it."
            )),
            _ => Ok(()),
        }
    }

    fn answer(&self, written: bool, changes: &[Change]) -> Result<()> {
        self.output.value(&json!({
            "file": self.path,
            "projection": self.now.projection().id(),
            "digest": self.now.digest(),
            "written": written,
            "changes": changes,
        }))
    }
}
