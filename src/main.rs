//! The program `pymcp`. Everything is in [`pymcp::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    pymcp::cli::main()
}
