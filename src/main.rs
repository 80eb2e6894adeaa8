//! The program `pymcp`: its name, its settings and its server.

use std::process::ExitCode;

/// Counts memory where the program is a worker that runs Python.
#[cfg(feature = "python")]
#[global_allocator]
static ALLOCATOR: pymcp_python::Allocator = pymcp_python::Allocator;

fn main() -> ExitCode {
    // Before anything else: a worker has no settings, no runtime and no other threads.
    #[cfg(feature = "python")]
    if pymcp_python::worker::is_requested() {
        return pymcp_python::worker::main();
    }
    pymcp::app().run(pymcp::server::prepare)
}
