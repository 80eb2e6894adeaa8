//! The tools, one a file. To add one: copy `greet.rs`, and add a line here and in `server.rs`.

pub mod generate_password;
pub mod greet;
pub mod permutations;
pub mod pirate_summary;
#[cfg(feature = "python")]
pub mod run_python_code;
#[cfg(feature = "search")]
pub mod text_web_search;
pub mod vonmises_random;
