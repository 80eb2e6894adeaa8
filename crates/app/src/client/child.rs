//! A server that is a command: it is started, spoken to over its stdin and stdout, and ended as the specification says
//! (2025-11-25, lifecycle, shutdown): its stdin is closed; if it then does not end, it is told to, and at last made to.

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::target::TargetArgs;
use super::wire::Wire;
use crate::{Error, Result};

/// Time that a command has to end after its stdin was closed. Many do not look at it, and somebody waits for the prompt.
const CLOSED: Duration = Duration::from_millis(500);

/// Time that it has after it was told to end.
const TOLD: Duration = Duration::from_secs(3);

/// Time to see how a command ended that has closed its stdout.
const GLANCE: Duration = Duration::from_secs(1);

/// A command that was started. If it is dropped, it is killed with all that it has started.
pub(super) struct Child {
    process: tokio::process::Child,
    ended: Ended,
}

/// How a command has ended, if it has.
#[derive(Debug, Clone, Default)]
pub(super) struct Ended(Arc<Mutex<Option<ExitStatus>>>);

impl Ended {
    /// How it has ended.
    pub(super) fn status(&self) -> Option<ExitStatus> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, status: ExitStatus) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
    }
}

/// Starts a command. Its stderr is ours.
///
/// # Errors
/// That it cannot be started.
pub(super) fn start(args: &TargetArgs) -> Result<(Wire, Ended)> {
    let (program, arguments) = args
        .command
        .split_first()
        .ok_or_else(|| Error::setting("A command must follow --."))?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .envs(args.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    if let Some(directory) = &args.cwd {
        command.current_dir(directory);
    }
    // Ctrl-C in the terminal is for us, who then cancel what it does; and what it starts can be ended with it.
    #[cfg(unix)]
    command.process_group(0);
    let name = program.to_string_lossy();
    let cannot = |error| Error::unreached(format!("{name} cannot be started: {error}."));
    let mut process = command.spawn().map_err(cannot)?;
    let pipes = process.stdin.take().zip(process.stdout.take());
    let (stdin, stdout) =
        pipes.ok_or_else(|| Error::unreached(format!("{name} has no stdin or stdout.")))?;
    let ended = Ended::default();
    let child = Child {
        process,
        ended: ended.clone(),
    };
    Ok((Wire::lines(stdout, stdin, Some(child)), ended))
}

impl Child {
    /// Ends the command, whose stdin is closed already.
    pub(super) async fn end(mut self) {
        if self.has_ended(CLOSED).await {
            return;
        }
        #[cfg(unix)]
        {
            self.signal(rustix::process::Signal::TERM);
            if self.has_ended(TOLD).await {
                return;
            }
            self.signal(rustix::process::Signal::KILL);
        }
        // Nothing is left to do where that fails.
        let _ = self.process.kill().await;
    }

    /// Sees how it has ended, after its stdout was closed.
    pub(super) async fn look(&mut self) {
        self.has_ended(GLANCE).await;
    }

    async fn has_ended(&mut self, patience: Duration) -> bool {
        match timeout(patience, self.process.wait()).await {
            Ok(status) => {
                if let Ok(status) = status {
                    self.ended.set(status);
                }
                true
            }
            Err(_) => false,
        }
    }

    /// Sends a signal to the command and all that it has started.
    #[cfg(unix)]
    fn signal(&self, signal: rustix::process::Signal) {
        let id = self.process.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = id.and_then(rustix::process::Pid::from_raw) {
            // One that is gone needs none.
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }
}

#[cfg(unix)]
impl Drop for Child {
    fn drop(&mut self) {
        // Nothing is sent where it has ended.
        self.signal(rustix::process::Signal::KILL);
    }
}
