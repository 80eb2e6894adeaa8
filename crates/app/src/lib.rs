//! The program around a Model Context Protocol server: settings, verbs, logs, signals, transports, exit codes.
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use pymcp_app::{App, Error, Result};
//! use pymcp_kit::{Server, ServerBuilder};
//!
//! /// What this server can be told.
//! #[derive(clap::Args)]
//! struct Settings {
//!     /// Items in stock at the start.
//!     #[arg(long, default_value_t = 10)]
//!     stock: u32,
//! }
//!
//! async fn server(settings: Settings) -> Result<ServerBuilder> {
//!     if settings.stock == 0 {
//!         return Err(Error::setting("--stock must be at least 1."));
//!     }
//!     Ok(Server::builder("zebra-2", "1.0.0").instructions("Sells stripes."))
//! }
//!
//! fn main() -> ExitCode {
//!     App::new("zebra-2", "1.0.0").settings::<Settings>().run(server)
//! }
//! ```
//!
//! # Settings
//!
//! They come from flags, then environment variables, then the file of `--env-file`, then that of `--config`. The example
//! takes `--stock 5`, `ZEBRA_2_STOCK=5` in the environment or in the file of `--env-file`, and `stock = 5` in the TOML file of
//! `--config`; so do all settings that every program has. An error names the source that was used, and in a file the line:
//! `zebra.toml, line 3: stock is 'x', but must be …`. Nothing in the working directory is read unless it was named.
//!
//! The guide's page on it is `docs/guide/settings.md`.
//!
//! # Features
//!
//! `http2`, `jwt`, `page`, `tls` and `verbs` are on unless `default-features = false` says otherwise: HTTP/2 beside HTTP/1.1,
//! tokens of an issuer, the page for people at `/`, TLS of the listener, and the verbs that look at servers or write into files
//! of clients. A program without them is smaller, and has less that could be misused. `otlp` and `redis` are off by default: traces, and a store that replicas share.
//!
//! # Layout
//!
//! | place | what it is |
//! | --- | --- |
//! | [`App`] | a program, put together and run |
//! | [`Program`], [`Setting`] | what a program is called and can be told: for verbs and documents |
//! | [`value`] | parsers for values of settings |
//! | `features` | what can be left out of a program, and what it says then |
//! | `verbs` | what a program does, one verb a file |
//! | `host` | what a built-in verb may ask of its program: its settings, and its server in process |
//! | `client` | a connection to a server, of this program or any other, for the verbs that look at one |
//! | `output` | what verbs print: text, tables, JSON |
//! | `lock` | what a server is held to at start |
//! | `install` | the clients: their files, and what belongs into them |
//! | `doctor` | what is wrong with this machine or a server |
//! | `confine` | what the operating system keeps from the process |
//! | `sources` | flags, environment and files, made one command line |
//! | `page` | the page for people, at `/` |
//! | `tokens` | the file of tokens that clients authenticate with |

// What only verbs or the page use of all that is there has no user without them. A build with everything says what is dead.
#![cfg_attr(
    not(all(feature = "jwt", feature = "page", feature = "tls", feature = "verbs")),
    allow(dead_code)
)]

mod app;
mod checked;
#[cfg(feature = "verbs")]
mod client;
mod command;
mod confine;
#[cfg(feature = "verbs")]
mod doctor;
mod error;
mod features;
mod file;
mod host;
#[cfg(any(feature = "page", feature = "verbs"))]
mod install;
#[cfg(any(feature = "page", feature = "verbs"))]
mod limits_page;
mod listen;
mod lock;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod memory;
mod output;
#[cfg(feature = "page")]
mod page;
mod prepared;
mod program;
mod refusal;
#[cfg(feature = "verbs")]
mod review;
mod settings;
mod signals;
mod sources;
mod tokens;
mod verbs;
#[cfg(feature = "verbs")]
mod verify;

/// The guide's pages on the program: their code is compiled.
#[cfg(doctest)]
mod guide {
    #[doc = include_str!("../../../docs/guide/README.md")]
    struct Start;
    #[doc = include_str!("../../../docs/guide/settings.md")]
    struct Settings;
    #[doc = include_str!("../../../docs/guide/deployment.md")]
    struct Deployment;
    #[doc = include_str!("../../../docs/guide/lock.md")]
    struct Locks;
}

pub use app::App;
pub use checked::Checked;
#[cfg(feature = "verbs")]
pub use doctor::doctor_page;
pub use error::{Error, Result};
#[cfg(any(feature = "page", feature = "verbs"))]
pub use install::page::{clients_page, clients_table};
#[cfg(any(feature = "page", feature = "verbs"))]
pub use limits_page::limits_page;
pub use prepared::Prepared;
pub use program::{Program, Setting};
pub use settings::value;
