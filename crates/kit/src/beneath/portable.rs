//! Where there is no `openat`: a moment is between the check and the opening. Who may write to the
//! folder while the server uses it could put a link in the place of a file.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::{Refused, listed, scratch_name};

/// A folder.
#[derive(Debug)]
pub(crate) struct Dir(PathBuf);

/// Opens the file at a path of the author's, which may lead through links.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    File::open(path)
}

impl Dir {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let path = fs::canonicalize(path)?;
        match fs::metadata(&path)?.is_dir() {
            true => Ok(Self(path)),
            false => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    pub(crate) fn open_file(&self, names: &[&str]) -> Result<File, Refused> {
        let path = self.walk(names)?;
        match fs::symlink_metadata(&path).map_err(refused)?.is_file() {
            true => File::open(&path).map_err(refused),
            false => Err(Refused::NoFile),
        }
    }

    /// The entries of the folder at this path: see [`listed`].
    pub(crate) fn list(&self, names: &[&str]) -> Result<Vec<String>, Refused> {
        let path = self.walk(names)?;
        if !fs::symlink_metadata(&path).map_err(refused)?.is_dir() {
            return Err(Refused::NoFolder);
        }
        let entries = fs::read_dir(path).map_err(refused)?;
        listed(entries.filter_map(|entry| {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => return Some(Err(Refused::Io(error))),
            };
            // Others cannot be named in a path.
            let name = entry.file_name().into_string().ok()?;
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            Some(Ok((name, is_folder)))
        }))
    }

    /// Puts a file at this path, in the place of one that is there. Folders on the way are made.
    pub(crate) fn write(&self, names: &[&str], bytes: &[u8]) -> Result<(), Refused> {
        let Some((name, folders)) = names.split_last() else {
            return Err(Refused::Path);
        };
        let mut folder = self.0.clone();
        for next in folders {
            folder.push(next);
            match fs::create_dir(&folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(Refused::Io(error));
                }
                _ => check(&folder)?,
            }
        }
        let path = folder.join(name);
        match fs::symlink_metadata(&path) {
            Ok(about) if about.file_type().is_symlink() => return Err(Refused::Link),
            Ok(about) if !about.is_file() => return Err(Refused::NoFile),
            _ => {}
        }
        let scratch = folder.join(scratch_name()?);
        let written = fs::write(&scratch, bytes).and_then(|()| fs::rename(&scratch, &path));
        if written.is_err() {
            // It is why nothing was written that counts.
            let _ = fs::remove_file(&scratch);
        }
        written.map_err(Refused::Io)
    }

    /// Removes the file at this path.
    pub(crate) fn remove(&self, names: &[&str]) -> Result<(), Refused> {
        let path = self.walk(names)?;
        match fs::symlink_metadata(&path).map_err(refused)?.is_file() {
            true => fs::remove_file(&path).map_err(refused),
            false => Err(Refused::NoFile),
        }
    }

    /// The path, on which there is no link.
    fn walk(&self, names: &[&str]) -> Result<PathBuf, Refused> {
        let mut path = self.0.clone();
        for name in names {
            path.push(name);
            check(&path)?;
        }
        Ok(path)
    }
}

fn check(path: &Path) -> Result<(), Refused> {
    match fs::symlink_metadata(path)
        .map_err(refused)?
        .file_type()
        .is_symlink()
    {
        true => Err(Refused::Link),
        false => Ok(()),
    }
}

fn refused(error: io::Error) -> Refused {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Refused::Missing,
        _ => Refused::Io(error),
    }
}
