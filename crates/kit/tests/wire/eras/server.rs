//! Trips: components that ask for everything there is.

// Roots are deprecated since 2026-07-28, and clients of today have them.
#![allow(deprecated)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pymcp_kit::{
    Ctx, Effect, Elicited, Form, Prompt, Question, Resource, ResourceTemplate, Result, Roots,
    Sample, Server, Tool,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

/// What was done.
#[derive(Default)]
pub(super) struct Counts {
    /// Runs of the tool.
    pub(super) runs: AtomicUsize,
    /// Tickets that were bought.
    pub(super) tickets: AtomicUsize,
}

#[derive(Deserialize, JsonSchema)]
struct Trip {
    to: String,
}

#[derive(Deserialize, JsonSchema)]
struct Stay {
    house: String,
    stars: u8,
}

async fn trip(ctx: Ctx, trip: Trip, counts: Arc<Counts>) -> Result<String> {
    counts.runs.fetch_add(1, Ordering::SeqCst);
    let Elicited::Accepted(days) = ctx.elicit::<u8>("How many days?").await? else {
        return Ok("No trip.".to_owned());
    };
    let buy = async {
        counts.tickets.fetch_add(1, Ordering::SeqCst);
        Ok(format!("{days} days in {}", trip.to))
    };
    let ticket = ctx.once("ticket", buy).await?;
    let poem = Sample::text(format!("A line about {}.", trip.to), 50).named("poem");
    let stay = Form::<Stay>::new("Where do you sleep?").named("stay");
    let (poem, roots, stay) = ctx.ask_all((poem, Roots, stay)).await?;
    let poem = poem.text().unwrap_or_default();
    let home = roots.first().map_or("here", |root| root.uri.as_str());
    let bed = match stay {
        Elicited::Accepted(stay) => format!("{} ({})", stay.house, stay.stars),
        _ => "nowhere".to_owned(),
    };
    match ctx.elicit::<bool>("Shall I book it?").await? {
        Elicited::Accepted(true) => Ok(format!("{ticket}: {poem} From {home} to {bed}.")),
        _ => Ok("Not booked.".to_owned()),
    }
}

async fn plan(ctx: Ctx, trip: Trip) -> Result<String> {
    match ctx.elicit::<u8>("How many days?").await? {
        Elicited::Accepted(days) => Ok(format!("{days} days in {}", trip.to)),
        _ => Ok("No trip.".to_owned()),
    }
}

/// The server, and what its tool has done.
pub(super) fn trips() -> (Server, Arc<Counts>) {
    let counts = Arc::<Counts>::default();
    let counted = Arc::clone(&counts);
    let crete = |ctx: Ctx| {
        let to = "crete".to_owned();
        plan(ctx, Trip { to })
    };
    let server = Server::builder("trips", "1.0.0")
        .tool(
            Tool::new("trip", move |ctx: Ctx, args: Trip| {
                trip(ctx, args, Arc::clone(&counted))
            })
            .effects([Effect::AsksUser, Effect::UsesModel]),
        )
        .prompt(Prompt::new("trip", plan).effects([Effect::AsksUser]))
        .resource(Resource::new("trip://crete", "crete", crete).effects([Effect::AsksUser]))
        .template(ResourceTemplate::new("trip://to/{to}", "trip", plan).effects([Effect::AsksUser]))
        .build()
        .unwrap();
    (server, counts)
}

/// A client that can be asked for everything.
pub(super) fn able() -> Value {
    json!({ "elicitation": {}, "sampling": {}, "roots": {} })
}

pub(super) fn accept(content: Value) -> Value {
    json!({ "action": "accept", "content": content })
}

/// Somebody who wants this trip.
pub(super) fn traveller(method: &str, params: &Value) -> Value {
    let poem = json!({ "type": "text", "text": "O sea!" });
    let home = json!({ "uri": "file:///home/ada", "name": "home" });
    match (method, params["message"].as_str()) {
        ("elicitation/create", Some("How many days?")) => accept(json!({ "value": 3 })),
        ("elicitation/create", Some("Where do you sleep?")) => {
            accept(json!({ "house": "Tent", "stars": 5 }))
        }
        ("elicitation/create", Some("Shall I book it?")) => accept(json!({ "value": true })),
        ("sampling/createMessage", _) => {
            json!({ "role": "assistant", "model": "bard", "content": poem })
        }
        ("roots/list", _) => json!({ "roots": [home] }),
        other => panic!("asked {other:?}"),
    }
}
