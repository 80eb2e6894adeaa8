//! `keys`: makes the file of `--state-keys`, and adds keys to it; makes keys that sign locks.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{ArgMatches, Args as _, Command, Subcommand};
use pymcp_kit::manifest::{PublicKey, SigningKey};
use pymcp_kit::{KeyRing, telemetry};
use serde_json::json;

use crate::output::{Output, OutputArgs};
use crate::settings::keys;
use crate::verbs::parsed;
use crate::{Error, Result};
use pymcp_kit::reason::reason;

pub(crate) const NAME: &str = "keys";

/// What a file of a key that signs locks has to be.
const SIGNING: &str = "a file with an Ed25519 key in PEM, as \"keys signing\" writes it";

/// Make keys that sign: what clients carry, or locks
///
/// Clients carry session ids, pending elicitations and cursors: see --state-keys. Locks are what "lock" writes.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write a file with a new key for --state-keys
    New {
        /// The file, which only its owner can read.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Add a new key to a file that is there: it signs from then on, and the others still verify.
        #[arg(long)]
        add: bool,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Write a file with a new Ed25519 key that signs locks (lock --sign), and print its public key for --trust
    Signing {
        /// The file, in PEM, which only its owner can read.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Print the public key of a key that signs locks, for --trust
    Public {
        /// The file that "keys signing" has written, or another with an Ed25519 key in PEM.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        output: OutputArgs,
    },
}

pub(crate) fn command() -> Command {
    Args::augment_args(Command::new(NAME)).disable_help_subcommand(true)
}

pub(crate) fn run(matches: &ArgMatches) -> Result<()> {
    match parsed::<Args>(matches)?.verb {
        Verb::New { file, add, output } => new(&file, add, output),
        Verb::Signing { file, output } => {
            let (key, text) = SigningKey::generate().map_err(|_| no_randomness())?;
            write_new(&file, &text)
                .map_err(|error| unwritten(&file, &error, "name another file"))?;
            public(&file, key.public(), output)
        }
        Verb::Public { file, output } => {
            let key = signing(&file).map_err(|must| {
                Error::setting(format!("FILE is '{}', but must be {must}.", file.display()))
            })?;
            public(&file, key.public(), output)
        }
    }
}

/// Reads a key that signs locks; its text is in no error.
///
/// # Errors
/// What the file has to be.
pub(crate) fn signing(file: &Path) -> Result<SigningKey, String> {
    let text = keys::text_of(file, SIGNING)?;
    SigningKey::parse(&text).ok_or_else(|| SIGNING.to_owned())
}

fn public(file: &Path, key: PublicKey, output: OutputArgs) -> Result<()> {
    let output = Output::new(output);
    match output.is_json() {
        true => output.value(&json!({ "file": file, "public": key })),
        false => output.line(key),
    }
}

fn new(file: &Path, add: bool, output: OutputArgs) -> Result<()> {
    let shown = file.display();
    let ring = match add {
        true => add_to(file)?,
        false => make(file)?,
    };
    let fingerprint = ring.fingerprint();
    let output = Output::new(output);
    if output.is_json() {
        return output.value(&json!({ "file": file, "added": add, "fingerprint": fingerprint }));
    }
    telemetry::say(&match add {
        true => format!(
            "{shown} has a new key, which signs, and those that it had; their fingerprint is {fingerprint}."
        ),
        false => format!(
            "{shown} has a new key with the fingerprint {fingerprint}; start every replica with --state-keys {shown}."
        ),
    });
    Ok(())
}

fn make(file: &Path) -> Result<KeyRing> {
    let line = line()?;
    let ring = keys::parse(&line).and_then(|keys| keys.ring());
    let ring = ring.ok_or_else(|| Error::other("The key that was made cannot be used."))?;
    let way_out = "add a key to it with --add, or name another file";
    write_new(file, &line).map_err(|error| unwritten(file, &error, way_out))?;
    Ok(ring)
}

fn unwritten(file: &Path, error: &io::Error, way_out: &str) -> Error {
    let shown = file.display();
    match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Error::setting(format!("{shown} exists already; {way_out}."))
        }
        _ => Error::other(format!("{shown} cannot be written: {}.", reason(error))),
    }
}

fn add_to(file: &Path) -> Result<KeyRing> {
    let shown = file.display();
    let text = keys::text(file)
        .map_err(|must| Error::setting(format!("FILE is '{shown}', but must be {must}.")))?;
    let text = line()? + &text;
    if text.len() as u64 > keys::MAX_BYTES {
        return Err(Error::setting(format!(
            "{shown} has no room for another key, since it may have {} KiB; take out what has expired.",
            keys::MAX_BYTES >> 10
        )));
    }
    let ring = keys::parse(&text).and_then(|keys| keys.ring());
    let ring = ring.ok_or_else(|| {
        Error::setting(format!(
            "{shown} has a line that is no key, or two keys of one name: a key is a name, a space and at least {} bytes in base64.",
            KeyRing::MIN_KEY_BYTES
        ))
    })?;
    // Whoever reads meanwhile has the old file or the new one.
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let failed =
        |error: io::Error| Error::other(format!("{shown} cannot be written: {}.", reason(&error)));
    write_new(&beside, &text).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Error::setting(format!(
            "{} exists already, so a key may just be being added; delete it if not.",
            beside.display()
        )),
        _ => failed(error),
    })?;
    std::fs::rename(&beside, file).map_err(|error| {
        // What cannot take its place must not lie about.
        let _ = std::fs::remove_file(&beside);
        failed(error)
    })?;
    Ok(ring)
}

fn no_randomness() -> Error {
    Error::other("The operating system's random number generator failed; no key was made.")
}

/// A new key as the file has it.
fn line() -> Result<String> {
    let mut bytes = [0; 4 + KeyRing::MIN_KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| no_randomness())?;
    let [a, b, c, d, key @ ..] = bytes;
    let name = u32::from_be_bytes([a, b, c, d]);
    Ok(format!("key-{name:08x} {}\n", STANDARD.encode(key)))
}

/// Writes a file that is not there yet, for its owner alone.
fn write_new(file: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut open: File = options.open(file)?;
    let written = open
        .write_all(text.as_bytes())
        .and_then(|()| open.sync_all());
    if written.is_err() {
        // Half a key is none.
        let _ = std::fs::remove_file(file);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_made_once_and_keys_are_added_in_front() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys");
        let read = || keys::read(file.to_str().unwrap()).unwrap().ring().unwrap();
        assert!(
            add_to(&file)
                .unwrap_err()
                .sentence()
                .unwrap()
                .contains("must be a file")
        );
        let first = make(&file).unwrap();
        assert_eq!(read().fingerprint(), first.fingerprint());
        let before = std::fs::read_to_string(&file).unwrap();
        let refused = make(&file).unwrap_err();
        assert!(refused.sentence().unwrap().contains("--add"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
        let both = add_to(&file).unwrap();
        assert_eq!(read().fingerprint(), both.fingerprint());
        let after = std::fs::read_to_string(&file).unwrap();
        assert!(
            after.ends_with(&before) && after.lines().count() == 2,
            "it signs first"
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        std::fs::write(&file, format!("# ours\n{after}nonsense\n")).unwrap();
        let refused = |file: &Path| add_to(file).unwrap_err().sentence().unwrap().to_owned();
        assert!(refused(&file).contains("a line that is no key"));
        let full = folder.path().join("full");
        make(&full).unwrap();
        let room = keys::MAX_BYTES as usize - std::fs::read(&full).unwrap().len();
        let text = std::fs::read_to_string(&full).unwrap() + &"#".repeat(room);
        std::fs::write(&full, text).unwrap();
        assert!(refused(&full).contains("no room for another key"));
        assert!(
            std::fs::read_to_string(&file)
                .unwrap()
                .ends_with("nonsense\n")
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys");
        let mode = || std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        make(&file).unwrap();
        assert_eq!(mode(), 0o600);
        add_to(&file).unwrap();
        assert_eq!(mode(), 0o600);
        for open in [0o640, 0o604, 0o660] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(open)).unwrap();
            for refused in [
                keys::read(file.to_str().unwrap()).unwrap_err(),
                add_to(&file).unwrap_err().sentence().unwrap().to_owned(),
            ] {
                assert!(refused.contains("chmod 600"), "{refused}");
            }
        }
    }
}
