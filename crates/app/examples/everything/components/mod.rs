//! The table of contents: one file a component.

mod account;
mod annotated;
mod any_form;
mod ask_model;
mod bonus;
mod colleague;
mod counter;
mod icons;
mod keep;
mod links;
mod log_levels;
mod long_operation;
mod notes;
mod operations;
mod paper;
mod research;
mod review;
mod roots;
mod sum;
mod tone;
mod typed_form;
mod weather;

use pymcp_kit::{Server, ServerBuilder};

const INSTRUCTIONS: &str = "\
A server to try clients with. Notes (`write_note`) are kept for this session only; on a connection \
without sessions, hand the `notebook` that `write_note` returned to the other tools for notes. \
`data://operations` says what is being worked on.";

/// The server: one line for each component.
pub(crate) fn builder() -> ServerBuilder {
    let operations = operations::Operations::default();
    let notes = notes::Notes::default();
    let tickets = account::Tickets::default();
    let counter = counter::Counter::default();
    Server::builder("everything", env!("CARGO_PKG_VERSION"))
        .instructions(INSTRUCTIONS)
        // What a result can be made of.
        .tool(sum::tool())
        .tool(weather::tool())
        .tool(annotated::tool())
        .tool(tone::tool())
        .tool(links::tool())
        .tool(paper::tool())
        .template(paper::template())
        // What takes time.
        .tool(long_operation::tool(&operations))
        .tool(research::tool(&operations))
        .resource(operations.resource())
        // What asks.
        .tool(typed_form::tool())
        .tool(any_form::tool())
        .tool(account::connect::tool(&tickets))
        .tool(account::page::tool(&tickets))
        .tool(ask_model::tool())
        .tool(roots::tool())
        // What belongs to a session.
        .tool(notes::write::tool(&notes))
        .tool(notes::list::tool(&notes))
        .tool(notes::forget::tool(&notes))
        .template(notes::read::of_session(&notes))
        .template(notes::read::of_notebook(&notes))
        // What changes.
        .tool(counter::tool(&counter))
        .resource(counter::resource(&counter))
        .tool(bonus::tool())
        .tool(bonus::switch())
        .tool(log_levels::tool())
        // Prompts.
        .prompt(colleague::prompt())
        .prompt(review::prompt())
}
