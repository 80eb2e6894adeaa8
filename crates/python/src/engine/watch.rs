//! The end of a run's time.
//!
//! A thread of its own waits for it. First it asks the interpreter, which says between two
//! instructions where the code was; if that doesn't happen, since one instruction takes all the time,
//! it ends the process itself. It is started after the fork and before the confinement, which allows
//! no threads, and makes no system call but those of waiting and, at the end, of writing.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustpython_vm::signal::UserSignalSender;

use super::running::{self, too_long};
use crate::limits::Limits;
use crate::run::{Kind, Limit};
use crate::wire::RunError;
use crate::worker::Host;

/// How long the interpreter has to come to the end of an instruction. Less than the server's
/// patience.
const PATIENCE: Duration = Duration::from_millis(150);

/// A few calls deep.
const STACK: usize = 128 << 10;

/// What a run of which the time is to be watched says of itself.
pub(super) struct Watched {
    pub(super) deadline: Instant,
    pub(super) limits: Limits,
    pub(super) host: Arc<Mutex<Host>>,
}

/// The way to the thread that watches.
pub(super) struct Watch(mpsc::Sender<Watched>);

impl Watch {
    /// Starts the thread. `None` where there is none to be had: then the server watches alone.
    pub(super) fn start(interrupt: UserSignalSender) -> Option<Self> {
        let (runs, received) = mpsc::channel::<Watched>();
        let (started, ready) = mpsc::sync_channel(1);
        let watch = move || {
            if started.send(()).is_err() {
                return;
            }
            let Ok(run) = received.recv() else { return };
            if waits(&received, run.deadline) {
                return;
            }
            if interrupt
                .send(Box::new(|vm| {
                    running::time_is_up(vm);
                    Ok(())
                }))
                .is_err()
            {
                return;
            }
            if waits(&received, Instant::now() + PATIENCE) {
                return;
            }
            let error = RunError::new(Kind::Limit(Limit::Time), too_long(run.limits));
            running::host(&run.host).end(Err(error));
        };
        let thread = thread::Builder::new()
            .name("watch".into())
            .stack_size(STACK)
            .spawn(watch);
        // A thread that is still being set up makes system calls that the confinement refuses.
        let running = thread.is_ok() && ready.recv().is_ok();
        running.then_some(Self(runs))
    }

    /// Watches over the one run of this process.
    pub(super) fn over(&self, run: Watched) {
        // The thread only ends when nothing is to be watched any more.
        let _ = self.0.send(run);
    }
}

/// Waits until then. `true` when there is nothing to wait for any more.
fn waits(runs: &mpsc::Receiver<Watched>, until: Instant) -> bool {
    let left = until.saturating_duration_since(Instant::now());
    !matches!(runs.recv_timeout(left), Err(RecvTimeoutError::Timeout))
}
