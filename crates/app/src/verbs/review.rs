//! `review`: what a server may do, who may use it, and what a model reads of it.

use std::collections::BTreeMap;

use clap::{ArgMatches, Args as _, Command};
use pymcp_kit::manifest::{ItemKind, Projection};
use serde::Serialize;
use serde_json::{Value, json};

use super::list::Listed;
use crate::client::{self, Connection, Target, TargetArgs, UserArgs};
use crate::host::{Host, Own};
use crate::output::{Output, OutputArgs};
use crate::program::Program;
use crate::review::{self, FLAGS, Given, Item, Review, UNKNOWN};
use crate::settings::Shared;
use crate::settings::auth::Mode;
use crate::verbs::parsed;
use crate::{Error, Result, doctor, listen};

pub(crate) const NAME: &str = "review";

/// Show what a server may do, who may use it, and everything that a model reads of it
///
/// Of this program's own server, with the settings of the environment and of the files that are named: what its components
/// may reach, the worst first; who may call, and the limits; dangerous settings; every text that a model reads, with hidden
/// characters made visible; and the digest of the manifest. Of any other server: what it shows.
#[derive(Debug, clap::Args)]
#[group(skip)]
struct Args {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn command() -> Command {
    Args::augment_args(Command::new(NAME))
}

pub(crate) fn run(matches: &ArgMatches, host: Host<'_>) -> Result<()> {
    let Args { target, output } = parsed::<Args>(matches)?;
    let output = Output::new(output);
    let shown = |review: Review| match output.is_json() {
        true => output.value(&review),
        false => review::print(&review, output),
    };
    match target.target()? {
        Target::Own if host.open.is_none() => shown(of_own(host, &target)?),
        named => client::run(host, &target, UserArgs::default(), async |connection| {
            shown(of_another(connection, named.to_string()).await?)
        }),
    }
}

/// Everything there is to know of the program's own server.
fn of_own(host: Host<'_>, target: &TargetArgs) -> Result<Review> {
    let program = host.program;
    let settled = host.settle(&target.files)?;
    let shared = settled.shared.clone();
    let named = FLAGS.map(|flag| {
        let name = settled.sources.origins.name(program, flag);
        (flag, (name, doctor::machine::value(&settled.sources, flag)))
    });
    let runtime = client::runtime()?;
    let review = runtime.block_on(async {
        let own = settled.build(program).await?;
        let review = own_review(program, &shared, BTreeMap::from(named), &own).await;
        own.close().await;
        review
    });
    runtime.shutdown_background();
    review
}

async fn own_review(
    program: &Program,
    shared: &Shared,
    named: BTreeMap<&'static str, (String, Option<String>)>,
    own: &Own,
) -> Result<Review> {
    let manifest = own.server.manifest(Projection::Full);
    let manifest = manifest.map_err(|error| Error::other(error.to_string()))?;
    let items = manifest.items().iter();
    let items: Vec<Item> = items
        .map(|item| (item.kind, item.name.clone(), item.content.clone()))
        .collect();
    let addresses = listen::addresses(&shared.host).await.unwrap_or_default();
    let given = Given {
        shared,
        beyond: addresses.iter().any(|address| !address.is_loopback()),
        authenticates: shared.auth.auth != Mode::None || own.authenticates,
        named,
    };
    let info = own.server.info();
    Ok(Review {
        target: program.name().to_owned(),
        server: format!("{} {}", info.name, info.version),
        profile: Some(own.selected.told()),
        reach: Some(review::reach(&items)),
        claims: Vec::new(),
        callers: Some(review::callers(&given, &items)),
        limits: review::limits(&own.server),
        dangers: review::dangers(&given),
        reads: review::reads(&items),
        unknown: Vec::new(),
        digest: Some(format!("{} {}", manifest.projection(), manifest.digest())),
    })
}

/// What another server shows.
async fn of_another(connection: &Connection, target: String) -> Result<Review> {
    let server = connection.server();
    let info = server.server_info.as_ref();
    let listed = Listed::all(connection).await?;
    let identity = serde_json::to_value(info)?;
    let itself = json!({ "identity": identity, "instructions": server.instructions });
    let mut items: Vec<Item> = vec![(ItemKind::Server, "server".to_owned(), itself)];
    add(&mut items, ItemKind::Tool, listed.tools, |it| {
        it.name.to_string()
    })?;
    add(&mut items, ItemKind::Resource, listed.resources, |it| {
        it.uri.clone()
    })?;
    let templates = listed.resource_templates;
    add(&mut items, ItemKind::ResourceTemplate, templates, |it| {
        it.uri_template.clone()
    })?;
    add(&mut items, ItemKind::Prompt, listed.prompts, |it| {
        it.name.clone()
    })?;
    // As a manifest has them.
    items.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    Ok(Review {
        target,
        server: match info {
            Some(info) => format!("{} {}", info.name, info.version),
            None => "A server without a name".to_owned(),
        },
        profile: None,
        reach: None,
        claims: review::claims(&items),
        callers: None,
        limits: Vec::new(),
        dangers: Vec::new(),
        reads: review::reads(&items),
        unknown: UNKNOWN.to_vec(),
        digest: None,
    })
}

/// Adds the definitions of a kind.
fn add<T: Serialize>(
    items: &mut Vec<Item>,
    kind: ItemKind,
    definitions: Option<Vec<T>>,
    name: impl Fn(&T) -> String,
) -> Result<()> {
    for one in definitions.into_iter().flatten() {
        let definition: Value = serde_json::to_value(&one)?;
        items.push((kind, name(&one), json!({ "definition": definition })));
    }
    Ok(())
}
