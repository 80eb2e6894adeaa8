//! The file: opened only if it is safe to go on with it, appended to in whole groups, and exchanged for another.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::chain::Head;
use super::digest::Digest;
use super::entry::MAX_LINE_BYTES;
use super::verify::Link;
use crate::beneath::folder_of;
use crate::reason::reason;

/// Where groups of lines go.
pub(super) trait Sink: Send + 'static {
    /// Appends all of it, or leaves what is there as it was.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Whether so many more bytes want another file.
    fn is_full(&self, more: usize) -> bool;

    /// Exchanges the file, whose last line has the number, for a new one with a first line, which is asked for with the
    /// name that the old one will have. There is no moment at which a crash would leave a file without it.
    fn rotate(&mut self, last: u64, first: &mut dyn FnMut(&Path) -> Vec<u8>) -> io::Result<()>;

    /// Goes on in another file if the file is not where it was; returns whether there is one.
    fn reopen(&mut self) -> io::Result<bool>;
}

/// A log on a disk.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    /// Bytes of whole groups.
    length: u64,
    /// Whether there may be something after them.
    dirty: bool,
    max_bytes: Option<u64>,
    /// Whether a group has to be on the disk, and not only with the operating system.
    sync: bool,
    /// The folder, which has to be on the disk then as well, with the names in it; where folders can be opened.
    folder: Option<File>,
    /// Whether there is a name in it that may not be on the disk yet.
    renamed: bool,
}

/// What was found in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// The last line.
    pub(super) head: Head,
    /// Bytes after it, which were moved to a file of their own.
    pub(super) torn: u64,
}

/// Bytes at the end of a file in which its last two lines and what is torn must be: a group with a first line, and two
/// lines.
const TAIL_BYTES: u64 = super::queue::MAX_BYTES as u64 + 4 * MAX_LINE_BYTES as u64;

impl LogFile {
    /// Opens the file, which is made if it isn't there, and reads its end.
    pub(super) fn open(
        path: &Path,
        max_bytes: Option<u64>,
        sync: bool,
    ) -> Result<(Self, Found), String> {
        let failed = |error: io::Error| format!("cannot be opened: {}", reason(&error));
        finish_rotation(path).map_err(failed)?;
        let (mut file, length) = open(path).map_err(failed)?;
        // Left by a crash before the old file was renamed. Nobody else writes one, since the file is locked.
        remove(&with(path, NEXT)).map_err(failed)?;
        let (head, whole) = tail(&mut file, length)?;
        let torn = length - whole;
        let mut log = Self {
            path: path.to_owned(),
            file,
            length: whole,
            dirty: false,
            max_bytes,
            sync,
            // Later a server that is confined could not open it.
            folder: File::open(folder_of(path)).ok().filter(|_| sync),
            renamed: false,
        };
        if torn > 0 {
            log.set_aside(head.sequence + 1).map_err(|error| {
                format!(
                    "ends within a line, which cannot be moved: {}",
                    reason(&error)
                )
            })?;
        }
        Ok((log, Found { head, torn }))
    }

    /// Moves what is after the last whole line to a file of its own, so that nothing is ever lost silently.
    fn set_aside(&mut self, next: u64) -> io::Result<()> {
        let mut torn = Vec::new();
        self.file.seek(SeekFrom::Start(self.length))?;
        (&self.file).take(TAIL_BYTES).read_to_end(&mut torn)?;
        let mut aside = create(&with(&self.path, &format!("torn-{next}")))?;
        aside.write_all(&torn)?;
        aside.sync_data()?;
        self.file.set_len(self.length)
    }

    /// Waits for the disk, if a group has to be there.
    fn synced(&mut self) -> io::Result<()> {
        if !self.sync {
            return Ok(());
        }
        if let (true, Some(folder)) = (self.renamed, &self.folder) {
            folder.sync_all()?;
        }
        self.renamed = false;
        self.file.sync_data()
    }

    /// Takes off what a write left that failed.
    fn mend(&mut self) -> io::Result<()> {
        // A file that somebody made shorter must not become longer.
        if self.dirty && self.file.metadata()?.len() > self.length {
            self.file.set_len(self.length)?;
        }
        self.dirty = false;
        Ok(())
    }

    fn exchange(&mut self) -> io::Result<()> {
        let (file, length) = open(&self.path)?;
        if length > 0 {
            return Err(io::Error::other("there is another file in its place"));
        }
        (self.file, self.length, self.dirty) = (file, 0, false);
        Ok(())
    }

    fn is_in_place(&self) -> io::Result<bool> {
        match std::fs::metadata(&self.path) {
            Ok(there) => Ok(same(&there, &self.file.metadata()?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Sink for LogFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.mend()?;
        self.dirty = true;
        let written = self.file.write_all(bytes).and_then(|()| self.synced());
        match written {
            Ok(()) => {
                self.length += bytes.len() as u64;
                self.dirty = false;
                Ok(())
            }
            Err(error) => {
                // If that fails too, the next group does it first.
                let _ = self.mend();
                Err(error)
            }
        }
    }

    fn is_full(&self, more: usize) -> bool {
        let after = self.length.saturating_add(more as u64);
        self.length > 0 && self.max_bytes.is_some_and(|most| after > most)
    }

    fn rotate(&mut self, last: u64, first: &mut dyn FnMut(&Path) -> Vec<u8>) -> io::Result<()> {
        // So that the names are in the order of the lines.
        let aside = with(&self.path, &format!("{last:012}"));
        self.mend()?;
        if !self.is_in_place()? {
            return Err(io::Error::other("there is another file in its place"));
        }
        if aside.try_exists()? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let next = with(&self.path, NEXT);
        remove(&next)?;
        let line = first(&aside);
        let begun = open(&next).and_then(|(mut file, _)| {
            file.write_all(&line)?;
            file.sync_all()?;
            std::fs::rename(&self.path, &aside)?;
            // It goes on in the old file, which therefore belongs in its place.
            std::fs::rename(&next, &self.path)
                .inspect_err(|_| drop(std::fs::rename(&aside, &self.path)))?;
            Ok(file)
        });
        match begun {
            Ok(file) => {
                (self.file, self.length, self.dirty) = (file, line.len() as u64, false);
                self.renamed = true;
                Ok(())
            }
            Err(error) => {
                let _ = remove(&next);
                Err(error)
            }
        }
    }

    fn reopen(&mut self) -> io::Result<bool> {
        if self.is_in_place()? {
            return Ok(false);
        }
        self.mend()?;
        self.exchange()?;
        Ok(true)
    }
}

/// The ending of a new file that has no other name yet.
const NEXT: &str = "next";

/// Gives a new file its name, where a crash came between that and the old one's.
fn finish_rotation(path: &Path) -> io::Result<()> {
    let next = with(path, NEXT);
    if !path.try_exists()? && next.try_exists()? {
        std::fs::rename(next, path)?;
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// `audit.jsonl` with `.ending`.
pub(super) fn with(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

/// The file for reading and appending, for its owner alone, and its length.
fn open(path: &Path) -> io::Result<(File, u64)> {
    // A pipe would wait for a reader.
    if std::fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(io::Error::other("it is no regular file"));
    }
    let file = private(OpenOptions::new().create(true).read(true).append(true)).open(path)?;
    let metadata = file.metadata()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if metadata.mode() & 0o022 != 0 {
            return Err(io::Error::other(
                "others can write to it; `chmod go-w` takes that from them",
            ));
        }
        // On other systems a lock keeps readers out too.
        file.try_lock()
            .map_err(|_| io::Error::other("another process writes to it"))?;
    }
    Ok((file, metadata.len()))
}

fn create(path: &Path) -> io::Result<File> {
    private(OpenOptions::new().create_new(true).write(true)).open(path)
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

#[cfg(unix)]
fn same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn same(one: &Metadata, other: &Metadata) -> bool {
    one.len() == other.len() && one.created().ok() == other.created().ok()
}

/// The head of the file, and how many bytes there are up to it.
fn tail(file: &mut File, length: u64) -> Result<(Head, u64), String> {
    let begin = length.saturating_sub(TAIL_BYTES);
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(begin))
        .and_then(|_| (&*file).take(TAIL_BYTES).read_to_end(&mut tail))
        .map_err(|error| format!("cannot be read: {}", reason(&error)))?;
    let no_log = || "is no audit log; name another file, or move it away".to_owned();
    let Some(end) = memchr::memrchr(b'\n', &tail) else {
        return match begin {
            0 if could_begin_a_line(&tail) => Ok((Head::NONE, 0)),
            _ => Err(no_log()),
        };
    };
    let whole = &tail[..end];
    let (before, last) = match memchr::memrchr(b'\n', whole) {
        Some(at) => (Some(&tail[..=at]), &tail[at + 1..=end]),
        None if begin == 0 => (None, &tail[..=end]),
        None => return Err(no_log()),
    };
    let first = |bytes: &[u8]| memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1);
    let before = before.map(|before| &before[first(&before[..before.len() - 1])..]);
    let link = Link::read(last).ok_or_else(|| match before.unwrap_or(last).starts_with(BEGIN) {
        true => "has a last line that is none of an audit log; `audit verify` says what is wrong with the file, then move \
                 it away"
            .to_owned(),
        false => no_log(),
    })?;
    let follows = match before {
        Some(before) => link.previous == Digest::of(before),
        None => link.begins_a_file(),
    };
    if !follows {
        return Err(
            "has a last line that does not follow the line before it; verify the file, and move it away"
                .into(),
        );
    }
    let head = Head {
        sequence: link.sequence,
        hash: Digest::of(last),
    };
    Ok((head, begin + end as u64 + 1))
}

/// What each line begins with.
const BEGIN: &[u8] = b"{\"sequence\":";

/// Whether it may be the beginning of the first line, or of what a machine that lost its power left of it.
fn could_begin_a_line(bytes: &[u8]) -> bool {
    bytes.iter().zip(BEGIN).all(|(found, due)| found == due) || bytes.iter().all(|byte| *byte == 0)
}
