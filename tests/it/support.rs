//! PyMCP as a program: in an empty folder, and with none of the tester's own settings.

#[cfg(all(target_os = "linux", feature = "python"))]
pub(crate) mod process;

use std::path::{Path, PathBuf};
use std::process::Command;

use pymcp_kit::testing::Program;
use pymcp_kit::testing::raw::{Finished, HttpServer, StdioServer};

/// Settings of the tester's own shell must not reach the server under test.
const FOREIGN_PREFIXES: [&str; 8] = [
    "PYMCP_",
    "MCP_",
    "FASTMCP_",
    "ASGI_",
    "RESPONSE_CACHE_",
    "DDGS_",
    "SEARXNG_",
    "BRAVE_",
];

/// A folder in which there is nothing.
fn empty() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("empty");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The binary, or another one to be tested in its place, with these arguments and settings.
pub(crate) fn pymcp(args: &[&str], env: &[(&str, &str)]) -> Program {
    let named = std::env::var_os("PYMCP_TEST_BINARY");
    let binary = named.map_or_else(|| env!("CARGO_BIN_EXE_pymcp").into(), PathBuf::from);
    let program = Program::new(binary)
        .args(args.iter().copied())
        .current_dir(empty());
    let program = FOREIGN_PREFIXES
        .into_iter()
        .fold(program, Program::without_env);
    let env = env.iter();
    env.fold(program, |program, (name, value)| program.env(*name, *value))
}

/// The same as a command, for what starts it in another way.
pub(crate) fn command(args: &[&str], env: &[(&str, &str)]) -> Command {
    pymcp(args, env).command()
}

/// Runs it in `directory`, without input, to its end.
pub(crate) fn run(directory: &Path, args: &[&str], env: &[(&str, &str)]) -> Finished {
    pymcp(args, env).current_dir(directory).run()
}

/// It on stdin and stdout.
pub(crate) fn over_stdio(args: &[&str], env: &[(&str, &str)]) -> StdioServer {
    pymcp(args, env).raw_stdio()
}

/// It over HTTP.
pub(crate) fn over_http(args: &[&str], env: &[(&str, &str)]) -> HttpServer {
    pymcp(args, env).raw_http("http")
}
