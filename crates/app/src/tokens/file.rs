//! The file on the disk: who may read it, whether it has changed, how it is replaced.

use std::fs::{File, Metadata};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::Problem;
use crate::file::open_to;
use pymcp_kit::reason::reason;

/// Bytes that the file may have: room for 10,000 tokens with their scopes.
pub(crate) const MAX_BYTES: u64 = 4 << 20;

/// What tells one state of the file from another.
pub(super) type Stamp = Option<(Option<std::time::SystemTime>, u64, Unix)>;

/// Device, inode, and the time of the last change of anything in seconds and nanoseconds: a file that was moved here, or
/// whose permissions are others.
type Unix = (u64, u64, i64, i64);

/// The state of the file; none if there is none.
pub(super) fn stamp(path: &Path) -> Stamp {
    std::fs::metadata(path)
        .ok()
        .and_then(|found| stamp_of(&found))
}

#[cfg(unix)]
fn stamp_of(found: &Metadata) -> Stamp {
    use std::os::unix::fs::MetadataExt as _;
    let unix = (found.dev(), found.ino(), found.ctime(), found.ctime_nsec());
    Some((found.modified().ok(), found.len(), unix))
}

#[cfg(not(unix))]
fn stamp_of(found: &Metadata) -> Stamp {
    Some((found.modified().ok(), found.len(), Unix::default()))
}

/// Reads the file, which its owner alone may have access to (Unix: elsewhere its permissions are not looked at).
///
/// # Errors
/// What is wrong with the file.
pub(super) fn read(path: &Path) -> Result<(String, Stamp), Problem> {
    let unread =
        |error: std::io::Error| Problem::new(format!("cannot be read: {}", reason(&error)));
    // Before it is opened: a pipe that nobody writes to would be waited for.
    if !std::fs::metadata(path).map_err(unread)?.is_file() {
        return Err(Problem::new("is not a regular file"));
    }
    let file = File::open(path).map_err(unread)?;
    // Of what was opened, which may be another file by now.
    let found = file.metadata().map_err(unread)?;
    own(&found)?;
    let mut text = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut text)
        .map_err(unread)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(Problem::new(format!("has more than {MAX_BYTES} bytes")));
    }
    let text = String::from_utf8(text).map_err(|_| Problem::new("is not UTF-8 text"))?;
    Ok((text, stamp_of(&found)))
}

/// Refuses a file that somebody else than its owner may read or write.
fn own(found: &Metadata) -> Result<(), Problem> {
    match open_to(found, 0o077) {
        None => Ok(()),
        Some(mode) => Err(Problem::new(format!(
            "is open to its group or to others (mode {mode:03o}); chmod 600 leaves it to its owner"
        ))),
    }
}

/// The file while one process changes it.
#[derive(Debug)]
pub(super) struct Change {
    path: PathBuf,
    folder: PathBuf,
    /// Released when it is closed.
    #[cfg(unix)]
    _lock: File,
}

impl Change {
    /// Keeps other processes from changing the file, until this is dropped.
    ///
    /// # Errors
    /// There is no such folder, or another process changes a file in it.
    pub(super) fn begin(path: &Path) -> Result<Self, Problem> {
        // A link stays one.
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        #[cfg(unix)]
        let lock = {
            let folder = File::open(&folder);
            let lock = folder
                .map_err(|error| Problem::new(format!("cannot be changed: {}", reason(&error))))?;
            lock.try_lock().map_err(|error| {
                Problem::new(match error {
                    std::fs::TryLockError::WouldBlock => {
                        "is being changed by another process; try again".to_owned()
                    }
                    std::fs::TryLockError::Error(error) => {
                        format!("cannot be locked: {}", reason(&error))
                    }
                })
            })?;
            lock
        };
        Ok(Self {
            path,
            folder,
            #[cfg(unix)]
            _lock: lock,
        })
    }

    /// The text of the file; none if there is no file.
    pub(super) fn text(&self) -> Result<Option<String>, Problem> {
        match self.path.try_exists() {
            Ok(false) => Ok(None),
            _ => read(&self.path).map(|(text, _)| Some(text)),
        }
    }

    /// Puts another text in its place, at once: whoever reads it meets the one or the other. Its owner stays; it has
    /// mode 600.
    pub(super) fn write(&self, text: &str) -> Result<(), Problem> {
        if text.len() as u64 > MAX_BYTES {
            return Err(Problem::new(format!(
                "would have more than {MAX_BYTES} bytes"
            )));
        }
        self.replace(text)
            .map_err(|error| Problem::new(format!("cannot be written: {}", reason(&error))))
    }

    fn replace(&self, text: &str) -> std::io::Result<()> {
        let mut beside = tempfile::NamedTempFile::new_in(&self.folder)?;
        beside.write_all(text.as_bytes())?;
        #[cfg(unix)]
        if let Ok(before) = std::fs::metadata(&self.path) {
            use std::os::unix::fs::{MetadataExt as _, fchown};
            let now = beside.as_file().metadata()?;
            // A server that runs as somebody else reads it as before when root changes it.
            if (before.uid(), before.gid()) != (now.uid(), now.gid()) {
                fchown(beside.as_file(), Some(before.uid()), Some(before.gid()))?;
            }
        }
        beside.as_file().sync_all()?;
        beside.persist(&self.path)?;
        #[cfg(unix)]
        File::open(&self.folder)?.sync_all()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(path: &Path) -> String {
        read(path).unwrap_err().of("tokens.toml")
    }

    #[cfg(unix)]
    fn mode(path: &Path, mode: u32) {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_have_access_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        std::fs::write(&path, "# None\n").unwrap();
        for open in [0o640, 0o604, 0o644, 0o660, 0o602, 0o610] {
            mode(&path, open);
            let said = problem(&path);
            assert!(
                said.contains(&format!("(mode {open:03o}); chmod 600")),
                "{said}"
            );
        }
        for own in [0o600, 0o400, 0o700] {
            mode(&path, own);
            assert_eq!(read(&path).unwrap().0, "# None\n");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_of_text_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        assert!(problem(&path).starts_with("tokens.toml cannot be read: "));
        assert_eq!(problem(folder.path()), "tokens.toml is not a regular file.");
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        assert_eq!(problem(&pipe), "tokens.toml is not a regular file.");
        std::fs::write(&path, b"\xff").unwrap();
        mode(&path, 0o600);
        assert_eq!(problem(&path), "tokens.toml is not UTF-8 text.");
        let most = usize::try_from(MAX_BYTES).unwrap();
        std::fs::write(&path, " ".repeat(most)).unwrap();
        assert!(read(&path).is_ok());
        std::fs::write(&path, " ".repeat(most + 1)).unwrap();
        assert_eq!(problem(&path), "tokens.toml has more than 4194304 bytes.");
    }

    #[cfg(unix)]
    #[test]
    fn one_process_at_a_time_changes_a_file_and_a_link_stays_one() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        let change = Change::begin(&path).unwrap();
        let second = Change::begin(&path).unwrap_err().of("f");
        assert_eq!(second, "f is being changed by another process; try again.");
        assert_eq!(change.text().unwrap(), None);
        change.write("a").unwrap();
        drop(change);
        let found = std::fs::metadata(&path).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, 0o600);
        let other = tempfile::tempdir().unwrap();
        let link = other.path().join("link.toml");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let before = stamp(&link);
        let change = Change::begin(&link).unwrap();
        assert_eq!(change.text().unwrap().as_deref(), Some("a"));
        change.write("b").unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "b");
        assert_ne!(stamp(&link), before);
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1);
    }
}
