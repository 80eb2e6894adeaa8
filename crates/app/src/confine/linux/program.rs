//! What the system needs to run a program: the file, who interprets it, and their libraries.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::places::{Grant, LIBRARIES, NULL, READ, RUN};

/// Where programs are looked up that are given by name: where the kit's door to them looks.
const FOLDERS: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];

/// Bytes at the beginning of a program in which its interpreter is named.
const HEAD: u64 = 4096;

/// Programs that are looked at to run one: interpreters may have interpreters.
const MOST: usize = 8;

/// The segment of an ELF file that names its loader (elf(5)).
const PT_INTERP: u32 = 3;

/// What another program needs; nothing but libraries where there is none of this name.
pub(super) fn named(name: &str) -> Vec<Grant> {
    let mut grants = libraries();
    let mut programs: Vec<_> = found(OsStr::new(name)).into_iter().collect();
    for _ in 0..MOST {
        let Some(program) = programs.pop() else { break };
        programs.extend(interpreters(&head(&program)));
        grants.push((program, RUN));
    }
    grants
}

/// What this program needs to be run again, by workers that see how many threads they have (`/proc`) and ask for large
/// pages.
pub(super) fn this() -> Vec<Grant> {
    let itself = [PathBuf::from("/proc/self/exe")];
    let mapped = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mapped: Vec<_> = mapped.lines().filter_map(executable).collect();
    let mut grants: Vec<_> = itself
        .into_iter()
        .chain(mapped)
        .map(|path| (path, RUN))
        .collect();
    grants.extend(libraries());
    for read in ["/proc", "/sys/kernel/mm/transparent_hugepage"] {
        grants.push((read.into(), READ));
    }
    grants
}

fn libraries() -> Vec<Grant> {
    let libraries = LIBRARIES.iter().map(|path| (PathBuf::from(path), READ));
    libraries.chain([(NULL.0.into(), NULL.1)]).collect()
}

/// The file of a mapping that code is run from (proc_pid_maps(5)): the program, its loader and its libraries.
fn executable(line: &str) -> Option<PathBuf> {
    let mut words = line.split_ascii_whitespace();
    let rights = words.nth(1)?;
    let path = words.nth(3)?;
    (rights.contains('x') && path.starts_with('/')).then(|| path.into())
}

/// The file of a program: as it is given, or the first of its name.
fn found(name: &OsStr) -> Option<PathBuf> {
    match name.as_bytes().contains(&b'/') {
        true => Some(name.into()),
        false => FOLDERS
            .iter()
            .map(|folder| Path::new(folder).join(name))
            .find(|path| path.is_file()),
    }
}

fn head(program: &Path) -> Vec<u8> {
    let mut head = Vec::new();
    // Without it nothing is known of an interpreter.
    let _ = File::open(program).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    head
}

/// Who runs a program that begins so: the loader of a binary, or the interpreter of a script, and what `env` looks up.
fn interpreters(head: &[u8]) -> Vec<PathBuf> {
    let Some(script) = head.strip_prefix(b"#!") else {
        return loader(head).into_iter().collect();
    };
    let line = script
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let mut words = line
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .map(OsStr::from_bytes);
    let first = words.next().and_then(found);
    let is_env = first.as_ref().is_some_and(|it| it.ends_with("env"));
    let second = words.find(|word| is_env && !word.as_bytes().starts_with(b"-"));
    first.into_iter().chain(second.and_then(found)).collect()
}

/// The loader of a 64-bit ELF file of this machine's order of bytes.
fn loader(head: &[u8]) -> Option<PathBuf> {
    let is_elf = head.starts_with(b"\x7fELF\x02");
    let long = |at: usize| {
        let bytes = head.get(at..at + 8)?;
        usize::try_from(u64::from_ne_bytes(bytes.try_into().ok()?)).ok()
    };
    let short = |at: usize| Some(u16::from_ne_bytes(head.get(at..at + 2)?.try_into().ok()?));
    let kind = |at: usize| Some(u32::from_ne_bytes(head.get(at..at + 4)?.try_into().ok()?));
    let (table, size, count) = (long(32)?, short(54)?, short(56)?);
    let mut entries = (0..usize::from(count)).map(|n| table + n * usize::from(size));
    let entry = entries.find(|at| kind(*at) == Some(PT_INTERP))?;
    let (begin, length) = (long(entry + 8)?, long(entry + 32)?);
    let path = head.get(begin..begin.checked_add(length)?)?;
    let path = path.strip_suffix(b"\0").unwrap_or(path);
    is_elf.then(|| OsStr::from_bytes(path).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_needs_its_interpreter_and_a_binary_its_loader() {
        let shell = interpreters(b"#! /bin/sh -e\necho\n");
        assert_eq!(shell, [Path::new("/bin/sh")]);
        let looked_up = interpreters(b"#!/usr/bin/env -S sh -e\n");
        assert_eq!(looked_up[0], Path::new("/usr/bin/env"));
        assert!(looked_up[1].ends_with("sh"), "{looked_up:?}");
        for other in [&b"#!\n"[..], b"plain text", b"\x7fELF\x02 cut off"] {
            assert!(interpreters(other).is_empty());
        }
        let found: Vec<_> = named("sh")
            .into_iter()
            .filter(|(_, access)| *access == RUN)
            .collect();
        assert!(found[0].0.ends_with("sh"), "{found:?}");
        // Unless it is linked statically.
        if let Some((loader, _)) = found.get(1) {
            assert!(loader.exists(), "{found:?}");
        }
    }

    #[test]
    fn what_is_nowhere_needs_nothing_but_libraries() {
        assert_eq!(named("no-such-program-anywhere"), libraries());
    }

    #[test]
    fn this_program_and_its_loader_are_among_what_it_has_mapped() {
        let itself = std::env::current_exe().unwrap();
        let runs = this();
        assert!(runs.contains(&(itself.clone(), RUN)), "{runs:?}");
        if let Some(loader) = loader(&head(&itself)) {
            let loader = fs::canonicalize(loader).unwrap();
            assert!(runs.contains(&(loader, RUN)), "{runs:?}");
        }
    }
}
