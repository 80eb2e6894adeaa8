//! What a line says. The schema in `docs/audit.md` is read off these types: to add a member, add a field with its
//! documentation and its bound, and run the tests of this module with `UPDATE_SNAPSHOTS=1`.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use crate::protocol::Era;
use crate::timestamp::Timestamp;

use super::digest::Digest;
use super::key::Arguments;
use super::text::{bounded, bounded_if_any, write};

/// Bytes of a line at most, with its end.
pub const MAX_LINE_BYTES: usize = 16 << 10;

/// A line of an audit log: one JSON object, on a line of its own. Members that say nothing are left out; text from outside
/// that is too long ends with `…`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "Line")]
pub struct Line<'a> {
    /// Number of the line in the chain: 1, and then one more for each line, also from file to file.
    pub sequence: u64,
    /// SHA-256 of the line before, with its line feed; zeros in the first line of a chain.
    pub previous: Digest,
    /// Lines that were lost before this one, because they could not be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
    /// Whether the answer of the call was withheld because the line could not be written at first. The call was carried out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schemars(default)]
    pub withheld: bool,
    /// What happened.
    #[serde(flatten)]
    pub event: Event<'a>,
}

/// What happened.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
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
        write(self, out);
    }
}

/// A file or a server begins. It is the first line of each file.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Opened<'a> {
    /// When.
    #[serde(serialize_with = "time")]
    #[schemars(with = "DateTime<Utc>")]
    pub time: SystemTime,
    /// Why the line is there.
    pub because: Because,
    /// Name and version of the server, at most 256 bytes.
    #[serde(serialize_with = "bounded::<256, _>")]
    pub server: &'a str,
    /// Fingerprint of the key of the hashes, 16 hexadecimal digits: `audit hash` prints it too.
    pub key: &'a str,
    /// Where the file is now that has the line before, if it was renamed by the server: at most 1024 bytes.
    #[serde(
        serialize_with = "bounded_if_any::<1024, _>",
        skip_serializing_if = "Option::is_none"
    )]
    pub before: Option<&'a str>,
    /// Bytes after the last whole line that were found and moved to the file that is named like this one, with
    /// `.torn-` and the number of this line: the process or the machine was stopped within a write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub torn_bytes: Option<u64>,
}

/// Why a file or a server begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize, JsonSchema)]
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

/// The server ends, as it should. A log that ends without it belongs to a server that runs, was killed, or was cut.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Closed {
    /// When.
    #[serde(serialize_with = "time")]
    #[schemars(with = "DateTime<Utc>")]
    pub time: SystemTime,
}

/// A call or a denial.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Entry<'a> {
    /// When the request came.
    #[serde(serialize_with = "time")]
    #[schemars(with = "DateTime<Utc>")]
    pub time: SystemTime,
    /// Who asked, at most 512 bytes; left out where nobody had to authenticate.
    #[serde(
        serialize_with = "bounded_if_any::<512, _>",
        skip_serializing_if = "Option::is_none"
    )]
    pub principal: Option<&'a str>,
    /// What the client says its program is called, at most 256 bytes.
    #[serde(
        serialize_with = "bounded_if_any::<256, _>",
        skip_serializing_if = "Option::is_none"
    )]
    pub client: Option<&'a str>,
    /// What the client says its version is, at most 128 bytes.
    #[serde(
        serialize_with = "bounded_if_any::<128, _>",
        skip_serializing_if = "Option::is_none"
    )]
    pub client_version: Option<&'a str>,
    /// The era of the protocol.
    #[serde(serialize_with = "era", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<EraName>")]
    pub era: Option<Era>,
    /// The protocol revision, at most 32 bytes.
    #[serde(
        serialize_with = "bounded_if_any::<32, _>",
        skip_serializing_if = "Option::is_none"
    )]
    pub revision: Option<&'a str>,
    /// How the request came: `stdio`, `http`, `sse` or `memory`, at most 32 bytes.
    #[serde(serialize_with = "bounded::<32, _>")]
    pub transport: &'a str,
    /// The method, at most 128 bytes.
    #[serde(serialize_with = "bounded::<128, _>")]
    pub method: &'a str,
    /// The tool or the prompt by name, or the resource by URI, at most 2048 bytes.
    #[serde(
        serialize_with = "bounded_if_any::<2048, _>",
        skip_serializing_if = "Option::is_none"
    )]
    pub name: Option<&'a str>,
    /// The arguments without a value of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Arguments>,
    /// Whether the request was let through.
    #[serde(flatten)]
    pub decision: Decision<'a>,
    /// Scopes of the caller with a space between, at most 1024 bytes; left out where everything is allowed.
    #[serde(
        serialize_with = "bounded_if_any::<1024, _>",
        skip_serializing_if = "Option::is_none"
    )]
    pub scopes: Option<&'a str>,
    /// How the call ended; left out if it was denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The code of the JSON-RPC error in the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// Milliseconds from the request to the answer.
    pub ms: u64,
    /// Bytes of the answer's result or error.
    pub bytes: u64,
    /// Whether the answer came from the cache.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schemars(default)]
    pub cached: bool,
    /// Digest of the manifest (`full/1`) that the call ran under, at most 128 bytes; left out for what came no further than to
    /// the door.
    #[serde(
        serialize_with = "bounded_if_any::<128, _>",
        skip_serializing_if = "Option::is_none"
    )]
    pub manifest: Option<&'a str>,
    /// The id that the log has of the request, at most 128 bytes.
    #[serde(
        serialize_with = "bounded_if_any::<128, _>",
        skip_serializing_if = "Option::is_none"
    )]
    pub request: Option<&'a str>,
    /// The trace that the request belongs to (W3C Trace Context), at most 64 bytes.
    #[serde(
        serialize_with = "bounded_if_any::<64, _>",
        skip_serializing_if = "Option::is_none"
    )]
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

/// Whether a request was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision<'a> {
    /// It was.
    Allowed,
    /// It was not.
    Denied {
        /// Why, at most 512 bytes.
        #[serde(serialize_with = "bounded::<512, _>")]
        reason: &'a str,
    },
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
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

/// The era of the protocol.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum EraName {
    /// `initialize` and sessions: 2024-11-05 to 2025-11-25.
    Legacy,
    /// Stateless: 2026-07-28.
    Modern,
}

fn era<S: Serializer>(era: &Option<Era>, serializer: S) -> Result<S::Ok, S::Error> {
    let name = era.map(|era| match era {
        Era::Legacy => EraName::Legacy,
        Era::Modern => EraName::Modern,
    });
    name.serialize(serializer)
}

/// RFC 3339, UTC, with milliseconds.
fn time<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(Timestamp::new(*time, 3).as_str())
}

/// The JSON Schema of a line.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Line<'static>)
}
