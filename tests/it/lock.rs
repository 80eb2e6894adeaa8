//! What the server exposes is what `pymcp.lock` says, which is built in.

use std::path::Path;

use crate::support::run;

#[test]
fn the_lock_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let run = run(root, &["lock", "--check", "pymcp.lock"], &[]);
    assert_eq!(
        run.code,
        Some(0),
        "{}{}\nIf that is as it should be: cargo run -- lock --accept",
        run.stdout,
        run.stderr
    );
}
