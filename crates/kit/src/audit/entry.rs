//! What a line says. The schema in `docs/audit.md` is read off these types: to add a member, add a field with its
//! documentation and its bound, have `write` write it, and run the tests of this module with `UPDATE_SNAPSHOTS=1`.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;

use crate::protocol::Era;
use crate::timestamp::Timestamp;

use super::digest::Digest;
use super::key::Arguments;
use super::queue::Waits;
use super::text::Object;

/// Bytes of a line at most, with its end.
pub const MAX_LINE_BYTES: usize = 16 << 10;

/// A line of an audit log: one JSON object, on a line of its own. Members that say nothing are left out; text from outside
/// that is too long ends with `…`.
#[derive(Debug, JsonSchema)]
#[schemars(title = "Line")]
pub struct Line<'a> {
    /// Number of the line in the chain: 1, and then one more for each line, also from file to file.
    pub sequence: u64,
    /// SHA-256 of the line before, with its line feed; zeros in the first line of a chain.
    pub previous: Digest,
    /// Lines that were lost before this one, because they could not be written.
    pub lost: Option<u64>,
    /// Whether the answer of the call was withheld because the line could not be written at first. The call was carried out.
    /// A line that the disk took only after the answer was due does not say so.
    #[schemars(default)]
    pub withheld: bool,
    /// What happened.
    #[schemars(flatten)]
    pub event: Event<'a>,
}

/// What happened.
#[derive(Debug, JsonSchema)]
#[schemars(tag = "kind", rename_all = "snake_case")]
pub enum Event<'a> {
    /// A file or a server begins.
    Opened(Opened<'a>),
    /// A call or a denial.
    Call(&'a Entry<'a>),
    /// The server ends.
    Closed(Closed),
}

impl Event<'_> {
    /// The event as an object of its own.
    pub(super) fn body(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// [`Event::body`], into memory that is there.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut line = Object::new(out);
        match self {
            Self::Opened(opened) => opened.write(&mut line),
            Self::Call(entry) => entry.write(&mut line),
            Self::Closed(closed) => {
                line.text("kind", "closed", 8);
                time(&mut line, closed.time);
            }
        }
        line.end();
    }
}

/// RFC 3339, UTC, with milliseconds.
fn time(line: &mut Object<'_>, time: SystemTime) {
    line.text("time", Timestamp::new(time, 3).as_str(), 32);
}

/// A file or a server begins. It is the first line of each file.
#[derive(Debug, JsonSchema)]
pub struct Opened<'a> {
    /// When.
    #[schemars(with = "DateTime<Utc>")]
    pub time: SystemTime,
    /// Why the line is there.
    pub because: Because,
    /// Name and version of the server, at most 256 bytes.
    pub server: &'a str,
    /// Fingerprint of the key of the hashes, 16 hexadecimal digits: `audit hash` prints it too.
    pub key: &'a str,
    /// Where the file is now that has the line before, if it was renamed by the server: at most 1024 bytes.
    pub before: Option<&'a str>,
    /// Bytes after the last whole line that were found and moved to the file that is named like this one, with
    /// `.torn-` and the number of this line: the process or the machine was stopped within a write.
    pub torn_bytes: Option<u64>,
}

impl Opened<'_> {
    fn write(&self, line: &mut Object<'_>) {
        line.text("kind", "opened", 8);
        time(line, self.time);
        line.text("because", self.because.as_str(), 16);
        line.text("server", self.server, 256);
        line.text("key", self.key, 16);
        line.text_if_any("before", self.before, 1024);
        if let Some(torn) = self.torn_bytes {
            line.number("torn_bytes", torn);
        }
    }
}

/// Why a file or a server begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// A new chain begins.
    New,
    /// A server goes on with a file that was there.
    Restarted,
    /// The file before had its size.
    Rotated,
    /// The server was told that the file before was renamed.
    Reopened,
}

impl Because {
    fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Restarted => "restarted",
            Self::Rotated => "rotated",
            Self::Reopened => "reopened",
        }
    }
}

/// The server ends, as it should. A log that ends without it belongs to a server that runs, was killed, or was cut.
#[derive(Debug, JsonSchema)]
pub struct Closed {
    /// When.
    #[schemars(with = "DateTime<Utc>")]
    pub time: SystemTime,
}

/// A call or a denial.
#[derive(Debug, Clone, JsonSchema)]
pub struct Entry<'a> {
    /// When the request came.
    #[schemars(with = "DateTime<Utc>")]
    pub time: SystemTime,
    /// Who asked, at most 512 bytes; left out where nobody had to authenticate.
    pub principal: Option<&'a str>,
    /// What the client says its program is called, at most 256 bytes.
    pub client: Option<&'a str>,
    /// What the client says its version is, at most 128 bytes.
    pub client_version: Option<&'a str>,
    /// The era of the protocol.
    #[schemars(with = "Option<EraName>")]
    pub era: Option<Era>,
    /// The protocol revision, at most 32 bytes.
    pub revision: Option<&'a str>,
    /// How the request came: `stdio`, `http`, `sse` or `memory`, at most 32 bytes.
    pub transport: &'a str,
    /// The method, at most 128 bytes.
    pub method: &'a str,
    /// The tool or the prompt by name, or the resource by URI, at most 2048 bytes.
    pub name: Option<&'a str>,
    /// The arguments without a value of them.
    pub arguments: Option<Arguments>,
    /// Whether the request was let through.
    #[schemars(flatten)]
    pub decision: Decision<'a>,
    /// Scopes of the caller with a space between, at most 1024 bytes; left out where everything is allowed.
    pub scopes: Option<&'a str>,
    /// How the call ended; left out if it was denied.
    pub outcome: Option<Outcome>,
    /// The code of the JSON-RPC error in the answer.
    pub code: Option<i64>,
    /// Milliseconds from the request to the answer.
    pub ms: u64,
    /// Bytes of the answer's result or error.
    pub bytes: u64,
    /// Whether the answer came from the cache.
    #[schemars(default)]
    pub cached: bool,
    /// Digest of the manifest (`full/1`) that the call ran under, at most 128 bytes; left out for what came no further than to
    /// the door.
    pub manifest: Option<&'a str>,
    /// The id that the log has of the request, at most 128 bytes.
    pub request: Option<&'a str>,
    /// The trace that the request belongs to (W3C Trace Context), at most 64 bytes.
    pub trace: Option<&'a str>,
}

impl<'a> Entry<'a> {
    /// A call that was let through and ended well, of which nothing else is known.
    pub fn new(time: SystemTime, transport: &'a str, method: &'a str) -> Self {
        Self {
            time,
            principal: None,
            client: None,
            client_version: None,
            era: None,
            revision: None,
            transport,
            method,
            name: None,
            arguments: None,
            decision: Decision::Allowed,
            scopes: None,
            outcome: Some(Outcome::Ok),
            code: None,
            ms: 0,
            bytes: 0,
            cached: false,
            manifest: None,
            request: None,
            trace: None,
        }
    }
}

impl Entry<'_> {
    /// Whether an answer waits for the line: that of a call which was carried out.
    pub(super) fn waits(&self) -> Waits {
        match (self.decision, self.outcome) {
            (Decision::Denied { .. }, _) | (_, Some(Outcome::Cancelled)) => Waits::No,
            _ => Waits::Yes,
        }
    }

    fn write(&self, line: &mut Object<'_>) {
        line.text("kind", "call", 8);
        time(line, self.time);
        line.text_if_any("principal", self.principal, 512);
        line.text_if_any("client", self.client, 256);
        line.text_if_any("client_version", self.client_version, 128);
        let era = self.era.map(|era| match era {
            Era::Legacy => "legacy",
            Era::Modern => "modern",
        });
        line.text_if_any("era", era, 8);
        line.text_if_any("revision", self.revision, 32);
        line.text("transport", self.transport, 32);
        line.text("method", self.method, 128);
        line.text_if_any("name", self.name, 2048);
        if let Some(arguments) = &self.arguments {
            line.json("arguments", arguments.as_json());
        }
        match self.decision {
            Decision::Allowed => line.text("decision", "allowed", 8),
            Decision::Denied { reason } => {
                line.text("decision", "denied", 8);
                line.text("reason", reason, 512);
            }
        }
        line.text_if_any("scopes", self.scopes, 1024);
        line.text_if_any("outcome", self.outcome.map(Outcome::as_str), 16);
        if let Some(code) = self.code {
            line.number("code", code);
        }
        line.number("ms", self.ms);
        line.number("bytes", self.bytes);
        if self.cached {
            line.json("cached", b"true");
        }
        line.text_if_any("manifest", self.manifest, 128);
        line.text_if_any("request", self.request, 128);
        line.text_if_any("trace", self.trace, 64);
    }
}

/// Whether a request was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(tag = "decision", rename_all = "snake_case")]
pub enum Decision<'a> {
    /// It was.
    Allowed,
    /// It was not.
    Denied {
        /// Why, at most 512 bytes.
        reason: &'a str,
    },
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum Outcome {
    /// With a result.
    Ok,
    /// With a result that says `isError`.
    ToolError,
    /// With a JSON-RPC error.
    Error,
    /// It took longer than it may.
    Timeout,
    /// The client cancelled it, or left.
    Cancelled,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ToolError => "tool_error",
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The era of the protocol.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[allow(dead_code)] // It is what the schema says.
enum EraName {
    /// `initialize` and sessions: 2024-11-05 to 2025-11-25.
    Legacy,
    /// Stateless: 2026-07-28.
    Modern,
}

/// The JSON Schema of a line.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Line<'static>)
}
