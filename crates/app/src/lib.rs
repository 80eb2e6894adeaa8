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
//! # Layout
//!
//! | place | what it is |
//! | --- | --- |
//! | [`App`] | a program, put together and run |
//! | [`Program`], [`Setting`] | what a program is called and can be told: for verbs and documents |
//! | [`value`] | parsers for values of settings |
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

mod app;
mod checked;
mod client;
mod command;
mod confine;
mod doctor;
mod error;
mod file;
mod host;
mod install;
mod limits_page;
mod listen;
mod lock;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod memory;
mod output;
mod page;
mod prepared;
mod program;
mod refusal;
mod review;
mod settings;
mod signals;
mod sources;
mod tokens;
mod verbs;
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
pub use doctor::doctor_page;
pub use error::{Error, Result};
pub use install::page::{clients_page, clients_table};
pub use limits_page::limits_page;
pub use prepared::Prepared;
pub use program::{Program, Setting};
pub use settings::value;
