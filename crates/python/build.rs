//! Says what the compiler can't see: the Python modules are read by a macro, and the interpreter's crate writes the
//! environment of its build into the program.

#![allow(clippy::print_stdout)] // That is how cargo is told.

/// What names of variables have in them whose values are secrets.
const SECRET: [&str; 6] = [
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "CREDENTIAL",
    "API_KEY",
    "ACCESS_KEY",
];

fn main() {
    println!("cargo::rerun-if-changed=src/engine/modules");
    println!("cargo::rerun-if-changed=build.rs");
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let secret: Vec<_> = names
        .filter(|name| SECRET.iter().any(|part| name.contains(part)))
        .collect();
    if !secret.is_empty() {
        println!(
            "cargo::warning=rustpython-vm writes all environment variables of its build into the program, where whoever \
             has the file can read them; build what you give away without {}.",
            secret.join(", ")
        );
    }
}
