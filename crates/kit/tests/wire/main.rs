//! The kit over the real wire: raw bytes over HTTP and stdio, to servers in this process and to a fixture that is one of
//! its own (`examples/fixture`).

#![allow(clippy::unwrap_used)]

mod eras;
#[path = "../../examples/fixture/server.rs"]
mod fixture;
mod flood;
mod http;
mod legacy_sse;
mod sessions;
mod stdio;
// Each of the two that include it uses a part of it.
#[allow(dead_code, unused_imports)]
mod support;
mod testing;
mod transcripts;
mod traps;

use std::path::PathBuf;

/// Environment variables that the fixture reads: none.
const FOREIGN_PREFIXES: [&str; 0] = [];

/// The fixture as a program. `cargo test` builds examples too, but not with `--test wire`, which takes the one that is
/// there.
fn program() -> PathBuf {
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
    fixture
}
