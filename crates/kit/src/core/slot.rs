//! The place of a call among those in flight.

use crate::connection::busy;
use crate::context::Ctx;
use crate::limits::{Full, Permit, Shares};
use crate::wire::RpcError;

/// One call among those in flight, until it is dropped: its place among all that work, and its id
/// among those of its connection.
pub(crate) struct Slot {
    ctx: Ctx,
    /// `None` while it waits for its client.
    place: Option<Permit>,
    /// It lasts for hours, and never has a place among those that work.
    lasting: bool,
}

impl Slot {
    /// Takes a place among the calls, or says why there is none.
    pub(crate) fn take(
        ctx: &Ctx,
        calls: &Shares,
        max_per_connection: usize,
    ) -> Result<Self, RpcError> {
        let share = ctx.connection().share_of(calls);
        let permit = share.take().map_err(|full| match full {
            Full::Share => busy(share.taken(), "for this caller"),
            Full::InAll => busy(calls.taken(), "in all"),
        })?;
        Self::register(ctx, Some(permit), max_per_connection)
    }

    /// For what lasts: takes no place among the calls.
    pub(crate) fn lasting(ctx: &Ctx) -> Result<Self, RpcError> {
        Self::register(ctx, None, usize::MAX)
    }

    fn register(ctx: &Ctx, place: Option<Permit>, max: usize) -> Result<Self, RpcError> {
        let works = place.is_some();
        let connection = ctx.connection();
        connection.register(ctx.id(), || ctx.in_flight(), works, max)?;
        Ok(Self {
            ctx: ctx.clone(),
            lasting: place.is_none(),
            place,
        })
    }

    /// Gives the place back while the call waits for its client, and takes it again when that has
    /// answered. A call that has its answer goes on whether there is a place or not: there are then
    /// more calls than allowed, by those that waited at most.
    pub(crate) fn follow(&mut self) {
        if self.lasting || self.ctx.is_asking() == self.place.is_none() {
            return;
        }
        let connection = self.ctx.connection();
        self.place = match self.place.take() {
            Some(_) => None,
            None => connection.take_again(),
        };
        connection.set_working(self.place.is_some());
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let connection = self.ctx.connection();
        connection.unregister(self.ctx.id(), self.place.is_some());
    }
}
