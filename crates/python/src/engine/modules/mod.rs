//! A host that isn't there: Python modules for what the standard library needs an operating system
//! for.
//!
//! The interpreter is built without one: no files, no processes, no sockets, no environment. These
//! modules are frozen in front of the library's of the same name, so that the library imports and
//! behaves as in an empty container. Files live in memory (`_memfs.py`); what would
//! leave the process raises `PermissionError` in a sentence that says what is not available. Code
//! can read and change all of it, and finds nothing behind it but the native modules: `_host`
//! ([`host`]), `_sysconfigdata` ([`sysconfigdata`]) and the engine's `_pymcp`.

pub(in crate::engine) mod host;
pub(in crate::engine) mod sysconfigdata;

use rustpython_vm::frozen::{FrozenCodeObject, FrozenLib, FrozenModule};

/// What is run once when the interpreter starts, and is no module: `boot.py`, and `prelude.py` after it,
/// before anything else is imported.
const SCRIPTS: &[&str] = &["boot", "prelude"];

/// All files of this folder, compiled with this crate. Their names are those of the modules.
const COMPILED: &FrozenLib = rustpython_derive::py_freeze!(dir = ".", crate_name = "rustpython_vm");

/// The frozen modules. They come before the library's of the same name.
pub(super) fn ours() -> Vec<(&'static str, FrozenModule)> {
    let inside = |name: &str, package: &str| {
        let rest = name.strip_prefix(package);
        rest.is_some_and(|rest| rest.starts_with('.'))
    };
    let is_package = |name: &str| names().any(|other| inside(other, name));
    COMPILED
        .decode()
        .filter(|(name, _)| !SCRIPTS.contains(name))
        .map(|(name, FrozenModule { code, .. })| {
            let package = is_package(name);
            (name, FrozenModule { code, package })
        })
        .collect()
}

/// The names of all files here, which is what tracebacks call them.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    COMPILED.decode().map(|(name, _)| name)
}

/// The code of a script.
pub(super) fn script(name: &str) -> Option<FrozenCodeObject<&'static [u8]>> {
    let mut compiled = COMPILED.decode();
    compiled
        .find(|(other, _)| *other == name)
        .map(|(_, module)| module.code)
}

/// What is imported before it is asked for, one after the other while nothing is to be done: what
/// models use, and what is slow to import. Those that come first are used most.
pub(super) const PRELOADED: &[&str] = &[
    "argparse",
    "array",
    "asyncio",
    "base64",
    "bisect",
    "calendar",
    "collections",
    "concurrent.futures",
    "contextlib",
    "copy",
    "csv",
    "dataclasses",
    "datetime",
    "decimal",
    "difflib",
    "enum",
    "fractions",
    "functools",
    "hashlib",
    "heapq",
    "html",
    "html.parser",
    "inspect",
    "io",
    "itertools",
    "json",
    "linecache",
    "logging",
    "math",
    "operator",
    "os",
    "pathlib",
    "pickle",
    "pprint",
    "queue",
    "random",
    "re",
    "secrets",
    "shutil",
    "statistics",
    "string",
    "struct",
    "tempfile",
    "textwrap",
    "threading",
    "time",
    "traceback",
    "types",
    "typing",
    "unicodedata",
    "unittest",
    "urllib.parse",
    "uuid",
    "xml.etree.ElementTree",
    "zoneinfo",
];
