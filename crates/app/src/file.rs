//! Files that a flag names: text, of a bounded size, within a bounded time.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use pymcp_kit::reason::reason;

/// Bytes that a file may have.
pub(crate) const MAX_BYTES: u64 = 1 << 20;

/// Time that a file may take: longer only for a pipe that nobody writes to.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Reads a file, which may be a pipe.
///
/// # Errors
/// What is wrong with the file, as what follows its name in a sentence. No text of it is in there.
pub(crate) fn read(path: &Path, patience: Duration) -> Result<String, String> {
    read_up_to(path, patience, MAX_BYTES)
}

/// The same with another bound of its bytes.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_up_to(path: &Path, patience: Duration, most: u64) -> Result<String, String> {
    let (sender, receiver) = channel();
    let path = path.to_owned();
    // A pipe that nobody writes to, or a share that hangs, must not keep the program for ever.
    let reading = thread::Builder::new().name("file".into());
    reading
        .spawn(move || sender.send(bytes(&path, most)))
        .map_err(|error| format!("cannot be read: {}", reason(&error)))?;
    let bytes = match receiver.recv_timeout(patience) {
        Ok(read) => read.map_err(|error| format!("cannot be read: {}", reason(&error)))?,
        Err(RecvTimeoutError::Timeout) => {
            let seconds = patience.as_secs();
            return Err(format!(
                "cannot be read to its end within {seconds} seconds"
            ));
        }
        Err(RecvTimeoutError::Disconnected) => return Err("cannot be read".into()),
    };
    if bytes.len() as u64 > most {
        return Err(format!("has more than {most} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".into())
}

fn bytes(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Puts a text in the place of a file, or writes a new one, at once: whoever reads it meets the one or the other. A new one
/// is as open as the umask has any file.
///
/// # Errors
/// It cannot be written.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut beside = builder.tempfile_in(folder)?;
    beside.write_all(text.as_bytes())?;
    if let Ok(before) = std::fs::metadata(path) {
        beside.as_file().set_permissions(before.permissions())?;
    }
    beside.as_file().sync_all()?;
    beside.persist(path)?;
    Ok(())
}

/// The permissions of a file, if they give somebody one of these rights. Elsewhere than on Unix they are not looked at.
#[cfg(unix)]
pub(crate) fn open_to(found: &std::fs::Metadata, rights: u32) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = found.permissions().mode() & 0o777;
    (mode & rights != 0).then_some(mode)
}

#[cfg(not(unix))]
pub(crate) fn open_to(_: &std::fs::Metadata, _: u32) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn what_is_no_file_of_text_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |path: &Path| read(path, LONG).unwrap_err();
        assert!(refused(folder.path()).starts_with("cannot be read"));
        let file = folder.path().join("settings.env");
        assert!(refused(&file).starts_with("cannot be read"));
        std::fs::write(&file, b"A=\xff\xfe").unwrap();
        assert_eq!(refused(&file), "is not UTF-8 text");
        let most = usize::try_from(MAX_BYTES).unwrap();
        std::fs::write(&file, " ".repeat(most)).unwrap();
        assert_eq!(read(&file, LONG).unwrap().len(), most);
        std::fs::write(&file, " ".repeat(most + 1)).unwrap();
        assert!(refused(&file).contains("1048576 bytes"));
    }

    #[test]
    fn a_file_is_replaced_and_stays_as_open_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.lock");
        replace(&file, "one\n").unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        }
        replace(&file, "two\n").unwrap();
        assert_eq!(read(&file, LONG).unwrap(), "two\n");
        #[cfg(unix)]
        assert!(open_to(&std::fs::metadata(&file).unwrap(), 0o007).is_none());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(replace(&folder.path().join("nowhere/a"), "").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_read_and_one_that_nobody_writes_to_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let refused = read(&pipe, Duration::from_millis(50)).unwrap_err();
        assert!(refused.contains("within"), "{refused}");
        let pipe = folder.path().join("another");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let writes = pipe.clone();
        let writer = thread::spawn(move || std::fs::write(writes, "A=b\n"));
        assert_eq!(read(&pipe, LONG).unwrap(), "A=b\n");
        writer.join().unwrap().unwrap();
    }
}
