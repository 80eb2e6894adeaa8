//! Files that a flag names: text, of a bounded size, within a bounded time.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Bytes that a file may have.
pub(crate) const MAX_BYTES: u64 = 1 << 20;

/// Time that a file may take: longer only for a pipe that nobody writes to.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Reads a file, which may be a pipe.
///
/// # Errors
/// What is wrong with the file, as what follows its name in a sentence. No text of it is in there.
pub(crate) fn read(path: &Path, patience: Duration) -> Result<String, String> {
    let (sender, receiver) = channel();
    let path = path.to_owned();
    // A pipe that nobody writes to, or a share that hangs, must not keep the program for ever.
    let reading = thread::Builder::new().name("file".into());
    reading
        .spawn(move || sender.send(bytes(&path)))
        .map_err(|error| format!("cannot be read: {error}"))?;
    let bytes = match receiver.recv_timeout(patience) {
        Ok(read) => read.map_err(|error| format!("cannot be read: {error}"))?,
        Err(RecvTimeoutError::Timeout) => {
            let seconds = patience.as_secs();
            return Err(format!(
                "cannot be read to its end within {seconds} seconds"
            ));
        }
        Err(RecvTimeoutError::Disconnected) => return Err("cannot be read".into()),
    };
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("has more than {MAX_BYTES} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".into())
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
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
