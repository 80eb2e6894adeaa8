//! A response that another replica writes, read from the store by a client that came here.
//!
//! The store has what is said, and the bus says that there is more: without it the store is asked now and then. The replica that
//! writes is told how far its client has read, so that a handler waits for a slow client here as it does there.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::limits::Permit;
use crate::store::bus::{Reading, Said, SharedSession};
use crate::store::{EventStream, StoreError, StoredEvent, StoredEvents};

use super::EventId;
use super::copy::{SharedStreams, random};

/// Events that wait for a client that does not read.
const AHEAD: usize = 16;

/// How often the replica that writes hears that somebody reads.
const BEAT: Duration = Duration::from_secs(2);

/// How often the store is asked although nobody said that there is more.
const ASK: Duration = Duration::from_secs(1);

/// The same while nobody can say it.
const ASK_OFTEN: Duration = Duration::from_millis(250);

/// Time until the next look for what may be on its way, and how many of them.
const ON_ITS_WAY: Duration = Duration::from_millis(100);
const LOOKS: usize = 3;

/// What the replica that writes has said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) next: u64,
    pub(super) until: Option<u64>,
    pub(super) over: bool,
}

/// Reads a response that another replica writes. Dropping it tells that one.
pub(crate) struct Follower {
    stream: u128,
    events: mpsc::Receiver<(u64, Bytes)>,
}

impl Follower {
    /// The next event; `None` after the answer, when the handler released the stream, when somebody else reads now, when the
    /// session is over, and when the replica that wrote it is gone.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<(EventId, Bytes)>> {
        let event = ready!(self.events.poll_recv(cx));
        Poll::Ready(event.map(|(number, message)| {
            let stream = self.stream;
            (EventId { stream, number }, message)
        }))
    }
}

/// What a store has after this event. `None` when there is no such event.
pub(super) async fn find(
    shared: &SharedStreams,
    stream: &EventStream,
    after: u64,
) -> Result<Option<StoredEvents>, StoreError> {
    for look in 0..LOOKS {
        if look > 0 {
            sleep(ON_ITS_WAY).await;
        }
        if let Some(found) = shared.store.after(stream, after).await?
            && after <= found.last
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// One connection of a client, and what it reads.
pub(super) struct Following {
    pub(super) shared: Arc<SharedStreams>,
    pub(super) session: SharedSession,
    pub(super) stream: EventStream,
    pub(super) writer: u32,
    pub(super) reader: u64,
    /// The event that it wants next.
    pub(super) next: u64,
    pub(super) told: watch::Receiver<Told>,
    /// What had been said of the next event when the store was asked last.
    pub(super) asked: u64,
    /// Its place among the responses of all sessions.
    pub(super) _place: Permit,
}

/// Why nothing more is read.
struct Over;

impl Following {
    /// Begins to read.
    pub(super) fn begin(self, found: StoredEvents) -> Follower {
        let (sender, events) = mpsc::channel(AHEAD);
        let stream = self.stream.stream;
        // Bounded by its place, its session and its client.
        tokio::spawn(self.run(found, sender));
        Follower { stream, events }
    }

    fn tell(&self, how: Reading) {
        let said = Said::Reads {
            session: self.session,
            stream: self.stream.stream,
            reader: self.reader,
            next: self.next,
            how,
        };
        self.shared.tell(self.writer, said);
    }

    async fn run(mut self, found: StoredEvents, sender: mpsc::Sender<(u64, Bytes)>) {
        self.tell(Reading::Begins);
        let mut found = Some(found);
        let mut beat = Instant::now() + BEAT;
        while let Ok(()) = self.turn(&mut found, &mut beat, &sender).await {}
        self.tell(Reading::Ends);
    }

    /// Hands on what was found, or waits for more and looks.
    async fn turn(
        &mut self,
        found: &mut Option<StoredEvents>,
        beat: &mut Instant,
        sender: &mpsc::Sender<(u64, Bytes)>,
    ) -> Result<(), Over> {
        let events = found.take().map(|found| found.events).unwrap_or_default();
        let any = !events.is_empty();
        for (number, event) in events {
            let (message, last) = match event {
                StoredEvent::Begun => continue,
                StoredEvent::Ended => return Err(Over),
                StoredEvent::Message(message) => (message, false),
                StoredEvent::Answer(message) => (message, true),
            };
            self.ends_before(number)?;
            loop {
                tokio::select! {
                    place = sender.reserve() => {
                        place.map_err(|_| Over)?.send((number, message));
                        break;
                    }
                    changed = self.told.changed() => {
                        changed.map_err(|_| Over)?;
                        self.ends_before(number)?;
                    }
                    () = sleep_until(*beat) => self.beat(beat),
                }
            }
            self.next = number + 1;
            if last {
                return Err(Over);
            }
        }
        self.ends_before(self.next)?;
        if any {
            self.beat(beat);
        } else {
            self.wait(beat, sender).await?;
        }
        self.asked = self.told.borrow().next;
        *found = match self.shared.store.after(&self.stream, self.next - 1).await {
            Ok(Some(more)) => Some(more),
            // Its writer is gone, or the session is over.
            Ok(None) => return Err(Over),
            Err(_) => {
                sleep(ASK_OFTEN + ASK_OFTEN.mul_f64(random())).await;
                None
            }
        };
        Ok(())
    }

    /// Says that somebody reads, and how far.
    fn beat(&self, beat: &mut Instant) {
        *beat = Instant::now() + BEAT;
        self.tell(Reading::GoesOn);
    }

    /// Waits until there may be more.
    async fn wait(
        &mut self,
        beat: &mut Instant,
        sender: &mpsc::Sender<(u64, Bytes)>,
    ) -> Result<(), Over> {
        let ask = match self.shared.hears() {
            true => ASK,
            false => ASK_OFTEN,
        };
        let ask = Instant::now() + ask / 2 + (ask / 2).mul_f64(random());
        while self.told.borrow_and_update().next <= self.next.max(self.asked) {
            tokio::select! {
                () = sleep_until(ask) => return Ok(()),
                () = sender.closed() => return Err(Over),
                changed = self.told.changed() => {
                    changed.map_err(|_| Over)?;
                    self.ends_before(self.next)?;
                }
                () = sleep_until(*beat) => self.beat(beat),
            }
        }
        Ok(())
    }

    /// Whether an event of this number is for a later connection.
    fn ends_before(&self, number: u64) -> Result<(), Over> {
        let told = *self.told.borrow();
        match told.over || told.until.is_some_and(|until| number >= until) {
            true => Err(Over),
            false => Ok(()),
        }
    }
}
