//! The bare wire: bytes to a server, and what it answers, read strictly. For what no client would send (malformed,
//! cut off, too large, out of order), and for what a program does beside the protocol: exit codes, signals, its log.
//!
//! All of it blocks, and needs no runtime. The messages themselves are in [`message`](super::message).
//!
//! | to speak to | use |
//! | --- | --- |
//! | a program on stdin and stdout, a line at a time | [`Program::raw_stdio`](super::Program::raw_stdio), [`StdioServer`] |
//! | a program that listens | [`Program::raw_http`](super::Program::raw_http), [`HttpServer`] |
//! | a server in the test's own process, over HTTP | [`LocalServer`] |
//! | a program that ends by itself | [`Program::run`](super::Program::run), [`Finished`] |
//!
//! ```
//! use pymcp_kit::Server;
//! use pymcp_kit::testing::message::{error, request};
//! use pymcp_kit::testing::raw::{Client, LocalServer, Request, Session, patient};
//! use serde_json::json;
//!
//! let server = Server::builder("shop", "1.0.0").build().unwrap();
//! let server = LocalServer::start(server, patient());
//!
//! let cut_off = Request::post(r#"{"jsonrpc":"2.0","id":1,"#);
//! assert_eq!(Client::connect(server.address()).ask(&cut_off).refusal(), (400, -32700));
//!
//! let session = Session::plain(server.address());
//! let reply = session.ask(&request(1, "no/such", json!({})));
//! assert_eq!(error(&reply).0, -32601);
//! ```

mod client;
mod events;
mod http;
mod local;
mod process;
mod session;
mod stdio;

pub use self::client::{Client, Request, Response};
pub use self::events::{Event, Events};
pub use self::http::HttpServer;
pub use self::local::{LocalServer, patient};
pub(super) use self::process::run;
#[cfg(unix)]
pub use self::process::signal;
pub use self::process::{Finished, Process};
pub use self::session::{Session, initialize, mirrored};
pub use self::stdio::{Message, Silence, StdioServer};
