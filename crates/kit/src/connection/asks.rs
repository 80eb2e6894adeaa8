//! Requests of ours to a client, and its answers.

use std::sync::atomic::Ordering;

use tokio::sync::{Semaphore, oneshot};

use super::Connection;
use crate::store::bus::SharedSession;
use crate::wire::{Id, Outcome};

/// Bits of a question's id that count; above them is the number of the replica that asks, of 31 bits. Together they are what
/// a client that holds numbers as doubles can tell apart.
const QUESTION_BITS: u32 = 22;

/// They count to so many.
const QUESTIONS: u64 = (1 << QUESTION_BITS) - 1;

/// The client's answer to a request of ours.
pub(crate) enum AskOutcome {
    /// Its `result`, as JSON text.
    Result(Box<str>),
    /// Its `error`, as JSON text.
    Error(Box<str>),
    /// It is neither.
    Malformed,
}

impl From<&Outcome<'_>> for AskOutcome {
    fn from(outcome: &Outcome<'_>) -> Self {
        match outcome {
            Outcome::Result(result) => Self::Result((*result).into()),
            Outcome::Error(error) => Self::Error((*error).into()),
            Outcome::Malformed(_) | Outcome::Missing(_) => Self::Malformed,
        }
    }
}

/// The replica that asked the question of this id, where replicas serve a session together.
pub(crate) fn asked_by(question: u64) -> Option<u32> {
    u32::try_from(question >> QUESTION_BITS)
        .ok()
        .filter(|replica| *replica != 0)
}

impl Connection {
    /// From here on other replicas may know of it, by this name. This one is `replica`, which the ids of its questions say.
    pub(crate) fn share(&self, session: SharedSession, replica: u32) {
        // It has one name for good.
        let _ = self.shared.set(Box::new((session, replica)));
    }

    /// What replicas call it.
    pub(crate) fn shared(&self) -> Option<SharedSession> {
        self.shared.get().map(|shared| shared.0)
    }

    /// The id of a question: where replicas serve the session together, it says which of them asks, so that a client never
    /// sees one twice and an answer finds its way.
    fn question(&self, number: u64) -> u64 {
        match self.shared.get() {
            Some(shared) => u64::from(shared.1) << QUESTION_BITS | number & QUESTIONS,
            None => number,
        }
    }

    /// The places of the questions that its client is asked, of which there are so many.
    pub(crate) fn questions(&self, max: usize) -> &Semaphore {
        self.questions
            .get_or_init(|| Semaphore::new(max.min(Semaphore::MAX_PERMITS)))
    }

    /// Whether a handler waits for the client: holding back its messages now would be a deadlock.
    pub fn awaits_client(&self) -> bool {
        !self.state().asks.is_empty()
    }

    /// Registers a request of ours; the answer arrives at the receiver. There is none from a client
    /// that has left.
    pub(crate) fn open_ask(&self) -> (u64, oneshot::Receiver<AskOutcome>) {
        let id = self.question(self.next_ask.fetch_add(1, Ordering::Relaxed));
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        if !self.leaving.is_cancelled() {
            state.asks.insert(id, sender);
        }
        drop(state);
        (id, receiver)
    }

    /// Whether a request of ours has, or had, this id.
    pub(crate) fn gave(&self, id: &Id) -> bool {
        let next = self.next_ask.load(Ordering::Relaxed);
        id.as_number().is_some_and(|id| {
            let number = match self.shared.get() {
                Some(_) => id & QUESTIONS,
                None => id,
            };
            number < next && self.question(number) == id
        })
    }

    pub(crate) fn close_ask(&self, id: u64) {
        self.state().asks.remove(&id);
    }

    /// Hands the client's answer to whoever asked here, if somebody did.
    pub(crate) fn resolve(&self, id: u64, answer: impl FnOnce() -> AskOutcome) -> bool {
        let ask = self.state().asks.remove(&id);
        ask.map(|ask| {
            // The asker may have given up meanwhile.
            let _ = ask.send(answer());
        })
        .is_some()
    }
}
