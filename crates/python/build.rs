//! Packs the standard library, and says what the compiler can't see: the Python modules are read by a macro, and the
//! interpreter's crate writes the environment of its build into the program.

#![allow(clippy::print_stdout)] // That is how cargo is told.

#[path = "build/lines.rs"]
mod lines;

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

/// What is left out, with all that is below it: it is nothing without windows, terminals, databases, processes, native code, another
/// system, or codecs that are written in C. An import says so (`modules/_sandbox.py`).
const ABSENT: &[&str] = &[
    "_aix_support",
    "_android_support",
    "_apple_support",
    "_ios_support",
    "_osx_support",
    "_pyrepl.__main__",
    "_pyrepl._minimal_curses",
    "_pyrepl._threading_handler",
    "_pyrepl.commands",
    "_pyrepl.completing_reader",
    "_pyrepl.console",
    "_pyrepl.curses",
    "_pyrepl.fancy_termios",
    "_pyrepl.historical_reader",
    "_pyrepl.input",
    "_pyrepl.keymap",
    "_pyrepl.main",
    "_pyrepl.reader",
    "_pyrepl.readline",
    "_pyrepl.simple_interact",
    "_pyrepl.trace",
    "_pyrepl.unix_console",
    "_pyrepl.unix_eventqueue",
    "_pyrepl.utils",
    "_pyrepl.windows_console",
    "ctypes",
    "dbm.sqlite3",
    "encodings.big5",
    "encodings.big5hkscs",
    "encodings.cp932",
    "encodings.cp949",
    "encodings.cp950",
    "encodings.euc_jis_2004",
    "encodings.euc_jisx0213",
    "encodings.euc_jp",
    "encodings.euc_kr",
    "encodings.gb18030",
    "encodings.gb2312",
    "encodings.gbk",
    "encodings.hz",
    "encodings.iso2022_jp",
    "encodings.iso2022_jp_1",
    "encodings.iso2022_jp_2",
    "encodings.iso2022_jp_2004",
    "encodings.iso2022_jp_3",
    "encodings.iso2022_jp_ext",
    "encodings.iso2022_kr",
    "encodings.johab",
    "encodings.mbcs",
    "encodings.oem",
    "encodings.shift_jis",
    "encodings.shift_jis_2004",
    "encodings.shift_jisx0213",
    "ensurepip",
    "multiprocessing.connection",
    "multiprocessing.context",
    "multiprocessing.forkserver",
    "multiprocessing.heap",
    "multiprocessing.managers",
    "multiprocessing.popen_fork",
    "multiprocessing.popen_forkserver",
    "multiprocessing.popen_spawn_posix",
    "multiprocessing.popen_spawn_win32",
    "multiprocessing.process",
    "multiprocessing.queues",
    "multiprocessing.reduction",
    "multiprocessing.resource_sharer",
    "multiprocessing.resource_tracker",
    "multiprocessing.shared_memory",
    "multiprocessing.sharedctypes",
    "multiprocessing.spawn",
    "multiprocessing.synchronize",
    "multiprocessing.util",
    "pty",
    "sqlite3",
    "tkinter",
    "tty",
    "venv",
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
    println!("cargo::rerun-if-changed=build/lines.rs");
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

/// Writes the frozen standard library again, without columns and with a better compression than that which it is frozen
/// with: `library.bin` has the code, one module behind the other, and `library.rs` says which is where.
fn pack_library(out: &Path) -> std::io::Result<()> {
    let library: BTreeMap<_, _> = rustpython_pylib::FROZEN_STDLIB.decode().collect();
    let mut packed = Vec::new();
    let mut table = String::from("&[\n");
    for (name, module) in library {
        if Path::new(OURS).join(format!("{name}.py")).exists() || is_absent(name) {
            continue;
        }
        let early = EARLY.contains(&name);
        let at = packed.len();
        if early {
            packed.extend_from_slice(module.code.bytes);
        } else {
            let code = lz4_flex::decompress_size_prepended(module.code.bytes);
            let code = code.map_err(std::io::Error::other)?;
            let code = lines::without_columns(&code)?;
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

fn is_absent(module: &str) -> bool {
    ABSENT.iter().any(|absent| {
        let rest = module.strip_prefix(absent);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}
