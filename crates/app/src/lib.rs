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
//! | `sources` | flags, environment and files, made one command line |

mod app;
mod command;
mod error;
mod file;
mod listen;
mod log;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod memory;
mod prepared;
mod program;
mod refusal;
mod settings;
mod signals;
mod sources;
mod verbs;

/// The guide's pages on the program: their code is compiled.
#[cfg(doctest)]
mod guide {
    #[doc = include_str!("../../../docs/guide/README.md")]
    struct Start;
    #[doc = include_str!("../../../docs/guide/settings.md")]
    struct Settings;
    #[doc = include_str!("../../../docs/guide/deployment.md")]
    struct Deployment;
}

pub use app::App;
pub use error::{Error, Result};
pub use prepared::Prepared;
pub use program::{Program, Setting};
pub use settings::value;
