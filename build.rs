//! Links the program tighter, where linker and system can.

#![allow(clippy::print_stdout)] // That is how cargo is told.

use std::env;
use std::path::Path;
use std::process::Command;

/// The first glibc that reads packed relocations.
const GLIBC: (u32, u32) = (2, 36);

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let of_target = |name: &str| env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    let is_linux = of_target("OS") == "linux" && of_target("ENV") == "gnu";
    let is_built_here = env::var("HOST") == env::var("TARGET");
    // Not while somebody works on it: links would take longer.
    let is_release = env::var("PROFILE").as_deref() == Ok("release");
    if !(is_linux && is_built_here && is_release) {
        return;
    }
    // Tables of the program have 190,000 addresses that the loader adds its base to. As a rule each takes 24 bytes of the
    // file, and of memory, since the loader has read them all; packed, two bits. A program that was linked like that
    // does not start with an older C library; a linker that doesn't know the option says so and goes on.
    if glibc().is_some_and(|version| version >= GLIBC) {
        link("-z,pack-relative-relocs");
    }
    if links_with_lld() {
        // One of the functions that are the same, byte by byte.
        link("--icf=all");
        // What hardly runs lies by itself, not on the pages between what does.
        link("-z,keep-text-section-prefix");
    }
}

fn link(option: &str) {
    println!("cargo::rustc-link-arg-bins=-Wl,{option}");
}

/// The version of the system's C library.
fn glibc() -> Option<(u32, u32)> {
    let version = said("getconf", &["GNU_LIBC_VERSION"])?;
    let (major, minor) = version.strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Whether the linker is the one that comes with the compiler: on x86-64 it is, unless somebody said otherwise or has a
/// compiler without.
fn links_with_lld() -> bool {
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let other = ["link", "fuse-ld"].iter().any(|word| flags.contains(word));
    let is_usual = !other && env::var_os("RUSTC_LINKER").is_none();
    let target = env::var("TARGET").unwrap_or_default();
    let rustc = env::var("RUSTC").unwrap_or_default();
    let comes_along = || {
        let root = said(&rustc, &["--print", "sysroot"])?;
        let linker = format!("lib/rustlib/{target}/bin/gcc-ld/ld.lld");
        Some(Path::new(&root).join(linker).exists())
    };
    is_usual && target == "x86_64-unknown-linux-gnu" && comes_along() == Some(true)
}

/// What a program prints, if it is there and succeeds.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
