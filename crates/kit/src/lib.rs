//! Everything a production MCP server needs around the protocol's types: bounded parsing, both
//! protocol eras, components made of plain async functions, middleware, sessions and transports.
//!
//! # Layout
//!
//! | module | what it is |
//! | --- | --- |
//! | [`wire`] | bytes ⇄ messages, knows nothing of MCP |
//! | [`protocol`] | eras, revisions, kinds, levels, what a client says of itself |
//! | [`core`] | one message in, its answers out; eras, methods, connections |
//! | [`component`] | tools, resources, prompts; schemas; the registry |
//! | [`content`] | images, audio and files, from bytes or from a folder |
//! | [`Ctx`] | what a handler can do: log, progress, cancellation |
//! | [`ask`] | asking the user or the model |
//! | [`doors`] | files, the environment, programs and the like, by the effects that a component declared |
//! | [`middleware`] | the steps around every handler, and their order |
//! | [`skills`] | folders of instructions for models, served as resources |
//! | [`session`] | legacy HTTP sessions |
//! | [`tasks`] | calls that outlive their request |
//! | [`transport`] | stdio, streamable HTTP, legacy HTTP+SSE |
//! | [`limits`] | whose share of something bounded is used up |
//! | [`manifest`] | what a server exposes, in one document with a digest |
//! | [`audit`] | the audit log: a chain of lines, and its verification |
//! | [`telemetry`] | logs on stderr, what happened, trace context |
//! | [`metrics`] | what happened, in numbers |
//! | [`text`] | characters that nobody sees, and how they are shown |
//! | `otlp` | traces for a collector of OpenTelemetry: the feature `otlp` |
//! | [`reason`] | what the system's refusals are to people |
//! | [`testing`] | clients in memory, probes, snapshots, servers as processes: for tests |
//!
//! A module uses what stands below it, and nothing above: `wire` ← `protocol`, `limits`, `store`, [`Error`] ← `tasks`,
//! connections ← [`Ctx`] ← `component`, `content`, `skills`, `ask` ← `middleware` ← `core` ← `session` ← `transport` ←
//! `testing`. `tests/floors.rs` has the whole list and holds it.
//!
//! The guide for authors is `docs/guide`, a page a topic. What calls out to APIs does it through the crate
//! `pymcp-egress`: named hosts only, bounds, secrets that are never shown (`docs/guide/calling-apis.md`).
//!
//! # A server in one screen
//!
//! ```
//! use pymcp_kit::{Ctx, NoArgs, Result, Server, Tool};
//!
//! async fn answer(_: Ctx, _: NoArgs) -> Result<u32> {
//!     Ok(42)
//! }
//!
//! let server = Server::builder("example", "1.0.0")
//!     .tool(Tool::new("answer", answer).description("The answer.").read_only())
//!     .build()
//!     .unwrap();
//! assert_eq!(server.registry().tools().count(), 1);
//! ```

pub mod ask;
pub mod audit;
pub mod auth;
mod beneath;
mod blocking;
mod build_error;
mod canonical;
pub mod component;
mod connection;
pub mod content;
mod context;
pub mod core;
mod descriptor;
pub mod doors;
mod effects;
mod error;
mod keys;
mod label;
pub mod limits;
pub mod manifest;
mod media_type;
pub mod metrics;
pub mod middleware;
#[cfg(feature = "otlp")]
pub mod otlp;
mod principal;
pub mod protocol;
pub mod reason;
mod rounds;
pub mod session;
pub mod skills;
pub mod store;
mod streams;
pub mod tasks;
pub mod telemetry;
pub mod testing;
pub mod text;
mod timestamp;
pub mod transport;
pub mod wire;

/// The guide's pages: their code is compiled, and their tests run.
#[cfg(doctest)]
mod guide {
    #[doc = include_str!("../../../docs/guide/asking.md")]
    struct Asking;
    #[doc = include_str!("../../../docs/guide/authorization.md")]
    struct Authorization;
    #[doc = include_str!("../../../docs/guide/changing.md")]
    struct Changing;
    #[doc = include_str!("../../../docs/guide/content.md")]
    struct Content;
    #[doc = include_str!("../../../docs/guide/effects.md")]
    struct Effects;
    #[doc = include_str!("../../../docs/guide/errors.md")]
    struct Errors;
    #[doc = include_str!("../../../docs/guide/long-work.md")]
    struct LongWork;
    #[doc = include_str!("../../../docs/guide/middleware.md")]
    struct Middleware;
    #[doc = include_str!("../../../docs/guide/prompts.md")]
    struct Prompts;
    #[doc = include_str!("../../../docs/guide/resources.md")]
    struct Resources;
    #[doc = include_str!("../../../docs/guide/skills-and-tasks.md")]
    struct SkillsAndTasks;
    #[doc = include_str!("../../../docs/guide/state.md")]
    struct State;
    #[doc = include_str!("../../../docs/guide/testing.md")]
    struct Testing;
    #[doc = include_str!("../../../docs/guide/tools.md")]
    struct Tools;
}

pub use ask::{Elicited, Form, Question, Root, Roots, Sample, Sampled, Url};
pub use blocking::{BlockingCtx, BlockingHandler};
pub use build_error::BuildError;
pub use component::{
    CacheHint, Check, Completion, CompletionRequest, Component, Components, Effect, Effects,
    Handler, Integer, InvalidEffect, NoArgs, Prompt, Resource, ResourceHandler, ResourceTemplate,
    TaskSupport, Tool, ToolResult,
};
pub use connection::SessionKey;
pub use content::{Audio, File, Folder, Image};
pub use context::{Bucket, Ctx, Handle, HandleId};
pub use core::{Server, ServerBuilder};
pub use doors::{Doors, Files};
#[doc(hidden)]
pub use error::{Boxed, Converted, Nothing};
pub use error::{Error, HandlerError, OrUser, Result, UserError};
pub use keys::KeyRing;
pub use limits::{CallLimits, Caller};
pub use middleware::{CacheConfig, Middleware};
pub use principal::Principal;
pub use protocol::{Kind, Level};
/// The protocol's types, of the rmcp 3 that is in the build (3.9 or newer): those that its client has as well.
pub use rmcp::model;
pub use skills::Skills;
