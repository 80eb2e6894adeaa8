//! What was seen of a server: what checks judge. Nothing here is asked for again.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::probe::http::Reply;

/// What a request came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// The result.
    Result(Value),
    /// The error: an object of code and message.
    Error(Value),
    /// No answer in time.
    Silent,
    /// The connection ended before the answer.
    Closed,
    /// A response of HTTP without a JSON-RPC answer in it.
    Status(u16),
    /// More bytes than are read.
    Flooded,
    /// A message that names a member twice, so that two clients can read it differently.
    Ambiguous,
}

impl Outcome {
    /// The result, if it is one.
    pub(crate) fn result(&self) -> Option<&Value> {
        match self {
            Self::Result(result) => Some(result),
            _ => None,
        }
    }

    /// The code of the error, if it is one.
    pub(crate) fn code(&self) -> Option<i64> {
        match self {
            Self::Error(error) => error["code"].as_i64(),
            _ => None,
        }
    }

    /// What it is, as the end of a sentence.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Result(_) => "a result".into(),
            Self::Error(error) => match error["code"].as_i64() {
                Some(code) => format!("the error {code}"),
                None => "an error without a code".into(),
            },
            Self::Silent => "no answer in time".into(),
            Self::Closed => "the end of the connection".into(),
            Self::Status(status) => format!("the status {status} without a JSON-RPC answer"),
            Self::Flooded => "more bytes than are read".into(),
            Self::Ambiguous => "a message that names a member twice".into(),
        }
    }
}

/// How the server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// In this process.
    Memory,
    /// On stdin and stdout of a process.
    Stdio,
    /// Streamable HTTP.
    Http,
    /// HTTP+SSE of 2024-11-05.
    Sse,
}

/// What was seen of a server.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(crate) over: Over,
    /// The URL, the command line, or the name of the program.
    pub(crate) target: String,
    /// From the start of the process, or of the first request, to the first answer.
    pub(crate) start: Option<Duration>,
    /// What `initialize` with the newest legacy revision came to.
    pub(crate) initialize: Outcome,
    /// What it came to with other revisions, by the one that was proposed.
    pub(crate) revisions: Vec<(&'static str, Outcome)>,
    /// What `server/discover` came to.
    pub(crate) discover: Outcome,
    /// What was asked once it was known how to speak, by the name of the question.
    pub(crate) answers: BTreeMap<Question, Outcome>,
    /// What the lists hold.
    pub(crate) lists: Lists,
    /// Tools that were called, and what they came to.
    pub(crate) calls: Vec<(String, Outcome)>,
    pub(crate) stream: Stream,
    /// Only over HTTP.
    pub(crate) http: Option<HttpSeen>,
}

/// A question that every server is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Question {
    Ping,
    UnknownMethod,
    /// `tools/call` without a name.
    BadParams,
    UnknownTool,
    UnknownResource,
    UnknownPrompt,
    /// A ping after a line that is no JSON.
    AfterGarbage,
}

/// A list of definitions.
#[derive(Debug, Default, Clone)]
pub(crate) struct List {
    pub(crate) items: Vec<Value>,
    /// What the last request came to when it was no list.
    pub(crate) failed: Option<Outcome>,
    /// Why it was not read to its end, as a clause.
    pub(crate) endless: Option<&'static str>,
}

/// All of its lists.
#[derive(Debug, Default, Clone)]
pub(crate) struct Lists {
    pub(crate) tools: List,
    pub(crate) prompts: List,
    pub(crate) resources: List,
    pub(crate) templates: List,
}

/// What came on the wire beside answers.
#[derive(Debug, Default, Clone)]
pub(crate) struct Stream {
    /// Lines of stdout that are no JSON, the first ones.
    pub(crate) noise: Vec<String>,
    /// How many there were.
    pub(crate) noise_lines: usize,
    /// JSON that is no JSON-RPC message, the first ones.
    pub(crate) malformed: Vec<String>,
    /// Answers to what was never asked, the first ones.
    pub(crate) unasked: Vec<String>,
    /// Requests for which the server declared no need: it asked a client that can do nothing.
    pub(crate) asked: Vec<String>,
    /// The bound of a line, of all or of messages was hit.
    pub(crate) flooded: bool,
    /// How the process ended while it was spoken to.
    pub(crate) died: Option<String>,
    /// Whether it was there when its input had ended for the time that clients give it.
    pub(crate) lingers: bool,
    /// What it said on stderr, the last lines.
    pub(crate) stderr: String,
}

/// What was seen over HTTP alone.
#[derive(Debug, Default)]
pub(crate) struct HttpSeen {
    /// Whether the server is on this machine.
    pub(crate) loopback: bool,
    /// Whether the connection is encrypted.
    pub(crate) secure: bool,
    /// Replies by what was tried.
    pub(crate) tried: BTreeMap<Try, Reply>,
}

/// Something that is tried over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Try {
    /// `initialize`, or `server/discover`, as it should be.
    First,
    ForeignHost,
    ForeignOrigin,
    Preflight,
    Notification,
    /// `GET` for a stream.
    Get,
    Put,
    /// A body of type `text/plain`.
    PlainText,
    /// `Accept: text/html`.
    AcceptHtml,
    /// An `MCP-Protocol-Version` that there is not.
    BadVersion,
    /// A body that is no JSON.
    Garbage,
    /// A session id that nobody was given.
    UnknownSession,
    Delete,
    /// The session after its `DELETE`.
    AfterDelete,
}
