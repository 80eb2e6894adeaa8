//! The file of a client on the disk: whether it may be changed, and how it is.
//!
//! A file is replaced at once, by one that is written beside it; before that its bytes are kept in a file that has the
//! server's name and `.bak` after its own. On any doubt nothing is changed.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};

use super::place::Place;

/// Bytes that a file may have: Claude Code keeps much else in its own.
const MAX_BYTES: u64 = 32 << 20;

const BOM: &str = "\u{feff}";

/// A file while this process changes it.
#[derive(Debug)]
pub(crate) struct ClientFile {
    /// Where it is, links followed.
    path: PathBuf,
    found: Option<Found>,
    /// Keeps other processes of this program out. None while there is no folder.
    _lock: Option<File>,
}

#[derive(Debug)]
struct Found {
    metadata: Metadata,
    bytes: Vec<u8>,
}

impl ClientFile {
    /// Reads a file that is to be changed, or sees that there is none.
    ///
    /// # Errors
    /// It must not be changed, or cannot be read: what follows its name in a sentence.
    pub(crate) fn open(place: &Place) -> Result<Self, String> {
        let path = real(&place.path).map_err(|error| unread(&error))?;
        let root = real(&place.root).map_err(|error| unread(&error))?;
        if !path.starts_with(&root) {
            return Err(format!(
                "leads out of {}, to {}; if that is meant, name that file with --config-path",
                root.display(),
                path.display()
            ));
        }
        let folder = parent(&path);
        // Missing folders are made in one that is there.
        let there = path.ancestors().skip(1).find(|folder| folder.exists());
        let there = there.ok_or("is in no folder")?;
        own_folder(there)?;
        let lock = match there == folder {
            true => Some(lock(folder)?),
            false => None,
        };
        let found = match std::fs::symlink_metadata(&path) {
            Ok(metadata) => Some(read(&path, &metadata)?),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(unread(&error)),
        };
        Ok(Self {
            path,
            found,
            _lock: lock,
        })
    }

    /// Where it is, links followed.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there was a folder for it.
    pub(crate) fn has_folder(&self) -> bool {
        self._lock.is_some()
    }

    /// Its text without a byte order mark; nothing if there is no file.
    ///
    /// # Errors
    /// It is no text.
    pub(crate) fn text(&self) -> Result<&str, String> {
        match &self.found {
            Some(found) => text(&found.bytes),
            None => Ok(""),
        }
    }

    /// Puts another text in its place, with the byte order mark that it had, and says where its bytes are kept now.
    /// A new file is its owner's alone if it is `private`.
    ///
    /// # Errors
    /// It cannot be written; nothing is changed then.
    pub(crate) fn write(
        &self,
        text: &str,
        name: &str,
        private: bool,
    ) -> Result<Option<PathBuf>, String> {
        let folder = parent(&self.path);
        std::fs::create_dir_all(folder).map_err(|error| unwritten(&error))?;
        let mark = match &self.found {
            Some(found) if found.bytes.starts_with(BOM.as_bytes()) => BOM,
            _ => "",
        };
        let new = self.beside(format!("{mark}{text}").as_bytes(), private);
        let new = new.map_err(|error| unwritten(&error))?;
        let Some(found) = &self.found else {
            new.persist_noclobber(&self.path)
                .map_err(|error| match error.error.kind() {
                    ErrorKind::AlreadyExists => changed_meanwhile(),
                    _ => unwritten(&error.error),
                })?;
            settle(folder);
            return Ok(None);
        };
        let kept = self.backup_path(name);
        let old = self.beside(&found.bytes, private);
        let old = old.map_err(|error| unwritten(&error))?;
        self.unchanged(found)?;
        old.persist(&kept)
            .map_err(|error| unwritten(&error.error))?;
        new.persist(&self.path)
            .map_err(|error| unwritten(&error.error))?;
        settle(folder);
        Ok(Some(kept))
    }

    /// The bytes that were kept when the server of this name was added, as text without a byte order mark. None if there
    /// are none that can be trusted to be its.
    pub(crate) fn kept(&self, name: &str) -> Option<String> {
        let bytes = self.kept_bytes(name)?;
        let has_mark = |bytes: &[u8]| bytes.starts_with(BOM.as_bytes());
        let same = has_mark(&bytes) == has_mark(&self.found.as_ref()?.bytes);
        text(&bytes).ok().filter(|_| same).map(str::to_owned)
    }

    /// Puts the bytes back that were kept.
    ///
    /// # Errors
    /// As [`ClientFile::write`].
    pub(crate) fn restore(&self, name: &str) -> Result<(), String> {
        let (Some(found), Some(bytes)) = (&self.found, self.kept_bytes(name)) else {
            return Err(changed_meanwhile());
        };
        let old = self
            .beside(&bytes, true)
            .map_err(|error| unwritten(&error))?;
        self.unchanged(found)?;
        old.persist(&self.path)
            .map_err(|error| unwritten(&error.error))?;
        // It says nothing any more that the file does not.
        let _ = std::fs::remove_file(self.backup_path(name));
        settle(parent(&self.path));
        Ok(())
    }

    /// Removes the file, which was not there before.
    ///
    /// # Errors
    /// It cannot be removed.
    pub(crate) fn delete(&self) -> Result<(), String> {
        if let Some(found) = &self.found {
            self.unchanged(found)?;
            std::fs::remove_file(&self.path).map_err(|error| unwritten(&error))?;
            settle(parent(&self.path));
        }
        Ok(())
    }

    /// Whether others than its owner can read it now. Only Unix says.
    pub(crate) fn is_open_to_others(&self) -> bool {
        std::fs::metadata(&self.path)
            .is_ok_and(|metadata| crate::file::open_to(&metadata, 0o044).is_some())
    }

    fn backup_path(&self, name: &str) -> PathBuf {
        let mut path = OsString::from(self.path.as_os_str());
        path.push(format!(".{name}.bak"));
        path.into()
    }

    fn kept_bytes(&self, name: &str) -> Option<Vec<u8>> {
        let path = self.backup_path(name);
        let metadata = std::fs::symlink_metadata(&path).ok()?;
        read(&path, &metadata).ok().map(|found| found.bytes)
    }

    /// A new file in the folder, with the owner and the permissions of the present one.
    fn beside(&self, bytes: &[u8], private: bool) -> io::Result<tempfile::NamedTempFile> {
        let mut file = options(!private && self.found.is_none()).tempfile_in(parent(&self.path))?;
        file.write_all(bytes)?;
        if let Some(found) = &self.found {
            #[cfg(unix)]
            {
                use std::os::unix::fs::{MetadataExt as _, fchown};
                let now = file.as_file().metadata()?;
                let before = &found.metadata;
                if (before.uid(), before.gid()) != (now.uid(), now.gid()) {
                    fchown(file.as_file(), Some(before.uid()), Some(before.gid()))?;
                }
            }
            file.as_file()
                .set_permissions(found.metadata.permissions())?;
        }
        file.as_file().sync_all()?;
        Ok(file)
    }

    /// A client may have written it while this process thought about it.
    fn unchanged(&self, found: &Found) -> Result<(), String> {
        let now = std::fs::symlink_metadata(&self.path).map_err(|error| unread(&error))?;
        match read(&self.path, &now)?.bytes == found.bytes {
            true => Ok(()),
            false => Err(changed_meanwhile()),
        }
    }
}

/// How a new file is made: its owner's alone, or as `open` as the umask has any new file.
#[cfg(unix)]
fn options(open: bool) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    if open {
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    }
    builder
}

#[cfg(not(unix))]
fn options(_: bool) -> tempfile::Builder<'static, 'static> {
    tempfile::Builder::new()
}

/// The folder of a path that has a name at its end.
fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// The path with links followed, as far as there is something.
fn real(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let is_there = |path: &&Path| std::fs::symlink_metadata(path).is_ok();
    let there = path.ancestors().find(is_there).unwrap_or(Path::new("/"));
    // A link to nothing is there, and cannot be followed.
    let real = there.canonicalize().map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            io::Error::other(format!("{} is a link to nothing", there.display()))
        }
        _ => error,
    })?;
    let rest = path.strip_prefix(there).unwrap_or(Path::new(""));
    if rest
        .components()
        .any(|part| !matches!(part, Component::Normal(_)))
    {
        return Err(io::Error::other("a folder in its path is missing"));
    }
    // Without a slash at the end where there is no rest.
    Ok(match rest.as_os_str().is_empty() {
        true => real,
        false => real.join(rest),
    })
}

fn lock(folder: &Path) -> Result<File, String> {
    let file = File::open(folder).map_err(|error| unwritten(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err("is being changed by another process; try again".to_owned())
        }
        // Some file systems have no locks; what is changed meanwhile is seen all the same.
        Err(std::fs::TryLockError::Error(_)) => Ok(file),
    }
}

/// Refuses a folder in which others can put files.
#[cfg(unix)]
fn own_folder(folder: &Path) -> Result<(), String> {
    let metadata = std::fs::metadata(folder).map_err(|error| unread(&error))?;
    if crate::file::open_to(&metadata, 0o002).is_some() {
        return Err(format!(
            "is in {}, where everybody can write; chmod o-w takes that away",
            folder.display()
        ));
    }
    owned(&metadata).map_err(|()| format!("is in {}, which is another user's", folder.display()))
}

#[cfg(not(unix))]
fn own_folder(_: &Path) -> Result<(), String> {
    Ok(())
}

/// Whether it is this user's. Root may change what is anybody's.
#[cfg(unix)]
fn owned(metadata: &Metadata) -> Result<(), ()> {
    use std::os::unix::fs::MetadataExt as _;
    let user = rustix::process::geteuid();
    match user.is_root() || user.as_raw() == metadata.uid() {
        true => Ok(()),
        false => Err(()),
    }
}

#[cfg(not(unix))]
fn owned(_: &Metadata) -> Result<(), ()> {
    Ok(())
}

fn read(path: &Path, metadata: &Metadata) -> Result<Found, String> {
    // Before it is opened: a pipe that nobody writes to would be waited for.
    if !metadata.is_file() {
        return Err("is no regular file".to_owned());
    }
    owned(metadata).map_err(|()| "is another user's".to_owned())?;
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::nlink(metadata) > 1 {
        return Err("has another name (a hard link), which would be left behind".to_owned());
    }
    #[cfg(unix)]
    let read_only = crate::file::open_to(metadata, 0o200).is_none();
    #[cfg(not(unix))]
    let read_only = metadata.permissions().readonly();
    if read_only {
        return Err("is read-only; make it writable if it may be changed".to_owned());
    }
    let file = File::open(path).map_err(|error| unread(&error))?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unread(&error))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("has more than {MAX_BYTES} bytes"));
    }
    let metadata = metadata.clone();
    Ok(Found { metadata, bytes })
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8 text")?;
    Ok(text.strip_prefix(BOM).unwrap_or(text))
}

/// Has the names of a folder survive a crash, where the system does that.
fn settle(folder: &Path) {
    #[cfg(unix)]
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    let _ = folder;
}

fn unread(error: &io::Error) -> String {
    format!("cannot be read: {error}")
}

fn unwritten(error: &io::Error) -> String {
    format!("cannot be written: {error}")
}

fn changed_meanwhile() -> String {
    "was changed by another program meanwhile; try again".to_owned()
}
