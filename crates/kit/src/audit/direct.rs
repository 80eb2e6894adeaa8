//! A caller writes its own line: a thread that is woken for it, and wakes the caller again, costs several times what the line
//! costs.
//!
//! It writes at once, on the thread that it runs on: that holds the thread for as long as the system takes to copy a line,
//! which is less than it costs to let others go first and to come back. What others add meanwhile is a group, which the
//! same caller writes. Where it may take longer, the writer's own thread does it (`writer`): each group goes to the
//! disk, a new file is due, something failed, the disk was slow a moment ago, or the runtime has one thread only,
//! which a disk that hangs would stop.

use std::fmt;
use std::sync::Arc;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time;

use super::queue::{Lines, Place, Queue};
use super::writer::Turn;
use super::{Inner, OnFailure, Refused};

/// Groups that a caller writes at most, where others come while it writes.
const GROUPS: usize = 4;

/// Whether a caller on this thread may write: there is another one to serve the rest, should the disk hang.
pub(super) fn is_possible() -> bool {
    Handle::try_current().is_ok_and(|runtime| {
        runtime.runtime_flavor() == RuntimeFlavor::MultiThread
            && runtime.metrics().num_workers() > 1
    })
}

/// For a line that is written, or on its way.
#[must_use = "an answer has to wait for its line"]
pub struct Receipt(Way);

enum Way {
    /// It is known what became of it.
    Ended(Result<(), Refused>),
    /// It waits.
    On { log: Arc<Inner>, place: Place },
}

impl Receipt {
    /// Of a line of which it is known whether it was written.
    pub(super) fn ended(log: &Inner, written: bool) -> Self {
        Self(Way::Ended(log.allows(written)))
    }

    /// Of a line that waits.
    pub(super) fn on_its_way(log: Arc<Inner>, place: Place) -> Self {
        Self(Way::On { log, place })
    }

    /// Waits until the line is written, or until it is known that it isn't: an answer waits for this.
    ///
    /// # Errors
    /// It is not, and the log was opened with [`OnFailure::Deny`].
    pub async fn written(self) -> Result<(), Refused> {
        let (log, Place { group, number }) = match self.0 {
            Way::Ended(ended) => return ended,
            Way::On { log, place } => (log, place),
        };
        let late = time::Instant::now() + log.patience;
        let written = log.allows(group.written(late).await);
        written.inspect_err(|_| log.queue.withhold(number))
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Way::Ended(ended) => f.debug_tuple("Receipt").field(ended).finish(),
            Way::On { place, .. } => f.debug_tuple("Receipt").field(place).finish(),
        }
    }
}

impl Inner {
    /// Whether a call is answered whose line was written, or was not.
    fn allows(&self, written: bool) -> Result<(), Refused> {
        match written || self.on_failure != OnFailure::Deny {
            true => Ok(()),
            false => Err(Refused),
        }
    }
}

/// Writes the line of a caller, and what comes meanwhile; says whether it was written. `None` where it has to wait with
/// others, or is for the thread.
pub(super) fn write(queue: &Queue, body: &[u8]) -> Option<bool> {
    let mut state = queue.lock();
    let (bytes, is_alone) = (Lines::bytes_of(body), state.waiting.is_empty());
    if !is_alone || !state.is_for_callers() {
        return None;
    }
    let writer = state.writer.take_if(|writer| writer.has_room(bytes))?;
    let (turn, mut state) = writer.turn(queue, state, Some(body));
    let mut groups = 0;
    while turn == Turn::Written && groups < GROUPS && !state.waiting.is_empty() {
        let bytes = state.waiting.bytes();
        if !state.is_for_callers() {
            break;
        }
        let Some(writer) = state.writer.take_if(|writer| writer.has_room(bytes)) else {
            break;
        };
        state = writer.turn(queue, state, None).1;
        groups += 1;
    }
    queue.wake_if_wanted(state);
    Some(turn == Turn::Written)
}
