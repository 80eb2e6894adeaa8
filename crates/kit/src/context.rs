//! What a handler can do besides returning a result.

mod headers;
mod outbox;
mod progress;
mod rounds;

use std::any::Any;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use futures_util::task::AtomicWaker;

use rmcp::model::Implementation;
use serde_json::{Value, json};
use tokio::sync::SetOnce;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::connection::{Cancel, Connection, SessionKey};
use crate::error::Explain;
use crate::limits::{Caller, Places, Shares};
use crate::principal::Principal;
use crate::protocol::{Era, LATEST_LEGACY, Level, PeerInfo};
use crate::tasks::TaskHandle;
use crate::wire::{self, Id};

pub(crate) use headers::{HeaderNames, Headers};
pub(crate) use outbox::{Outbox, Queued};
pub use rounds::Asked;

pub(crate) use rounds::{Carried, Given, Rounds, Seed};

use progress::Progress;

/// What every context of one server shares.
pub(crate) struct Facts {
    pub(crate) server: Implementation,
    pub(crate) ask_timeout: Duration,
    /// Time for which a question waits that nobody can hear.
    pub(crate) ask_unread: Duration,
    /// Questions that one client is asked at a time.
    pub(crate) questions_per_session: usize,
    /// The places of all questions that wait for a legacy client.
    pub(crate) questions: Shares,
    /// The components, which know this context and not the other way round: see `Ctx::components`.
    pub(crate) components: Arc<dyn Any + Send + Sync>,
    /// How `data` of a log message is written, unless it is just what was logged.
    pub(crate) log_data: Option<LogData>,
    /// The request headers that handlers see.
    pub(crate) headers: HeaderNames,
    /// What the author's own error types say of themselves.
    pub(crate) explain: Vec<Explain>,
    /// The places of blocking handlers.
    pub(crate) blocking: Arc<Places>,
}

/// Makes `data` of a log message from what was logged.
pub(crate) type LogData = fn(Value) -> Value;

/// What a request is besides an answer in the making: see [`Ctx::start_task`].
const NO_TASK: u8 = 0;
const MAY_BECOME_TASK: u8 = 1;
const BECOMES_TASK: u8 = 2;

/// One request, as its handler sees it. Cheap to clone; a clone may be moved to a spawned task.
///
/// Everything here works the same on every transport and in both protocol eras.
#[derive(Clone)]
pub struct Ctx(Arc<Shared>);

struct Shared {
    facts: Arc<Facts>,
    connection: Arc<Connection>,
    peer: Arc<PeerInfo>,
    id: Id,
    /// What the client hears of progress, if it wants to.
    progress: Option<Progress>,
    headers: Headers,
    /// Modern era: the level asked for in this request, if any.
    log_level: Option<Level>,
    outbox: Outbox,
    cancel: CancellationToken,
    unwanted: AtomicBool,
    /// Nobody reads the response, and so nobody hears what the request asks.
    unread: AtomicBool,
    /// Questions that wait for the client. Changed under the lock of `asked_for` only.
    asking: AtomicUsize,
    asked: AtomicBool,
    asked_for: Mutex<AskedFor>,
    /// Modern era: the questions of this request.
    rounds: Option<Box<Rounds>>,
    task_state: AtomicU8,
    task: SetOnce<TaskHandle>,
    /// Whoever runs the handler and has to hear of what it waits for.
    driver: AtomicWaker,
}

impl Cancel for Shared {
    fn cancel(&self) {
        self.unwanted.store(true, Ordering::Release);
        self.cancel.cancel();
        self.outbox.nudge();
    }
}

/// How long a request waited for its client. Questions that are open together wait once.
#[derive(Default)]
struct AskedFor {
    so_far: Duration,
    since: Option<Instant>,
}

/// What a [`Ctx`] is made from.
pub(crate) struct CtxFields {
    pub(crate) facts: Arc<Facts>,
    pub(crate) connection: Arc<Connection>,
    pub(crate) peer: Arc<PeerInfo>,
    pub(crate) id: Id,
    pub(crate) progress_token: Option<Id>,
    pub(crate) log_level: Option<Level>,
    /// Modern era: what its questions start from, when the client can be asked at all.
    pub(crate) seed: Option<Seed>,
}

impl Ctx {
    pub(crate) fn new(parts: CtxFields) -> Self {
        Self::with_headers(parts, Headers::default())
    }

    /// [`Ctx::new`], of an HTTP request with these headers.
    pub(crate) fn with_headers(parts: CtxFields, headers: Headers) -> Self {
        let CtxFields {
            facts,
            connection,
            peer,
            id,
            progress_token,
            log_level,
            seed,
        } = parts;
        Self(Arc::new(Shared {
            facts,
            connection,
            peer,
            id,
            progress: progress_token.map(Progress::new),
            headers,
            log_level,
            outbox: Outbox::default(),
            cancel: CancellationToken::new(),
            unwanted: AtomicBool::new(false),
            unread: AtomicBool::new(false),
            asking: AtomicUsize::new(0),
            asked: AtomicBool::new(false),
            asked_for: Mutex::default(),
            rounds: seed.map(|seed| Box::new(Rounds::new(seed))),
            task_state: AtomicU8::new(NO_TASK),
            task: SetOnce::new(),
            driver: AtomicWaker::new(),
        }))
    }

    /// Who is asking. Whatever a handler keeps must carry it in its key.
    pub fn principal(&self) -> &Principal {
        self.0.connection.principal()
    }

    /// Whose share of something bounded this request uses up.
    pub fn caller(&self) -> &Caller {
        self.0.connection.caller()
    }

    /// The client as it introduced itself: for display only, it is not authenticated.
    pub fn peer(&self) -> &PeerInfo {
        &self.0.peer
    }

    /// Name and version of this server.
    pub fn server(&self) -> &Implementation {
        &self.0.facts.server
    }

    /// The legacy session or the stdio process that the request belongs to: for what is kept for as
    /// long as that lasts. Requests of the modern era over HTTP stand alone and have none.
    ///
    /// It is no identity: with authentication, what is kept is keyed by [`Ctx::principal`] as well.
    pub fn session(&self) -> Option<SessionKey> {
        self.0.connection.session()
    }

    /// Completes when the client of this request is gone: its session has ended, or the server has.
    /// For what was kept under [`Ctx::session`]:
    ///
    /// ```
    /// # use pymcp_kit::Ctx;
    /// fn forget_later(ctx: &Ctx, forget: impl FnOnce() + Send + 'static) {
    ///     let over = ctx.session_over();
    ///     tokio::spawn(async move {
    ///         over.await;
    ///         forget();
    ///     });
    /// }
    /// ```
    pub fn session_over(&self) -> impl Future<Output = ()> + Send + 'static {
        self.0.connection.leaving().clone().cancelled_owned()
    }

    /// From here on the call is a task, if the tool says so ([`Tool::asks_before_task`]) and the
    /// client takes tasks: it has its answer, which is the task, and the handler goes on in the
    /// background. Everywhere else this does nothing.
    ///
    /// [`Tool::asks_before_task`]: crate::Tool::asks_before_task
    pub async fn start_task(&self) {
        let may = self.0.task_state.compare_exchange(
            MAY_BECOME_TASK,
            BECOMES_TASK,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        if may.is_ok() {
            self.wake_driver();
        }
        if self.0.task_state.load(Ordering::Acquire) == BECOMES_TASK {
            self.0.task.wait().await;
        }
    }

    /// Tells the client something, if it wants to hear of this level (`logging/setLevel`, or the
    /// request's own level since 2026-07-28). Waits while the client reads slowly.
    ///
    /// Clients show and store these messages: nothing secret belongs in them.
    ///
    /// A task has no request to say it with: what it logs goes nowhere.
    pub async fn log(&self, level: Level, message: impl Into<Value>) {
        if !self.wants(level) || self.task().is_some() {
            return;
        }
        let message = message.into();
        let data = match self.0.facts.log_data {
            Some(data) => data(message),
            None => message,
        };
        let params = json!({ "level": level, "data": data });
        self.0
            .outbox
            .send(wire::notification("notifications/message", &params))
            .await;
    }

    /// [`Ctx::log`] at [`Level::Info`].
    pub async fn info(&self, message: impl Into<Value>) {
        self.log(Level::Info, message).await;
    }

    /// [`Ctx::log`] at [`Level::Warning`].
    pub async fn warning(&self, message: impl Into<Value>) {
        self.log(Level::Warning, message).await;
    }

    /// Whether the client wants messages of this level; saves composing one that it does not.
    pub fn wants(&self, level: Level) -> bool {
        match self.0.peer.era {
            Era::Legacy => level as u8 >= self.0.connection.log_floor(),
            Era::Modern => self.0.log_level.is_some_and(|floor| level >= floor),
        }
    }

    /// Ends the HTTP response that the client waits at, after what was said before; the client
    /// comes back for the rest by itself (SEP-1699: `GET` with `Last-Event-ID`, after the time
    /// that `retry` told it). For handlers that wait long, so that no connection has to.
    ///
    /// Only clients of 2025-11-25 in a session over HTTP know how to come back. Everywhere else,
    /// and for a response that cannot be resumed ([`StreamLimits`](crate::session::StreamLimits)),
    /// this does nothing. It does not wait for the client to be gone.
    pub async fn release_stream(&self) {
        if self.0.peer.version == LATEST_LEGACY {
            self.0.outbox.release().await;
        }
    }

    /// Whether the client cancelled, left, or the time is up. The handler itself is dropped then;
    /// this is for work that it spawned or runs in a blocking loop.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancel.is_cancelled()
    }

    /// Completes when [`Ctx::is_cancelled`] becomes true.
    pub async fn cancelled(&self) {
        self.0.cancel.cancelled().await;
    }

    /// The client wants no answer any more.
    pub(crate) fn cancel(&self) {
        self.0.cancel();
    }

    /// The request, as its connection knows it.
    pub(crate) fn in_flight(&self) -> Arc<dyn Cancel> {
        Arc::clone(&self.0) as Arc<dyn Cancel>
    }

    /// Whether it does not.
    pub(crate) fn is_unwanted(&self) -> bool {
        self.0.unwanted.load(Ordering::Acquire)
    }

    /// The handler was broken off, but there is an answer: what it spawned has to stop as well.
    pub(crate) fn time_is_up(&self) {
        self.0.cancel.cancel();
    }

    pub(crate) fn id(&self) -> &Id {
        &self.0.id
    }

    pub(crate) fn era(&self) -> Era {
        self.0.peer.era
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.0.connection
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.0.facts
    }

    pub(crate) fn outbox(&self) -> &Outbox {
        &self.0.outbox
    }

    /// The questions of this request, in the modern era.
    pub(crate) fn rounds(&self) -> Option<&Rounds> {
        self.0.rounds.as_deref()
    }

    /// The task that this request has become.
    pub(crate) fn task(&self) -> Option<&TaskHandle> {
        self.0.task.get()
    }

    /// Completes when this request has become a task.
    pub(crate) async fn becoming_task(&self) -> &TaskHandle {
        self.0.task.wait().await
    }

    /// Lets the handler turn the request into a task.
    pub(crate) fn may_become_task(&self) {
        self.0.task_state.store(MAY_BECOME_TASK, Ordering::Release);
    }

    /// Whether the handler may do so.
    pub(crate) fn can_become_task(&self) -> bool {
        self.0.task_state.load(Ordering::Acquire) != NO_TASK
    }

    /// Whether the handler waits for the request to become a task.
    pub(crate) fn becomes_task(&self) -> bool {
        self.0.task_state.load(Ordering::Acquire) == BECOMES_TASK && self.task().is_none()
    }

    pub(crate) fn set_task(&self, task: TaskHandle) {
        // There is one place that does this, once.
        let _ = self.0.task.set(task);
    }

    /// Whether the client, in this request, says that it takes tasks.
    pub(crate) fn takes_tasks(&self) -> bool {
        self.0.peer.takes_tasks()
    }

    /// Remembers whom to wake when the handler waits for something new.
    pub(crate) fn register_driver(&self, waker: &Waker) {
        self.0.driver.register(waker);
    }

    pub(crate) fn wake_driver(&self) {
        self.0.driver.wake();
    }

    /// Says that the request asks the client something: its result is of this moment only.
    pub(crate) fn was_asked(&self) {
        self.0.asked.store(true, Ordering::Relaxed);
    }

    /// Says whether somebody reads what the request is answered with.
    pub(crate) fn set_read(&self, read: bool) {
        if self.0.unread.swap(!read, Ordering::AcqRel) == read {
            self.connection().readers_changed();
        }
    }

    fn is_unread(&self) -> bool {
        self.0.unread.load(Ordering::Acquire)
    }

    /// Completes when for so long nobody could hear what the request asks: its response was not read.
    /// Other streams of the session do not count, as a question goes out in the response alone.
    pub(crate) async fn unheard(&self, patience: Duration) {
        let connection = self.connection();
        let mut alone = pin!(sleep(patience));
        loop {
            let mut change = pin!(connection.readers_change());
            // What changes after we have looked must wake us.
            change.as_mut().enable();
            if self.is_unread() {
                tokio::select! {
                    () = &mut alone => return,
                    () = change => {}
                }
            } else {
                change.await;
                alone.set(sleep(patience));
            }
        }
    }

    /// Marks the time until the guard is dropped as the client's: no timeout counts it.
    pub(crate) fn start_asking(&self) -> Asking<'_> {
        self.was_asked();
        let mut asked_for = self.lock_asked_for();
        if self.0.asking.fetch_add(1, Ordering::Relaxed) == 0 {
            asked_for.since = Some(Instant::now());
        }
        Asking(self)
    }

    fn lock_asked_for(&self) -> MutexGuard<'_, AskedFor> {
        // Nothing that is done under this lock can panic half-way.
        self.0
            .asked_for
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_asking(&self) -> bool {
        self.0.asking.load(Ordering::Relaxed) > 0
    }

    /// Whether the request asked the client anything: its result is of this moment only.
    pub(crate) fn was_interactive(&self) -> bool {
        self.0.asked.load(Ordering::Relaxed)
    }

    /// How long the request has waited for its client so far; `None` while it does.
    pub(crate) fn asked_for(&self) -> Option<Duration> {
        let asked_for = self.lock_asked_for();
        asked_for.since.is_none().then_some(asked_for.so_far)
    }
}

pub(crate) struct Asking<'a>(&'a Ctx);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut asked_for = self.0.lock_asked_for();
        if self.0.0.asking.fetch_sub(1, Ordering::Relaxed) == 1
            && let Some(since) = asked_for.since.take()
        {
            asked_for.so_far += since.elapsed();
        }
    }
}

impl std::fmt::Debug for Ctx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ctx")
            .field("id", self.id())
            .field("principal", self.principal())
            .finish_non_exhaustive()
    }
}
