//! Locks of a program: the one that its author built in, and the one that its operator names. A server that differs from
//! one of them does not start.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::path::Path;

use anstream::{AutoStream, ColorChoice};
use anstyle::Style;
use pymcp_kit::manifest::{Change, Class, Lock, Manifest, Projection, count};
use pymcp_kit::{Server, telemetry};

use crate::output::{BAD, DIM, GOOD, STRONG, WARN};
use crate::program::Program;
use crate::settings::lock::LockSettings;
use crate::sources::Origins;
use crate::{Error, Result, file};

/// Lines of a difference that a server prints when it does not start.
const MAX_LINES: usize = 200;

/// Bytes of a line of a difference that it prints then.
const MAX_LINE: usize = 1000;

/// Reads a lock.
///
/// # Errors
/// What is wrong with it, as what follows its name in a sentence.
pub(crate) fn read(path: &Path) -> Result<Lock, String> {
    let text = file::read_up_to(path, file::PATIENCE, Lock::MAX_BYTES as u64)?;
    Lock::parse(&text).map_err(|bad| bad.to_string())
}

/// The manifest of a server, as a lock pins it.
///
/// # Errors
/// Something in it cannot be in a manifest, as a text that is not NFC.
pub(crate) fn manifest(server: &Server, projection: Projection) -> Result<Manifest> {
    let manifest = server.manifest(projection);
    manifest.map_err(|error| Error::other(error.to_string()))
}

/// Refuses a server that differs from its locks, as far as it has any, and says on stderr how.
///
/// # Errors
/// It differs, or a lock cannot be used.
pub(crate) fn hold(
    program: &Program,
    origins: &Origins,
    settings: &LockSettings,
    server: &Server,
) -> Result<()> {
    let name = &program.name;
    if let Some(text) = &program.lock {
        let unusable =
            |what: String| Error::other(format!("The lock that is built into {name} {what}."));
        let lock = Lock::parse(text).map_err(|bad| unusable(bad.to_string()))?;
        let now = manifest(server, Projection::Code)?;
        let mut changes = lock.drift(&now).map_err(|bad| unusable(bad.to_string()))?;
        changes.retain(|change| !is_decided(program, origins, change));
        let hint = format!(
            "If that is meant, write the lock anew in the sources, review what changed, and build: {name} lock --accept"
        );
        refuse("the lock that is built in", &changes, hint)?;
    }
    if let Some((path, lock)) = settings.read()? {
        let now = manifest(server, Projection::Full)?;
        let changes = lock.drift(&now).map_err(|bad| {
            Error::setting(format!("--locked is '{path}', which {bad}.")).hint(format!(
                "{name} lock --projection full FILE writes one that a server can be started with."
            ))
        })?;
        let hint = format!(
            "If that is meant, review what changed: {name} lock --projection full {path} --accept, with the same \
             --config and --env-file (and --sign). It knows no other flags of serve: what those set has to come from \
             the environment or a file."
        );
        refuse(&path, &changes, hint)?;
    }
    Ok(())
}

/// Whether a setting that is given decides what changed.
fn is_decided(program: &Program, origins: &Origins, change: &Change) -> bool {
    let place = change.place();
    let mut decides = program.decides.iter();
    decides.any(|(flag, decided)| {
        let below = place.strip_prefix(decided.as_str());
        let is_there = below.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ' ']));
        is_there && origins.has(flag)
    })
}

fn refuse(lock: &str, changes: &[Change], hint: String) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let shown: String = changes.iter().map(|change| format!("{change}\n")).collect();
    let colours =
        io::stderr().is_terminal() && AutoStream::choice(&io::stderr()) != ColorChoice::Never;
    telemetry::say(bounded(&shown, colours).trim_end());
    let sentence = format!(
        "The server differs from {lock} and does not start: {}.",
        count(changes)
    );
    Err(Error::other(sentence).hint(hint))
}

/// The first lines of a difference, as long as a screen and a log take them.
fn bounded(shown: &str, colours: bool) -> String {
    let mut text = String::new();
    for line in shown.lines().take(MAX_LINES) {
        let end = line.floor_char_boundary(MAX_LINE);
        let dots = if end < line.len() { "…" } else { "" };
        let line = format!("{}{dots}", &line[..end]);
        match colours {
            true => text.push_str(&coloured(&line)),
            false => text.push_str(&line),
        }
        text.push('\n');
    }
    let more = shown.lines().count().saturating_sub(MAX_LINES);
    if more > 0 {
        // Writing to memory cannot fail.
        let _ = writeln!(text, "… and {more} lines more");
    }
    text
}

/// A line of a change with its colours: what goes is red, what comes green, and the class as much as it matters.
pub(crate) fn coloured(line: &str) -> String {
    let styled = |style: Style, text: &str| format!("{style}{text}{style:#}");
    if let Some(rest) = line.strip_prefix("  ") {
        return match rest.chars().next() {
            Some('-') => styled(BAD, line),
            Some('+') => styled(GOOD, line),
            _ => styled(DIM, line),
        };
    }
    let class = Class::ALL
        .iter()
        .find(|class| line.starts_with(class.as_str()));
    match class {
        Some(class) => {
            let (class_name, rest) = line.split_at(class.as_str().len());
            let style = match class {
                Class::Breaking => BAD,
                Class::Routing => WARN,
                Class::Info => DIM,
            };
            format!("{}{}", styled(style, class_name), styled(STRONG, rest))
        }
        None => line.to_owned(),
    }
}
