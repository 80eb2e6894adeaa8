//! The messages of one call on their way to the transport: a small bounded queue.
//!
//! Both ends are usually the same task (a call polls its handler and then takes
//! what the handler said), so there is no channel and nothing is allocated for a call that says
//! nothing. When the peer reads slowly the queue fills and the handler waits in `send`, and nobody
//! else does.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

/// Messages that may wait in one call.
const CAPACITY: usize = 16;

/// What a call has to say before its answer.
#[derive(Debug)]
pub(crate) enum Queued {
    /// A message for the client.
    Message(Bytes),
    /// The client is to come back for the rest.
    Release,
}

#[derive(Default)]
pub(crate) struct Outbox(Mutex<State>);

#[derive(Default)]
struct State {
    queue: VecDeque<Queued>,
    reader: Option<Waker>,
    writers: Vec<Waker>,
    closed: bool,
}

impl Outbox {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // A panic while the lock is held can't happen: nothing in here calls foreign code.
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Queues a message, waiting for room. A message for a call that is over is dropped.
    pub(crate) async fn send(&self, message: Bytes) {
        self.queue(Queued::Message(message)).await;
    }

    /// Queues the wish to let the client's connection go, waiting for room.
    pub(crate) async fn release(&self) {
        self.queue(Queued::Release).await;
    }

    async fn queue(&self, said: Queued) {
        let mut said = Some(said);
        poll_fn(|cx| {
            let mut state = self.state();
            if state.closed {
                return Poll::Ready(());
            }
            if state.queue.len() >= CAPACITY {
                if !state
                    .writers
                    .iter()
                    .any(|waker| waker.will_wake(cx.waker()))
                {
                    state.writers.push(cx.waker().clone());
                }
                return Poll::Pending;
            }
            state.queue.extend(said.take());
            if let Some(reader) = state.reader.take() {
                drop(state);
                reader.wake();
            }
            Poll::Ready(())
        })
        .await;
    }

    /// Takes what was said next; when there is none, remembers whom to wake.
    pub(crate) fn poll_next(&self, cx: &Context<'_>) -> Option<Queued> {
        let mut state = self.state();
        let next = state.queue.pop_front();
        if next.is_none() {
            state.reader = Some(cx.waker().clone());
            return None;
        }
        let writers = std::mem::take(&mut state.writers);
        drop(state);
        writers.into_iter().for_each(Waker::wake);
        next
    }

    /// No more messages: the call is over. What is queued can still be taken.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let writers = std::mem::take(&mut state.writers);
        drop(state);
        writers.into_iter().for_each(Waker::wake);
    }

    /// Makes the reader look again, because something other than the queue changed.
    pub(crate) fn nudge(&self) {
        let reader = self.state().reader.take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use futures_util::task::noop_waker;

    #[test]
    fn a_full_queue_makes_the_writer_wait_and_closing_frees_it() {
        let outbox = Outbox::default();
        for _ in 0..CAPACITY {
            assert!(
                outbox
                    .send(Bytes::from_static(b"x"))
                    .now_or_never()
                    .is_some()
            );
        }
        assert!(
            outbox
                .send(Bytes::from_static(b"x"))
                .now_or_never()
                .is_none()
        );
        let waker = noop_waker();
        assert!(outbox.poll_next(&Context::from_waker(&waker)).is_some());
        assert!(
            outbox
                .send(Bytes::from_static(b"x"))
                .now_or_never()
                .is_some()
        );
        outbox.close();
        assert!(
            outbox
                .send(Bytes::from_static(b"dropped"))
                .now_or_never()
                .is_some()
        );
    }
}
