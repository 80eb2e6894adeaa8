//! `version`: the version, and with `--verbose` what the program serves and how it was built.
//!
//! What an author adds with [`App::fact`](crate::App::fact) stands among the facts below.

use std::borrow::Cow;

use clap::{ArgMatches, Args as _, Command};
use pymcp_kit::protocol::{LEGACY_VERSIONS, MODERN_VERSION};
use serde_json::{Map, Value, json};

use crate::Result;
use crate::host::{Fact, Host};
use crate::output::{DIM, Output, OutputArgs, visible};
use crate::settings::Files;
use crate::verbs::parsed;

pub(crate) const NAME: &str = "version";

/// Print the version, and with --verbose how the program was built
#[derive(Debug, clap::Args)]
#[group(skip)]
struct Args {
    /// Protocol revisions, transports, TLS, allocator, build, and what else is said of the program.
    #[arg(long, short)]
    verbose: bool,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn command() -> Command {
    Args::augment_args(Command::new(NAME))
}

pub(crate) fn run(matches: &ArgMatches, host: Host<'_>) -> Result<()> {
    let Args { verbose, output } = parsed::<Args>(matches)?;
    let (name, version) = (&host.program.name, &host.program.version);
    let output = Output::new(output);
    let mut facts = match verbose {
        true => facts(host.facts),
        false => Vec::new(),
    };
    if verbose
        // What is wrong with other settings is told where they count.
        && let Ok(settled) = host.settle(&Files::default())
        && let Some(profile) = settled.shared.selection.set()
    {
        facts.push(("profile".to_owned(), profile));
    }
    if output.is_json() {
        let mut answer = json!({ "name": name, "version": version });
        if verbose {
            let facts = facts
                .into_iter()
                .map(|(name, value)| (name, Value::String(value)));
            answer["facts"] = Value::Object(facts.collect::<Map<_, _>>());
        }
        return output.value(&answer);
    }
    output.line(format_args!("{name} {version}"))?;
    let width = facts.iter().map(|(name, _)| name.chars().count()).max();
    let width = width.unwrap_or(0);
    for (name, value) in facts {
        // What a machine says of itself may be anything.
        let (name, value) = (visible(&name), visible(&value));
        output.line(format_args!("  {DIM}{name:width$}{DIM:#}  {value}"))?;
    }
    Ok(())
}

/// Names and values: those of every program, then those of the author, which win.
fn facts(own: &[Fact]) -> Vec<(String, String)> {
    let legacy = LEGACY_VERSIONS.iter().rev().copied();
    let revisions: Vec<_> = legacy.chain([MODERN_VERSION]).collect();
    let mut transports = vec!["stdio", "streamable HTTP", "HTTP+SSE (deprecated)"];
    if cfg!(unix) {
        transports.push("Unix sockets");
    }
    let allocator = match cfg!(all(target_os = "linux", target_env = "gnu")) {
        true => "malloc of glibc, which gives back what is not used",
        false => "the system's",
    };
    let build = format!(
        "{} for {} by {}",
        env!("BUILD_PROFILE"),
        env!("BUILD_TARGET"),
        env!("BUILD_RUSTC")
    );
    let all: [(&str, Cow<'_, str>); 5] = [
        ("protocol", revisions.join(", ").into()),
        ("transports", transports.join(", ").into()),
        (
            "tls",
            match cfg!(feature = "tls") {
                true => "1.2 and 1.3, rustls with ring",
                false => "none: built without the feature tls",
            }
            .into(),
        ),
        ("allocator", allocator.into()),
        ("build", build.into()),
    ];
    let mut facts: Vec<_> = all
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into_owned()))
        .collect();
    for Fact { name, value } in own {
        let value = value();
        match facts.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => facts.push((name.clone(), value)),
        }
    }
    facts
}
