//! How messages come and go: [`stdio`] and any byte stream, [`http`] with its legacy form.

pub mod http;
mod lines;
mod process;
pub mod stdio;
