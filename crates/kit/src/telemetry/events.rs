//! What happened: one event for each request, one for each refusal, and what opens and closes.
//!
//! To hear of them, implement [`Observer`] and hand it to
//! [`ServerBuilder::observe`](crate::ServerBuilder::observe). The log is the one that is always there.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::log;
use super::trace::{Span, TraceContext, Traced};

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A pair of byte streams: stdin and stdout, or a pipe in memory.
    Stdio,
    /// HTTP, of either kind.
    Http,
}

impl Transport {
    /// Its name in the log: `stdio` or `http`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdio => "stdio",
            Self::Http => "http",
        }
    }

    /// `network.transport` of OpenTelemetry: `pipe` or `tcp`.
    pub fn network(self) -> &'static str {
        match self {
            Self::Stdio => "pipe",
            Self::Http => "tcp",
        }
    }
}

/// What a request came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A result.
    Ok,
    /// A result of a tool with `isError`: the model can mend it.
    ToolError,
    /// A JSON-RPC error.
    Error,
    /// Its time was up.
    Timeout,
    /// Its handler panicked.
    Panic,
    /// The client is asked something first (2026-07-28: `input_required`).
    InputRequired,
    /// It goes on as a task.
    Task,
    /// The client wants no answer any more.
    Cancelled,
    /// The client was gone before the answer.
    Disconnected,
}

impl Outcome {
    /// Its name in logs and metrics, such as `tool_error`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ToolError => "tool_error",
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::Panic => "panic",
            Self::InputRequired => "input_required",
            Self::Task => "task",
            Self::Cancelled => "cancelled",
            Self::Disconnected => "disconnected",
        }
    }

    /// Whether it is no success: what alerts count.
    pub fn is_failure(self) -> bool {
        !matches!(self, Self::Ok | Self::InputRequired | Self::Task)
    }
}

/// What the response cache had to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CacheUse {
    /// The answer is a repeated one.
    Hit,
    /// It might have been one.
    Miss,
}

impl CacheUse {
    /// `hit` or `miss`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
        }
    }
}

/// A tool, resource, resource template or prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ComponentName<'a> {
    /// `tool`, `resource`, `template` or `prompt`.
    pub kind: &'static str,
    /// Its name; of a resource, its URI.
    pub name: &'a str,
}

/// A request that is finished.
///
/// What is the client's own word (`unknown`, `client`, `request_id`) may hold anything, and is bounded by the limits of
/// messages only.
#[derive(Debug, Clone, Copy)]
pub struct Served<'a> {
    /// The method; `other` for one that is not known.
    pub method: &'static str,
    /// The component that it is about, where there is one.
    pub component: Option<ComponentName<'a>>,
    /// The method, or the name of the tool or prompt, of which there is none. It may hold anything, and is not logged.
    pub unknown: Option<&'a str>,
    /// What it came to.
    pub outcome: Outcome,
    /// The code of its JSON-RPC error.
    pub code: Option<i32>,
    /// Time from its first byte in the core to its answer.
    pub duration: Duration,
    /// Bytes of the JSON-RPC answer; 0 without one.
    pub bytes: usize,
    /// What the response cache said, where it was asked.
    pub cache: Option<CacheUse>,
    /// Who asked, where that is known.
    pub principal: Option<&'a str>,
    /// The number of its session within this process, which is no secret; `None` for what stands alone.
    pub session: Option<u64>,
    /// Name and version that the client goes by.
    pub client: Option<(&'a str, &'a str)>,
    /// Its id, as JSON.
    pub request_id: &'a str,
    /// The trace that it is part of: as its caller said, or else that of `span`.
    pub trace: Option<&'a TraceContext>,
    /// Its own span in the trace, where it is recorded: see [`Observer::records_spans`].
    pub span: Option<&'a Span>,
    /// The protocol revision: `2026-07-28` is of the modern era, those before it of the legacy one.
    pub revision: &'static str,
    /// How it came.
    pub transport: Transport,
}

/// A message that was refused before it was a request.
#[derive(Debug, Clone, Copy)]
pub struct Refused<'a> {
    /// Why, as a word from a fixed set, such as `host`.
    pub reason: &'static str,
    /// Why, as a sentence; nothing in it is the client's.
    pub why: &'a str,
    /// The HTTP status, if it came over HTTP; none for a member of a batch, which has no status of its own.
    pub status: Option<u16>,
    /// From where it came, if it came over HTTP; none for a member of a batch.
    pub address: Option<IpAddr>,
    /// How it came.
    pub transport: Transport,
}

impl<'a> Refused<'a> {
    /// What could not be read as a message.
    pub(crate) fn malformed(why: &'a str, transport: Transport) -> Self {
        Self {
            reason: "malformed",
            why,
            status: None,
            address: None,
            transport,
        }
    }

    /// The setting that moves it: the flag that the sentence names.
    pub fn setting(&self) -> Option<&'a str> {
        let flag = &self.why[self.why.find("--")?..];
        let end = flag.find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        Some(&flag[..end.unwrap_or(flag.len())]).filter(|flag| flag.len() > 2)
    }
}

/// What is open for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    /// A legacy session, or the process of a stdio client, from `initialize` on.
    Session {
        /// The revision that was agreed on.
        revision: &'static str,
        /// How it came.
        transport: Transport,
    },
    /// A TCP connection.
    Connection,
}

/// Hears what happened. It is called where it happened, so it must be quick, and never wait.
pub trait Observer: Send + Sync + 'static {
    /// Whether requests are to be spans of their traces, so that handlers pass those on and [`Served::span`] is there. It is
    /// asked once, when the server is built.
    fn records_spans(&self) -> bool {
        false
    }

    /// A request is finished: once for each, whatever became of it.
    fn served(&self, _served: &Served<'_>) {}

    /// A message was refused before it was a request.
    fn refused(&self, _refused: &Refused<'_>) {}

    /// Something is open from now on.
    fn opened(&self, _what: Lasting) {}

    /// It is closed, after this time.
    fn closed(&self, _what: Lasting, _after: Duration) {}
}

/// All that hear what happened: the log, and the observers of the server. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Observers {
    all: Arc<[Arc<dyn Observer>]>,
    record_spans: bool,
}

impl Observers {
    pub(crate) fn new(observers: Vec<Arc<dyn Observer>>) -> Self {
        Self {
            record_spans: observers.iter().any(|one| one.records_spans()),
            all: observers.into(),
        }
    }

    /// The trace of a request that begins, of a caller with this one.
    pub(crate) fn trace(&self, caller: Option<TraceContext>) -> Option<Traced> {
        match self.record_spans {
            true => Traced::recorded(caller),
            false => caller.map(Traced::Passed),
        }
    }

    /// The time at which a request begins, if anybody wants to hear of it.
    pub(crate) fn begin(&self) -> Option<Instant> {
        (!self.all.is_empty() || log::is_on()).then(Instant::now)
    }

    pub(crate) fn served(&self, served: &Served<'_>) {
        self.all.iter().for_each(|one| one.served(served));
        log::served(served);
    }

    pub(crate) fn refused(&self, refused: &Refused<'_>) {
        self.all.iter().for_each(|one| one.refused(refused));
        log::refused(refused);
    }

    /// Says that something is open until the guard is dropped. `None` when nobody listens.
    pub(crate) fn open(&self, what: Lasting) -> Option<Open> {
        if self.all.is_empty() {
            return None;
        }
        self.all.iter().for_each(|one| one.opened(what));
        Some(Open {
            observers: self.clone(),
            what,
            since: Instant::now(),
        })
    }
}

/// Something that is open, until it is dropped.
pub(crate) struct Open {
    observers: Observers,
    what: Lasting,
    since: Instant,
}

impl Drop for Open {
    fn drop(&mut self) {
        let after = self.since.elapsed();
        let all = self.observers.all.iter();
        all.for_each(|one| one.closed(self.what, after));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_is_the_flag_that_the_sentence_names() {
        for (why, setting) in [
            (
                "Add it to (--allowed-hosts) if it is yours.",
                Some("--allowed-hosts"),
            ),
            ("See --drain", Some("--drain")),
            ("There is none -- really.", None),
            ("Nothing.", None),
        ] {
            assert_eq!(
                Refused::malformed(why, Transport::Stdio).setting(),
                setting,
                "{why}"
            );
        }
    }
}
