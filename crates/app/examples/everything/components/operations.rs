//! Shows: a resource that changes by itself, and how work is noticed to have ended, however it did.
//!
//! A client that subscribes to `data://operations` hears of every operation that begins, goes on, or
//! ends. When a call or a task is cancelled its handler is dropped at once, wherever it waits: what
//! it holds is dropped with it, so a guard is all that cleaning up takes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pymcp_kit::{Ctx, Principal, Resource, Result};
use serde::Serialize;

/// Where to read of them.
const URI: &str = "data://operations";

/// What is being worked on. There is an entry for each call or task, and the server bounds those.
#[derive(Clone, Default)]
pub(crate) struct Operations(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    next: u64,
    running: BTreeMap<u64, (Principal, Operation)>,
}

/// One operation, for whoever began it: nothing of what was asked.
#[derive(Clone, Serialize)]
struct Operation {
    tool: &'static str,
    step: u32,
    of: u32,
}

impl Operations {
    /// Says that `tool` begins something of this many steps; it has ended when the guard is dropped.
    pub(crate) fn begin(&self, ctx: &Ctx, tool: &'static str, of: u32) -> Running {
        let mut state = self.state();
        state.next += 1;
        let id = state.next;
        let operation = Operation { tool, step: 0, of };
        let of_caller = (ctx.principal().clone(), operation);
        state.running.insert(id, of_caller);
        drop(state);
        Running {
            operations: self.clone(),
            ctx: ctx.clone(),
            id,
        }
    }

    /// The resource, as clients see it.
    pub(crate) fn resource(&self) -> Resource {
        Resource::new(URI, "operations", read)
            .with(self.clone())
            .title("Operations")
            .description("What is being worked on for you; subscribe to hear when it changes.")
            .mime_type("application/json")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half-way, so a poisoned lock still guards sound state.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read(ctx: Ctx, operations: Operations) -> Result<String> {
    let state = operations.state();
    let own: Vec<&Operation> = state
        .running
        .values()
        .filter(|(owner, _)| owner == ctx.principal())
        .map(|(_, operation)| operation)
        .collect();
    Ok(serde_json::to_string(&own)?)
}

/// An operation that goes on for as long as this is held.
pub(crate) struct Running {
    operations: Operations,
    ctx: Ctx,
    id: u64,
}

impl Running {
    /// Says how far it is.
    pub(crate) fn at(&mut self, step: u32) {
        if let Some((_, operation)) = self.operations.state().running.get_mut(&self.id) {
            operation.step = step;
        }
        self.ctx.components().updated(URI);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.operations.state().running.remove(&self.id);
        self.ctx.components().updated(URI);
    }
}
