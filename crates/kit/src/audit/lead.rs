//! The first caller of a group writes it: a thread that is woken for it, and wakes the callers again, costs several times
//! what the line costs.
//!
//! It writes at once, on the thread that it runs on: that holds the thread for as long as the system takes to copy a few
//! lines, which is less than it costs to let others go first and to come back. What others add meanwhile is the next group,
//! which the same caller writes. Where it may take longer, the writer's own thread does it (`writer`): each group goes to the
//! disk, a new file is due, something failed, the disk was slow a moment ago, or the runtime has one thread only,
//! which a disk that hangs would stop.

use std::fmt;
use std::sync::{Arc, TryLockError};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time;

use super::queue::{Group, Place, Queue};
use super::writer::{Shared, Turn};
use super::{Inner, OnFailure, Refused};

/// Groups that a caller writes at most, where others come while it writes.
const GROUPS: usize = 4;

/// Time after which a group whose leader does not come to it is the thread's.
const OVERDUE: Duration = Duration::from_millis(10);

/// Whether a caller on this thread may write: there is another one to serve the rest, should the disk hang.
pub(super) fn is_possible() -> bool {
    Handle::try_current().is_ok_and(|runtime| {
        runtime.runtime_flavor() == RuntimeFlavor::MultiThread
            && runtime.metrics().num_workers() > 1
    })
}

/// For a line that is on its way.
#[must_use = "an answer has to wait for its line"]
pub struct Receipt {
    pub(super) log: Arc<Inner>,
    /// None where there was no room.
    pub(super) place: Option<Place>,
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl Receipt {
    /// Waits until the line is written, or until it is known that it isn't: an answer waits for this.
    ///
    /// # Errors
    /// It is not, and the log was opened with [`OnFailure::Deny`].
    pub async fn written(mut self) -> Result<(), Refused> {
        let written = match &mut self.place {
            Some(place) => waits_for(&self.log, place).await,
            None => false,
        };
        if written || self.log.on_failure != OnFailure::Deny {
            return Ok(());
        }
        if let Some(place) = &self.place {
            self.log.queue.withhold(place.number);
        }
        Err(Refused)
    }
}

async fn waits_for(log: &Inner, place: &mut Place) -> bool {
    let (queue, group) = (&log.queue, &place.group);
    if place.leads {
        place.leads = false;
        write(queue, &log.writer, group);
        if let Some(written) = group.is_written() {
            return written;
        }
    }
    let now = time::Instant::now();
    if !group.written(now + OVERDUE).await {
        queue.hand_over(group);
    }
    group.written(now + log.patience).await
}

impl Drop for Receipt {
    /// Whoever does not wait does not write either.
    fn drop(&mut self) {
        if let Some(place) = self.place.as_ref().filter(|place| place.leads) {
            self.log.queue.hand_over(&place.group);
        }
    }
}

/// Writes the group, and what came meanwhile; leaves to the thread what is its own.
fn write(queue: &Queue, writer: &Shared, group: &Arc<Group>) {
    let mut state = queue.lock();
    if !Arc::ptr_eq(&state.group, group) {
        // It is being written.
        return;
    }
    state.led = false;
    for _ in 0..GROUPS {
        // Whoever writes the group before goes on with this one.
        if state.writing.is_some() {
            return;
        }
        let shared = writer.try_lock();
        let mut shared = match shared {
            Ok(shared) => shared,
            Err(TryLockError::Poisoned(shared)) => shared.into_inner(),
            // Whoever has it is about to look for what came meanwhile.
            Err(TryLockError::WouldBlock) => return,
        };
        let Some(writer) = shared.as_mut() else { break };
        if state.led || state.waiting.is_empty() {
            break;
        }
        if !state.may_be_led() || !writer.has_room(&state.waiting) {
            break;
        }
        let turn = writer.turn(queue, state);
        drop(shared);
        state = queue.lock();
        if turn != Turn::Written {
            break;
        }
    }
    queue.wake_if_wanted(state);
}
