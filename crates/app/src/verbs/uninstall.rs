//! `uninstall`: takes this server out of a client's file again.

use std::path::Path;

use clap::{ArgMatches, Args as _, Command};
use serde_json::Value;

use super::install::{PlaceArgs, Report, opened, refused};
use crate::install::file::ClientFile;
use crate::install::format::Slot;
use crate::install::{Client, binary};
use crate::output::{Output, OutputArgs};
use crate::program::Program;
use crate::verbs::parsed;
use crate::{Error, Result};

pub(crate) const NAME: &str = "uninstall";

/// Take this server out of a client's file
///
/// If nothing but "install --write" has changed the file, it becomes what it was before, byte for byte; otherwise the
/// server alone is taken out, and what the file was is kept beside it.
#[derive(Debug, clap::Args)]
#[group(skip)]
struct Args {
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn command() -> Command {
    Args::augment_args(Command::new(NAME))
}

pub(crate) fn run(matches: &ArgMatches, program: &Program) -> Result<()> {
    let args = parsed::<Args>(matches)?;
    let (client, _, place) = args.place.resolve()?;
    let output = Output::new(args.output);
    let name = args.place.name(program);
    let slot = client.slot(&name);
    let (file, text) = opened(&place)?;
    let refused = |reason: String| refused(&place, &reason);
    let shown = place.path.display();
    let mut report = Report {
        file: Some(file.path()),
        ..Report::new(client, "absent", &slot.name)
    };
    let Some(entry) = slot.find(&text).map_err(refused)? else {
        return match output.is_json() {
            true => output.value(&report),
            false => output.line(format_args!(
                "{} has no server '{}' in {shown}; nothing is changed.",
                client.name, slot.name
            )),
        };
    };
    if args.place.name.is_none()
        && let Some(other) = client.fields.command(&entry)
        && !is_this_program(other)
    {
        return Err(Error::other(format!(
            "The server '{}' in {shown} is another program; nothing is changed.",
            slot.name
        ))
        .hint(format!("--name {} takes it out all the same.", slot.name)));
    }
    let mut kept = None;
    let said = match before(client, &slot, &file, &name, &text, &entry) {
        Before::Nothing => {
            file.delete().map_err(refused)?;
            report.status = "restored";
            "which is removed, as there was none before".to_owned()
        }
        Before::Kept => {
            file.restore(&name).map_err(refused)?;
            report.status = "restored";
            "which is what it was before".to_owned()
        }
        Before::Other => {
            let changed = slot.remove(&text).map_err(refused)?;
            kept = file.write(&changed, &name, true).map_err(refused)?;
            report.status = "removed";
            match &kept {
                Some(kept) => format!("where all else stays; what it was is in {}", kept.display()),
                None => "where all else stays".to_owned(),
            }
        }
    };
    report.backup = kept.as_deref();
    match output.is_json() {
        true => output.value(&report),
        false => output.line(format_args!(
            "{} has the server '{}' no more, in {shown}, {said}.",
            client.name, slot.name
        )),
    }
}

/// What a file was before the server was added, as far as can be told.
enum Before {
    /// There was none.
    Nothing,
    /// What was kept of it then.
    Kept,
    /// More has changed since, or nobody knows.
    Other,
}

/// Adding the server to what was kept tells: it gives the file of now if nothing else has changed.
fn before(
    client: &Client,
    slot: &Slot,
    file: &ClientFile,
    name: &str,
    text: &str,
    entry: &Value,
) -> Before {
    let Value::Object(fields) = entry else {
        return Before::Other;
    };
    let gives = |before: &str| slot.set(before, fields).is_ok_and(|after| after == text);
    // An older entry of this program would come back.
    let has_own = |before: &str| {
        let found = slot.find(before).ok().flatten();
        let command = found
            .as_ref()
            .and_then(|entry| client.fields.command(entry));
        command.is_some_and(is_this_program)
    };
    match file.kept(name) {
        Some(kept) if gives(&kept) && !has_own(&kept) => Before::Kept,
        None if gives("") => Before::Nothing,
        _ => Before::Other,
    }
}

/// Whether a command is this program, here or in another place.
fn is_this_program(command: &str) -> bool {
    let own = binary::path();
    let own = own
        .as_deref()
        .ok()
        .and_then(|path| Path::new(path).file_stem());
    own.is_some() && Path::new(command).file_stem() == own
}
