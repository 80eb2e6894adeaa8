//! The verbs of every program, one a file.

pub(crate) mod serve;
