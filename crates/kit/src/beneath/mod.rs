//! Files below a folder, by paths that a caller may have written.
//!
//! A path is taken apart into names, and each is opened in the folder that the one before it led to,
//! without following symbolic links (`openat` with `O_NOFOLLOW`). There is no moment between a check
//! and the opening in which something could be put in its place, no `..`, and no link, inside or out.
//! The same could be had of `openat2` with `RESOLVE_BENEATH`, which only Linux has and some of its
//! sandboxes refuse, or of `cap-std`, whose twenty crates open more than is needed here; both are for
//! following links within, which nothing here does.
//!
//! Everything here blocks: whoever calls it from a future does so on a thread for that.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use bytes::Bytes;

use crate::error::Error;
use crate::reason::reason;

#[cfg(unix)]
#[path = "unix.rs"]
mod dir;
#[cfg(not(unix))]
#[path = "portable.rs"]
mod dir;

pub(crate) use dir::{Dir, open_file};

/// Bytes of one file: as many as fit a result of 1 MiB (`CallLimits::result_bytes`) once they are
/// encoded, which takes four bytes for three.
pub(crate) const MAX_BYTES: u64 = 700 << 10;

/// Bytes of a path.
pub(crate) const MAX_PATH: usize = 1024;

/// Names in a path.
pub(crate) const MAX_DEPTH: usize = 32;

/// Files and folders of one folder that are listed.
pub(crate) const MAX_ENTRIES: usize = 10_000;

/// Characters of a path that are repeated in an error.
const MAX_SHOWN: usize = 200;

/// The folder that a file of this server's own is in: the one that it runs in where the path names none.
pub(crate) fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Why a file is not read or written.
#[derive(Debug)]
pub(crate) enum Refused {
    Path,
    Missing,
    Link,
    NoFile,
    NoFolder,
    TooLarge,
    TooMany,
    Io(io::Error),
}

impl Refused {
    /// The sentence for whoever wrote the path.
    pub(crate) fn sentence(self, path: &str, max: u64) -> Error {
        let shown = shown(path);
        Error::user(match self {
            Self::Path => format!(
                "'{shown}' is no path below the folder; it has to be names with '/' between them, of \
                 which none begins with a dot."
            ),
            Self::Missing => format!("There is no file '{shown}'."),
            Self::Link => {
                format!("'{shown}' leads through a symbolic link, which is not followed.")
            }
            Self::NoFile => format!("'{shown}' is not a file."),
            Self::NoFolder => format!("'{shown}' is not a folder."),
            Self::TooLarge => format!("'{shown}' has more than {max} bytes."),
            Self::TooMany => {
                format!("'{shown}' has more than {MAX_ENTRIES} files and folders.")
            }
            Self::Io(error) => {
                return Error::internal(format!("'{shown}' cannot be used: {}", reason(&error)));
            }
        })
    }
}

/// The path as an error shows it: what the caller wrote, short and without control characters.
pub(crate) fn shown(path: &str) -> String {
    path.chars()
        .take(MAX_SHOWN)
        .flat_map(char::escape_debug)
        .collect()
}

/// The names in a path; none of them leads up, out or to what is hidden, on any system.
pub(crate) fn names(path: &str) -> Result<Vec<&str>, Refused> {
    let names: Vec<&str> = path.split('/').collect();
    match path.len() <= MAX_PATH && names.len() <= MAX_DEPTH && names.iter().all(|it| is_fine(it)) {
        true => Ok(names),
        false => Err(Refused::Path),
    }
}

fn is_fine(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && !name.contains(['\\', ':', '/'])
        && !name.chars().any(char::is_control)
}

/// What is in a file, if that is a regular one.
pub(crate) fn read(file: File, max: u64) -> Result<Bytes, Refused> {
    let about = file.metadata().map_err(Refused::Io)?;
    if !about.is_file() {
        return Err(Refused::NoFile);
    }
    let mut bytes = Vec::new();
    // It may grow while it is read.
    file.take(max.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(Refused::Io)?;
    match u64::try_from(bytes.len()).is_ok_and(|length| length <= max) {
        true => Ok(bytes.into()),
        false => Err(Refused::TooLarge),
    }
}

impl Dir {
    /// What is in the file at a path below it.
    pub(crate) fn read(&self, path: &str, max: u64) -> Result<Bytes, Refused> {
        read(self.open_file(&names(path)?)?, max)
    }
}

/// The entries of a folder that paths can lead to, sorted; those that are folders end with `/`.
fn listed(
    entries: impl Iterator<Item = Result<(String, bool), Refused>>,
) -> Result<Vec<String>, Refused> {
    let mut all = Vec::new();
    for entry in entries {
        let (mut name, is_folder) = entry?;
        if !is_fine(&name) {
            continue;
        }
        if all.len() == MAX_ENTRIES {
            return Err(Refused::TooMany);
        }
        if is_folder {
            name.push('/');
        }
        all.push(name);
    }
    all.sort();
    Ok(all)
}

/// A name beside others that no path leads to, for a file that is not complete yet.
fn scratch_name() -> Result<String, Refused> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| Refused::Io(io::Error::other(error)))?;
    Ok(format!(".{:032x}.part", u128::from_ne_bytes(random)))
}
