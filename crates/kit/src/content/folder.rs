//! Files below a folder, and none outside it.
//!
//! How they are found there is said in `crate::beneath`.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::beneath::{Dir, MAX_BYTES, shown};
use crate::doors::Doors;
use crate::effects::Effect;
use crate::error::{Error, Result};
use crate::media_type;
use crate::reason::reason;

use super::{Audio, File, Image};

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
            let why = format!("the folder {path:?} cannot be opened: {}", reason(&error));
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
        let read = tokio::task::spawn_blocking(move || dir.read(&names, max)).await?;
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

impl Doors {
    /// The folder at a path that was declared as [`Effect::ReadsFiles`], just so, opened.
    ///
    /// # Errors
    /// It was not declared, which is logged, or cannot be opened: errors of ours.
    pub fn folder(&self, path: &str) -> Result<Folder> {
        self.require(&Effect::reads_files(path))?;
        Ok(Folder::new(path)?)
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

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
