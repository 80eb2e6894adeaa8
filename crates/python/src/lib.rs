//! Runs untrusted Python: in an interpreter that has no way to its host, in processes that the
//! operating system confines, with bounds on everything.
//!
//! # Layout
//!
//! | place | what it is |
//! | --- | --- |
//! | [`Pool`] | what a server uses: takes a [`Request`], gives an [`Outcome`] or a [`Failure`] |
//! | [`HostFunctions`] | functions of the server that the code may call |
//! | [`Limits`] | what a run may use |
//! | [`worker`] | what the processes do |
//! | [`confine`] | what the operating system keeps from them |
//! | `engine` | the interpreter and the type checker; all that knows Monty |
//! | `wire` | what the two sides say to each other |
//!
//! A program that uses it is its own worker. It has to say so before anything else:
//!
//! ```no_run
//! #[global_allocator]
//! static ALLOCATOR: pymcp_python::Allocator = pymcp_python::Allocator;
//!
//! fn main() -> std::process::ExitCode {
//!     if pymcp_python::worker::is_requested() {
//!         return pymcp_python::worker::main();
//!     }
//!     // … the program itself
//!     # std::process::ExitCode::SUCCESS
//! }
//! ```
//!
//! The crate knows nothing of MCP.

mod alloc;
pub mod confine;
mod engine;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod host;
mod limits;
mod pool;
mod run;
mod wire;
pub mod worker;

pub use alloc::Allocator;
pub use engine::MODULES;
pub use host::{HostError, HostFunctions};
pub use limits::Limits;
pub use pool::{Config, Event, Isolation, Observer, Pool, Program, Sandbox, Stats};
pub use run::{Failure, Kind, Limit, Outcome, Printed, Request, Value};
