//! The program `pymcp`. Everything is in [`pymcp::cli`].

use std::process::ExitCode;

/// Counts memory where the program is a worker that runs Python.
#[cfg(feature = "python")]
#[global_allocator]
static ALLOCATOR: pymcp_python::Allocator = pymcp_python::Allocator;

fn main() -> ExitCode {
    pymcp::cli::main()
}
