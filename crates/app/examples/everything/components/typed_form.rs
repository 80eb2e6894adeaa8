//! Shows: asking the user with a Rust type. Its fields are the form, its bounds are checked, and the
//! function goes on with the answer as if it had always had it.

use pymcp_kit::{Ctx, Effect, Elicited, NoArgs, Result, Tool};
use schemars::JsonSchema;
use serde::Deserialize;

/// What has to be known.
#[derive(Debug, Deserialize, JsonSchema)]
struct Trip {
    /// Where to.
    #[schemars(length(min = 1, max = 60))]
    destination: String,
    /// Nights to stay.
    #[schemars(range(min = 1, max = 30))]
    nights: u8,
    /// Whether to go by train.
    #[serde(default)]
    by_train: bool,
    /// The class.
    class: Class,
    /// What to book besides.
    #[serde(default)]
    extras: Vec<Extra>,
    /// Who comes along, if anybody does.
    companion: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Class {
    First,
    Second,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Extra {
    Breakfast,
    Bicycle,
}

/// The tool, as clients see it.
pub(crate) fn tool() -> Tool {
    Tool::new("plan_trip", plan_trip)
        .title("Plan a trip")
        .description("Asks the user for a trip and says it back; nothing is booked.")
        .read_only()
        .destructive(false)
        .idempotent(false)
        .open_world(false)
        .effects([Effect::AsksUser])
        .asks::<Trip>()
}

async fn plan_trip(ctx: Ctx, _: NoArgs) -> Result<String> {
    let trip = match ctx.elicit::<Trip>("Where would you like to go?").await? {
        Elicited::Accepted(trip) => trip,
        // The user was asked and said no: a result like any other.
        Elicited::Declined => return Ok("The user does not want to go anywhere.".into()),
        Elicited::Cancelled => return Ok("The user closed the question.".into()),
    };
    let means = if trip.by_train { "by train" } else { "somehow" };
    let companion = trip.companion.as_deref().unwrap_or("nobody");
    Ok(format!(
        "{} nights in {} with {companion}, {means}, {:?} class, extras: {:?}.",
        trip.nights, trip.destination, trip.class, trip.extras
    ))
}
