//! The prompts, one a file. To add one: copy `code_prompt.rs`, and add a line here and in `server.rs`.

pub mod code_prompt;
