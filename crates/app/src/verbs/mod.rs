//! The verbs of every program, one a file.

pub(crate) mod health;
pub(crate) mod serve;
