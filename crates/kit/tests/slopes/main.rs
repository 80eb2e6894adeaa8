//! Nothing takes time out of proportion to what a client sends: every place that takes text is driven
//! with hostile texts from a kilobyte to a megabyte, or to its own bound.

#![allow(clippy::unwrap_used)]

mod http;
mod messages;
mod stage;
