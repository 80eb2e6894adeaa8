//! For the tests of a server's author: handlers and servers in memory, what a server lists as files, and the
//! server's own binary as a process.
//!
//! | to test | use |
//! | --- | --- |
//! | a handler alone, and what it says and asks | [`Probe`] |
//! | the server as clients see it, in either era | [`Client`], [`both`] |
//! | that nothing it lists changes unseen, and that clients can use all of it | [`snapshot`] |
//! | that it is what its lock says | [`assert_locked`] |
//! | the program, over stdio and HTTP | [`Program`] |
//! | that components declare no effects that they do not use | [`unused_effects`] |
//! | that no argument takes time out of proportion to its size | [`slopes`] |
//! | what no client would send, exit codes, signals | [`raw`] |
//!
//! All of them speak the real wire but the probe, so what passes here passes with other clients. What goes wrong is
//! a panic that shows it.
//!
//! ```
//! use pymcp_kit::testing::{self, Probe};
//! use pymcp_kit::{Ctx, Result, Server, Tool};
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//! use serde_json::json;
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Args {
//!     /// What to shout.
//!     text: String,
//! }
//!
//! async fn shout(ctx: Ctx, args: Args) -> Result<String> {
//!     ctx.info("Shouting.").await;
//!     Ok(args.text.to_uppercase())
//! }
//!
//! fn server() -> Server {
//!     let shout = Tool::new("shout", shout).description("Shouts.").read_only();
//!     Server::builder("loud", "1.0.0").tool(shout).build().unwrap()
//! }
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
//! # runtime.block_on(async {
//! let mut probe = Probe::new();
//! let args = Args { text: "ahoy".into() };
//! assert_eq!(probe.run(shout(probe.ctx(), args)).await.unwrap(), "AHOY");
//!
//! testing::both(server, async |mut client| {
//!     let reply = client.call("shout", json!({ "text": "ahoy" })).await;
//!     assert_eq!(reply.text(), "AHOY");
//!     assert_eq!(client.logs(), [("info".to_owned(), json!("Shouting."))]);
//! })
//! .await;
//! # });
//! ```

mod client;
mod diff;
mod heard;
mod link;
mod locked;
pub mod message;
mod probe;
mod program;
pub mod raw;
mod reply;
mod rules;
mod script;
pub mod slopes;
mod snapshot;
mod unused;

use std::io::Write as _;
use std::time::Duration;

use tokio::io::DuplexStream;

use crate::auth::Permit;
use crate::core::Server;
use crate::transport::stdio;

pub use self::client::Client;
pub use self::heard::Progress;
pub use self::locked::assert_locked;
pub use self::probe::Probe;
pub use self::program::{Program, Running};
pub use self::reply::Reply;
pub use self::script::{ANY, Asked};
pub use self::snapshot::{complaints, snapshot, snapshot_files};
pub use self::unused::{UnusedEffect, unused_effects};
pub use crate::protocol::Era;

/// Time that anything may take, unless a test says otherwise; generous, because test machines are busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Serves one client over a pipe in memory; the other end is for the client. Needs a tokio runtime.
pub fn connect(server: &Server) -> DuplexStream {
    connect_as(server, Permit::owner())
}

/// [`connect`], for a client that may do what this permit allows.
pub fn connect_as(server: &Server, permit: Permit) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let server = server.clone();
    let (reader, writer) = tokio::io::split(ours);
    tokio::spawn(async move { stdio::serve_as(server, permit, reader, writer).await });
    theirs
}

/// Runs a test with a client of each era, each with a server of its own. When the test panics, the era is named on
/// stderr.
pub async fn both(server: impl Fn() -> Server, test: impl AsyncFn(Client)) {
    for era in [Era::Legacy, Era::Modern] {
        let _named = Named(era);
        test(Client::new(&server(), era)).await;
    }
}

struct Named(Era);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Where nobody reads, nobody misses it.
            let _ = writeln!(std::io::stderr(), "in the {:?} era", self.0);
        }
    }
}
