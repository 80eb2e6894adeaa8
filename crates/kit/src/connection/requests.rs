//! Requests of a client that are in flight.

use std::sync::Arc;

use super::Connection;
use crate::limits::{Permit, Share, Shares};
use crate::wire::{Code, Id, RpcError};

/// A request in flight, as far as its connection has to do with it.
pub(crate) trait Cancel: Send + Sync {
    /// Stops it: the client wants no answer any more.
    fn cancel(&self);
}

/// All places are taken.
pub(crate) fn busy(limit: usize, scope: &str) -> RpcError {
    RpcError::new(
        Code::BUSY,
        format!("The server is busy: {limit} requests are in flight {scope}; try again later."),
    )
}

impl Connection {
    /// Its caller's places among these calls.
    pub(crate) fn share_of(&self, calls: &Shares) -> &Share {
        self.calls.get_or_init(|| calls.of(&self.caller))
    }

    /// A place among the calls for one that had its own before.
    pub(crate) fn take_again(&self) -> Option<Permit> {
        self.calls.get().map(Share::take_again)
    }

    /// Adds a request to those in flight, of which at most `max` work.
    ///
    /// # Errors
    /// When its id is in flight already, or there are too many.
    pub(crate) fn register(
        &self,
        id: &Id,
        request: impl FnOnce() -> Arc<dyn Cancel>,
        works: bool,
        max: usize,
    ) -> Result<(), RpcError> {
        if !self.remembers {
            return Ok(());
        }
        let mut state = self.state();
        if state.in_flight.contains_key(id) {
            // Answering the second one leaves the first its own, single answer.
            return Err(RpcError::invalid_request(
                "A request with this id is already in flight.",
            ));
        }
        if state.working >= max {
            return Err(busy(max, "on this connection"));
        }
        state.working += usize::from(works);
        state.in_flight.insert(id.clone(), request());
        Ok(())
    }

    /// Says that a request in flight begins or ceases to work: that it waits for the client.
    pub(crate) fn set_working(&self, works: bool) {
        if self.remembers {
            let mut state = self.state();
            match works {
                true => state.working += 1,
                false => state.working -= 1,
            }
        }
    }

    /// Removes a request from those in flight.
    pub(crate) fn unregister(&self, id: &Id, works: bool) {
        if self.remembers {
            let mut state = self.state();
            state.in_flight.remove(id);
            state.working -= usize::from(works);
        }
    }

    /// Stops the request, if it is in flight here.
    pub(crate) fn cancel(&self, id: &Id) -> bool {
        let request = self.state().in_flight.get(id).cloned();
        if let Some(request) = &request {
            request.cancel();
        }
        request.is_some()
    }

    /// Its requests in flight, and how many of these work: the others wait for the client.
    pub(crate) fn requests(&self) -> (usize, usize) {
        let state = self.state();
        (state.in_flight.len(), state.working)
    }
}
