//! What a client hears unasked: the streams of such notifications, and the resources that it is subscribed to.

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::{Connection, State};
use crate::wire::{Code, RpcError};

/// Notifications that may wait for a client that does not read its stream; more are dropped.
const UNSOLICITED_QUEUE: usize = 64;

/// Streams of them that one connection may have open: GET streams of a legacy session.
const MAX_LISTENERS: usize = 8;

/// Resources one connection may subscribe to.
const MAX_SUBSCRIPTIONS: usize = 256;

/// Notifications that belong to no request: what a GET stream or stdout carries besides answers.
pub type Unsolicited = mpsc::Receiver<Bytes>;

impl State {
    /// Adds a listener. `None` when there are too many.
    fn add_listener(&mut self, number: u64) -> Option<(u64, Unsolicited)> {
        self.listeners.retain(|(_, stream)| !stream.is_closed());
        if self.listeners.len() >= MAX_LISTENERS {
            return None;
        }
        let (sender, receiver) = mpsc::channel(UNSOLICITED_QUEUE);
        self.listeners.push((number, sender));
        self.next_listener = self.next_listener.max(number.saturating_add(1));
        Some((number, receiver))
    }
}

impl Connection {
    /// Opens a stream for notifications that belong to no request. `None` when there are too many.
    ///
    /// There may be several, and each notification goes to one of them: to the newest that is read.
    pub fn open_stream(&self) -> Option<Unsolicited> {
        self.listen().map(|(_, stream)| stream)
    }

    /// [`Connection::open_stream`], with the number of the stream.
    pub(crate) fn listen(&self) -> Option<(u64, Unsolicited)> {
        let mut state = self.state();
        let number = state.next_listener;
        state.add_listener(number)
    }

    /// [`Connection::listen`], in place of the stream with this number: that one ends.
    pub(crate) fn take_over_stream(&self, number: u64) -> Option<(u64, Unsolicited)> {
        let mut state = self.state();
        // One that was never opened is a new one.
        let number = number.min(state.next_listener);
        state.listeners.retain(|(held, _)| *held != number);
        state.add_listener(number)
    }

    /// Sends a notification that belongs to no request; dropped when nobody listens or the client
    /// does not read, because one slow client must never hold up another.
    pub(crate) fn push(&self, mut message: Bytes) {
        let state = self.state();
        if state.listeners.is_empty() {
            return;
        }
        for (_, stream) in state.listeners.iter().rev() {
            match stream.try_send(message) {
                Ok(()) => return,
                Err(TrySendError::Full(unsent) | TrySendError::Closed(unsent)) => message = unsent,
            }
        }
        drop(state);
        tracing::debug!("dropped a notification for a client that does not read");
    }

    /// Whether a stream for such notifications is open.
    pub(crate) fn is_heard(&self) -> bool {
        let state = self.state();
        state
            .listeners
            .iter()
            .any(|(_, stream)| !stream.is_closed())
    }

    pub(crate) fn subscribe(&self, uri: &str) -> Result<(), RpcError> {
        let mut state = self.state();
        if state.subscriptions.len() >= MAX_SUBSCRIPTIONS && !state.subscriptions.contains(uri) {
            return Err(RpcError::new(
                Code::BUSY,
                format!(
                    "At most {MAX_SUBSCRIPTIONS} resources can be subscribed to; unsubscribe from one first."
                ),
            ));
        }
        state.subscriptions.insert(uri.into());
        Ok(())
    }

    pub(crate) fn unsubscribe(&self, uri: &str) {
        self.state().subscriptions.remove(uri);
    }

    /// The URIs that it is subscribed to.
    pub(crate) fn subscribed(&self) -> Vec<String> {
        let state = self.state();
        state
            .subscriptions
            .iter()
            .map(|uri| uri.to_string())
            .collect()
    }

    pub(crate) fn is_subscribed(&self, uri: &str) -> bool {
        self.state().subscriptions.contains(uri)
    }
}
