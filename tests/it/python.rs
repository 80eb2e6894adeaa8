//! `run_python_code`, over the real wire against the real binary.
//!
//! - `goldens` what the original answered, and what we do
//! - `snippets` what this Python can do, which `docs/python-support.md` shows
//! - `attacks` what hostile code does to the server: nothing
//! - `leaks` what a run leaves for the next: nothing
//! - `processes` what is left of workers: nothing
//! - `tool` everything else: output, errors, progress, cancelling, settings, shares
//!
//! `PYMCP_TEST_BINARY` names another binary than the one built with the tests: CI attacks the
//! release build.

mod attacks;
mod goldens;
mod leaks;
#[cfg(target_os = "linux")]
mod processes;
mod snippets;
mod tool;

use pymcp_kit::testing::message::call;
use pymcp_kit::testing::raw::StdioServer;
use serde_json::{Value, json};

use crate::support::over_stdio;

/// A server over stdio in a session of 2025-11-25.
fn serve(args: &[&str]) -> StdioServer {
    let mut server = over_stdio(args, &[]);
    server.initialize("2025-11-25", &json!({})).unwrap();
    server
}

/// The answer to a call of `run_python_code`.
fn run(server: &mut StdioServer, arguments: &Value) -> Value {
    server.send(&call("run", "run_python_code", arguments.clone()));
    server.recv().value
}

/// The texts of a result's content.
fn texts(answer: &Value) -> Vec<&str> {
    answer["result"]["content"]
        .as_array()
        .unwrap_or_else(|| panic!("no result: {answer}"))
        .iter()
        .map(|block| block["text"].as_str().unwrap())
        .collect()
}
