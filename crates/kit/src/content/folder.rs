//! Files below a folder, and none outside it.
//!
//! A path that a caller wrote is taken apart into names, and each is opened in the folder that the
//! one before it led to, without following symbolic links (`openat` with `O_NOFOLLOW`). There is no
//! moment between a check and the opening in which something could be put in its place, no `..`, and
//! no link, inside or out. The same could be had of `openat2` with `RESOLVE_BENEATH`, which only
//! Linux has and some of its sandboxes refuse, or of `cap-std`, whose twenty crates open more than
//! is needed here; both are for following links within, which nothing here does.

use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::media_type;

use super::{Audio, File, Image};

/// Bytes of one file: as many as fit a result of 1 MiB (`CallLimits::result_bytes`) once they are
/// encoded, which takes four bytes for three.
const MAX_BYTES: u64 = 700 << 10;

/// Bytes of a path.
const MAX_PATH: usize = 1024;

/// Names in a path.
const MAX_DEPTH: usize = 32;

/// Characters of a path that are repeated in an error.
const MAX_SHOWN: usize = 200;

/// A folder whose files a handler may read, by a path that may come from the caller.
///
/// A path is names with `/` between them, below the folder. Refused are absolute paths, `.` and
/// `..`, hidden files (names that begin with a dot), symbolic links wherever they lead, and what is
/// no regular file. It is opened once, so what is put in its place later is not seen.
///
/// ```no_run
/// use pymcp_kit::{Folder, Image, Result};
///
/// async fn chart(charts: Folder, year: u16) -> Result<Image> {
///     charts.image(&format!("{year}/sales.png")).await
/// }
///
/// let charts = Folder::new("/srv/charts")?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Folder {
    dir: Arc<Dir>,
    max_bytes: u64,
    uri: Arc<str>,
}

impl Folder {
    /// Opens the folder. Its own path may lead through symbolic links.
    ///
    /// # Errors
    /// It cannot be opened, or is no folder; the error names it.
    pub fn new(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let dir = Dir::open(path).map_err(|error| {
            let why = format!("the folder {path:?} cannot be opened: {error}");
            io::Error::new(error.kind(), why)
        })?;
        Ok(Self {
            dir: Arc::new(dir),
            max_bytes: MAX_BYTES,
            uri: "file:///".into(),
        })
    }

    /// Bytes that one file may have. Default 700 KiB; a result has a bound of its own,
    /// [`CallLimits::result_bytes`](crate::CallLimits::result_bytes).
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// The URI before the path of a [`File`], such as `data://reports`. Default `file:///`: where the
    /// folder is on this machine is nobody's business.
    pub fn uri(mut self, uri: impl Into<String>) -> Self {
        let mut uri = uri.into();
        if !uri.ends_with('/') {
            uri.push('/');
        }
        self.uri = uri.into();
        self
    }

    /// The picture at `path`.
    ///
    /// # Errors
    /// Those of [`Folder::bytes`], and when it is no picture by its first bytes or its extension.
    pub async fn image(&self, path: &str) -> Result<Image> {
        let (bytes, mime_type) = self.media(path, "image/", "an image").await?;
        Ok(Image::from_bytes(bytes, mime_type))
    }

    /// The sound at `path`.
    ///
    /// # Errors
    /// Those of [`Folder::bytes`], and when it is no sound by its first bytes or its extension.
    pub async fn audio(&self, path: &str) -> Result<Audio> {
        let (bytes, mime_type) = self.media(path, "audio/", "audio").await?;
        Ok(Audio::from_bytes(bytes, mime_type))
    }

    /// The file at `path`, whatever it is.
    ///
    /// # Errors
    /// Those of [`Folder::bytes`].
    pub async fn file(&self, path: &str) -> Result<File> {
        let bytes = self.bytes(path).await?;
        Ok(File::new(format!("{}{}", self.uri, encoded(path)), bytes))
    }

    /// The bytes of the file at `path`.
    ///
    /// # Errors
    /// Sentences for the caller: there is no such file, it is not one that is read, it has too many
    /// bytes. Anything else is ours.
    pub async fn bytes(&self, path: &str) -> Result<Bytes> {
        let (dir, max) = (Arc::clone(&self.dir), self.max_bytes);
        let names = path.to_owned();
        let read = tokio::task::spawn_blocking(move || read(&dir, &names, max)).await?;
        read.map_err(|refused| refused.sentence(path, max))
    }

    async fn media(&self, path: &str, top: &str, what: &str) -> Result<(Bytes, &'static str)> {
        let bytes = self.bytes(path).await?;
        match media_type::guess(path, &bytes) {
            Some(mime_type) if mime_type.starts_with(top) => Ok((bytes, mime_type)),
            _ => Err(Error::user(format!("'{}' is not {what}.", shown(path)))),
        }
    }
}

/// Why a file is not read.
#[derive(Debug)]
enum Refused {
    Path,
    Missing,
    Link,
    NoFile,
    TooLarge,
    Io(io::Error),
}

impl Refused {
    fn sentence(self, path: &str, max: u64) -> Error {
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
            Self::TooLarge => format!("'{shown}' has more than {max} bytes."),
            Self::Io(error) => {
                return Error::internal(format!("'{shown}' cannot be read: {error}"));
            }
        })
    }
}

/// The path as an error shows it: what the caller wrote, short and without control characters.
fn shown(path: &str) -> String {
    path.chars()
        .take(MAX_SHOWN)
        .flat_map(char::escape_debug)
        .collect()
}

fn read(dir: &Dir, path: &str, max: u64) -> Result<Bytes, Refused> {
    let file = dir.open_file(&names(path)?)?;
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

/// The names in a path; none of them leads up, out or to what is hidden, on any system.
fn names(path: &str) -> Result<Vec<&str>, Refused> {
    let names: Vec<&str> = path.split('/').collect();
    let fine = |name: &&str| {
        !name.is_empty()
            && !name.starts_with('.')
            && !name.contains(['\\', ':'])
            && !name.chars().any(char::is_control)
    };
    match path.len() <= MAX_PATH && names.len() <= MAX_DEPTH && names.iter().all(fine) {
        true => Ok(names),
        false => Err(Refused::Path),
    }
}

/// As a path of a URI (RFC 3986 §2.3).
fn encoded(path: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                text.push(char::from(byte));
            }
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

#[cfg(unix)]
mod dir {
    use std::fs::File;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use rustix::fs::{Mode, OFlags, open, openat};
    use rustix::io::Errno;

    use super::Refused;

    /// A folder that is only gone through.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

    /// Opening a pipe must not wait for its other end, nor a terminal become this process's.
    const FILE: OFlags = OFlags::NONBLOCK
        .union(OFlags::NOCTTY)
        .union(OFlags::CLOEXEC);

    #[derive(Debug)]
    pub(super) struct Dir(OwnedFd);

    impl Dir {
        pub(super) fn open(path: &Path) -> io::Result<Self> {
            Ok(Self(open(path, FOLDER, Mode::empty())?))
        }

        pub(super) fn open_file(&self, names: &[&str]) -> Result<File, Refused> {
            let Some((name, folders)) = names.split_last() else {
                return Err(Refused::Path);
            };
            let mut within: Option<OwnedFd> = None;
            let step = |within: &Option<OwnedFd>, name: &str, flags: OFlags| {
                let at = within.as_ref().unwrap_or(&self.0);
                openat(at, name, flags | OFlags::NOFOLLOW, Mode::empty())
                    .map_err(|error| refused(at, name, error))
            };
            for folder in folders {
                within = Some(step(&within, folder, FOLDER)?);
            }
            step(&within, name, FILE).map(File::from)
        }
    }

    /// What the error means; that of a link is another one on every system.
    fn refused(at: &OwnedFd, name: &str, error: Errno) -> Refused {
        use rustix::fs::{AtFlags, FileType, statat};
        let is_link = || {
            statat(at, name, AtFlags::SYMLINK_NOFOLLOW)
                .is_ok_and(|about| FileType::from_raw_mode(about.st_mode).is_symlink())
        };
        match error {
            Errno::NOENT => Refused::Missing,
            _ if is_link() => Refused::Link,
            Errno::NOTDIR | Errno::NAMETOOLONG => Refused::Missing,
            // Sockets.
            Errno::NXIO | Errno::NODEV => Refused::NoFile,
            error => Refused::Io(error.into()),
        }
    }
}

/// Without `openat` there is a moment between the check and the opening: who may write to the folder
/// while the server reads it could put a link in the place of a file.
#[cfg(not(unix))]
mod dir {
    use std::fs::{self, File};
    use std::io;
    use std::path::{Path, PathBuf};

    use super::Refused;

    #[derive(Debug)]
    pub(super) struct Dir(PathBuf);

    impl Dir {
        pub(super) fn open(path: &Path) -> io::Result<Self> {
            let path = fs::canonicalize(path)?;
            match fs::metadata(&path)?.is_dir() {
                true => Ok(Self(path)),
                false => Err(io::ErrorKind::NotADirectory.into()),
            }
        }

        pub(super) fn open_file(&self, names: &[&str]) -> Result<File, Refused> {
            let mut path = self.0.clone();
            let mut is_file = false;
            for name in names {
                path.push(name);
                let about = fs::symlink_metadata(&path).map_err(refused)?;
                if about.file_type().is_symlink() {
                    return Err(Refused::Link);
                }
                is_file = about.is_file();
            }
            match is_file {
                true => File::open(&path).map_err(refused),
                false => Err(Refused::NoFile),
            }
        }
    }

    fn refused(error: io::Error) -> Refused {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Refused::Missing,
            _ => Refused::Io(error),
        }
    }
}

use dir::Dir;

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
