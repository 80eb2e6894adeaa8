//! Speaks to a server as no client would: every byte is looked at, and nothing that it does can keep us.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `message` | JSON-RPC, told apart strictly |
//! | `lines` | messages as lines: stdio, HTTP+SSE, and the program's own server in memory |
//! | `process` | a server as a process |
//! | `http`, `body` | raw HTTP/1.1 within bounds |
//! | `web` | a conversation over streamable HTTP |
//! | `conversation`, `list` | what every server is asked |
//! | `tries` | what is tried over HTTP alone |
//!
//! To ask a server something else, add a [`Question`] or a [`Try`](super::observed::Try) and ask it here; a check then
//! judges what came of it.

mod body;
mod conversation;
pub(crate) mod http;
mod lines;
pub(crate) mod list;
pub(crate) mod message;
mod process;
mod tries;
pub(crate) mod web;

use std::collections::BTreeMap;
use std::time::Duration;

use pymcp_kit::protocol::LATEST_LEGACY;
use pymcp_kit::{Server, testing};
use serde_json::Value;
use tokio::time::Instant;

use self::http::Failure;
use self::lines::Lines;
use self::message::Client;
use self::process::Process;
pub(crate) use self::process::Started;
use self::web::Web;
use super::observed::{HttpSeen, Lists, Observed, Outcome, Over, Stream, Try};
use crate::client::SseServer;
use crate::{Error, Result};

/// How often the time of one answer all of it may take.
const ALL: u32 = 6;

/// A server that takes longer to start is not started again for each revision.
const QUICK: Duration = Duration::from_secs(3);

/// A revision that there never was.
pub(crate) const NO_REVISION: &str = "1999-01-01";

/// What is looked at.
pub(crate) enum Target {
    /// The program's own server, in process.
    Own(String, Server),
    /// A command that serves on stdin and stdout.
    Command(Started),
    /// An endpoint of streamable HTTP.
    Url(Box<Web>),
    /// An endpoint of HTTP+SSE.
    Sse(Box<SseServer>),
}

/// How it is looked at.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Time that an answer may take.
    pub(crate) patience: Duration,
    /// Tools to call without arguments, besides those that only read and need none.
    pub(crate) call: Vec<String>,
}

/// The time that there is: for each answer, and for all of it.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    patience: Duration,
    end: Instant,
}

impl Clock {
    /// The time of each answer; all of it may take [`ALL`] times as much from now on.
    pub(crate) fn new(patience: Duration) -> Self {
        let end = Instant::now() + patience * ALL;
        Self { patience, end }
    }

    fn left(&self) -> Duration {
        let left = self.end.saturating_duration_since(Instant::now());
        self.patience.min(left)
    }
}

/// A connection, of whatever kind.
pub(crate) struct Link {
    wire: Wire,
    modern: bool,
    client: Client,
    clock: Clock,
}

enum Wire {
    Lines(Box<Lines>, Option<Process>),
    Web(Box<Web>),
}

impl Target {
    /// A connection on which nothing was said yet.
    ///
    /// # Errors
    /// The command cannot be started, or the stream of HTTP+SSE cannot be opened.
    pub(crate) async fn open(&self, clock: Clock, modern: bool, client: Client) -> Result<Link> {
        let wire = match self {
            Self::Own(_, server) => {
                let (reader, writer) = tokio::io::split(testing::connect(server));
                Wire::Lines(Box::new(Lines::new(reader, writer)), None)
            }
            Self::Command(command) => {
                let (process, lines) = Process::start(command).map_err(|error| {
                    let name = command.words.first().cloned().unwrap_or_default();
                    let name = name.to_string_lossy().into_owned();
                    Error::unreached(format!("{name} cannot be started: {error}."))
                })?;
                Wire::Lines(Box::new(lines), Some(process))
            }
            Self::Sse(server) => {
                let (reader, writer) = tokio::io::split(server.connect(clock.left()).await?);
                Wire::Lines(Box::new(Lines::new(reader, writer)), None)
            }
            Self::Url(web) => {
                let mut web = web.anew();
                web.modern = modern;
                web.client = client.clone();
                Wire::Web(Box::new(web))
            }
        };
        Ok(Link {
            wire,
            modern,
            client,
            clock,
        })
    }

    pub(crate) fn over(&self) -> Over {
        match self {
            Self::Own(..) => Over::Memory,
            Self::Command(_) => Over::Stdio,
            Self::Url(_) => Over::Http,
            Self::Sse(_) => Over::Sse,
        }
    }

    /// What it is called.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Own(name, _) => name.clone(),
            Self::Command(command) => {
                let words = command.words.iter().map(|word| word.to_string_lossy());
                words.collect::<Vec<_>>().join(" ")
            }
            Self::Url(web) => web.endpoint.shown(),
            Self::Sse(server) => server.shown(),
        }
    }
}

impl Link {
    /// Sends a request, and waits for its answer.
    pub(crate) async fn ask(&mut self, method: &str, params: Value) -> Outcome {
        let patience = self.clock.left();
        match &mut self.wire {
            Wire::Lines(lines, _) => {
                let params = match self.modern {
                    true => self.client.enveloped(params),
                    false => params,
                };
                lines.ask(method, params, patience).await
            }
            Wire::Web(web) => web.ask(method, params, patience).await,
        }
    }

    /// Sends something that is not answered.
    pub(crate) async fn notify(&mut self, method: &str) {
        let patience = self.clock.left();
        match &mut self.wire {
            Wire::Lines(lines, _) => lines.notify(method, Value::Null, patience).await,
            Wire::Web(web) => web.notify(method, Value::Null, patience).await,
        }
    }

    /// Speaks this era from now on, to a server that answered nothing yet.
    pub(crate) fn speak(&mut self, modern: bool) {
        self.modern = modern;
        if let Wire::Web(web) = &mut self.wire {
            web.modern = modern;
        }
    }

    /// Params of `initialize`.
    pub(crate) fn hello(&self, version: &str) -> Value {
        self.client.hello(version)
    }

    /// Why the last request had no answer, where that was no fault of the protocol: as the end of a sentence that begins
    /// with the server.
    pub(crate) fn broken(&self) -> Option<String> {
        match &self.wire {
            Wire::Web(web) => Some(web.last.as_ref()?.as_ref().err()?.shown()),
            Wire::Lines(..) => None,
        }
    }

    /// Ends it as clients do; whether the server knows that.
    pub(crate) async fn end(mut self) -> Stream {
        let patience = self.clock.left();
        match &mut self.wire {
            Wire::Lines(lines, process) => {
                let mut stream = std::mem::take(&mut lines.stream);
                if let Some(process) = process {
                    stream.died = process.ended();
                    lines.close();
                    // What else it says is not waited for longer than its end.
                    let (leaves, ()) =
                        tokio::join!(process.leaves(), lines.drain(Duration::from_millis(500)));
                    stream.lingers = stream.died.is_none() && !stream.flooded && !leaves;
                    stream.stderr = process.stderr();
                }
                stream
            }
            Wire::Web(web) => {
                // Whether that works is seen elsewhere.
                let _ = web.end(patience).await;
                std::mem::take(&mut web.stream)
            }
        }
    }

    /// Ends it without a look at how that goes: a process is killed.
    async fn leave(mut self) {
        let patience = self.clock.left();
        if let Wire::Web(web) = &mut self.wire {
            // Whether that works is seen elsewhere.
            let _ = web.end(patience).await;
        }
    }

    /// What is to be said of a connection that ended too early.
    pub(crate) async fn failed(mut self) -> Stream {
        match &mut self.wire {
            Wire::Lines(lines, process) => {
                let mut stream = std::mem::take(&mut lines.stream);
                if let Some(process) = process {
                    stream.died = match stream.flooded {
                        true => None,
                        false => process.ended(),
                    };
                    stream.stderr = process.stderr();
                }
                stream
            }
            Wire::Web(web) => std::mem::take(&mut web.stream),
        }
    }

    /// Gives a process that closed its output the time to end, so that it can be said how.
    pub(crate) async fn await_end(&mut self) {
        if let Wire::Lines(_, Some(process)) = &mut self.wire {
            process.ending().await;
        }
    }
}

/// Looks at a server.
///
/// # Errors
/// It cannot be reached.
pub(crate) async fn observe(target: &Target, options: &Options) -> Result<Observed> {
    let began = Instant::now();
    let clock = Clock::new(options.patience);
    let mut link = target.open(clock, false, Client::doctor()).await?;
    let hello = link.hello(LATEST_LEGACY);
    let initialize = link.ask("initialize", hello).await;
    let answered = matches!(initialize, Outcome::Result(_) | Outcome::Error(_));
    let start = answered.then(|| began.elapsed());
    let first = match &link.wire {
        Wire::Web(web) => Some(reached(web)?.clone()),
        Wire::Lines(..) => None,
    };
    let mut seen = Observed {
        over: target.over(),
        target: target.shown(),
        start,
        initialize,
        revisions: Vec::new(),
        discover: Outcome::Silent,
        answers: BTreeMap::new(),
        lists: Lists::default(),
        calls: Vec::new(),
        stream: Stream::default(),
        http: None,
    };
    if let (Some(reply), Target::Url(web)) = (first, target) {
        seen.http = Some(HttpSeen {
            loopback: web.endpoint.is_loopback(),
            secure: web.endpoint.is_secure(),
            tried: BTreeMap::from([(Try::First, reply)]),
        });
    }
    // Whoever wants a token first says nothing of itself.
    if seen.wants_token() {
        return Ok(seen);
    }
    if matches!(seen.initialize, Outcome::Closed) {
        link.await_end().await;
    }
    let is_flooding = matches!(seen.initialize, Outcome::Flooded);
    let mut modern = None;
    if !is_flooding && target.over() != Over::Sse {
        let mut other = target.open(clock, true, Client::doctor()).await?;
        seen.discover = other.ask("server/discover", Value::Null).await;
        modern = Some(other);
    }
    let mut link = match (&seen.initialize, &seen.discover, modern) {
        (Outcome::Result(_), _, other) => {
            if let Some(other) = other {
                other.leave().await;
            }
            link
        }
        (_, Outcome::Result(_), Some(other)) => {
            seen.start = Some(began.elapsed());
            link.failed().await;
            other
        }
        _ => {
            seen.stream = link.failed().await;
            return Ok(seen);
        }
    };
    if !link.modern {
        link.notify("notifications/initialized").await;
        if let (Wire::Web(web), Some(http)) = (&link.wire, &mut seen.http)
            && let Some(Ok(reply)) = &web.last
        {
            http.tried.insert(Try::Notification, reply.clone());
        }
    }
    let capabilities = seen.capabilities().clone();
    conversation::converse(&mut link, &mut seen, &capabilities).await;
    conversation::call_tools(&mut link, &mut seen, options).await;
    if !link.modern && seen.start.is_some_and(|start| start < QUICK) {
        conversation::revisions(target, clock, &mut seen).await?;
    }
    if let (Wire::Web(web), Some(http)) = (&mut link.wire, &mut seen.http) {
        tries::all(web, http, clock).await;
    }
    seen.stream = match died(&seen) {
        true => {
            link.await_end().await;
            link.failed().await
        }
        false => link.end().await,
    };
    Ok(seen)
}

impl Observed {
    /// What the server says that it can.
    pub(crate) fn capabilities(&self) -> &Value {
        let said = self.initialize.result().or(self.discover.result());
        said.map_or(&Value::Null, |said| &said["capabilities"])
    }

    /// What the server says of itself: name and version.
    pub(crate) fn server_info(&self) -> &Value {
        let legacy = self.initialize.result().map(|said| &said["serverInfo"]);
        let modern = self
            .discover
            .result()
            .map(|said| &said["_meta"]["io.modelcontextprotocol/serverInfo"]);
        legacy.or(modern).unwrap_or(&Value::Null)
    }

    /// Whether it wants a token, or another one, before it says anything.
    pub(crate) fn wants_token(&self) -> bool {
        let first = self
            .http
            .as_ref()
            .and_then(|http| http.tried.get(&Try::First));
        first.is_some_and(|reply| matches!(reply.status, 401 | 403))
    }

    /// Whether anything was learned of it.
    pub(crate) fn is_understood(&self) -> bool {
        self.initialize.result().is_some() || self.discover.result().is_some()
    }
}

/// Whether the connection ended while it was spoken to.
fn died(seen: &Observed) -> bool {
    let gone = |outcome: &Outcome| matches!(outcome, Outcome::Closed | Outcome::Flooded);
    seen.over != Over::Http
        && (seen.answers.values().any(gone) || seen.calls.iter().any(|(_, one)| gone(one)))
}

/// The reply of a server that was reached.
fn reached(web: &Web) -> Result<&http::Reply> {
    let url = web.endpoint.shown();
    match &web.last {
        Some(Ok(reply)) => Ok(reply),
        Some(Err(failure @ (Failure::Unreached(_) | Failure::Broken(_) | Failure::TimedOut))) => {
            let error = Error::unreached(format!("{url} {}.", failure.shown()));
            Err(match failure {
                Failure::Unreached(_) => {
                    error.hint("Is the server running, and is this its address?")
                }
                _ => error,
            })
        }
        None => Err(Error::unreached(format!("{url} was not asked."))),
    }
}
