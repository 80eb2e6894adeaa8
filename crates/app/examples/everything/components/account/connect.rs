//! Shows: a question that is a page to open, and the check afterwards that something was done there.

use pymcp_kit::{Ctx, Effect, Elicited, Error, Result, Tool};
use schemars::JsonSchema;
use serde::Deserialize;

use super::Tickets;

/// Which account.
#[derive(Debug, Deserialize, JsonSchema)]
struct Args {
    /// The ticket of an earlier call whose page was not finished in time; leave it out otherwise.
    ticket: Option<String>,
}

/// The tool, as clients see it.
pub(crate) fn tool(tickets: &Tickets) -> Tool {
    Tool::new("connect_account", connect)
        .with(tickets.clone())
        .title("Connect an account")
        .description(
            "Sends the user to a page to connect an account. The page is simulated: \
         `pretend_page_done` does what the user would do there.",
        )
        .destructive(false)
        .idempotent(false)
        .open_world(true)
        .effects([Effect::AsksUser, Effect::Random])
}

async fn connect(ctx: Ctx, tickets: Tickets, args: Args) -> Result<String> {
    let caller = ctx.principal();
    let ticket = match args.ticket {
        Some(ticket) => ticket,
        // Once: the modern client that comes back with its answer must get the same ticket.
        None => ctx.once("ticket", async { tickets.issue(&ctx) }).await?,
    };
    let done = || {
        tickets.is_done(caller, &ticket).ok_or_else(|| {
            Error::user("There is no such ticket, or its time is up; call without `ticket`.")
        })
    };
    if !done()? {
        let url = format!("https://accounts.example/connect/{ticket}");
        match ctx
            .elicit_url("Please sign in to connect your account.", url)
            .await?
        {
            Elicited::Accepted(()) => {}
            Elicited::Declined => return Ok("The user does not want to connect an account.".into()),
            Elicited::Cancelled => return Ok("The user closed the question.".into()),
        }
    }
    // The user agreed to open the page, no more.
    match done()? {
        true => Ok("The account is connected.".into()),
        false => Err(Error::user(format!(
            "The page is not finished yet. When it is, call again with the ticket {ticket}."
        ))),
    }
}
