//! Where there is `openat`.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, mkdirat, open, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;

use super::{Refused, listed, scratch_name};

/// A folder that is only gone through.
#[cfg(any(target_os = "linux", target_os = "android"))]
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// A folder whose entries are read.
const ENTRIES: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// Opening a pipe must not wait for its other end, nor a terminal become this process's.
const FILE: OFlags = OFlags::NONBLOCK
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// A file that is not there yet.
const NEW: OFlags = OFlags::WRONLY
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::CLOEXEC);

/// A folder.
#[derive(Debug)]
pub(crate) struct Dir(OwnedFd);

/// Opens the file at a path of the author's, which may lead through links.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    Ok(open(path, FILE, Mode::empty())?.into())
}

impl Dir {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(open(path, FOLDER, Mode::empty())?))
    }

    pub(crate) fn open_file(&self, names: &[&str]) -> Result<File, Refused> {
        let (name, within) = self.enter(names, false)?;
        let at = within.as_ref().unwrap_or(&self.0).as_fd();
        openat(at, name, FILE | OFlags::NOFOLLOW, Mode::empty())
            .map(File::from)
            .map_err(|error| refused(at, name, error))
    }

    /// The entries of the folder at this path: see [`listed`].
    pub(crate) fn list(&self, names: &[&str]) -> Result<Vec<String>, Refused> {
        let (name, within) = match names {
            [] => (".", None),
            names => self.enter(names, false)?,
        };
        let at = within.as_ref().unwrap_or(&self.0).as_fd();
        let folder = openat(at, name, ENTRIES | OFlags::NOFOLLOW, Mode::empty()).map_err(
            |error| match error {
                Errno::NOTDIR if !is_link(at, name) => Refused::NoFolder,
                error => refused(at, name, error),
            },
        )?;
        let entries = rustix::fs::Dir::read_from(&folder).map_err(io_error)?;
        listed(entries.filter_map(|entry| {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => return Some(Err(io_error(error))),
            };
            // Others cannot be named in a path.
            let name = entry.file_name().to_str().ok()?;
            let is_folder = match entry.file_type() {
                FileType::Unknown => kind(folder.as_fd(), name) == Some(FileType::Directory),
                kind => kind == FileType::Directory,
            };
            Some(Ok((name.to_owned(), is_folder)))
        }))
    }

    /// Puts a file at this path, in the place of one that is there, whose mode it takes over as far as the process may give
    /// it (`umask`). Folders on the way are made. Who reads the file meanwhile has all of the old one or all of the new one.
    pub(crate) fn write(&self, names: &[&str], bytes: &[u8]) -> Result<(), Refused> {
        let (name, within) = self.enter(names, true)?;
        let at = within.as_ref().unwrap_or(&self.0).as_fd();
        let mode = match look(at, name) {
            None => Mode::from_raw_mode(0o666),
            Some((FileType::RegularFile, mode)) => mode & Mode::from_raw_mode(0o777),
            Some((FileType::Symlink, _)) => return Err(Refused::Link),
            Some(_) => return Err(Refused::NoFile),
        };
        let scratch = scratch_name()?;
        let mut file: File = openat(at, &*scratch, NEW, mode).map_err(io_error)?.into();
        let written = file
            .write_all(bytes)
            .map_err(Refused::Io)
            // A link that was put there meanwhile is replaced, and not followed.
            .and_then(|()| renameat(at, &*scratch, at, name).map_err(io_error));
        if written.is_err() {
            // It is why nothing was written that counts.
            let _ = unlinkat(at, &*scratch, AtFlags::empty());
        }
        written
    }

    /// Removes the file at this path.
    pub(crate) fn remove(&self, names: &[&str]) -> Result<(), Refused> {
        let (name, within) = self.enter(names, false)?;
        let at = within.as_ref().unwrap_or(&self.0).as_fd();
        match kind(at, name) {
            None => Err(Refused::Missing),
            Some(FileType::RegularFile) => {
                unlinkat(at, name, AtFlags::empty()).map_err(|error| refused(at, name, error))
            }
            Some(FileType::Symlink) => Err(Refused::Link),
            Some(_) => Err(Refused::NoFile),
        }
    }

    /// The last name, and the folder that those before it lead to unless that is this one.
    fn enter<'n>(
        &self,
        names: &[&'n str],
        make: bool,
    ) -> Result<(&'n str, Option<OwnedFd>), Refused> {
        let Some((name, folders)) = names.split_last() else {
            return Err(Refused::Path);
        };
        let mut within: Option<OwnedFd> = None;
        for folder in folders {
            let at = within.as_ref().unwrap_or(&self.0).as_fd();
            let step = || openat(at, *folder, FOLDER | OFlags::NOFOLLOW, Mode::empty());
            let mut entered = step();
            if make && matches!(entered, Err(Errno::NOENT)) {
                match mkdirat(at, *folder, Mode::from_raw_mode(0o777)) {
                    Ok(()) | Err(Errno::EXIST) => entered = step(),
                    Err(error) => return Err(io_error(error)),
                }
            }
            within = Some(entered.map_err(|error| refused(at, folder, error))?);
        }
        Ok((name, within))
    }
}

fn io_error(error: Errno) -> Refused {
    Refused::Io(error.into())
}

/// What is there, if anything, and its mode; a link is not followed.
fn look(at: BorrowedFd<'_>, name: &str) -> Option<(FileType, Mode)> {
    let about = statat(at, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    let kind = FileType::from_raw_mode(about.st_mode);
    Some((kind, Mode::from_raw_mode(about.st_mode)))
}

/// What is there, if anything; a link is not followed.
fn kind(at: BorrowedFd<'_>, name: &str) -> Option<FileType> {
    look(at, name).map(|(kind, _)| kind)
}

fn is_link(at: BorrowedFd<'_>, name: &str) -> bool {
    kind(at, name).is_some_and(FileType::is_symlink)
}

/// What the error means; that of a link is another one on every system.
fn refused(at: BorrowedFd<'_>, name: &str, error: Errno) -> Refused {
    match error {
        Errno::NOENT => Refused::Missing,
        _ if is_link(at, name) => Refused::Link,
        Errno::NOTDIR | Errno::NAMETOOLONG => Refused::Missing,
        // Sockets.
        Errno::NXIO | Errno::NODEV => Refused::NoFile,
        error => io_error(error),
    }
}
