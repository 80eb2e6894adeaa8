//! What a handler can do besides returning a result.

mod asking;
mod bucket;
mod doors;
mod handle;
mod headers;
mod outbox;
mod progress;

use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use rmcp::model::Implementation;
use serde_json::{Value, json};

use crate::audit::Audit;
use crate::auth::Permit;
use crate::connection::{Cancel, Connection, SessionKey};
use crate::error::Explain;
use crate::keys::KeyRing;
use crate::label::Label;
use crate::limits::{Caller, Places, Shares};
use crate::manifest::Digest;
use crate::principal::Principal;
use crate::protocol::{Era, LATEST_LEGACY, Level, PeerInfo};
use crate::rounds::{Rounds, Run, Seed};
use crate::tasks::TaskHandle;
use crate::telemetry::{Span, TraceContext, Traced};
use crate::wire::{self, Id};

use asking::AskedFor;
pub use bucket::Bucket;
pub(crate) use bucket::Buckets;
pub use handle::{Handle, HandleId};
pub(crate) use headers::{HeaderNames, Headers};
pub(crate) use outbox::{Outbox, Queued};
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
    /// What is remembered from call to call.
    pub(crate) buckets: Buckets,
    /// What signs handles.
    pub(crate) keys: Arc<KeyRing>,
    /// Where calls are written down.
    pub(crate) audit: Option<Audit>,
}

/// Makes `data` of a log message from what was logged.
pub(crate) type LogData = fn(Value) -> Value;

/// What happened to a request on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Note {
    /// The response cache had its answer.
    CacheHit = 1,
    /// The response cache might have had its answer.
    CacheMiss = 2,
    /// Its time was up.
    TimedOut = 4,
    /// A handler or a step panicked.
    Panicked = 8,
    /// Its result is a tool's error.
    ToolError = 16,
    /// Its result is a question.
    InputRequired = 32,
    /// Its result is a task.
    BecameTask = 64,
}

/// One request, as its handler sees it. Cheap to clone; a clone may be moved to a spawned task.
///
/// Everything here works the same on every transport and in both protocol eras.
#[derive(Clone)]
pub struct Ctx(Arc<Shared>);

struct Shared {
    facts: Arc<Facts>,
    connection: Arc<Connection>,
    permit: Permit,
    peer: Arc<PeerInfo>,
    id: Id,
    manifest: Digest,
    /// What it is for, as soon as that is known.
    component: OnceLock<Arc<Label>>,
    /// What the client hears of progress, if it wants to.
    progress: Option<Progress>,
    headers: Headers,
    /// Modern era: the level asked for in this request, if any.
    log_level: Option<Level>,
    outbox: Outbox,
    run: Run,
    unwanted: AtomicBool,
    /// Nobody reads the response, and so nobody hears what the request asks.
    unread: AtomicBool,
    /// Questions that wait for the client. Changed under the lock of `asked_for` only.
    asking: AtomicUsize,
    asked: AtomicBool,
    asked_for: Mutex<AskedFor>,
    /// Modern era: the questions of this request.
    rounds: Option<Box<Rounds>>,
    trace: Option<Box<Traced>>,
    /// What happened to it on its way, for whoever is told of it when it is finished.
    notes: AtomicU8,
}

impl Cancel for Shared {
    fn cancel(&self) {
        self.unwanted.store(true, Ordering::Release);
        self.run.cancel();
        self.outbox.nudge();
    }
}

/// What a [`Ctx`] is made from.
pub(crate) struct CtxFields {
    pub(crate) facts: Arc<Facts>,
    pub(crate) connection: Arc<Connection>,
    pub(crate) permit: Permit,
    pub(crate) peer: Arc<PeerInfo>,
    pub(crate) id: Id,
    /// The digest of the manifest of the components that it was looked up in.
    pub(crate) manifest: Digest,
    pub(crate) progress_token: Option<Id>,
    pub(crate) log_level: Option<Level>,
    pub(crate) trace: Option<Traced>,
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
            permit,
            peer,
            id,
            manifest,
            progress_token,
            log_level,
            trace,
            seed,
        } = parts;
        Self(Arc::new(Shared {
            facts,
            connection,
            permit,
            peer,
            id,
            manifest,
            component: OnceLock::new(),
            progress: progress_token.map(Progress::new),
            headers,
            log_level,
            outbox: Outbox::default(),
            run: Run::default(),
            unwanted: AtomicBool::new(false),
            unread: AtomicBool::new(false),
            asking: AtomicUsize::new(0),
            asked: AtomicBool::new(false),
            asked_for: Mutex::default(),
            rounds: seed.map(|seed| Box::new(Rounds::new(seed))),
            trace: trace.map(Box::new),
            notes: AtomicU8::new(0),
        }))
    }

    /// Who is asking. Whatever a handler keeps must carry it in its key.
    pub fn principal(&self) -> &Principal {
        self.0.connection.principal()
    }

    /// What the caller may, and until when.
    pub fn permit(&self) -> &Permit {
        &self.0.permit
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

    /// The trace that the request is part of (W3C Trace Context), for whatever the handler asks of others. Where traces are
    /// recorded, that is a child of the request's own span; else the trace is as it came in `_meta` or in the header
    /// `traceparent`, if it did: the client's word, validated and bounded.
    ///
    /// ```
    /// # use pymcp_kit::Ctx;
    /// # fn pass_on(ctx: &Ctx, headers: &mut Vec<(&'static str, String)>) {
    /// for (name, value) in ctx.trace().into_iter().flat_map(|trace| trace.headers()) {
    ///     headers.push((name, value.to_owned()));
    /// }
    /// # }
    /// ```
    pub fn trace(&self) -> Option<&TraceContext> {
        self.0.trace.as_deref().map(Traced::context)
    }

    /// The request as a span, where it is recorded.
    pub(crate) fn span(&self) -> Option<&Span> {
        self.0.trace.as_deref().and_then(Traced::span)
    }

    /// Takes note of what happened.
    pub(crate) fn note(&self, note: Note) {
        self.0.notes.fetch_or(note as u8, Ordering::Relaxed);
    }

    /// Whether that happened.
    pub(crate) fn has(&self, note: Note) -> bool {
        self.0.notes.load(Ordering::Relaxed) & note as u8 != 0
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
        self.0.run.start_task().await;
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
        self.0.run.is_cancelled()
    }

    /// Completes when [`Ctx::is_cancelled`] becomes true.
    pub async fn cancelled(&self) {
        self.0.run.cancelled().await;
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
        self.0.run.cancel();
    }

    pub(crate) fn id(&self) -> &Id {
        &self.0.id
    }

    /// The digest of what the server exposed when the request came.
    pub(crate) fn manifest(&self) -> Digest {
        self.0.manifest
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

    /// The run of its handler.
    pub(crate) fn run(&self) -> &Run {
        &self.0.run
    }

    /// The task that this request has become.
    pub(crate) fn task(&self) -> Option<&TaskHandle> {
        self.0.run.task()
    }

    /// Whether the client, in this request, says that it takes tasks.
    pub(crate) fn takes_tasks(&self) -> bool {
        self.0.peer.takes_tasks()
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
