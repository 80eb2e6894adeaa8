//! Stands for the page of `connect_account`, which does not exist. A real one is a web page of its own
//! that signs the user in, makes sure that it is the same user who began (or anybody could be
//! talked into finishing somebody else's sign-in), and only then notes the ticket as done. It keeps
//! what the other side hands out; nothing of that ever passes through the client.

use pymcp_kit::{Ctx, Error, Result, Tool};
use schemars::JsonSchema;
use serde::Deserialize;

use super::Tickets;

/// Which page.
#[derive(Debug, Deserialize, JsonSchema)]
struct Args {
    /// The last part of the page's URL.
    ticket: String,
}

/// The tool, as clients see it.
pub(crate) fn tool(tickets: &Tickets) -> Tool {
    Tool::new("pretend_page_done", pretend)
        .with(tickets.clone())
        .title("Pretend that the page is done")
        .description("Pretends that the user has done what the page of `connect_account` is for.")
        .destructive(false)
        .idempotent(true)
        .open_world(false)
}

async fn pretend(ctx: Ctx, tickets: Tickets, args: Args) -> Result<&'static str> {
    match tickets.done(ctx.principal(), &args.ticket) {
        true => Ok("The page is done."),
        false => Err(Error::user(
            "There is no page with this ticket, or its time is up; see `connect_account`.",
        )),
    }
}
