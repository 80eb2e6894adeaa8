//! What these tests share: the fixture as a program, gates, whole clients, and what a process takes.

pub(crate) mod gate;
pub(crate) mod link;
#[cfg(target_os = "linux")]
pub(crate) mod memory;
pub(crate) mod peer;

use pymcp_kit::testing::Program;
use pymcp_kit::testing::raw::{HttpServer, StdioServer};

/// The fixture as a program. `cargo test` builds examples too, but not with `--test wire`, which takes the one that is
/// there.
pub(crate) fn fixture(args: &[&str]) -> Program {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().and_then(std::path::Path::parent).unwrap();
    let fixture = built
        .join("examples/fixture")
        .with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        fixture.exists(),
        "{} is missing: cargo build -p pymcp-kit --example fixture",
        fixture.display()
    );
    Program::new(fixture).args(args.iter().copied())
}

/// The fixture on stdin and stdout.
pub(crate) fn over_stdio() -> StdioServer {
    fixture(&[]).raw_stdio()
}

/// The fixture over HTTP.
pub(crate) fn over_http(args: &[&str]) -> HttpServer {
    fixture(args).raw_http("http")
}

/// The fixture over the HTTP+SSE of 2024-11-05.
pub(crate) fn over_sse() -> HttpServer {
    fixture(&[]).raw_http("sse")
}
