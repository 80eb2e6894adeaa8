//! A sign of life of a call that is silent, for clients that give up on one that is silent for long.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep};

use crate::context::Ctx;

/// Longer than any call; a time that no clock can add would be none.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// The heartbeat of one call. It has no task: who polls the call polls it, and only when the call has
/// nothing else to say. A call that never has to wait never has a timer.
pub(crate) struct Heartbeat {
    silence: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Heartbeat {
    /// One after each such time of silence. `None` where nobody wants to hear it.
    pub(super) fn new(ctx: &Ctx, silence: Duration) -> Option<Self> {
        (ctx.wants_progress() && !silence.is_zero()).then(|| Self {
            silence: silence.min(LONGEST),
            timer: None,
        })
    }

    /// The next one.
    pub(super) fn poll(&mut self, ctx: &Ctx, cx: &mut Context<'_>) -> Poll<Bytes> {
        let silence = self.silence;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(silence)));
        loop {
            ready!(timer.as_mut().poll(cx));
            let now = Instant::now();
            let due = ctx.progress_told().map(|told| told + silence);
            if let Some(due) = due.filter(|due| *due > now) {
                // The handler has said something meanwhile.
                timer.as_mut().reset(due);
                continue;
            }
            timer.as_mut().reset(now + silence);
            if let Some(message) = ctx.heartbeat() {
                return Poll::Ready(message);
            }
        }
    }
}
