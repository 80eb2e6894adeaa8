//! A tool whose calls wait until a test lets them go, and that tells what becomes of them.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use pymcp_kit::testing::PATIENCE;
use pymcp_kit::{Ctx, Result, Tool};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::Semaphore;

/// How a call ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It came to its end.
    Finished,
    /// It was stopped, and its context said so.
    Cancelled,
    /// It was stopped, and nobody told its context.
    Dropped,
}

/// What the calls of one tool do.
pub(crate) struct Gate {
    open: Arc<Semaphore>,
    started: Receiver<()>,
    fates: Receiver<Fate>,
}

#[derive(Deserialize, JsonSchema)]
struct Args {
    /// Whether to say something before waiting, which makes the answer a stream.
    #[serde(default)]
    talk: bool,
}

impl Gate {
    /// A gate, and the tool `gate` that waits at it.
    pub(crate) fn new() -> (Self, Tool) {
        let open = Arc::new(Semaphore::new(0));
        let (start, started) = channel();
        let (end, fates) = channel();
        let gate = Self {
            open: Arc::clone(&open),
            started,
            fates,
        };
        let tool = Tool::new("gate", move |ctx: Ctx, args: Args| {
            let (open, start, end) = (Arc::clone(&open), start.clone(), end.clone());
            wait(ctx, args, open, start, end)
        });
        (gate, tool)
    }

    /// Waits until a call has begun.
    pub(crate) fn started(&self) {
        self.started
            .recv_timeout(PATIENCE)
            .expect("a call that begins");
    }

    /// Lets one call through.
    pub(crate) fn open(&self) {
        self.open.add_permits(1);
    }

    /// Waits until a call has ended.
    pub(crate) fn fate(&self) -> Fate {
        self.fates.recv_timeout(PATIENCE).expect("a call that ends")
    }
}

async fn wait(
    ctx: Ctx,
    args: Args,
    open: Arc<Semaphore>,
    start: Sender<()>,
    end: Sender<Fate>,
) -> Result<&'static str> {
    let mut report = Report {
        ctx: ctx.clone(),
        finished: false,
        end,
    };
    if args.talk {
        ctx.info("Waiting.").await;
    }
    let _ = start.send(());
    open.acquire().await?.forget();
    report.finished = true;
    Ok("through")
}

/// Tells how the call ended when it is dropped.
struct Report {
    ctx: Ctx,
    finished: bool,
    end: Sender<Fate>,
}

impl Drop for Report {
    fn drop(&mut self) {
        let fate = match (self.finished, self.ctx.is_cancelled()) {
            (true, _) => Fate::Finished,
            (false, true) => Fate::Cancelled,
            (false, false) => Fate::Dropped,
        };
        // A test that is over does not listen any more.
        let _ = self.end.send(fate);
    }
}
