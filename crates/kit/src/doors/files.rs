//! Files, below the paths that a component declared.

use std::path::Path;

use bytes::Bytes;

use crate::beneath::{self, Dir, MAX_BYTES, Refused, names};
use crate::effects::Effect;
use crate::error::{Error, Result};

use super::Doors;

/// The files of a component: read where it declared [`Effect::ReadsFiles`], written where it declared
/// [`Effect::WritesFiles`].
///
/// Paths are absolute. What is below the declared path is names with `/` between them, and may come from the caller:
/// refused, with a sentence for it, are `.` and `..`, hidden files (names that begin with a dot), symbolic links
/// wherever they lead, and what is no regular file. No race can lead outside: each folder is opened in the one before
/// it, without following links. The declared path itself may lead through links, and have hidden folders in it. Errors
/// for the caller name what is below the declared path, and never where that is.
///
/// The work is done on the runtime's threads for what blocks; in a blocking handler, see [`BlockingFiles`].
///
/// ```
/// use pymcp_kit::{Ctx, Effect, Result, Tool};
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Args {
///     /// The name of the note.
///     name: String,
/// }
///
/// async fn read_note(ctx: Ctx, args: Args) -> Result<String> {
///     ctx.files().read_text(format!("/srv/notes/{}.md", args.name)).await
/// }
///
/// let tool: Tool = Tool::new("read_note", read_note).effects([Effect::reads_files("/srv/notes")]);
/// ```
#[derive(Debug, Clone)]
pub struct Files(BlockingFiles);

impl From<BlockingFiles> for Files {
    fn from(files: BlockingFiles) -> Self {
        Self(files)
    }
}

impl Files {
    /// See [`BlockingFiles::max_bytes`].
    pub fn max_bytes(self, bytes: u64) -> Self {
        Self(self.0.max_bytes(bytes))
    }

    /// See [`BlockingFiles::read`].
    ///
    /// # Errors
    /// The same.
    pub async fn read(&self, path: impl AsRef<Path>) -> Result<Bytes> {
        let place = self.0.place(&READS, path.as_ref())?;
        self.beside(move |files| files.read_at(&place)).await
    }

    /// See [`BlockingFiles::read_text`].
    ///
    /// # Errors
    /// The same.
    pub async fn read_text(&self, path: impl AsRef<Path>) -> Result<String> {
        let place = self.0.place(&READS, path.as_ref())?;
        self.beside(move |files| files.read_text_at(&place)).await
    }

    /// See [`BlockingFiles::list`].
    ///
    /// # Errors
    /// The same.
    pub async fn list(&self, path: impl AsRef<Path>) -> Result<Vec<String>> {
        let place = self.0.place(&READS, path.as_ref())?;
        self.beside(move |files| files.list_at(&place)).await
    }

    /// See [`BlockingFiles::write`].
    ///
    /// # Errors
    /// The same.
    pub async fn write(&self, path: impl AsRef<Path>, contents: impl Into<Bytes>) -> Result<()> {
        let place = self.0.place(&WRITES, path.as_ref())?;
        let contents = contents.into();
        self.beside(move |files| files.write_at(&place, &contents))
            .await
    }

    /// See [`BlockingFiles::remove`].
    ///
    /// # Errors
    /// The same.
    pub async fn remove(&self, path: impl AsRef<Path>) -> Result<()> {
        let place = self.0.place(&WRITES, path.as_ref())?;
        self.beside(move |files| files.remove_at(&place)).await
    }

    /// Does something on a thread that may block.
    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&BlockingFiles) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let files = self.0.clone();
        tokio::task::spawn_blocking(move || work(&files)).await?
    }
}

/// [`Files`], for code that may block its thread.
#[derive(Debug, Clone)]
pub struct BlockingFiles {
    doors: Doors,
    max_bytes: u64,
}

/// Where a path leads: the declared path, and what is below it.
struct Place {
    declared: String,
    /// Empty for the declared path itself.
    rest: String,
}

impl Place {
    fn names(&self) -> Result<Vec<&str>, Refused> {
        match self.rest.is_empty() {
            true => Ok(Vec::new()),
            false => names(&self.rest),
        }
    }

    /// The path as the caller is told of it: without the place on this machine.
    fn shown(&self) -> &str {
        match &*self.rest {
            "" => "/",
            rest => rest,
        }
    }

    fn open(&self) -> Result<Dir> {
        Dir::open(Path::new(&self.declared)).map_err(|error| self.unusable(&error))
    }

    /// The declared path is the author's or the operator's to mend.
    fn unusable(&self, error: &std::io::Error) -> Error {
        Error::internal(format!(
            "the declared path '{}' cannot be used: {error}",
            self.declared
        ))
    }
}

impl BlockingFiles {
    pub(super) fn new(doors: Doors) -> Self {
        Self {
            doors,
            max_bytes: MAX_BYTES,
        }
    }

    /// Bytes that one file may have, whether it is read or written. Default 700 KiB; a result has a bound of its own,
    /// [`CallLimits::result_bytes`](crate::CallLimits::result_bytes).
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// What is in the file at `path`.
    ///
    /// # Errors
    /// Sentences for the caller: there is no such file, it is not one that is read, it has too many bytes. Errors of
    /// ours: the path is below none that was declared to be read, which is logged, or the system refuses.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Bytes> {
        self.read_at(&self.place(&READS, path.as_ref())?)
    }

    /// [`BlockingFiles::read`], for text in UTF-8.
    ///
    /// # Errors
    /// The same, and a sentence for the caller when it is no text.
    pub fn read_text(&self, path: impl AsRef<Path>) -> Result<String> {
        self.read_text_at(&self.place(&READS, path.as_ref())?)
    }

    /// The names of the files and folders in the folder at `path`, sorted; those of folders end with `/`. Hidden ones are
    /// left out, as nothing leads to them.
    ///
    /// # Errors
    /// As [`BlockingFiles::read`], and a sentence for the caller when there are more than 10,000.
    pub fn list(&self, path: impl AsRef<Path>) -> Result<Vec<String>> {
        self.list_at(&self.place(&READS, path.as_ref())?)
    }

    /// Writes the file at `path`, in the place of one that is there; who reads it meanwhile has all of the old one or
    /// all of the new one. Folders that are missing below the declared path are made. A file that was itself declared is
    /// written where it is.
    ///
    /// # Errors
    /// Sentences for the caller: it is a link or no file, the contents have too many bytes. Errors of ours: the path is
    /// below none that was declared to be written, which is logged, or the system refuses.
    pub fn write(&self, path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> Result<()> {
        self.write_at(&self.place(&WRITES, path.as_ref())?, contents.as_ref())
    }

    /// Removes the file at `path`, below a path that was declared to be written.
    ///
    /// # Errors
    /// As [`BlockingFiles::write`], and a sentence for the caller when there is no such file.
    pub fn remove(&self, path: impl AsRef<Path>) -> Result<()> {
        self.remove_at(&self.place(&WRITES, path.as_ref())?)
    }

    fn read_at(&self, place: &Place) -> Result<Bytes> {
        let read = match place.rest.is_empty() {
            true => {
                let file = beneath::open_file(Path::new(&place.declared));
                let file = file.map_err(|error| place.unusable(&error))?;
                beneath::read(file, self.max_bytes)
            }
            // What is wrong with a path is said before anything is opened.
            false => match place.names() {
                Ok(_) => place.open()?.read(&place.rest, self.max_bytes),
                Err(refused) => Err(refused),
            },
        };
        read.map_err(|refused| self.sentence(refused, place))
    }

    fn read_text_at(&self, place: &Place) -> Result<String> {
        String::from_utf8(self.read_at(place)?.into()).map_err(|_| {
            let shown = beneath::shown(place.shown());
            Error::user(format!("'{shown}' is not UTF-8 text."))
        })
    }

    fn list_at(&self, place: &Place) -> Result<Vec<String>> {
        let listed = match place.names() {
            Ok(names) => place.open()?.list(&names),
            Err(refused) => Err(refused),
        };
        listed.map_err(|refused| self.sentence(refused, place))
    }

    fn write_at(&self, place: &Place, contents: &[u8]) -> Result<()> {
        if u64::try_from(contents.len()).map_or(true, |bytes| bytes > self.max_bytes) {
            return Err(self.sentence(Refused::TooLarge, place));
        }
        if place.rest.is_empty() {
            let written = std::fs::write(&place.declared, contents);
            return written.map_err(|error| place.unusable(&error));
        }
        let written = match place.names() {
            Ok(names) => place.open()?.write(&names, contents),
            Err(refused) => Err(refused),
        };
        written.map_err(|refused| self.sentence(refused, place))
    }

    fn remove_at(&self, place: &Place) -> Result<()> {
        let removed = match place.names() {
            Ok(names) => place.open()?.remove(&names),
            Err(refused) => Err(refused),
        };
        removed.map_err(|refused| self.sentence(refused, place))
    }

    /// Where a path leads, by the longest declared path that it is below.
    fn place(&self, like: &Effect, path: &Path) -> Result<Place> {
        let declared = self.doors.label().and_then(|label| label.declared());
        let below = |declared: &str| path.strip_prefix(declared).ok();
        let all = declared
            .into_iter()
            .flat_map(|declared| declared.of_kind(like));
        let found = all
            .filter(|one| below(one.value()).is_some())
            .max_by_key(|one| one.value().len());
        let found = match found {
            Some(found) => {
                found.note();
                found.value().to_owned()
            }
            // A test of a handler alone.
            None if path.is_absolute() && declared.is_some_and(|it| it.is_anything()) => {
                let folder = path.parent().unwrap_or(path);
                folder.to_string_lossy().into_owned()
            }
            None => return Err(self.doors.undeclared(like)),
        };
        let rest = below(&found).and_then(Path::to_str);
        let rest = rest.ok_or_else(|| Error::user("The path is not Unicode."))?;
        Ok(Place {
            rest: rest.to_owned(),
            declared: found,
        })
    }

    fn sentence(&self, refused: Refused, place: &Place) -> Error {
        refused.sentence(place.shown(), self.max_bytes)
    }
}

/// Paths to read, whichever.
static READS: Effect = Effect::ReadsFiles(String::new());
/// Paths to write, whichever.
static WRITES: Effect = Effect::WritesFiles(String::new());

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
