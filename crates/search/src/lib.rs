//! Web search without a key: several engines at once, their results merged and ranked, and an honest word on each that
//! could not answer.
//!
//! # Layout
//!
//! | module | what it is |
//! | --- | --- |
//! | `query` | what is searched for: checked once, here |
//! | `engine` | the engines, one a file: requests and responses, no I/O |
//! | `html` | reading pages of strangers within bounds |
//! | `text` | what of a page may be shown |
//! | `links` | addresses: which are the same, and without what follows people around |
//! | `rank` | many lists become one |
//! | `state` | what is remembered of an engine: its pace, and whether it is left alone |
//! | `setup` | which engines there are |
//! | `search` | who is asked, when, and for how long |
//! | `ask` | asking one engine, and what its answer means |
//! | `door` | the one place that does I/O, by `pymcp-egress` |

mod ask;
mod config;
mod door;
mod engine;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod html;
mod links;
mod outcome;
mod query;
mod rank;
mod region;
mod search;
mod setup;
mod state;
#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub mod testing;
mod text;

pub use config::{Config, InvalidConfig, Pace, Secret};
pub use engine::{ALL, Blocked, Engine, Hit, Hits, Index, Kind};
pub use outcome::{Found, Outcome, Report, Status};
pub use pymcp_egress::{InvalidProxy, Proxy};
pub use query::{InvalidQuery, Query};
pub use region::{REGIONS, Region};
pub use search::Search;
