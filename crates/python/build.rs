//! Packs the standard library, and says what the compiler can't see: the Python modules are read by a macro, and the
//! interpreter's crate writes the environment of its build into the program.

#![allow(clippy::print_stdout)] // That is how cargo is told.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::DeflateEncoder;

/// Our own modules, which come before the library's of the same name.
const OURS: &str = "src/engine/modules";

/// What the interpreter imports before anything of ours is called: left as it is.
const EARLY: [&str; 6] = [
    "codecs",
    "encodings",
    "encodings.aliases",
    "encodings.ascii",
    "encodings.latin_1",
    "encodings.utf_8",
];

/// What names of variables have in them whose values are secrets.
const SECRET: [&str; 6] = [
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "CREDENTIAL",
    "API_KEY",
    "ACCESS_KEY",
];

fn main() -> std::io::Result<()> {
    println!("cargo::rerun-if-changed={OURS}");
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
    let out = std::env::var_os("OUT_DIR").unwrap_or_default();
    pack_library(Path::new(&out))
}

/// Writes the frozen standard library again, with a better compression than that which it is frozen with: `library.bin`
/// has the code, one module behind the other, and `library.rs` says which is where.
fn pack_library(out: &Path) -> std::io::Result<()> {
    let library: BTreeMap<_, _> = rustpython_pylib::FROZEN_STDLIB.decode().collect();
    let mut packed = Vec::new();
    let mut table = String::from("&[\n");
    for (name, module) in library {
        if Path::new(OURS).join(format!("{name}.py")).exists() {
            continue;
        }
        let early = EARLY.contains(&name);
        let at = packed.len();
        if early {
            packed.extend_from_slice(module.code.bytes);
        } else {
            let code = lz4_flex::decompress_size_prepended(module.code.bytes);
            let code = code.map_err(std::io::Error::other)?;
            let mut encoder = DeflateEncoder::new(&mut packed, Compression::best());
            encoder.write_all(&code)?;
            encoder.finish()?;
        }
        let (size, package) = (packed.len() - at, module.package);
        // Writing to a string does not fail.
        let _ = writeln!(
            table,
            "Packed {{ name: {name:?}, package: {package}, early: {early}, at: {at}, size: {size} }},"
        );
    }
    table.push(']');
    std::fs::write(out.join("library.bin"), packed)?;
    std::fs::write(out.join("library.rs"), table)
}
