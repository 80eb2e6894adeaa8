//! Runs untrusted Python: the whole language with its standard library, in an interpreter that was
//! compiled without a host, in processes of one run each that the operating system confines, with
//! bounds on everything.
//!
//! # Layout
//!
//! | place | what it is |
//! | --- | --- |
//! | [`Pool`] | what a server uses: takes a [`Request`], gives an [`Outcome`] or a [`Failure`] |
//! | [`HostFunctions`] | functions of the server that the code may call |
//! | [`Limits`] | what a run may use |
//! | [`worker`] | what the processes do that run the code, one run each |
//! | `zygote` | the process that they are forks of (Linux) |
//! | [`confine`] | what the operating system keeps from them |
//! | `engine` | the interpreter, its library and the type checker; all that knows RustPython and ty |
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
//! # What its dependencies ask for
//!
//! The interpreter compiles with `malachite-bigint` 0.9 only, and only a lock file can hold that. In a
//! program with a `Cargo.lock` of its own: `cargo update -p malachite-bigint@0.14.0 --precise 0.9.2`, and
//! again after each `cargo update`. Those crates are LGPL-3.0: `THIRD-PARTY.md` in the repository says what
//! that means for who passes the program on. An unoptimised interpreter is many times slower and needs more
//! stack, so give its crates an `opt-level` in `[profile.dev.package]`, as this repository's `Cargo.toml` does.
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
#[cfg(target_os = "linux")]
mod zygote;

pub use alloc::Allocator;
pub use engine::MODULES;
pub use host::{HostError, HostFunctions};
pub use limits::Limits;
pub use pool::{Config, Event, Isolation, OUTCOMES, Observer, Pool, Program, Sandbox, Stats};
pub use run::{
    Failure, Kind, Limit, MAX_DIAGNOSTICS, MAX_DIAGNOSTICS_SIZE, Outcome, Printed, Request, Value,
};
