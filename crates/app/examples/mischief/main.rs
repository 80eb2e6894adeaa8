//! `cargo run -p pymcp-app --example mischief`: tools that misbehave on purpose, for the tests of confinement. They use no
//! door of the kit and little but the standard library, on whichever thread they are told, so that what refuses them is the
//! kernel alone. Where nothing is confined there is nothing to show.

#[cfg(target_os = "linux")]
mod misdeeds;

#[cfg(target_os = "linux")]
use misdeeds::main;

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    std::process::ExitCode::FAILURE
}
