//! A client for the verbs that look at servers: at this program's own in process, at one behind a URL, or at a command.
//! rmcp's client speaks the protocol.
//!
//! A verb flattens [`TargetArgs`] (where the server is) and, if the server may ask back, [`UserArgs`] (what it is answered),
//! and does its work with a [`Connection`]:
//!
//! ```text
//! run(host, &args.target, args.user, async |connection| {
//!     let tools = connection.tools().await?;
//!     …
//! })
//! ```
//!
//! | place | what it is |
//! | --- | --- |
//! | `target` | which server, as the command line says it |
//! | `secret` | tokens and headers, from files and variables |
//! | `connection` | one connection: requests with their time limit, interrupts, rounds of questions, all pages of lists |
//! | `wire` | the transports as one, with `--trace` |
//! | `child`, `http`, `sse` | a command, Streamable HTTP, legacy HTTP+SSE |
//! | `user` | what a server may ask of its client: forms, URLs, sampling, roots; and what it says meanwhile |
//! | `progress` | the line of progress on a terminal |
//! | `coerce` | text as a value of a JSON Schema |
//! | `arguments` | `name=value` and JSON as the arguments of a tool |
//! | `signature` | what a tool takes and gives, in a line; what it costs a model |
//! | `failure` | what went wrong, as a sentence with an exit code |
//! | `stop` | Ctrl-C |
//!
//! Another transport is a variant of `wire::Inner`; another thing that servers may ask is a method of `user`.

pub(crate) mod arguments;
mod child;
pub(crate) mod coerce;
mod connection;
mod failure;
mod http;
mod progress;
mod secret;
pub(crate) mod signature;
mod sse;
mod stop;
mod target;
mod user;
mod wire;

use tokio::runtime::Runtime;

use crate::Result;
use crate::host::Host;

pub(crate) use crate::host::runtime;

pub(crate) use self::connection::{Connection, INTERRUPTED, Watched};
pub(crate) use self::failure::TOKEN;
pub(crate) use self::http::headers;
pub(crate) use self::sse::SseServer;
pub(crate) use self::stop::Stop;
pub(crate) use self::target::{EraChoice, Target, TargetArgs};
pub(crate) use self::user::{Notice, UserArgs, capabilities};

/// A connection that is open, for many verbs one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Open<'a> {
    pub(crate) runtime: &'a Runtime,
    pub(crate) connection: &'a Connection,
}

/// Connects, does something with the connection, and closes it in good order: whatever `work` returns, a command has ended
/// afterwards, and what the author wants done at the end is done. A [`Host`] that has a connection already keeps it.
///
/// # Errors
/// That the server cannot be reached, or what `work` has to say.
pub(crate) fn run<T>(
    host: Host<'_>,
    target: &TargetArgs,
    user: UserArgs,
    work: impl AsyncFnOnce(&Connection) -> Result<T>,
) -> Result<T> {
    if let Some(Open {
        runtime,
        connection,
    }) = host.open
    {
        return runtime.block_on(work(connection));
    }
    let runtime = runtime()?;
    let done = runtime.block_on(async {
        let stop = Stop::once()?;
        let connection = Connection::open(host, target, user, stop).await?;
        let done = work(&connection).await;
        connection.close().await;
        done
    });
    // Nobody waits for a read of stdin that is under way.
    runtime.shutdown_background();
    done
}
