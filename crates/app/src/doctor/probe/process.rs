//! A server as a process: started as clients start it, and ended with all that it started.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::lines::Lines;

/// Bytes of stderr that are kept, the last ones.
const MAX_STDERR: usize = 4 << 10;

/// Time that a process has to end once its input has. The official clients send SIGTERM after two seconds.
const LEAVE: Duration = Duration::from_secs(2);

/// A command, and how it is started.
#[derive(Debug, Clone)]
pub(crate) struct Started {
    /// The program and its arguments.
    pub(crate) words: Vec<OsString>,
    /// Where; none for here.
    pub(crate) directory: Option<PathBuf>,
    /// Variables beside those of this process.
    pub(crate) variables: Vec<(String, String)>,
}

/// A process that serves on its stdin and stdout.
pub(crate) struct Process {
    child: Child,
    stderr: Arc<Mutex<VecDeque<u8>>>,
}

impl Process {
    /// Starts it, without a shell.
    ///
    /// # Errors
    /// That there is no such program, or that it cannot be started.
    pub(super) fn start(started: &Started) -> io::Result<(Self, Lines)> {
        let (program, arguments) = started
            .words
            .split_first()
            .ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .envs(started.variables.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(directory) = &started.directory {
            command.current_dir(directory);
        }
        // What it starts in turn (npx, uvx) ends with it.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn()?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let said = Arc::new(Mutex::new(VecDeque::new()));
        tokio::spawn(listen(stderr, Arc::clone(&said)));
        let process = Self {
            child,
            stderr: said,
        };
        Ok((process, Lines::new(stdout, stdin)))
    }

    /// How it ended, if it did.
    pub(super) fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        Some(status.to_string())
    }

    /// Whether it ends, in the time that clients give it, once its input has ended.
    pub(super) async fn leaves(&mut self) -> bool {
        timeout(LEAVE, self.child.wait()).await.is_ok()
    }

    /// The same for one that has been seen to close its output: how it ended.
    pub(super) async fn ending(&mut self) -> Option<String> {
        let status = timeout(LEAVE, self.child.wait()).await.ok()?.ok()?;
        Some(status.to_string())
    }

    /// The last of what it said on stderr.
    pub(super) fn stderr(&self) -> String {
        let said = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = said.iter().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(pid) = self.child.id()
            && let Some(pid) = i32::try_from(pid)
                .ok()
                .and_then(rustix::process::Pid::from_raw)
        {
            // It may have left since.
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}

/// Reads to the end, so that the process never waits for it, and keeps the last of it.
async fn listen(mut stderr: impl AsyncRead + Unpin, said: Arc<Mutex<VecDeque<u8>>>) {
    let mut chunk = [0; 4096];
    while let Ok(bytes @ 1..) = stderr.read(&mut chunk).await {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend(&chunk[..bytes]);
        let more = said.len().saturating_sub(MAX_STDERR);
        said.drain(..more);
    }
}
