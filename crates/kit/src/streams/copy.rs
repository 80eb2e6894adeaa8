//! A response as it goes to the store, so that a client that comes to another replica finds it.
//!
//! A task for each log follows it and adds what is new; nobody waits for it. While the store is away it tries again, and what
//! the log has dropped by then is not in the store either. It also tells a replica where the response is read that there
//! is more, and ends a reader there that says nothing any more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::store::bus::{Said, SharedSession};
use crate::store::{Bus, EventStore, EventStream, StoredEvent};

use super::stream::StreamLog;

/// Bytes of a message that is copied. A response with a longer one can be resumed where it is written only.
const MAX_MESSAGE: usize = 2 << 20;

/// Time until the next attempt after the store refused something, and up to so much more.
const AGAIN: Duration = Duration::from_millis(250);

/// Time between two looks at a reader at another replica.
const LOOK: Duration = Duration::from_secs(2);

/// The least time for which a response that goes on is kept after its writer was last heard of.
const LEAST: Duration = Duration::from_secs(10);

/// Where replicas keep responses for each other, and tell each other who reads them.
pub(crate) struct SharedStreams {
    pub(super) store: Arc<dyn EventStore>,
    bus: Arc<dyn Bus>,
}

impl SharedStreams {
    pub(crate) fn new(store: Arc<dyn EventStore>, bus: Arc<dyn Bus>) -> Arc<Self> {
        Arc::new(Self { store, bus })
    }

    /// The number of this replica.
    pub(crate) fn replica(&self) -> u32 {
        self.bus.replica()
    }

    pub(super) fn hears(&self) -> bool {
        self.bus.is_up()
    }

    pub(super) fn tell(&self, replica: u32, said: Said) {
        let message = said.write(self.bus.replica());
        self.bus.publish(Some(replica), message);
    }
}

/// What a log and the task that copies it have together.
#[derive(Default)]
pub(super) struct Copying {
    /// Rings when there is something to do.
    pub(super) wake: Notify,
    /// Whether the store is to forget it.
    forget: AtomicBool,
}

impl Copying {
    pub(super) fn forget(&self) {
        self.forget.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    pub(super) fn forgets(&self) -> bool {
        self.forget.load(Ordering::Acquire)
    }
}

/// What the store does not have yet.
pub(super) struct Uncopied {
    pub(super) events: Vec<(u64, StoredEvent)>,
    /// The first that is kept.
    pub(super) first: u64,
    /// Whether the response goes on.
    pub(super) goes_on: bool,
}

impl Uncopied {
    fn fits(&self) -> bool {
        self.events.iter().all(|(_, event)| match event {
            StoredEvent::Message(message) | StoredEvent::Answer(message) => {
                message.len() <= MAX_MESSAGE
            }
            StoredEvent::Begun | StoredEvent::Ended => true,
        })
    }
}

/// Copies a log for as long as it is there.
pub(super) async fn copy(
    log: Weak<StreamLog>,
    copying: Arc<Copying>,
    session: SharedSession,
    stream: EventStream,
    keep: Duration,
    shared: Arc<SharedStreams>,
) {
    let keep = keep.max(LEAST);
    let mut kept = Instant::now();
    let mut told = None;
    loop {
        if copying.forgets() {
            // If that fails its time ends it.
            let _ = shared.store.remove(&stream).await;
            return;
        }
        let Some(log) = log.upgrade() else {
            return;
        };
        let uncopied = log.uncopied();
        if !uncopied.fits() {
            copying.forget();
            continue;
        }
        let renew = uncopied.goes_on && kept.elapsed() >= keep / 3;
        if renew || !uncopied.events.is_empty() {
            let (events, first) = (&uncopied.events, uncopied.first);
            match shared.store.append(&stream, events, first, keep).await {
                Ok(true) => {
                    kept = Instant::now();
                    if let Some((last, _)) = events.last() {
                        log.set_copied(last + 1);
                    }
                }
                // The store has lost what was there.
                Ok(false) => log.set_copied(0),
                Err(_) => {
                    drop(log);
                    sleep(AGAIN + AGAIN.mul_f64(random())).await;
                    continue;
                }
            }
        }
        let (cut, reads) = log.readers_elsewhere();
        let wrote = |reader: u64, next, until, over| Said::Wrote {
            session,
            stream: stream.stream,
            reader,
            next,
            until,
            over,
        };
        if let Some(cut) = cut {
            shared.tell(cut.replica, wrote(cut.reader, 0, None, true));
        }
        if reads != told
            && let Some((who, next, until)) = reads
        {
            shared.tell(who.replica, wrote(who.reader, next, until, false));
        }
        told = reads;
        let more = log.is_behind();
        drop(log);
        if !more {
            let pause = if told.is_some() { LOOK } else { keep / 3 };
            tokio::select! {
                () = copying.wake.notified() => {}
                () = sleep(pause) => {}
            }
        }
    }
}

/// A number from 0 to 1.
pub(super) fn random() -> f64 {
    let mut byte = [0];
    // Without randomness all wait equally long.
    let _ = getrandom::fill(&mut byte);
    f64::from(byte[0]) / 255.0
}
