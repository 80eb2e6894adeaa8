//! Shows: sending the user to a page (elicitation with a URL), for what the client must not see.
//!
//! The page is **simulated**: there is no `accounts.example`, and the tool `pretend_page_done` stands for
//! what the page's own server would do once the user has signed in there. Everything else is as it
//! has to be: the URL holds a ticket that is of no use to anybody else, and that the user agreed to open
//! the page is not taken for having been there.

pub(crate) mod connect;
pub(crate) mod page;

use std::sync::Arc;
use std::time::Duration;

use pymcp_kit::{Ctx, Principal, Result};

use super::keep::Keep;

/// Tickets that are open at a time.
const MOST: usize = 64;

/// How long the user has for the page, counted from when anybody last asked about it.
const TIME: Duration = Duration::from_secs(600);

/// Which pages were opened for whom, and whether the user is done there.
#[derive(Clone)]
pub(crate) struct Tickets(Arc<Keep<(Principal, String), bool>>);

impl Default for Tickets {
    fn default() -> Self {
        Self(Arc::new(Keep::new(MOST, TIME)))
    }
}

impl Tickets {
    /// A ticket for the caller: 128 random bits.
    fn issue(&self, ctx: &Ctx) -> Result<String> {
        let mut bytes = [0; 16];
        ctx.random(&mut bytes)?;
        let ticket = format!("{:032x}", u128::from_ne_bytes(bytes));
        self.0
            .insert((ctx.principal().clone(), ticket.clone()), false);
        Ok(ticket)
    }

    /// Whether its page is done; `None` when this caller has no such ticket.
    fn is_done(&self, caller: &Principal, ticket: &str) -> Option<bool> {
        let key = (caller.clone(), ticket.to_owned());
        self.0.with(&key, |done| *done)
    }

    /// Says that its page is done; `false` when this caller has no such ticket.
    fn done(&self, caller: &Principal, ticket: &str) -> bool {
        let key = (caller.clone(), ticket.to_owned());
        self.0.with(&key, |done| *done = true).is_some()
    }
}
