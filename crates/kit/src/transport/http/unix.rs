//! The file of a Unix socket, for a proxy or a program on the same machine.

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixListener;

use super::listeners::BACKLOG;
use crate::beneath::folder_of;

/// Its owner and its group may connect.
const MODE: u32 = 0o660;

/// Time for which one server waits for another that begins in the same folder.
const TURN: Duration = Duration::from_secs(2);

/// A Unix socket that is listened on. Its file is removed when it is dropped.
#[derive(Debug)]
pub struct UnixSocket {
    pub(super) listener: UnixListener,
    pub(super) file: SocketFile,
}

/// Listens on a Unix socket. Its owner and its group may connect (mode 0660); who may reach it
/// besides is a matter of the folder it is in.
///
/// A socket that an earlier process has left there is replaced, one that somebody listens on is not.
///
/// # Errors
/// What the system says; `AddrInUse` where somebody listens, or where there is a file of another kind.
pub fn bind_unix(path: impl AsRef<Path>) -> io::Result<UnixSocket> {
    let path = path.as_ref();
    let address = SockAddr::unix(path)?;
    let _turn = turn(path);
    remove_stale(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&address)?;
    let file = SocketFile::of(path)?;
    // Before it listens nobody can connect, whatever the umask has left of the mode.
    fs::set_permissions(path, Permissions::from_mode(MODE))?;
    socket.listen(BACKLOG as i32)?;
    socket.set_nonblocking(true)?;
    let listener = net::UnixListener::from(OwnedFd::from(socket));
    Ok(UnixSocket {
        listener: UnixListener::from_std(listener)?,
        file,
    })
}

/// Has those that begin in the same folder do so one after another: a socket that was made and does not listen yet looks like
/// one that was left. Whatever does not let go of the folder, or cannot be locked, keeps nobody from beginning.
fn turn(path: &Path) -> Option<File> {
    let folder = File::open(folder_of(path)).ok()?;
    let until = Instant::now() + TURN;
    let is_taken = || matches!(folder.try_lock(), Err(TryLockError::WouldBlock));
    while is_taken() && Instant::now() < until {
        thread::sleep(Duration::from_millis(5));
    }
    Some(folder)
}

fn remove_stale(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !found.file_type().is_socket() {
        let why = "there is a file of this name that is no socket";
        return Err(io::Error::new(ErrorKind::AddrInUse, why));
    }
    match net::UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(_) => {
            let why = "another process listens on this socket";
            Err(io::Error::new(ErrorKind::AddrInUse, why))
        }
    }
}

/// The file of a socket, as long as it is that of this one.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        let found = fs::symlink_metadata(path)?;
        Ok(Self {
            path: std::path::absolute(path)?,
            device: found.dev(),
            inode: found.ino(),
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode));
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, "cannot remove the file of the Unix socket");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

    use super::*;

    #[tokio::test]
    async fn a_socket_that_was_left_is_replaced_and_one_in_use_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.sock");
        // A listener of the standard library leaves its file.
        drop(net::UnixListener::bind(&path).unwrap());
        let first = bind_unix(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
        let in_use = bind_unix(&path).unwrap_err();
        assert_eq!(in_use.kind(), ErrorKind::AddrInUse);
        assert!(path.exists());
        drop(first);
        assert!(!path.exists());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn of_several_that_begin_at_once_one_listens_and_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.sock");
        for _ in 0..50 {
            // Each of them finds a file that was left.
            drop(net::UnixListener::bind(&path).unwrap());
            let runtime = tokio::runtime::Handle::current();
            let begun: Vec<_> = thread::scope(|scope| {
                let begin = || {
                    let _entered = runtime.enter();
                    bind_unix(&path)
                };
                let all: Vec<_> = (0..3).map(|_| scope.spawn(begin)).collect();
                all.into_iter().map(|one| one.join().unwrap()).collect()
            });
            assert_eq!(
                begun.iter().filter(|one| one.is_ok()).count(),
                1,
                "{begun:?}"
            );
            assert!(net::UnixStream::connect(&path).is_ok());
        }
    }

    #[test]
    fn one_that_begins_waits_for_another_in_the_same_folder() {
        let folder = tempfile::tempdir().unwrap();
        let first = turn(&folder.path().join("a.sock")).unwrap();
        let (began, ended) = (AtomicBool::new(false), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                began.store(true, SeqCst);
                let _second = turn(&folder.path().join("b.sock")).unwrap();
                assert!(ended.load(SeqCst), "it did not wait");
            });
            while !began.load(SeqCst) {
                thread::yield_now();
            }
            // Time enough for one that does not wait.
            thread::sleep(Duration::from_millis(50));
            ended.store(true, SeqCst);
            drop(first);
        });
    }

    #[tokio::test]
    async fn no_other_file_is_replaced_or_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.sock");
        fs::write(&path, "precious").unwrap();
        let refused = bind_unix(&path).unwrap_err();
        assert!(refused.to_string().contains("no socket"), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), b"precious");

        let other = folder.path().join("other.sock");
        let socket = bind_unix(&other).unwrap();
        fs::rename(&path, &other).unwrap();
        drop(socket);
        assert_eq!(fs::read(&other).unwrap(), b"precious");
        assert!(bind_unix(folder.path().join("none/server.sock")).is_err());
    }
}
