//! Says how the program is built, for `version --verbose`.

// What a build script says to cargo goes to stdout.
#![allow(clippy::print_stdout)]

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RUSTC");
    let of_cargo = |name: &str| env::var(name).unwrap_or_default();
    let rustc = Command::new(of_cargo("RUSTC")).arg("--version").output();
    let rustc = rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    for (name, value) in [
        ("BUILD_PROFILE", of_cargo("PROFILE")),
        ("BUILD_TARGET", of_cargo("TARGET")),
        ("BUILD_RUSTC", rustc.unwrap_or_default()),
    ] {
        println!("cargo::rustc-env={name}={value}");
    }
}
