//! A run on its worker.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::config::Event;
use super::process::{End, Worker};
use super::{Shared, closed};
use crate::engine::{too_long, too_much_memory};
use crate::limits::Limits;
use crate::run::{Failure, Kind, Limit, Printed, Request};
use crate::wire::Done;

/// What a run may take longer than its limit before the worker is killed: the interpreter stops by
/// itself in time, and tells more about where.
const GRACE: Duration = Duration::from_millis(500);

/// A run on its worker. Dropped with the worker still in it, it was given up by its caller.
pub(super) struct Running<'a> {
    pub(super) pool: &'a Arc<Shared>,
    pub(super) worker: Option<Worker>,
    pub(super) limits: Limits,
    /// By stream.
    pub(super) printed: [Printed; 2],
}

impl Running<'_> {
    /// Sends the request and answers the worker until it is done or its time is up.
    pub(super) async fn converse(&mut self, request: Request) -> Result<Done, Failure> {
        let Some(worker) = &mut self.worker else {
            return Err(self.crashed(&io::ErrorKind::NotConnected.into()).await);
        };
        let (limits, utc_offset) = (self.limits, self.pool.config.utc_offset);
        let link = &mut worker.link;
        let conversation = link.converse(request, limits, utc_offset, &mut self.printed);
        match tokio::time::timeout(limits.time + GRACE, conversation).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(self.crashed(&error).await),
            Err(_) => Err(self.kill(Kind::Limit(Limit::Time), too_long(limits))),
        }
    }

    /// What the worker answered. It is of no more use.
    pub(super) fn finish(&mut self, done: Done) -> Result<crate::Value, Failure> {
        match done.result {
            Ok(value) => {
                self.worker = None;
                Ok(value)
            }
            Err(error) if matches!(error.kind, Kind::Limit(Limit::Time | Limit::Memory)) => {
                Err(self.kill(error.kind, error.message))
            }
            Err(error) => {
                self.worker = None;
                Err(Failure::new(error.kind, error.message))
            }
        }
    }

    /// The worker died, or says what it should not.
    async fn crashed(&mut self, error: &io::Error) -> Failure {
        let end = match &mut self.worker {
            Some(worker) => worker.end(error).await,
            None => End::Other("gone".into()),
        };
        match end {
            _ if *self.pool.closed.borrow() => closed(),
            End::OutOfMemory => self.kill(Kind::Limit(Limit::Memory), too_much_memory(self.limits)),
            End::OutOfTime => self.kill(Kind::Limit(Limit::Time), too_long(self.limits)),
            End::Other(how) => {
                tracing::warn!(how, %error, "a Python worker crashed");
                self.kill(
                    Kind::Crashed,
                    "The Python interpreter crashed on this code; nothing else was affected."
                        .into(),
                )
            }
        }
    }

    fn kill(&mut self, kind: Kind, message: String) -> Failure {
        if let Some(worker) = self.worker.take() {
            drop(worker);
            self.pool.observe(Event::Killed(Some(kind)));
        }
        Failure::new(kind, message)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(worker) = self.worker.take() {
            drop(worker);
            self.pool.observe(Event::Killed(None));
        }
    }
}
