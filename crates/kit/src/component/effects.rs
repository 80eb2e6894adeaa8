//! What a component does besides computing an answer, declared by its author.

use std::collections::BTreeSet;

use serde::Serialize;

/// One thing a component does to, or wants from, the world around it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Effect {
    /// Asks the user through the client (elicitation).
    AsksUser,
    /// Uses the client's model (sampling).
    UsesModel,
    /// Reaches the network at this host.
    Network(String),
    /// Runs code that the caller wrote, in a sandbox.
    RunsUntrustedCode,
    /// Reads files below this path.
    ReadsFiles(String),
    /// Draws on the operating system's randomness, so that no two answers are alike.
    Random,
}

/// The effects of a component, in a stable order.
pub type Effects = BTreeSet<Effect>;
