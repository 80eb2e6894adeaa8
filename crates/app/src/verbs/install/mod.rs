//! `install`: has a client start this server, or reach it over HTTP. Prints what belongs where, or writes it.

mod arguments;
mod report;

use std::path::Path;

use clap::{ArgMatches, Args as _, Command};
use pymcp_kit::telemetry;
use serde_json::{Map, Value};
use url::{Host, Url};

pub(super) use self::arguments::PlaceArgs;
use self::arguments::{Args, server};
pub(super) use self::report::Report;

use crate::install::file::ClientFile;
use crate::install::place::{Os, Place, Scope};
use crate::install::{Client, Reached, ServerEntry, binary, diff, offer};
use crate::output::{Output, visible};
use crate::program::Program;
use crate::verbs::parsed;
use crate::{Error, Result};

pub(crate) const NAME: &str = "install";

pub(crate) fn command() -> Command {
    Args::augment_args(Command::new(NAME))
}

pub(crate) fn run(matches: &ArgMatches, program: &Program) -> Result<()> {
    let args = parsed::<Args>(matches)?;
    let (client, scope, place) = args.place.resolve()?;
    let server = server(&args, program)?;
    let output = Output::new(args.output);
    let Some(entry) = client.fields.entry(&server) else {
        return in_settings(client, &server, &output);
    };
    doubts(program, &server);
    let install = Install {
        args: &args,
        program,
        client,
        scope,
        place,
        server,
        entry,
        output,
    };
    match args.write {
        true => install.write(),
        false => install.print(),
    }
}

/// What is to be installed where.
struct Install<'a> {
    args: &'a Args,
    program: &'a Program,
    client: &'static Client,
    scope: Scope,
    place: Place,
    server: ServerEntry,
    entry: Map<String, Value>,
    output: Output,
}

/// Says what may not work for long.
fn doubts(program: &Program, server: &ServerEntry) {
    match &server.reached {
        Reached::Stdio { command, .. } => {
            if let Some(doubt) = binary::doubt(Path::new(command)) {
                say(
                    program,
                    &format!("{command} {doubt}; install the program in another place first."),
                );
            }
        }
        Reached::Http { url, headers } => {
            if is_in_clear(url) && !headers.is_empty() {
                say(
                    program,
                    "the headers will cross the network unencrypted; use an https URL.",
                );
            }
        }
    }
}

/// Whether others on the network can read what is sent there.
fn is_in_clear(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else {
        return false;
    };
    let is_local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "http" && !is_local
}

/// What a client takes in its settings alone.
fn in_settings(client: &Client, server: &ServerEntry, output: &Output) -> Result<()> {
    let (Reached::Http { url, .. }, Some(place)) = (&server.reached, client.http_in_settings)
    else {
        return Err(Error::setting(format!(
            "{} cannot have this server.",
            client.name
        )));
    };
    Err(Error::other(format!(
        "{} has no servers over HTTP in its file. Add {url} in {place}.",
        client.name
    ))
    .hint(match output.is_json() {
        true => "Without --http it starts the server itself, from its file.",
        false => "Without --http it starts the server itself, and --write puts that into its file.",
    }))
}

impl Install<'_> {
    fn print(&self) -> Result<()> {
        let Self { client, server, .. } = self;
        let text = client.slot(&server.name).written(&self.entry);
        let text = text.map_err(|reason| refused(&self.place, &reason))?;
        // The client's own commands and links write its usual files.
        let is_usual = self.args.place.config_path.is_none();
        let words = offer::add_command(client, server, self.scope).filter(|_| is_usual);
        let is_users = is_usual && self.scope == Scope::User;
        let link = offer::link(client, server).filter(|_| is_users);
        if self.output.is_json() {
            return self.output.value(&Report {
                file: Some(&self.place.path),
                text: Some(&text),
                command: words.as_deref(),
                link: link.as_deref(),
                next: Some(client.next),
                ..Report::new(client, "printed", &server.name)
            });
        }
        telemetry::say(&format!(
            "{} reads this below '{}' in {}; --write adds it there:\n",
            client.name,
            client.key,
            self.place.path.display()
        ));
        self.output.line(text.trim_end())?;
        if let Some(words) = words {
            let line = offer::line(&words, Os::HERE);
            telemetry::say(&format!("\nOr type:\n\n  {line}"));
        }
        if let Some(link) = link {
            telemetry::say(&format!("\nOr open:\n\n  {link}"));
        }
        telemetry::say(&format!("\n{}", client.next));
        Ok(())
    }

    fn write(&self) -> Result<()> {
        let Self { client, output, .. } = self;
        let slot = client.slot(&self.server.name);
        let (file, text) = opened(&self.place)?;
        let refused = |reason: String| refused(&self.place, &reason);
        let before = slot.find(&text).map_err(refused)?;
        let wanted = Value::Object(self.entry.clone());
        let mut report = Report {
            file: Some(file.path()),
            ..Report::new(client, "added", &slot.name)
        };
        let shown = self.place.path.display();
        match &before {
            Some(before) if client.fields.same(before, &wanted) => {
                report.status = "unchanged";
                return match output.is_json() {
                    true => output.value(&report),
                    false => output.line(format_args!(
                        "{} has the server '{}' already, in {shown}; nothing is changed.",
                        client.name, slot.name
                    )),
                };
            }
            Some(before) if !self.args.replace => {
                report.status = "different";
                let difference = diff::difference(client, &slot, before, &wanted);
                match output.is_json() {
                    true => output.value(&report)?,
                    false => {
                        let difference = difference.map_err(refused)?;
                        output.line(visible(difference.trim_end()))?;
                    }
                }
                return Err(Error::other(format!(
                    "{shown} has another server '{}'; nothing is changed.",
                    slot.name
                ))
                .hint("--replace takes its place, --name gives this one another name."));
            }
            Some(_) => report.status = "replaced",
            None => {}
        }
        let changed = slot.set(&text, &self.entry).map_err(|reason| {
            let lines = slot.written(&self.entry).unwrap_or_default();
            refused(reason).hint(lines.trim_end().replace('\n', "\n  "))
        })?;
        let is_users = self.scope == Scope::User;
        let backup = file.write(&changed, &self.server.name, is_users);
        let backup = backup.map_err(refused)?;
        report.backup = backup.as_deref();
        report.next = Some(client.next);
        match output.is_json() {
            true => output.value(&report)?,
            false => {
                let kept = match &backup {
                    Some(backup) => format!("; what it was is in {}", backup.display()),
                    None => String::new(),
                };
                output.line(format_args!(
                    "{} has the server '{}' now, in {shown}{kept}.\n{}",
                    client.name, slot.name, client.next
                ))?;
            }
        }
        self.warn(&file);
        Ok(())
    }

    /// Says what may not be as it is wanted in a file that was written.
    fn warn(&self, file: &ClientFile) {
        let (client, shown) = (self.client.name, self.place.path.display());
        if !file.has_folder() && self.scope == Scope::User {
            say(
                self.program,
                &format!("the folder of {shown} is new: is {client} installed?"),
            );
        }
        let secret = !self.args.env.is_empty() || !self.args.header.is_empty();
        if secret && file.is_open_to_others() {
            say(
                self.program,
                &format!(
                    "others can read {shown}, which has the values of --env and --header; chmod 600 leaves it to you."
                ),
            );
        }
    }
}

/// A client's file and its text.
pub(super) fn opened(place: &Place) -> Result<(ClientFile, String)> {
    let file = ClientFile::open(place).map_err(|reason| refused(place, &reason))?;
    let text = file.text().map_err(|reason| refused(place, &reason))?;
    let text = text.to_owned();
    Ok((file, text))
}

/// A file that is not changed.
pub(super) fn refused(place: &Place, reason: &str) -> Error {
    Error::other(format!(
        "{} {reason}. Nothing is changed.",
        place.path.display()
    ))
}

fn say(program: &Program, sentence: &str) {
    telemetry::say(&format!("{}: {sentence}", program.name()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_leaves_the_machine_is_in_clear() {
        for url in [
            "http://example.com",
            "http://localhost.example.com:1",
            "http://10.0.0.1",
        ] {
            assert!(is_in_clear(url), "{url}");
        }
        for url in [
            "https://example.com",
            "http://localhost:1",
            "http://127.0.0.2",
            "http://[::1]:1",
        ] {
            assert!(!is_in_clear(url), "{url}");
        }
    }
}
